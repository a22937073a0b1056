//! The configuration's rules, and the completeness of its documents.

use super::*;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use toml::Value;

const CLUSTER: &str = "0f0e0d0c-0000-4000-8000-000000000000";

/// A member of a cluster of three, with everything set. Written without `..`, so that a new key does not compile until
/// it stands here, and then the tests below ask for its row.
fn everything() -> Config {
    let member = |id: u64| Member {
        id,
        name: format!("n{id}"),
        peer_address: format!("n{id}.example:7421"),
        client_address: format!("n{id}.example:7420"),
    };
    let Config {
        node,
        cluster: _,
        client_listener,
        peer_listener,
        http,
        raft,
        storage,
        queries,
        sync,
        limits,
        security,
        log,
    } = Config::default();
    Config {
        node: Node { id: 2, name: Some("n2".into()), data_dir: node.data_dir },
        cluster: Cluster {
            id: Some(CLUSTER.into()),
            bootstrap: true,
            join: vec!["n1.example:7421".into()],
            join_token_file: Some("join.token".into()),
            members: vec![member(1), member(2), member(3)],
        },
        client_listener: ClientListener {
            advertise: Some("n2.example:7420".into()),
            tls: Some(ClientTlsFiles {
                cert_file: "server.crt".into(),
                key_file: "server.key".into(),
                client_ca_file: Some("client-ca.crt".into()),
            }),
            ..client_listener
        },
        peer_listener: PeerListener {
            advertise: Some("n2.example:7421".into()),
            tls: Some(PeerTlsFiles {
                cert_file: "peer.crt".into(),
                key_file: "peer.key".into(),
                ca_file: "peer-ca.crt".into(),
            }),
            ..peer_listener
        },
        http,
        raft,
        storage,
        queries,
        sync,
        limits,
        security: Security {
            insecure_dev: security.insecure_dev,
            secrets_key_file: Some("secrets.key".into()),
            admin_token_file: Some("admin.token".into()),
        },
        log,
    }
}

fn problems(config: &Config) -> Vec<String> {
    match config.check() {
        Ok(()) => Vec::new(),
        Err(ConfigError::Invalid(problems)) => problems.iter().map(Problem::to_string).collect(),
        Err(other) => panic!("checking values reads no file: {other}"),
    }
}

fn leaves(prefix: &str, value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                leaves(&if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") }, value, into);
            }
        }
        Value::Array(items) if items.iter().all(Value::is_table) => {
            items.iter().for_each(|item| leaves(&format!("{prefix}[]"), item, into))
        }
        _ => drop(into.insert(prefix.to_owned())),
    }
}

#[test]
fn every_key_has_a_row_and_every_row_a_key() {
    let mut keys = BTreeSet::new();
    leaves("", &Value::try_from(everything()).expect("TOML"), &mut keys);
    let rows: Vec<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
    assert_eq!(rows.iter().cloned().collect::<BTreeSet<_>>(), keys);
    assert_eq!(rows.len(), keys.len(), "no row twice");
}

#[test]
fn the_documents_are_what_is_generated() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect(path);
    assert_eq!(read("deploy/config/node.toml"), node_toml(), "run: musterd config default > deploy/config/node.toml");
    assert_eq!(
        read("node/docs/configuration.md"),
        markdown(),
        "run: musterd config reference > node/docs/configuration.md"
    );
    for key in KEYS {
        assert!(markdown().contains(&format!("| `{}` |", key.path)), "{}", key.path);
        assert!(key.meaning.ends_with('.'), "{} is described in sentences", key.path);
    }
}

#[test]
fn the_generated_file_parses_to_the_defaults_and_its_examples_are_valid() {
    assert_eq!(Config::from_toml(&node_toml()).expect("parses"), Config::default());
    assert_eq!(Config::from_toml("").expect("parses"), Config::default());
    let uncommented: Vec<String> = node_toml()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) =>
            {
                rest.to_owned()
            }
            _ => line.to_owned(),
        })
        .collect();
    let config = Config::from_toml(&uncommented.join("\n")).expect("the examples parse");
    assert!(config.client_listener.tls.is_some() && config.cluster.members.len() == 1);
    assert_eq!(problems(&config), [""; 0]);
}

#[test]
fn defaults_and_a_full_member_are_valid() {
    assert_eq!(problems(&Config::default()), [""; 0]);
    assert_eq!(problems(&everything()), [""; 0]);
    let shown = show(&everything()).expect("TOML");
    assert_eq!(Config::from_toml(&shown).expect("shown configuration parses"), everything());
}

#[test]
fn unknown_keys_and_wrong_types_are_refused_by_name() {
    for (text, wanted) in [
        ("[raft]\nheartbeat_ms = 50", "heartbeat_ms"),
        ("[raaft]\nx = 1", "raaft"),
        ("listen = \"x\"", "listen"),
        ("[client_listener.tls]\ncert_file = \"a\"\nkey_file = \"b\"\nca = \"c\"", "ca"),
        (
            "[[cluster.members]]\nid = 1\nname = \"a\"\npeer_address = \"b:1\"\nclient_address = \"c:1\"\nrole = \"x\"",
            "role",
        ),
        ("[client_listener.tls]\ncert_file = \"a\"", "key_file"),
        ("[node]\nid = \"one\"", "id"),
        ("[node]\nid = -1", "id"),
        ("[client_listener]\naddress = \"localhost\"", "address"),
        ("[limits]\ntwin_depth = 1.5", "twin_depth"),
        ("[log]\nformat = \"xml\"", "xml"),
        ("[node", "expected"),
    ] {
        let error = Config::from_toml(text).expect_err(text).to_string();
        assert!(error.contains(wanted), "{text:?} says: {error}");
        assert!(error.contains("line "), "{error}");
    }
}

/// What to spoil in a good configuration, and what the problem must then say.
#[test]
fn each_broken_rule_is_named_with_its_key() {
    type Spoil = fn(&mut Config);
    let table: &[(Spoil, &str)] = &[
        (|c| c.node.id = 0, "node.id must be at least 1"),
        (|c| c.node.id = 9, "cluster.members must have an entry with this node's id, 9"),
        (|c| c.node.name = Some("a b".into()), "node.name must be 1 to 64"),
        (|c| c.node.data_dir = PathBuf::new(), "node.data_dir must not be empty"),
        (|c| c.cluster.id = None, "cluster.id must be set"),
        (|c| c.cluster.id = Some("production".into()), "cluster.id must be a UUID"),
        (|c| c.cluster.id = Some(CLUSTER.to_uppercase()), "cluster.id must be a UUID in lower case"),
        (|c| c.cluster.members[2].id = 1, "cluster.members must not give two members one id"),
        (|c| c.cluster.members[2].name = "n1".into(), "cluster.members must not give two members one name"),
        (
            |c| c.cluster.members[2].peer_address = "n1.example:7421".into(),
            "must not give two members one peer_address",
        ),
        (
            |c| c.cluster.members[0].peer_address = "n1.example".into(),
            "cluster.members[0].peer_address must be HOST:PORT",
        ),
        (
            |c| c.cluster.members[1].client_address = "http://n2:7420".into(),
            "cluster.members[1].client_address must be",
        ),
        (|c| c.cluster.join = vec!["n1.example".into()], "cluster.join must list HOST:PORT"),
        (|c| c.peer_listener.advertise = Some("n2".into()), "peer_listener.advertise must be HOST:PORT"),
        (|c| c.raft.promote_lag_entries = u64::MAX / 2, "raft.promote_lag_entries must be"),
        (|c| c.cluster.members[0].id = 0, "cluster.members[0].id must be at least 1"),
        (|c| c.cluster.members[0].name = String::new(), "cluster.members[0].name must be"),
        (|c| c.client_listener.advertise = Some("n2.example:0".into()), "client_listener.advertise must be HOST:PORT"),
        (
            |c| c.client_listener.max_message_bytes = 1,
            "client_listener.max_message_bytes must be 65536 to 67108864, and is 1",
        ),
        (|c| c.client_listener.max_connections = 0, "client_listener.max_connections must be 1 to"),
        (|c| c.client_listener.max_streams_per_connection = 0, "client_listener.max_streams_per_connection must be"),
        (|c| c.client_listener.max_header_bytes = 0, "client_listener.max_header_bytes must be"),
        (|c| c.client_listener.max_handshakes = 0, "client_listener.max_handshakes must be"),
        (|c| c.client_listener.handshake_timeout_ms = 0, "client_listener.handshake_timeout_ms must be"),
        (|c| c.client_listener.request_timeout_ms = 0, "client_listener.request_timeout_ms must be"),
        (|c| c.client_listener.keepalive_interval_ms = 0, "client_listener.keepalive_interval_ms must be"),
        (|c| c.client_listener.keepalive_timeout_ms = 0, "client_listener.keepalive_timeout_ms must be"),
        (|c| c.client_listener.max_connection_age_ms = 0, "client_listener.max_connection_age_ms must be"),
        (
            |c| c.peer_listener.address = c.client_listener.address,
            "peer_listener.address must differ from client_listener.address",
        ),
        (|c| c.http.address = c.peer_listener.address, "http.address must differ from peer_listener.address"),
        (|c| c.peer_listener.connect_timeout_ms = 1, "peer_listener.connect_timeout_ms must be"),
        (|c| c.peer_listener.keepalive_interval_ms = 1, "peer_listener.keepalive_interval_ms must be"),
        (|c| c.peer_listener.keepalive_timeout_ms = 1, "peer_listener.keepalive_timeout_ms must be"),
        (|c| c.client_listener.tls = None, "client_listener.tls must be set"),
        (|c| c.peer_listener.tls = None, "peer_listener.tls must be set"),
        (|c| c.security.insecure_dev = true, "client_listener.tls must be absent with security.insecure_dev"),
        (
            |c| c.peer_listener.tls.as_mut().expect("set").ca_file = "client-ca.crt".into(),
            "peer_listener.tls.ca_file must not be",
        ),
        (|c| c.security.secrets_key_file = None, "security.secrets_key_file must be set"),
        (|c| c.http.address = ([0, 0, 0, 0], 7422).into(), "http.address must be a loopback address"),
        (|c| c.raft.heartbeat_interval_ms = 0, "raft.heartbeat_interval_ms must be"),
        (
            |c| c.raft.election_timeout_min_ms = 100,
            "raft.election_timeout_min_ms must be greater than 2 x raft.heartbeat_interval_ms (100), and is 100",
        ),
        (
            |c| c.raft.election_timeout_max_ms = 250,
            "raft.election_timeout_max_ms must be greater than raft.election_timeout_min_ms (250)",
        ),
        (|c| c.raft.election_timeout_max_ms = 10_000_000, "raft.election_timeout_max_ms must be 20 to"),
        (|c| c.raft.snapshot_entries = 0, "raft.snapshot_entries must be"),
        (|c| c.raft.log_keep_entries = u64::MAX / 2, "raft.log_keep_entries must be"),
        (|c| c.raft.max_entry_commands = 0, "raft.max_entry_commands must be"),
        (|c| c.raft.max_entry_bytes = 1, "raft.max_entry_bytes must be"),
        (|c| c.storage.state_cache_bytes = 0, "storage.state_cache_bytes must be"),
        (|c| c.storage.state_memtable_bytes = 0, "storage.state_memtable_bytes must be"),
        (|c| c.storage.disk_free_min_bytes = u64::MAX / 2, "storage.disk_free_min_bytes must be"),
        (|c| c.queries.time_ms = 1, "queries.time_ms must be"),
        (|c| c.queries.memory_bytes = 0, "queries.memory_bytes must be"),
        (|c| c.queries.scanned_rows = 0, "queries.scanned_rows must be"),
        (|c| c.queries.changed_rows = 0, "queries.changed_rows must be"),
        (|c| c.queries.live = 0, "queries.live must be"),
        (|c| c.queries.live_rows = 0, "queries.live_rows must be"),
        (|c| c.queries.live_bytes = 0, "queries.live_bytes must be"),
        (|c| c.queries.views_memory_bytes = 0, "queries.views_memory_bytes must be"),
        (|c| c.queries.views_checkpoint_interval_ms = 5, "must be 0 or 1000 to 86400000, and is 5"),
        (|c| c.sync.sessions_max = 0, "sync.sessions_max must be"),
        (|c| c.sync.heartbeat_ms = 1, "sync.heartbeat_ms must be"),
        (|c| c.sync.window_operations = 0, "sync.window_operations must be"),
        (|c| c.limits.propose_queue_commands = 0, "limits.propose_queue_commands must be"),
        (|c| c.limits.read_queue_requests = 0, "limits.read_queue_requests must be"),
        (|c| c.limits.command_bytes = 0, "limits.command_bytes must be"),
        (|c| c.limits.batch_items = 0, "limits.batch_items must be"),
        (|c| c.limits.page_items = 0, "limits.page_items must be"),
        (|c| c.limits.watches = 0, "limits.watches must be"),
        (|c| c.limits.twin_tags_bytes = 0, "limits.twin_tags_bytes must be"),
        (|c| c.limits.twin_desired_bytes = 2_000_000, "limits.twin_desired_bytes must be 1 to 1048576"),
        (
            |c| c.limits.twin_reported_bytes = 1_048_576,
            "must together be at most 1048576 (1 MiB a twin), and are 1089536",
        ),
        (|c| c.limits.twin_value_bytes = 0, "limits.twin_value_bytes must be"),
        (|c| c.limits.twin_key_bytes = 0, "limits.twin_key_bytes must be"),
        (|c| c.limits.twin_depth = 25, "limits.twin_depth must be 1 to 24, and is 25"),
        (|c| c.log.level = "loud".into(), "log.level must be a level"),
        (|c| c.log.level = "info,muster_node=loud".into(), "log.level must be a level"),
        (|c| c.log.level = String::new(), "log.level must be a level"),
    ];
    for (spoil, wanted) in table {
        let mut config = everything();
        spoil(&mut config);
        let problems = problems(&config);
        assert!(problems.iter().any(|problem| problem.contains(wanted)), "wanted {wanted:?}, got {problems:?}");
    }
}

#[test]
fn plain_text_is_for_loopback_and_only_when_told() {
    let mut config = everything();
    config.client_listener.tls = None;
    config.peer_listener.tls = None;
    config.security.secrets_key_file = None;
    config.security.insecure_dev = true;
    assert_eq!(problems(&config), [""; 0], "told so, on loopback");
    config.client_listener.address = ([0, 0, 0, 0], 7420).into();
    config.peer_listener.address = ([10, 0, 0, 1], 7421).into();
    let found = problems(&config);
    assert!(found[0].starts_with("client_listener.address must be a loopback address"), "{found:?}");
    assert!(found[1].starts_with("peer_listener.address must be a loopback address"), "{found:?}");
    let mut single = Config::default();
    single.client_listener.address = ([0, 0, 0, 0], 7420).into();
    assert!(problems(&single)[0].starts_with("client_listener.address must be a loopback address"));
}

#[test]
fn all_problems_are_named_at_once() {
    let mut config = Config::default();
    config.node.id = 0;
    config.limits.twin_depth = 0;
    config.log.level = "loud".into();
    assert_eq!(problems(&config).len(), 3);
}

#[test]
fn paths_are_relative_to_the_file_and_overrides_win() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("node.toml");
    let text = "[node]\nid = 2\ndata_dir = \"data\"\n[security]\nsecrets_key_file = \"/etc/muster/secrets.key\"\n";
    std::fs::write(&path, text).expect("written");
    let mut config = Config::load(&path).expect("loaded");
    assert_eq!(config.node.data_dir, folder.path().join("data"));
    assert_eq!(config.security.secrets_key_file.as_deref(), Some(Path::new("/etc/muster/secrets.key")));
    config.apply(Overrides { data_dir: Some("elsewhere".into()), insecure_dev: true, ..Overrides::default() });
    assert_eq!(config.node.data_dir, Path::new("elsewhere"));
    assert!(config.security.insecure_dev);
    assert_eq!(config.node.id, 2, "what is not overridden stays");
    config.apply(Overrides::default());
    assert!(config.security.insecure_dev, "an absent flag takes nothing back");
    std::fs::write(&path, "[node]\nidd = 2\n").expect("written");
    let error = Config::load(&path).expect_err("refused").to_string();
    assert!(error.contains("node.toml") && error.contains("idd") && error.contains("line 2"), "{error}");
    let missing = Config::load(&folder.path().join("no.toml")).expect_err("missing").to_string();
    assert!(missing.contains("no.toml"), "{missing}");
}

#[test]
fn named_files_must_be_there_and_secrets_private() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("secrets.key");
    let mut config = Config::default();
    config.security.secrets_key_file = Some(path.clone());
    let found = |config: &Config| config.check_files().map_err(|error| error.to_string());
    assert!(found(&config).expect_err("missing").contains("security.secrets_key_file must be a readable file"));
    std::fs::write(&path, "x").expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("changed");
    assert!(found(&config).expect_err("open to all").contains("chmod 600"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("changed");
    assert_eq!(found(&config), Ok(()));
}
