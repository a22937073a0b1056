//! The sections of the configuration and their defaults. What each key means stands in `reference.rs`, once.
//!
//! Deliberately checks nothing (`check.rs`).

use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Where clients connect, unless told otherwise.
const CLIENT_PORT: u16 = 7420;
/// Where peers connect, unless told otherwise.
const PEER_PORT: u16 = 7421;
/// Where metrics and health are served, unless told otherwise.
const HTTP_PORT: u16 = 7422;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// `[node]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each key is described once, in reference.rs")]
pub struct Node {
    pub id: u64,
    pub name: Option<String>,
    pub data_dir: PathBuf,
}

impl Default for Node {
    fn default() -> Self {
        Self { id: 1, name: None, data_dir: "muster-data".into() }
    }
}

/// `[cluster]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each key is described once, in reference.rs")]
pub struct Cluster {
    pub id: Option<String>,
    pub bootstrap: bool,
    pub join: Vec<String>,
    pub join_token_file: Option<PathBuf>,
    pub members: Vec<Member>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self { id: None, bootstrap: true, join: Vec::new(), join_token_file: None, members: Vec::new() }
    }
}

/// `[[cluster.members]]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is described once, in reference.rs")]
pub struct Member {
    pub id: u64,
    pub name: String,
    pub peer_address: String,
    pub client_address: String,
}

/// `[client_listener]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each key is described once, in reference.rs")]
pub struct ClientListener {
    pub address: SocketAddr,
    pub advertise: Option<String>,
    pub max_message_bytes: usize,
    pub max_connections: usize,
    pub max_streams_per_connection: u32,
    pub max_header_bytes: u32,
    pub max_handshakes: usize,
    pub handshake_timeout_ms: u64,
    pub request_timeout_ms: u64,
    pub keepalive_interval_ms: u64,
    pub keepalive_timeout_ms: u64,
    pub max_connection_age_ms: u64,
    pub tls: Option<ClientTlsFiles>,
}

impl Default for ClientListener {
    fn default() -> Self {
        Self {
            address: loopback(CLIENT_PORT),
            advertise: None,
            max_message_bytes: 4 * MIB,
            max_connections: 20_000,
            max_streams_per_connection: 256,
            max_header_bytes: 8 * 1024,
            max_handshakes: 64,
            handshake_timeout_ms: 5_000,
            request_timeout_ms: 10_000,
            keepalive_interval_ms: 20_000,
            keepalive_timeout_ms: 10_000,
            max_connection_age_ms: 3_600_000,
            tls: None,
        }
    }
}

/// `[client_listener.tls]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is described once, in reference.rs")]
pub struct ClientTlsFiles {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
    pub client_ca_file: Option<PathBuf>,
}

/// `[peer_listener]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each key is described once, in reference.rs")]
pub struct PeerListener {
    pub address: SocketAddr,
    pub advertise: Option<String>,
    pub connect_timeout_ms: u64,
    pub keepalive_interval_ms: u64,
    pub keepalive_timeout_ms: u64,
    pub tls: Option<PeerTlsFiles>,
}

impl Default for PeerListener {
    fn default() -> Self {
        Self {
            address: loopback(PEER_PORT),
            advertise: None,
            connect_timeout_ms: 1_000,
            keepalive_interval_ms: 2_000,
            keepalive_timeout_ms: 2_000,
            tls: None,
        }
    }
}

/// `[peer_listener.tls]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is described once, in reference.rs")]
pub struct PeerTlsFiles {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
    pub ca_file: PathBuf,
}

/// `[http]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each key is described once, in reference.rs")]
pub struct Http {
    pub enabled: bool,
    pub address: SocketAddr,
    pub allow_remote: bool,
}

impl Default for Http {
    fn default() -> Self {
        Self { enabled: true, address: loopback(HTTP_PORT), allow_remote: false }
    }
}

/// `[raft]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each key is described once, in reference.rs")]
pub struct Raft {
    pub heartbeat_interval_ms: u64,
    pub election_timeout_min_ms: u64,
    pub election_timeout_max_ms: u64,
    pub snapshot_entries: u64,
    pub log_keep_entries: u64,
    pub max_entry_commands: usize,
    pub max_entry_bytes: usize,
    pub promote_lag_entries: u64,
}

impl Default for Raft {
    fn default() -> Self {
        Self {
            heartbeat_interval_ms: 50,
            election_timeout_min_ms: 250,
            election_timeout_max_ms: 400,
            snapshot_entries: 100_000,
            log_keep_entries: 20_000,
            max_entry_commands: 256,
            max_entry_bytes: MIB,
            promote_lag_entries: 100,
        }
    }
}

/// `[storage]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each key is described once, in reference.rs")]
pub struct Storage {
    pub state_cache_bytes: usize,
    pub state_memtable_bytes: usize,
    pub disk_free_min_bytes: u64,
}

impl Default for Storage {
    fn default() -> Self {
        Self { state_cache_bytes: 64 * MIB, state_memtable_bytes: 32 * MIB, disk_free_min_bytes: 256 * 1024 * 1024 }
    }
}

/// `[queries]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each key is described once, in reference.rs")]
pub struct Queries {
    pub time_ms: u64,
    pub memory_bytes: usize,
    pub scanned_rows: usize,
    pub changed_rows: usize,
    pub live: usize,
    pub live_rows: usize,
    pub live_bytes: usize,
    pub views_memory_bytes: usize,
    pub views_checkpoint_interval_ms: u64,
}

impl Default for Queries {
    fn default() -> Self {
        Self {
            time_ms: 10_000,
            memory_bytes: 512 * MIB,
            scanned_rows: 100_000_000,
            changed_rows: 200_000,
            live: 20_000,
            live_rows: 200_000,
            live_bytes: 256 * MIB,
            views_memory_bytes: 8192 * MIB,
            views_checkpoint_interval_ms: 600_000,
        }
    }
}

/// `[sync]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each key is described once, in reference.rs")]
pub struct Sync {
    pub sessions_max: usize,
    pub heartbeat_ms: u64,
    pub window_operations: u32,
}

impl Default for Sync {
    fn default() -> Self {
        Self { sessions_max: 20_000, heartbeat_ms: 20_000, window_operations: 256 }
    }
}

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each key is described once, in reference.rs")]
pub struct Limits {
    pub propose_queue_commands: usize,
    pub read_queue_requests: usize,
    pub command_bytes: usize,
    pub batch_items: usize,
    pub page_items: usize,
    pub watches: usize,
    pub twin_tags_bytes: usize,
    pub twin_desired_bytes: usize,
    pub twin_reported_bytes: usize,
    pub twin_value_bytes: usize,
    pub twin_key_bytes: usize,
    pub twin_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            propose_queue_commands: 10_000,
            read_queue_requests: 10_000,
            command_bytes: MIB,
            batch_items: 1_000,
            page_items: 1_000,
            watches: 20_000,
            twin_tags_bytes: 8 * KIB,
            twin_desired_bytes: 32 * KIB,
            twin_reported_bytes: 32 * KIB,
            twin_value_bytes: 4 * KIB,
            twin_key_bytes: KIB,
            twin_depth: 10,
        }
    }
}

/// `[security]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each key is described once, in reference.rs")]
pub struct Security {
    pub insecure_dev: bool,
    pub secrets_key_file: Option<PathBuf>,
    pub admin_token_file: Option<PathBuf>,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each key is described once, in reference.rs")]
pub struct Log {
    pub format: LogFormat,
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}
