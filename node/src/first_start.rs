//! From a configuration to what a node needs before it runs: its directory, identity, certificates, keys and token.
//! What a node on its own lacks is made here, once.
//!
//! ```text
//!   lock the directory ▶ whose is it? (IDENTITY) ▶ certificates ▶ sealing key ▶ first token ▶ Startup
//! ```
//!
//! Deliberately opens no listener and no database.
//!
//! - A member of a configured cluster makes nothing but its identity: keys that differ between members would be found
//!   out only when a secret does not open.
//! - What was made once is never made again over it. Certificates appear together, by one rename, or not at all.
//! - No secret is ever printed; it lies in a file that only the owner reads.

use crate::clock::Clock;
use crate::config::{ClientTlsFiles, Config};
use crate::context_file::LocalContext;
use crate::data_dir::{DataDir, DataDirError, NodeIdentity};
use crate::ids_source::IdsSource;
use crate::pki::{self, NodeNames, Paths, PkiError};
use crate::secrets::{self, SealError, Sealer};
use crate::{files, removed, token};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Separates the development key from every other use of BLAKE3.
const INSECURE_KEY_CONTEXT: &str = "muster 2026 insecure-dev sealing key v1";

/// All that `server::run` needs to begin.
pub struct Startup {
    /// In effect: flags and variables applied, files of our own making filled in, paths absolute.
    pub config: Config,
    /// Locked for this process.
    pub data_dir: DataDir,
    /// Whose data it holds.
    pub identity: NodeIdentity,
    /// For device keys.
    pub sealer: Arc<Sealer>,
    /// What a new cluster takes as its first administrator's token.
    pub initial_admin: Option<InitialAdmin>,
    /// To be written once the node listens; `None` for a member of a configured cluster.
    pub local_context: Option<LocalContext>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub ids: Arc<dyn IdsSource>,
}

/// A token of which only the hash is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialAdmin {
    /// Names the token.
    pub token_id: String,
    /// Proves it; see [`crate::token`].
    pub token_hash: [u8; 32],
}

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory is not usable, or another's.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The node's own certificates could not be made or renewed.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The sealing key is not usable.
    #[error(transparent)]
    Secrets(#[from] SealError),
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
    /// The node was removed; its directory says so.
    #[error("{}", removed::message(path, *node_id))]
    Removed {
        /// The directory.
        path: PathBuf,
        /// The node.
        node_id: u64,
    },
    /// The token file holds something else.
    #[error("security.admin_token_file: {} does not hold a token (mst_..)", .0.display())]
    NotAToken(PathBuf),
}

/// Prepares a checked configuration. `context_path` is where a single node tells `muster` about itself.
///
/// # Errors
/// When the directory is in use or another's, or a file cannot be read or made.
pub fn prepare(
    mut config: Config,
    context_path: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdsSource>,
) -> Result<Startup, StartError> {
    config.node.data_dir = absolute(&config.node.data_dir)?;
    let data_dir = DataDir::open(&config.node.data_dir)?;
    let known = data_dir.identity()?.map(|identity| identity.cluster_id);
    let cluster_id = config.cluster.id.clone().or(known).unwrap_or_else(|| ids.uuid());
    let identity = data_dir.claim(&cluster_id, config.node.id)?;
    config.cluster.id = Some(cluster_id);
    if removed::is_marked(data_dir.path()) {
        return Err(StartError::Removed { path: data_dir.path().to_owned(), node_id: identity.node_id });
    }

    let single = config.is_single_node();
    if single && config.client_listener.tls.is_none() && !config.security.insecure_dev {
        make_certificates(&mut config, &identity, clock.as_ref(), ids.as_ref())?;
    }
    if single && config.security.admin_token_file.is_none() {
        let text = || zeroize::Zeroizing::new(format!("{}\n", *token::generate(ids.as_ref()).text));
        config.security.admin_token_file = Some(make_once(data_dir.path().join("admin.token"), text)?);
    }
    if single && config.security.secrets_key_file.is_none() {
        let text = || secrets::generate_key_file(ids.as_ref());
        config.security.secrets_key_file = Some(make_once(data_dir.path().join("secrets.key"), text)?);
    }
    let sealer = match &config.security.secrets_key_file {
        Some(path) => Sealer::from_file(path, Arc::clone(&ids))?,
        // The check lets only a plain-text development cluster come here. Its members need one key without sharing a
        // file, and it is worth as much as the rest of its security.
        None => Sealer::from_key(
            &blake3::derive_key(INSECURE_KEY_CONTEXT, identity.cluster_id.as_bytes()),
            Arc::clone(&ids),
        ),
    };
    let initial_admin = initial_admin(&config)?;
    let local_context = context_path.filter(|_| single).map(|path| local_context(&config, path));
    Ok(Startup { config, data_dir, identity, sealer: Arc::new(sealer), initial_admin, local_context, clock, ids })
}

/// Reads the token that a new cluster takes as its first administrator's, where one is configured.
///
/// # Errors
/// When the file cannot be read or holds no token.
pub fn initial_admin(config: &Config) -> Result<Option<InitialAdmin>, StartError> {
    let Some(path) = &config.security.admin_token_file else { return Ok(None) };
    let text = std::fs::read_to_string(path).map_err(failed("read", path))?;
    let parsed = token::parse(&zeroize::Zeroizing::new(text)).ok_or_else(|| StartError::NotAToken(path.clone()))?;
    Ok(Some(InitialAdmin { token_id: parsed.id, token_hash: parsed.hash }))
}

/// Makes, or renews, the certificates of a node on its own, and puts them into the configuration.
fn make_certificates(
    config: &mut Config,
    identity: &NodeIdentity,
    clock: &dyn Clock,
    ids: &dyn IdsSource,
) -> Result<(), StartError> {
    let folder = config.node.data_dir.join("pki");
    let node = NodeNames::local("local");
    if folder.exists() {
        if pki::renew_if_due(&folder, &node, identity.node_id, clock, ids)? {
            tracing::info!(folder = %folder.display(), "renewed this node's own certificates");
        }
    } else {
        let draft = config.node.data_dir.join("pki.new");
        // Left by a start that was interrupted; nothing has used it yet.
        match std::fs::remove_dir_all(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &draft)(error)),
            _ => {}
        }
        pki::init(&draft, &identity.cluster_id, std::slice::from_ref(&node), clock, ids)?;
        std::fs::rename(&draft, &folder).map_err(failed("make", &folder))?;
        tracing::info!(folder = %folder.display(), "made certificates and an administrator's token for this node");
    }
    let paths = Paths::new(&folder);
    config.client_listener.tls = Some(ClientTlsFiles {
        cert_file: paths.node_file(&node.name, "server.crt"),
        key_file: paths.node_file(&node.name, "server.key"),
        client_ca_file: Some(paths.file("client-ca.crt")),
    });
    config.security.secrets_key_file.get_or_insert_with(|| paths.file("secrets.key"));
    config.security.admin_token_file.get_or_insert_with(|| paths.file("admin.token"));
    Ok(())
}

fn local_context(config: &Config, path: PathBuf) -> LocalContext {
    let paths = Paths::new(config.node.data_dir.join("pki"));
    let own = |tls: &&ClientTlsFiles| tls.client_ca_file.as_ref() == Some(&paths.file("client-ca.crt"));
    match &config.client_listener.tls {
        // An administrator's own certificates: which of them a user may have is not ours to know.
        Some(tls) if !own(&tls) => {
            let ca_file = tls.client_ca_file.clone().or_else(|| Some(tls.cert_file.clone()));
            LocalContext { path, ca_file, certificate: None, token_file: config.security.admin_token_file.clone() }
        }
        Some(_) => LocalContext {
            path,
            ca_file: Some(paths.file("client-ca.crt")),
            certificate: Some((paths.file("admin.crt"), paths.file("admin.key"))),
            token_file: None,
        },
        None => LocalContext {
            path,
            ca_file: None,
            certificate: None,
            token_file: config.security.admin_token_file.clone(),
        },
    }
}

fn make_once(path: PathBuf, text: impl FnOnce() -> zeroize::Zeroizing<String>) -> Result<PathBuf, StartError> {
    if !path.exists() {
        files::create_private(&path, text().as_bytes()).map_err(failed("write", &path))?;
    }
    Ok(path)
}

fn absolute(path: &Path) -> Result<PathBuf, StartError> {
    std::path::absolute(path).map_err(failed("find", path))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::config::Member;
    use crate::ids_source::OsIds;

    fn start(config: Config) -> Result<Startup, StartError> {
        prepare(config, Some("/c/contexts.toml".into()), Arc::new(ManualClock::new(1_795_000_000_000)), Arc::new(OsIds))
    }

    fn config(folder: &Path) -> Config {
        let mut config = Config::default();
        config.node.data_dir = folder.join("data");
        config
    }

    #[test]
    fn a_node_on_its_own_makes_what_it_needs_and_keeps_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = start(config(folder.path())).expect("starts");
        first.config.check().expect("what was filled in is valid");
        first.config.check_files().expect("what was made is there and private");
        let context = first.local_context.clone().expect("tells muster");
        assert_eq!(context.ca_file, Some(folder.path().join("data/pki/client-ca.crt")));
        let sealed = first.sealer.seal(b"key", b"place");
        let (identity, admin) = (first.identity.clone(), first.initial_admin.clone());
        assert!(admin.is_some());
        assert!(matches!(start(config(folder.path())), Err(StartError::DataDir(DataDirError::Locked(_)))));
        drop(first);
        let second = start(config(folder.path())).expect("starts again");
        assert_eq!((second.identity.clone(), second.initial_admin.clone()), (identity, admin));
        assert_eq!(*second.sealer.open(&sealed, b"place").expect("the same key"), b"key");
    }

    #[test]
    fn an_interrupted_first_start_is_begun_anew() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let draft = folder.path().join("data/pki.new");
        files::create_private_folder(&draft).expect("made");
        files::create_private(&draft.join("cluster-id"), b"half").expect("written");
        let startup = start(config(folder.path())).expect("starts");
        let pki = Paths::new(folder.path().join("data/pki"));
        assert_eq!(pki.cluster_id().expect("whole"), startup.identity.cluster_id);
        assert!(!draft.exists());
    }

    #[test]
    fn development_clusters_share_a_key_without_a_file_and_write_no_certificates() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let member = |id: u64| Member {
            id,
            name: format!("n{id}"),
            peer_address: format!("127.0.0.1:{}", 7000 + id),
            client_address: format!("127.0.0.1:{}", 8000 + id),
        };
        let start_node = |id: u64| {
            let mut config = config(&folder.path().join(format!("n{id}")));
            config.node.id = id;
            config.cluster.id = Some("0f0e0d0c-0000-4000-8000-000000000000".to_owned());
            config.cluster.members = vec![member(1), member(2)];
            config.security.insecure_dev = true;
            config.check().expect("valid");
            start(config).expect("starts")
        };
        let (one, two) = (start_node(1), start_node(2));
        assert_eq!(*two.sealer.open(&one.sealer.seal(b"key", b""), b"").expect("one key"), b"key");
        assert!(!one.data_dir.path().join("pki").exists());
        assert_eq!(one.local_context, None);
        assert_eq!(one.initial_admin, None);
    }

    #[test]
    fn a_file_without_a_token_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = config(folder.path());
        let path = folder.path().join("token");
        std::fs::write(&path, "hunter2").expect("written");
        config.security.admin_token_file = Some(path);
        assert!(matches!(start(config), Err(StartError::NotAToken(_))));
    }
}
