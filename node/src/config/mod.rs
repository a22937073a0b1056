//! The configuration of a node: one TOML file, one struct per component, every default in one place.
//!
//! Precedence: command-line flag, then `MUSTER_*` variable, then file, then default. Unknown keys are refused, because a
//! misspelt key that is silently ignored is a limit that is silently not there.
//!
//! Deliberately knows neither TLS nor storage: it holds paths and numbers, and checks what can be checked without
//! opening anything but the file itself.
//!
//! - Units are in the names: `_ms`, `_bytes`, `_entries`.
//! - Every key has a row in [`reference`], from which `deploy/config/node.toml` and the reference page are generated.
//! - Relative paths in a file are relative to the folder of that file.

mod check;
mod reference;
mod sections;

pub use check::Problem;
pub use reference::{KEYS, Key, markdown, node_toml, show};
pub use sections::{
    ClientListener, ClientTlsFiles, Cluster, Http, Limits, Log, LogFormat, Member, Node, PeerListener, PeerTlsFiles,
    Queries, Raft, Security, Storage, Sync,
};

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// This node.
    pub node: Node,
    /// The cluster it belongs to.
    pub cluster: Cluster,
    /// Where clients connect.
    pub client_listener: ClientListener,
    /// Where the other members connect.
    pub peer_listener: PeerListener,
    /// Metrics and health.
    pub http: Http,
    /// Consensus.
    pub raft: Raft,
    /// The two databases.
    pub storage: Storage,
    /// What queries may take, and the views behind them.
    pub queries: Queries,
    /// Edges that connect.
    pub sync: Sync,
    /// Bounds on what is accepted.
    pub limits: Limits,
    /// Keys and tokens.
    pub security: Security,
    /// What is written to standard error.
    pub log: Log,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is not TOML, has an unknown key, or a value of another type.
    #[error("{}: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// With line, column and the key.
        message: String,
    },
    /// It contradicts itself or a rule.
    #[error("the configuration is not valid:{}", list(.0))]
    Invalid(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

/// What flags and variables say in the place of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `node.data_dir`.
    pub data_dir: Option<PathBuf>,
    /// `node.id`.
    pub node_id: Option<u64>,
    /// `client_listener.address`.
    pub listen: Option<SocketAddr>,
    /// `cluster.join`; empty leaves it.
    pub join: Vec<String>,
    /// `cluster.join_token_file`.
    pub join_token_file: Option<PathBuf>,
    /// `security.insecure_dev`; a flag can only switch it on.
    pub insecure_dev: bool,
    /// `log.level`.
    pub log_level: Option<String>,
    /// `log.format`.
    pub log_format: Option<LogFormat>,
}

impl Config {
    /// Reads a file. Its relative paths are taken from its folder. Does not check values: see [`Config::check`].
    ///
    /// # Errors
    /// When it cannot be read or parsed.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut config = Self::from_toml(&text).map_err(|error| ConfigError::Parse {
            path: path.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        config.resolve_paths(path.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// Parses the text of a file, paths left as they are.
    ///
    /// # Errors
    /// When it is not TOML, has an unknown key, or a value of another type.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Lets flags and variables win.
    pub fn apply(&mut self, overrides: Overrides) {
        let Overrides { data_dir, node_id, listen, join, join_token_file, insecure_dev, log_level, log_format } =
            overrides;
        if !join.is_empty() {
            self.cluster.join = join;
        }
        if let Some(path) = join_token_file {
            self.cluster.join_token_file = Some(path);
        }
        if let Some(path) = data_dir {
            self.node.data_dir = path;
        }
        if let Some(id) = node_id {
            self.node.id = id;
        }
        if let Some(address) = listen {
            self.client_listener.address = address;
        }
        if let Some(level) = log_level {
            self.log.level = level;
        }
        if let Some(format) = log_format {
            self.log.format = format;
        }
        self.security.insecure_dev |= insecure_dev;
    }

    /// Checks every value and every rule between them, and names all that is wrong, not only the first.
    ///
    /// # Errors
    /// The problems, each with the key and the rule.
    pub fn check(&self) -> Result<(), ConfigError> {
        let problems = check::values(self);
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(problems)) }
    }

    /// Checks that the files it names are there, readable, and private where they hold a secret.
    ///
    /// # Errors
    /// The problems, each with the key and the rule.
    pub fn check_files(&self) -> Result<(), ConfigError> {
        let problems = check::files(self);
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(problems)) }
    }

    /// Whether this node is a cluster of its own, with no members configured and no listener for peers.
    #[must_use]
    pub fn is_single_node(&self) -> bool {
        self.cluster.members.is_empty() && self.cluster.join.is_empty()
    }

    /// host:port where the other members reach this node.
    #[must_use]
    pub fn peer_address(&self) -> String {
        self.peer_listener.advertise.clone().unwrap_or_else(|| self.peer_listener.address.to_string())
    }

    /// The entry of this node in `cluster.members`.
    #[must_use]
    pub fn own_member(&self) -> Option<&Member> {
        self.cluster.members.iter().find(|member| member.id == self.node.id)
    }

    /// This node's name: as configured, or as its member entry says, or `node-<id>`.
    #[must_use]
    pub fn node_name(&self) -> String {
        let configured = self.node.name.clone().or_else(|| self.own_member().map(|member| member.name.clone()));
        configured.unwrap_or_else(|| format!("node-{}", self.node.id))
    }

    fn resolve_paths(&mut self, folder: &Path) {
        let mut paths = vec![&mut self.node.data_dir];
        if let Some(ClientTlsFiles { cert_file, key_file, client_ca_file }) = &mut self.client_listener.tls {
            paths.extend([cert_file, key_file]);
            paths.extend(client_ca_file);
        }
        if let Some(PeerTlsFiles { cert_file, key_file, ca_file }) = &mut self.peer_listener.tls {
            paths.extend([cert_file, key_file, ca_file]);
        }
        paths.extend(&mut self.security.secrets_key_file);
        paths.extend(&mut self.security.admin_token_file);
        paths.extend(&mut self.cluster.join_token_file);
        for path in paths {
            // Joining keeps an absolute path as it is.
            *path = folder.join(&*path);
        }
    }
}

#[cfg(test)]
mod tests;
