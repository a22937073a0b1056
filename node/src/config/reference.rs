//! What each key means, once; and the two documents that are generated from it: `deploy/config/node.toml` and
//! `node/docs/configuration.md`.
//!
//! Deliberately holds no default: those come from the sections' `Default`, so that they cannot disagree.
//!
//! - A test fails when a key has no row, a row has no key, or one of the documents differs from what is generated.

use super::Config;
use std::fmt::Write as _;
use toml::Value;

/// A key and its meaning.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Section and name, `cluster.members[].id` for a list of tables.
    pub path: &'static str,
    /// For a key without a default: what it could be, as TOML.
    pub example: Option<&'static str>,
    /// What it means, in sentences.
    pub meaning: &'static str,
}

const fn key(path: &'static str, meaning: &'static str) -> Key {
    Key { path, example: None, meaning }
}

const fn optional(path: &'static str, example: &'static str, meaning: &'static str) -> Key {
    Key { path, example: Some(example), meaning }
}

/// All keys, in the order of the documents.
pub const KEYS: &[Key] = &[
    key(
        "node.id",
        "This node's number in the cluster, at least 1. Never given to another node, not even after this one is gone.",
    ),
    optional(
        "node.name",
        "\"n1\"",
        "Its name in logs and in `muster cluster status`. By default the name in cluster.members, or node-<id>.",
    ),
    key(
        "node.data_dir",
        "Where everything durable lies. Made with owner-only permissions; used by one process at a time.",
    ),
    optional(
        "cluster.id",
        "\"3f2c8f0e-6c1d-4c52-9d8e-0a7b5c4d3e21\"",
        "The cluster's UUID, alike on all members. `musterd pki init` writes one to the file cluster-id. A single node makes its own.",
    ),
    key(
        "cluster.bootstrap",
        "Whether this node may form a new cluster. When all members start with empty data directories, the one with \
        the lowest id does. Set it to false on a node whose data was lost, so that it can only join again.",
    ),
    key(
        "cluster.join",
        "Peer addresses (HOST:PORT) of members of a running cluster that this node joins at its first start. node.id is then the id it was \
        admitted under. See `muster cluster join`.",
    ),
    optional(
        "cluster.join_token_file",
        "\"join.token\"",
        "The token that `muster cluster join` printed. Needed until this node has joined; it counts once.",
    ),
    optional("cluster.members[].id", "1", "The member's node.id."),
    optional("cluster.members[].name", "\"n1\"", "The member's name."),
    optional("cluster.members[].peer_address", "\"n1.example:7421\"", "HOST:PORT where the other members reach it."),
    optional(
        "cluster.members[].client_address",
        "\"n1.example:7420\"",
        "HOST:PORT where clients reach it; told to clients that ask for the members.",
    ),
    key("client_listener.address", "Where clients connect (gRPC and gRPC-Web). Port 0 takes a free one."),
    optional(
        "client_listener.advertise",
        "\"n1.example:7420\"",
        "HOST:PORT told to clients, when it differs from the address listened on.",
    ),
    key("client_listener.max_message_bytes", "The largest request accepted, decompressed. 65536 to 67108864."),
    key(
        "client_listener.max_connections",
        "Connections at a time; more are closed as soon as they are accepted. 1 to 1000000.",
    ),
    key(
        "client_listener.max_streams_per_connection",
        "Calls at a time on one connection; a client waits with more. 1 to 100000.",
    ),
    key("client_listener.max_header_bytes", "The largest list of headers in one request. 1024 to 1048576."),
    key(
        "client_listener.max_handshakes",
        "TLS handshakes at a time; further connections wait for their turn. 1 to 10000.",
    ),
    key("client_listener.handshake_timeout_ms", "How long one may take. 100 to 60000."),
    key(
        "client_listener.request_timeout_ms",
        "How long a call that is not a stream may take, whatever deadline its client set. 100 to 600000.",
    ),
    key(
        "client_listener.keepalive_interval_ms",
        "After this much silence a client is asked for a sign of life. 1000 to 3600000.",
    ),
    key(
        "client_listener.keepalive_timeout_ms",
        "Without an answer for this long its connection is closed. 500 to 600000.",
    ),
    key(
        "client_listener.max_connection_age_ms",
        "A connection is asked to end after this time, so that a renewed or withdrawn certificate counts. \
        10000 to 604800000.",
    ),
    optional(
        "client_listener.tls.cert_file",
        "\"nodes/n1/server.crt\"",
        "The server's certificate and its chain, PEM. Read again when it changes, without a restart.",
    ),
    optional("client_listener.tls.key_file", "\"nodes/n1/server.key\"", "Its key, PEM, readable by the owner only."),
    optional(
        "client_listener.tls.client_ca_file",
        "\"nodes/n1/client-ca.crt\"",
        "Authorities whose client certificates are accepted, PEM. \
        Without it clients can only use tokens.",
    ),
    key("peer_listener.address", "Where the other members connect. Not opened by a single node."),
    optional(
        "peer_listener.advertise",
        "\"n4.example:7421\"",
        "HOST:PORT where the other members reach a node that joins, when it differs from the address listened on.",
    ),
    key("peer_listener.connect_timeout_ms", "How long connecting to a member may take. 50 to 60000."),
    key(
        "peer_listener.keepalive_interval_ms",
        "After this much silence a member is asked for a sign of life. 100 to 600000.",
    ),
    key(
        "peer_listener.keepalive_timeout_ms",
        "Without an answer for this long its connection is closed and made anew. 100 to 600000.",
    ),
    optional(
        "peer_listener.tls.cert_file",
        "\"nodes/n1/peer.crt\"",
        "This member's certificate among peers, with the identity muster:peer:CLUSTER/NODE. Read again when it changes.",
    ),
    optional("peer_listener.tls.key_file", "\"nodes/n1/peer.key\"", "Its key, PEM, readable by the owner only."),
    optional(
        "peer_listener.tls.ca_file",
        "\"nodes/n1/peer-ca.crt\"",
        "The authority of peers, PEM. Never the one of clients.",
    ),
    key("http.enabled", "Whether /metrics and /healthz/live, /healthz/ready, /healthz/write are served."),
    key(
        "http.address",
        "Where. HTTP is not encrypted and asks for no credentials, so it is a loopback address unless http.allow_remote is set.",
    ),
    key(
        "http.allow_remote",
        "Allows an http.address that others can reach. Metrics name no device and hold no secret.",
    ),
    key("raft.heartbeat_interval_ms", "How often a leader tells its followers that it is there. 10 to 10000."),
    key(
        "raft.election_timeout_min_ms",
        "A follower that hears nothing for a random time between this and the maximum asks to be elected. \
        Greater than 2 x raft.heartbeat_interval_ms; raise it where disks or networks stall for longer.",
    ),
    key("raft.election_timeout_max_ms", "Greater than raft.election_timeout_min_ms."),
    key("raft.snapshot_entries", "A snapshot is taken after this many log entries. 100 to 100000000."),
    key(
        "raft.log_keep_entries",
        "Entries kept in the log behind a snapshot, so that a member that was away shortly needs no snapshot. 0 to 100000000.",
    ),
    key("raft.max_entry_commands", "Commands packed into one log entry at most. 1 to 10000."),
    key(
        "raft.max_entry_bytes",
        "Bytes of commands packed into one log entry at most; a single larger command gets one of its own. 65536 to 8388608.",
    ),
    key(
        "raft.promote_lag_entries",
        "A node that was admitted as a voter becomes one when it is at most so many log entries behind. 0 to 1000000.",
    ),
    key("storage.state_cache_bytes", "Memory for blocks of the state database. 1048576 and more."),
    key("storage.state_memtable_bytes", "Memory for its writes before they go to a file. 1048576 to 4294967296."),
    key(
        "storage.disk_free_min_bytes",
        "With less free space than this, writes are refused with RESOURCE_EXHAUSTED while reads go on. 0 switches the check off.",
    ),
    key("queries.time_ms", "How long a query may take; over it, it ends with QUERY_BUDGET. 100 to 600000."),
    key(
        "queries.memory_bytes",
        "Memory that the orders, groups and documents of one query may take. 1048576 and more.",
    ),
    key("queries.scanned_rows", "Rows that one query may look at one by one. 1000 to 1000000000000."),
    key(
        "queries.changed_rows",
        "Rows that may have changed since the moment of an AS OF: they are read from documents. 1 to 100000000.",
    ),
    key(
        "queries.live",
        "Live queries of this node at a time, of rows and of whole answers; more are refused with RESOURCE_EXHAUSTED. 1 to 1000000.",
    ),
    key("queries.live_rows", "Rows of the answer of a live query. 1 to 100000000."),
    key("queries.live_bytes", "Bytes of the answer of a live query. 1048576 and more."),
    key(
        "queries.views_memory_bytes",
        "Memory of the columns behind all queries. Above it paths that nobody used before get no column; queries read them from \
        documents, slower and still exact. 1048576 and more.",
    ),
    key(
        "queries.views_checkpoint_interval_ms",
        "Time between two checkpoints of the columns, which let a start answer queries without reading all records. One is \
        always written at a stop. 1000 to 86400000; 0 for none between.",
    ),
    key(
        "sync.sessions_max",
        "Edges that are connected to this node at a time; more are refused with RESOURCE_EXHAUSTED. 1 to 1000000.",
    ),
    key(
        "sync.heartbeat_ms",
        "An edge hears of this node at least this often; after three times that without a word the link is dead to either side. \
        100 to 600000.",
    ),
    key("sync.window_operations", "Operations of one edge that may be unanswered at a time. 1 to 256."),
    key(
        "limits.propose_queue_commands",
        "Commands that wait for the Raft log; more are refused with RESOURCE_EXHAUSTED. 1 to 1000000.",
    ),
    key(
        "limits.read_queue_requests",
        "Linearizable reads that wait for a read index; more are refused with RESOURCE_EXHAUSTED. 1 to 1000000.",
    ),
    key("limits.command_bytes", "The largest command. 65536 to 8388608."),
    key("limits.batch_items", "Devices or twins in one batch call. 1 to 10000."),
    key("limits.page_items", "Entries on one page of a list. 1 to 10000."),
    key("limits.watches", "Watches of this node at a time, over all streams. 1 to 1000000."),
    key(
        "limits.twin_tags_bytes",
        "The largest tags section of a twin. The three sections together are at most 1048576. The limits of twins \
        are stored in the cluster when it is founded, because all members must decide alike: changing them later changes nothing.",
    ),
    key("limits.twin_desired_bytes", "The largest desired section."),
    key("limits.twin_reported_bytes", "The largest reported section."),
    key("limits.twin_value_bytes", "The longest string value in a twin. 1 to 1048576."),
    key("limits.twin_key_bytes", "The longest key in a twin. 1 to 4096."),
    key("limits.twin_depth", "How deep objects may nest in a section. 1 to 24."),
    key(
        "security.insecure_dev",
        "Plain text instead of TLS, on loopback addresses only. For development; says so at every start.",
    ),
    optional(
        "security.secrets_key_file",
        "\"nodes/n1/secrets.key\"",
        "Keys that seal device keys before they are stored: one a line, 64 hexadecimal digits, the first seals. \
        The same file on all members. A single node makes its own.",
    ),
    optional(
        "security.admin_token_file",
        "\"nodes/n1/admin.token\"",
        "The token that a new cluster accepts as its first administrator. Needed only by the node that forms the cluster; \
        later tokens are made with `muster token create`.",
    ),
    key("log.format", "text for people, json (one object a line) for collectors. Written to standard error."),
    key(
        "log.level",
        "error, warn or info; or a list by part, such as \"info,muster_node::raft=warn\". Debug and trace are compiled out.",
    ),
];

const TOML_HEAD: &str = "\
# A node of a Muster cluster: every key with its default. Keys without a default are commented out.
# Generated by `musterd config default`. Check a file with `musterd config check FILE`.
# Relative paths are relative to the folder of this file. Unknown keys are refused.
";

const PAGE_HEAD: &str = "\
# Configuration of a node

<!-- Generated by `musterd config reference`; a test compares. -->

`musterd --config FILE` reads one TOML file; [`deploy/config/node.toml`](../../deploy/config/node.toml) holds every key
with its default. Unknown keys are refused. Relative paths in the file are relative to its folder. Without a file, `musterd` is a
single node on loopback that makes its own certificates, its first token and a context for `muster` at its first start.

- `musterd config check FILE` names every problem with its key and rule, and exits with 0 or 1.
- `musterd config show` prints what is in effect after flags and variables. No key holds a secret: secrets are in files of
  their own, and only the names of those are shown.
- `musterd config default` prints the file with all defaults, `musterd config reference` this page.

## Flags and variables

A flag wins over its variable, a variable over the file, the file over the default.

| flag | variable | key |
|---|---|---|
| `--config FILE` | `MUSTER_CONFIG` | |
| `--data-dir DIR` | `MUSTER_DATA_DIR` | `node.data_dir` |
| `--node-id N` | `MUSTER_NODE_ID` | `node.id` |
| `--listen ADDRESS` | `MUSTER_LISTEN` | `client_listener.address` |
| `--join HOST:PORT,..` | `MUSTER_JOIN` | `cluster.join` |
| `--join-token-file FILE` | `MUSTER_JOIN_TOKEN_FILE` | `cluster.join_token_file` |
| `--insecure-dev` | `MUSTER_INSECURE_DEV=true` | `security.insecure_dev` |
| `--log-level LEVEL` | `MUSTER_LOG` | `log.level` |
| `--log-format FORMAT` | `MUSTER_LOG_FORMAT` | `log.format` |
| `--context-file FILE` | `MUSTER_CONTEXT_FILE` | where a single node writes the context for `muster` |

## Exit codes

| code | meaning |
|---|---|
| 0 | stopped as asked, by SIGTERM or SIGINT |
| 1 | could not start: configuration, files, addresses, or another process on the same data |
| 2 | the command line was not understood |
| 70 | the disk failed or contradicts itself; the node must not answer differently from its peers |
| 71 | a bug: some part panicked, and no half of a node lives on |
| 72 | this node was removed from its cluster; see [membership](how-to/membership.md) |
| 73 | data that was durable is gone; replace the node, see [membership](how-to/membership.md) |

## Keys
";

/// `deploy/config/node.toml`: every key with its default.
#[must_use]
pub fn node_toml() -> String {
    let defaults = defaults();
    let mut text = TOML_HEAD.to_owned();
    let mut section = "";
    for key in KEYS {
        let (here, name) = split(key.path);
        let commented = if section_is_optional(here) { "# " } else { "" };
        if here != section {
            section = here;
            let header = here.strip_suffix("[]").map_or_else(|| format!("[{here}]"), |list| format!("[[{list}]]"));
            push(&mut text, format_args!("\n{commented}{header}\n"));
        }
        for line in wrap(key.meaning, 116) {
            push(&mut text, format_args!("# {line}\n"));
        }
        match (lookup(&defaults, key.path), key.example) {
            (Some(value), _) => push(&mut text, format_args!("{commented}{name} = {value}\n")),
            (None, example) => push(&mut text, format_args!("# {name} = {}\n", example.unwrap_or_default())),
        }
    }
    text
}

/// `node/docs/configuration.md`: every key with its meaning.
#[must_use]
pub fn markdown() -> String {
    let defaults = defaults();
    let mut text = PAGE_HEAD.to_owned();
    let mut section = "";
    for key in KEYS {
        let (here, _) = split(key.path);
        if here != section {
            section = here;
            push(&mut text, format_args!("\n### `[{here}]`\n\n| key | default | meaning |\n|---|---|---|\n"));
        }
        let default = match (lookup(&defaults, key.path), key.example) {
            (Some(value), _) => format!("`{value}`"),
            (None, example) => format!("none; for instance `{}`", example.unwrap_or_default()),
        };
        // A bar would end the cell.
        push(&mut text, format_args!("| `{}` | {default} | {} |\n", key.path, key.meaning.replace('|', "\\|")));
    }
    text
}

/// What is in effect, as TOML. Holds no secret: the configuration names the files that do.
///
/// # Errors
/// When a path is not UTF-8, which TOML cannot express.
pub fn show(config: &Config) -> Result<String, toml::ser::Error> {
    toml::to_string(config)
}

fn defaults() -> Value {
    Value::try_from(Config::default()).expect("numbers, texts and tables are all that TOML needs")
}

fn split(path: &'static str) -> (&'static str, &'static str) {
    path.rsplit_once('.').expect("every key is in a section")
}

fn section_is_optional(section: &str) -> bool {
    KEYS.iter().filter(|key| split(key.path).0 == section).all(|key| key.example.is_some())
}

fn lookup(defaults: &Value, path: &str) -> Option<Value> {
    path.split('.').try_fold(defaults, |table, name| table.get(name)).cloned()
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("writing to a string does not fail");
}

fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("starts with one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
