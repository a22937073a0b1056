//! The file in which `muster`, on the same machine and for the same user, finds a node that needs no configuration.
//!
//! ```toml
//! current = "local"
//! [contexts.local]
//! endpoints = ["https://127.0.0.1:7420"]
//! ca_file = "/srv/muster-data/pki/client-ca.crt"
//! cert_file = "/srv/muster-data/pki/admin.crt"
//! key_file = "/srv/muster-data/pki/admin.key"
//! ```
//!
//! Deliberately writes no secret, only where secrets lie; and knows nothing of the contexts of others but that they stay.
//!
//! - Only the context `local` is written, and `current` only when there is none.
//! - A file that cannot be understood is left alone.

use crate::files;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The name of the context that a node writes.
pub const LOCAL: &str = "local";

/// Why the file was not written. A node runs all the same.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The file system said no.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What is there is no context file.
    #[error("{} is not a context file and stays as it is: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// How to reach a node on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalContext {
    /// The file to write it into.
    pub path: PathBuf,
    /// Authority of the server's certificate; `None` for plain text.
    pub ca_file: Option<PathBuf>,
    /// Client certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// An API token, where there is no certificate.
    pub token_file: Option<PathBuf>,
}

/// Where the user's contexts lie: `$XDG_CONFIG_HOME/muster/contexts.toml`, or `~/.config/muster/contexts.toml`.
/// `None` for a user without a home.
pub fn default_path(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(config.join("muster/contexts.toml"))
}

impl LocalContext {
    /// Writes the context for a node that listens on `address`. Says whether the file had to be changed.
    ///
    /// # Errors
    /// When the file cannot be read, understood or written.
    pub fn write(&self, address: SocketAddr) -> Result<bool, ContextError> {
        let path = &self.path;
        let malformed = |reason: String| ContextError::Malformed { path: path.clone(), reason };
        let before = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed("read", path)(error)),
        };
        let mut file: Table = before.parse().map_err(|error: toml::de::Error| malformed(error.message().to_owned()))?;
        let contexts = file.entry("contexts").or_insert_with(|| Value::Table(Table::new()));
        let contexts = contexts.as_table_mut().ok_or_else(|| malformed("`contexts` is not a table".to_owned()))?;
        let ours = Value::Table(self.table(address));
        let changed = contexts.get(LOCAL) != Some(&ours) || !file.contains_key("current");
        if !changed {
            return Ok(false);
        }
        if let Some(contexts) = file.get_mut("contexts").and_then(Value::as_table_mut) {
            contexts.insert(LOCAL.to_owned(), ours);
        }
        file.entry("current").or_insert_with(|| Value::String(LOCAL.to_owned()));
        let text = format!("# Clusters that `muster` knows. The context {LOCAL} is kept by `musterd`.\n{file}");
        if let Some(folder) = path.parent() {
            files::create_private_folder(folder).map_err(failed("make", folder))?;
        }
        files::replace_private(path, text.as_bytes()).map_err(failed("write", path))?;
        Ok(true)
    }

    fn table(&self, address: SocketAddr) -> Table {
        let mut table = Table::new();
        let scheme = if self.ca_file.is_some() { "https" } else { "http" };
        let endpoint = Value::String(format!("{scheme}://{}", reachable(address)));
        table.insert("endpoints".to_owned(), Value::Array(vec![endpoint]));
        let (cert_file, key_file) = self.certificate.clone().unzip();
        let files = [
            ("ca_file", &self.ca_file),
            ("cert_file", &cert_file),
            ("key_file", &key_file),
            ("token_file", &self.token_file),
        ];
        for (key, path) in files {
            if let Some(path) = path {
                table.insert(key.to_owned(), Value::String(path.to_string_lossy().into_owned()));
            }
        }
        table
    }
}

/// The address that a client on this machine can use for a listener.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ContextError {
    move |source| ContextError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(path: PathBuf) -> LocalContext {
        let certificate = Some(("/d/admin.crt".into(), "/d/admin.key".into()));
        LocalContext { path, ca_file: Some("/d/client-ca.crt".into()), certificate, token_file: None }
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn writes_what_is_needed_and_only_when_it_changed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("muster/contexts.toml");
        let context = context(path.clone());
        assert!(context.write(address("127.0.0.1:7420")).expect("written"));
        assert!(!context.write(address("127.0.0.1:7420")).expect("nothing to do"));
        let file: Table = std::fs::read_to_string(&path).expect("there").parse().expect("TOML");
        assert_eq!(file["current"].as_str(), Some(LOCAL));
        let local = &file["contexts"][LOCAL];
        assert_eq!(local["endpoints"][0].as_str(), Some("https://127.0.0.1:7420"));
        assert_eq!(local["key_file"].as_str(), Some("/d/admin.key"));
        assert!(local.get("token_file").is_none());
        assert!(!files::is_open_to_others(&path).expect("there"));
        assert!(context.write(address("[::]:9")).expect("written"));
        assert!(std::fs::read_to_string(&path).expect("there").contains("https://[::1]:9"));
    }

    #[test]
    fn the_contexts_of_others_stay() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("contexts.toml");
        let text = "current = \"work\"\n[contexts.work]\nendpoints = [\"https://muster.example:7420\"]\nnamespace = \"plant\"\n";
        std::fs::write(&path, text).expect("written");
        assert!(context(path.clone()).write(address("127.0.0.1:7420")).expect("written"));
        let file: Table = std::fs::read_to_string(&path).expect("there").parse().expect("TOML");
        assert_eq!(file["current"].as_str(), Some("work"));
        assert_eq!(file["contexts"]["work"]["namespace"].as_str(), Some("plant"));
        assert!(file["contexts"].get(LOCAL).is_some());
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("contexts.toml");
        for text in ["not toml", "contexts = 7\n"] {
            std::fs::write(&path, text).expect("written");
            let error = context(path.clone()).write(address("127.0.0.1:7420")).expect_err("refused");
            assert!(matches!(error, ContextError::Malformed { .. }), "{error}");
            assert_eq!(std::fs::read_to_string(&path).expect("there"), text);
        }
    }

    #[test]
    fn the_users_folder_is_found_by_the_usual_variables() {
        let both = |name: &str| Some(OsString::from(if name == "HOME" { "/home/u" } else { "/xdg" }));
        assert_eq!(default_path(both), Some("/xdg/muster/contexts.toml".into()));
        let home = |name: &str| (name == "HOME").then(|| "/home/u".into());
        assert_eq!(default_path(home), Some("/home/u/.config/muster/contexts.toml".into()));
        assert_eq!(default_path(|_| None), None);
        assert_eq!(default_path(|_| Some("relative".into())), None);
    }
}
