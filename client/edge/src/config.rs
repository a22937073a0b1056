//! The agent's settings: one struct per part, units in names, unknown keys refused.
//!
//! Paths in the file are relative to its folder.

mod bridges;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use muster_client::{ClientConfig, ConfigError as ClientError};
use muster_domain::{Key, Limits};
use serde::{Deserialize, Serialize};

pub(crate) use bridges::Broker;
pub use bridges::{FileFormat, Folder, Mqtt};

use crate::protocol::{QueuePolicy, Settings};

/// Everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which edge this is.
    pub edge: Edge,
    /// Where the cluster is.
    pub cluster: Cluster,
    /// Where applications are answered.
    pub local: Local,
    /// What may wait.
    pub queue: Queue,
    /// The stream.
    pub sync: Sync,
    /// Room on the disk of the store.
    pub disk: Disk,
    /// The cluster's limits of twins, until it has told them.
    pub limits: TwinLimits,
    /// The bridge to a broker.
    pub mqtt: Mqtt,
    /// The bridge to files.
    pub folder: Folder,
    /// Measurements.
    pub metrics: Metrics,
    /// Log lines.
    pub log: Log,
}

/// `[edge]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Edge {
    /// `namespaces/{namespace}/edges/{edge}`
    pub name: String,
    /// The folder of its store.
    pub store_dir: PathBuf,
}

/// `[cluster]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// `https://HOST:PORT` of nodes, in order of preference.
    pub endpoints: Vec<String>,
    /// The authority of the nodes' certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The edge's certificate; goes with `key_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// Its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// A file with a token of the role edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The name nodes prove instead of their host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_server_name: Option<String>,
}

/// `[local]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Local {
    /// The socket.
    pub socket: PathBuf,
    /// Who may open it, octal.
    pub socket_mode: String,
    /// A loopback address to listen on as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
}

/// `[queue]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// Operations that may wait for the cluster.
    pub operations_max: usize,
    /// Their bytes.
    pub bytes_max: usize,
    /// What happens beyond.
    pub when_full: QueuePolicy,
}

/// `[sync]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sync {
    /// Items that the cluster may send before it hears of them.
    pub window_items: u32,
}

/// `[disk]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Disk {
    /// With less than this free nothing new is taken, bytes; 0: always.
    pub free_min_bytes: u64,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TwinLimits {
    /// Size of `reported`, bytes.
    pub reported_bytes_max: u64,
    /// Size of one value, bytes.
    pub value_bytes_max: u64,
    /// Length of a member name, bytes.
    pub key_bytes_max: u64,
    /// Levels of nesting.
    pub depth_max: u64,
}

/// `[metrics]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Where `/metrics` and `/healthz` are served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A level, or a list of them by module.
    pub level: String,
    /// Lines of text or of JSON.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

impl Default for Edge {
    fn default() -> Self {
        Self { name: String::new(), store_dir: "muster-edge-data".into() }
    }
}

impl Default for Cluster {
    fn default() -> Self {
        let endpoints = vec!["https://127.0.0.1:7420".to_owned()];
        Self { endpoints, ca_file: None, cert_file: None, key_file: None, token_file: None, tls_server_name: None }
    }
}

impl Default for Local {
    fn default() -> Self {
        Self { socket: "muster-edge.sock".into(), socket_mode: "0660".to_owned(), address: None }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self { operations_max: 100_000, bytes_max: 64 << 20, when_full: QueuePolicy::Refuse }
    }
}

impl Default for Sync {
    fn default() -> Self {
        Self { window_items: 1_024 }
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self { free_min_bytes: 32 << 20 }
    }
}

impl Default for TwinLimits {
    fn default() -> Self {
        let Limits { reported_bytes_max, value_bytes_max, key_bytes_max, depth_max, .. } = Limits::default();
        Self { reported_bytes_max, value_bytes_max, key_bytes_max, depth_max }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// Settings that no agent can run with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read: {cause}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// It is not TOML, or has an unknown key.
    #[error("the configuration {} is not valid: {message}", path.display())]
    Parse {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A value breaks its rule.
    #[error("{key} {rule}")]
    Value {
        /// Which.
        key: &'static str,
        /// The rule.
        rule: String,
    },
    /// The way to the cluster cannot work.
    #[error(transparent)]
    Cluster(#[from] ClientError),
}

impl Config {
    /// Reads a file and checks it.
    ///
    /// # Errors
    /// Names the file or the key at fault.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::Read { path: path.to_owned(), cause })?;
        let mut config: Self = toml::from_str(&text)
            .map_err(|error| ConfigError::Parse { path: path.to_owned(), message: error.to_string() })?;
        config.make_absolute(path.parent().unwrap_or(Path::new("")));
        config.check()?;
        Ok(config)
    }

    fn make_absolute(&mut self, folder: &Path) {
        let Cluster { ca_file, cert_file, key_file, token_file, .. } = &mut self.cluster;
        let files = [ca_file, cert_file, key_file, token_file].into_iter().flatten();
        let own = [&mut self.edge.store_dir, &mut self.local.socket];
        for path in files.chain(own).chain(self.mqtt.files()).chain(&mut self.folder.path) {
            // `join` leaves an absolute path as it is.
            *path = folder.join(&*path);
        }
    }

    /// # Errors
    /// Names the key at fault with its rule.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, rule: &str| Err(ConfigError::Value { key, rule: rule.to_owned() });
        if !matches!(Key::parse(&self.edge.name), Some(Key::Edge(..))) {
            let rule = format!("must be namespaces/{{namespace}}/edges/{{edge}}, is `{}`", self.edge.name);
            return Err(ConfigError::Value { key: "edge.name", rule });
        }
        if self.queue.operations_max == 0 || self.queue.bytes_max < 1_024 {
            return wrong("queue", "must have room: operations_max at least 1, bytes_max at least 1024");
        }
        if !(1..=65_536).contains(&self.sync.window_items) {
            return wrong("sync.window_items", "must be 1 to 65536");
        }
        if self.local.address.is_some_and(|address| !address.ip().is_loopback()) {
            return wrong("local.address", "must be a loopback address: nobody is asked who they are there");
        }
        self.socket_mode()?;
        if self.cluster.cert_file.is_some() != self.cluster.key_file.is_some() {
            return wrong("cluster.cert_file", "goes with cluster.key_file");
        }
        self.mqtt.check()
    }

    /// The permissions of the socket.
    pub(crate) fn socket_mode(&self) -> Result<u32, ConfigError> {
        let mode = u32::from_str_radix(&self.local.socket_mode, 8).ok().filter(|mode| *mode <= 0o777);
        mode.ok_or_else(|| ConfigError::Value {
            key: "local.socket_mode",
            rule: "must be octal, such as 0660".to_owned(),
        })
    }

    /// The way to the cluster; reads certificates and token.
    pub(crate) fn client(&self) -> Result<ClientConfig, ConfigError> {
        let context = muster_client::context::Context {
            endpoints: self.cluster.endpoints.clone(),
            ca_file: self.cluster.ca_file.clone(),
            cert_file: self.cluster.cert_file.clone(),
            key_file: self.cluster.key_file.clone(),
            token_file: self.cluster.token_file.clone(),
            tls_server_name: self.cluster.tls_server_name.clone(),
            namespace: None,
        };
        Ok(context.to_config()?)
    }

    /// Bounds of the protocol.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            queue_operations_max: self.queue.operations_max,
            queue_bytes_max: self.queue.bytes_max,
            queue_policy: self.queue.when_full,
            window_items: self.sync.window_items,
            agent_version: concat!("muster-edge/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// The cluster's limits.
    pub(crate) fn limits(&self) -> Limits {
        let TwinLimits { reported_bytes_max, value_bytes_max, key_bytes_max, depth_max } = self.limits;
        Limits { reported_bytes_max, value_bytes_max, key_bytes_max, depth_max, ..Limits::default() }
    }
}

/// A file with every key, its default and its meaning.
pub const DEFAULT: &str = include_str!("default.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_says_the_defaults() {
        let config: Config = toml::from_str(DEFAULT).expect("valid");
        let name = config.edge.name.clone();
        let edge = Edge { name, ..Edge::default() };
        assert_eq!(config, Config { edge, ..Config::default() });
        config.check().expect("it can be used");
    }

    #[test]
    fn what_cannot_work_names_its_key() {
        let base: Config = toml::from_str(DEFAULT).expect("valid");
        let refused = |change: &dyn Fn(&mut Config)| {
            let mut config = base.clone();
            change(&mut config);
            config.check().expect_err("cannot work").to_string()
        };
        assert!(refused(&|config| config.edge.name = "plant1/press".to_owned()).starts_with("edge.name must be"));
        assert!(refused(&|config| config.edge.name = "namespaces/a/edges/b/c".to_owned()).starts_with("edge.name"));
        assert!(refused(&|config| config.queue.operations_max = 0).starts_with("queue must"));
        assert!(refused(&|config| config.sync.window_items = 0).starts_with("sync.window_items"));
        let open = |config: &mut Config| config.local.address = Some("0.0.0.0:1".parse().expect("an address"));
        assert!(refused(&open).starts_with("local.address"));
        assert!(refused(&|config| config.local.socket_mode = "rw".to_owned()).starts_with("local.socket_mode"));
        assert!(toml::from_str::<Config>("[edge]\nnmae = \"x\"").is_err());
    }
}
