//! Every rule a configuration must keep, each problem with its key and its rule.
//!
//! Deliberately opens no socket and parses no certificate: what only the machine can tell is found when starting.

use super::{Config, Limits, Member, Queries, Sync};
use crate::files;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// The largest twin that may be configured, all sections together.
const TWIN_BYTES_MAX: usize = 1024 * 1024;
/// What the stored form can nest.
#[expect(clippy::cast_possible_truncation, reason = "24")]
const DEPTH_MAX: usize = muster_domain::limits::DEPTH_MAX as usize;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `raft.heartbeat_interval_ms`.
    pub key: String,
    /// What it must be, as the rest of a sentence: `must be ..`.
    pub rule: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.rule)
    }
}

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn unless(&mut self, holds: bool, key: impl Into<String>, rule: impl Into<String>) {
        if !holds {
            self.0.push(Problem { key: key.into(), rule: rule.into() });
        }
    }

    /// Both bounds included.
    fn range<T: PartialOrd + fmt::Display>(&mut self, key: &str, value: T, low: T, high: T) {
        let rule = format!("must be {low} to {high}, and is {value}");
        self.unless(value >= low && value <= high, key, rule);
    }
}

/// Rules that need only the values.
pub(super) fn values(config: &Config) -> Vec<Problem> {
    let mut problems = Problems::default();
    node_and_cluster(config, &mut problems);
    listeners(config, &mut problems);
    transport_security(config, &mut problems);
    raft_and_storage(config, &mut problems);
    queries(config, &mut problems);
    sync(config, &mut problems);
    limits(config, &mut problems);
    let level = is_log_level(&config.log.level);
    problems.unless(level, "log.level", "must be a level or a list such as \"info,muster_node::raft=debug\"");
    problems.0
}

fn node_and_cluster(config: &Config, problems: &mut Problems) {
    problems.unless(config.node.id > 0, "node.id", "must be at least 1");
    problems.unless(!config.node.data_dir.as_os_str().is_empty(), "node.data_dir", "must not be empty");
    let name = "must be 1 to 64 of A-Z a-z 0-9 - _ .";
    problems.unless(config.node.name.as_deref().is_none_or(is_name), "node.name", name);
    if let Some(id) = &config.cluster.id {
        let canonical = uuid::Uuid::try_parse(id).is_ok_and(|uuid| uuid.hyphenated().to_string() == *id);
        problems.unless(canonical, "cluster.id", "must be a UUID in lower case with hyphens");
    }
    if config.is_single_node() {
        return;
    }
    problems.unless(
        config.cluster.id.is_some(),
        "cluster.id",
        "must be set when cluster.members or cluster.join is, and alike on all members",
    );
    let join = config.cluster.join.iter().all(|address| is_host_and_port(address));
    problems.unless(join, "cluster.join", "must list HOST:PORT, ports above 0 included");
    let members = &config.cluster.members;
    if members.is_empty() {
        return;
    }
    let own = config.own_member().is_some();
    problems.unless(
        own,
        "cluster.members",
        format!(
            "must have an entry with this node's id, {}; a node that joins has cluster.join instead",
            config.node.id
        ),
    );
    for (index, member) in members.iter().enumerate() {
        let key = |field| format!("cluster.members[{index}].{field}");
        problems.unless(member.id > 0, key("id"), "must be at least 1");
        problems.unless(is_name(&member.name), key("name"), name);
        for (field, address) in [("peer_address", &member.peer_address), ("client_address", &member.client_address)] {
            problems.unless(is_host_and_port(address), key(field), "must be HOST:PORT, a port above 0 included");
        }
    }
    problems.unless(all_differ(members, |member| member.id), "cluster.members", "must not give two members one id");
    problems.unless(
        all_differ(members, |member| &member.name),
        "cluster.members",
        "must not give two members one name",
    );
    let addresses = all_differ(members, |member| &member.peer_address);
    problems.unless(addresses, "cluster.members", "must not give two members one peer_address");
}

fn listeners(config: &Config, problems: &mut Problems) {
    let client = &config.client_listener;
    let advertise = client.advertise.as_deref();
    problems.unless(advertise.is_none_or(is_host_and_port), "client_listener.advertise", "must be HOST:PORT");
    problems.range("client_listener.max_message_bytes", client.max_message_bytes, 64 * 1024, 64 * 1024 * 1024);
    problems.range("client_listener.max_connections", client.max_connections, 1, 1_000_000);
    problems.range("client_listener.max_streams_per_connection", client.max_streams_per_connection, 1, 100_000);
    problems.range("client_listener.max_header_bytes", client.max_header_bytes, 1_024, 1024 * 1024);
    problems.range("client_listener.max_handshakes", client.max_handshakes, 1, 10_000);
    problems.range("client_listener.handshake_timeout_ms", client.handshake_timeout_ms, 100, 60_000);
    problems.range("client_listener.request_timeout_ms", client.request_timeout_ms, 100, 600_000);
    problems.range("client_listener.keepalive_interval_ms", client.keepalive_interval_ms, 1_000, 3_600_000);
    problems.range("client_listener.keepalive_timeout_ms", client.keepalive_timeout_ms, 500, 600_000);
    problems.range("client_listener.max_connection_age_ms", client.max_connection_age_ms, 10_000, 7 * 86_400_000);
    let peer = &config.peer_listener;
    let advertise = peer.advertise.as_deref();
    problems.unless(advertise.is_none_or(is_host_and_port), "peer_listener.advertise", "must be HOST:PORT");
    problems.range("peer_listener.connect_timeout_ms", peer.connect_timeout_ms, 50, 60_000);
    problems.range("peer_listener.keepalive_interval_ms", peer.keepalive_interval_ms, 100, 600_000);
    problems.range("peer_listener.keepalive_timeout_ms", peer.keepalive_timeout_ms, 100, 600_000);
    // Port 0 asks the system for a free one, so two of those never collide.
    let mut open = vec![("client_listener.address", client.address)];
    if !config.is_single_node() {
        open.push(("peer_listener.address", peer.address));
    }
    if config.http.enabled {
        open.push(("http.address", config.http.address));
    }
    for (index, (key, address)) in open.iter().enumerate() {
        let taken = open[..index].iter().find(|(_, earlier)| earlier == address && address.port() != 0);
        if let Some((other, _)) = taken {
            problems.unless(false, *key, format!("must differ from {other}"));
        }
    }
    let http_local = !config.http.enabled || config.http.address.ip().is_loopback() || config.http.allow_remote;
    let rule = "must be a loopback address, because HTTP is not encrypted; set http.allow_remote = true on a network \
                that you trust with metrics and health";
    problems.unless(http_local, "http.address", rule);
}

fn transport_security(config: &Config, problems: &mut Problems) {
    let insecure = config.security.insecure_dev;
    let single = config.is_single_node();
    // A single node without a file makes its own certificates at first start (first_start.rs).
    let mut listener = |section: &str, loopback: bool, encrypted: bool| {
        if encrypted {
            problems.unless(
                !insecure,
                format!("{section}.tls"),
                "must be absent with security.insecure_dev, which means plain text",
            );
        } else if insecure {
            let rule = "must be a loopback address, because security.insecure_dev means plain text";
            problems.unless(loopback, format!("{section}.address"), rule);
        } else if !single {
            let rule = "must be set: without TLS a node listens on loopback only, and only with security.insecure_dev = true; \
                        `musterd pki init` makes certificates";
            problems.unless(false, format!("{section}.tls"), rule);
        } else {
            let rule = "must be a loopback address, unless client_listener.tls is set";
            problems.unless(loopback, format!("{section}.address"), rule);
        }
    };
    let client = &config.client_listener;
    listener("client_listener", client.address.ip().is_loopback(), client.tls.is_some());
    if !single {
        let peer = &config.peer_listener;
        listener("peer_listener", peer.address.ip().is_loopback(), peer.tls.is_some());
    }
    if let (Some(client), Some(peer)) = (&client.tls, &config.peer_listener.tls) {
        let rule =
            "must not be client_listener.tls.client_ca_file: whoever holds a client certificate could join the cluster";
        problems.unless(client.client_ca_file.as_ref() != Some(&peer.ca_file), "peer_listener.tls.ca_file", rule);
    }
    if !single && !insecure {
        let rule = "must be set when cluster.members is, and hold the same on all members";
        problems.unless(config.security.secrets_key_file.is_some(), "security.secrets_key_file", rule);
    }
}

fn raft_and_storage(config: &Config, problems: &mut Problems) {
    let raft = &config.raft;
    problems.range("raft.heartbeat_interval_ms", raft.heartbeat_interval_ms, 10, 10_000);
    let (min, max) = (raft.election_timeout_min_ms, raft.election_timeout_max_ms);
    let twice = raft.heartbeat_interval_ms.saturating_mul(2);
    let rule = format!("must be greater than 2 x raft.heartbeat_interval_ms ({twice}), and is {min}");
    problems.unless(min > twice, "raft.election_timeout_min_ms", rule);
    let rule = format!("must be greater than raft.election_timeout_min_ms ({min}), and is {max}");
    problems.unless(max > min, "raft.election_timeout_max_ms", rule);
    problems.range("raft.election_timeout_max_ms", max, 20, 600_000);
    problems.range("raft.snapshot_entries", raft.snapshot_entries, 100, 100_000_000);
    problems.range("raft.log_keep_entries", raft.log_keep_entries, 0, 100_000_000);
    problems.range("raft.max_entry_commands", raft.max_entry_commands, 1, 10_000);
    // Well below what one message between members may hold, or replication would stall for good.
    problems.range("raft.max_entry_bytes", raft.max_entry_bytes, 64 * 1024, 8 * 1024 * 1024);
    problems.range("raft.promote_lag_entries", raft.promote_lag_entries, 0, 1_000_000);
    let storage = &config.storage;
    problems.range("storage.state_cache_bytes", storage.state_cache_bytes, 1024 * 1024, 1 << 40);
    problems.range("storage.state_memtable_bytes", storage.state_memtable_bytes, 1024 * 1024, 1 << 32);
    problems.range("storage.disk_free_min_bytes", storage.disk_free_min_bytes, 0, 1 << 50);
}

fn queries(config: &Config, problems: &mut Problems) {
    let Queries {
        time_ms,
        memory_bytes,
        scanned_rows,
        changed_rows,
        live,
        live_rows,
        live_bytes,
        views_memory_bytes,
        views_checkpoint_interval_ms: interval,
    } = config.queries;
    problems.range("queries.time_ms", time_ms, 100, 600_000);
    problems.range("queries.memory_bytes", memory_bytes, 1024 * 1024, 1 << 40);
    problems.range("queries.scanned_rows", scanned_rows, 1_000, 1_000_000_000_000);
    problems.range("queries.changed_rows", changed_rows, 1, 100_000_000);
    problems.range("queries.live", live, 1, 1_000_000);
    problems.range("queries.live_rows", live_rows, 1, 100_000_000);
    problems.range("queries.live_bytes", live_bytes, 1024 * 1024, 1 << 40);
    problems.range("queries.views_memory_bytes", views_memory_bytes, 1024 * 1024, 1 << 50);
    let rule = format!("must be 0 or 1000 to 86400000, and is {interval}");
    let is_valid = interval == 0 || (1_000..=86_400_000).contains(&interval);
    problems.unless(is_valid, "queries.views_checkpoint_interval_ms", rule);
}

fn sync(config: &Config, problems: &mut Problems) {
    let Sync { sessions_max, heartbeat_ms, window_operations } = config.sync;
    problems.range("sync.sessions_max", sessions_max, 1, 1_000_000);
    problems.range("sync.heartbeat_ms", heartbeat_ms, 100, 600_000);
    problems.range("sync.window_operations", window_operations, 1, 256);
}

fn limits(config: &Config, problems: &mut Problems) {
    let Limits {
        propose_queue_commands,
        read_queue_requests,
        command_bytes,
        batch_items,
        page_items,
        watches,
        twin_tags_bytes,
        twin_desired_bytes,
        twin_reported_bytes,
        twin_value_bytes,
        twin_key_bytes,
        twin_depth,
    } = config.limits;
    problems.range("limits.propose_queue_commands", propose_queue_commands, 1, 1_000_000);
    problems.range("limits.read_queue_requests", read_queue_requests, 1, 1_000_000);
    problems.range("limits.command_bytes", command_bytes, 64 * 1024, 8 * 1024 * 1024);
    problems.range("limits.batch_items", batch_items, 1, 10_000);
    problems.range("limits.page_items", page_items, 1, 10_000);
    problems.range("limits.watches", watches, 1, 1_000_000);
    problems.range("limits.twin_tags_bytes", twin_tags_bytes, 1, TWIN_BYTES_MAX);
    problems.range("limits.twin_desired_bytes", twin_desired_bytes, 1, TWIN_BYTES_MAX);
    problems.range("limits.twin_reported_bytes", twin_reported_bytes, 1, TWIN_BYTES_MAX);
    let twin = twin_tags_bytes.saturating_add(twin_desired_bytes).saturating_add(twin_reported_bytes);
    let rule = format!("must together be at most {TWIN_BYTES_MAX} (1 MiB a twin), and are {twin}");
    problems.unless(twin <= TWIN_BYTES_MAX, "limits.twin_tags_bytes, twin_desired_bytes and twin_reported_bytes", rule);
    problems.range("limits.twin_value_bytes", twin_value_bytes, 1, TWIN_BYTES_MAX);
    problems.range("limits.twin_key_bytes", twin_key_bytes, 1, 4_096);
    problems.range("limits.twin_depth", twin_depth, 1, DEPTH_MAX);
}

/// Rules about the files that are named.
pub(super) fn files(config: &Config) -> Vec<Problem> {
    let mut problems = Problems::default();
    if let Some(tls) = &config.client_listener.tls {
        file("client_listener.tls.cert_file", &tls.cert_file, false, &mut problems);
        file("client_listener.tls.key_file", &tls.key_file, true, &mut problems);
        if let Some(path) = &tls.client_ca_file {
            file("client_listener.tls.client_ca_file", path, false, &mut problems);
        }
    }
    if let Some(tls) = &config.peer_listener.tls {
        file("peer_listener.tls.cert_file", &tls.cert_file, false, &mut problems);
        file("peer_listener.tls.key_file", &tls.key_file, true, &mut problems);
        file("peer_listener.tls.ca_file", &tls.ca_file, false, &mut problems);
    }
    if let Some(path) = &config.security.secrets_key_file {
        file("security.secrets_key_file", path, true, &mut problems);
    }
    if let Some(path) = &config.security.admin_token_file {
        file("security.admin_token_file", path, true, &mut problems);
    }
    problems.0
}

fn file(key: &str, path: &Path, secret: bool, problems: &mut Problems) {
    if let Err(error) = std::fs::read(path) {
        problems.unless(false, key, format!("must be a readable file: {}: {error}", path.display()));
    } else if secret {
        let private = files::is_open_to_others(path).is_ok_and(|open| !open);
        problems.unless(private, key, format!("must be readable by its owner only: chmod 600 {}", path.display()));
    }
}

fn all_differ<'a, T: Ord>(members: &'a [Member], field: impl Fn(&'a Member) -> T) -> bool {
    members.iter().map(field).collect::<BTreeSet<_>>().len() == members.len()
}

/// A bare word that is no level would be taken for the name of a part, with everything it has to say switched on.
fn is_log_level(text: &str) -> bool {
    let level = |text: &str| !text.is_empty() && text.parse::<tracing::level_filters::LevelFilter>().is_ok();
    text.split(',').map(|part| part.rsplit_once('=').map_or(part, |(_, level)| level)).all(level)
        && text.parse::<tracing_subscriber::filter::Targets>().is_ok()
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn is_host_and_port(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let host_fits = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok()),
        None => {
            (1..=253).contains(&host.len()) && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
        }
    };
    host_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
}
