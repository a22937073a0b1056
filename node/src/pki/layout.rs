//! Which certificate, key and secret lies where, for a whole cluster in one folder.
//!
//! Deliberately does not know how a certificate is built (`authority.rs`).

use super::authority::{Authority, AuthorityKind, Issued, Leaf};
use super::{PkiError, failed};
use crate::clock::Clock;
use crate::files;
use crate::identity::{CertIdentity, Role};
use crate::ids_source::IdsSource;
use crate::{secrets, token};
use std::path::{Path, PathBuf};
use x509_parser::prelude::parse_x509_certificate;

/// A node and the names clients reach it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeNames {
    /// The node's name, which is also the name of its folder.
    pub name: String,
    /// DNS names and IP addresses.
    pub names: Vec<String>,
}

impl NodeNames {
    /// A node that is reached on its own machine only.
    #[must_use]
    pub fn local(name: impl Into<String>) -> Self {
        Self { name: name.into(), names: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec() }
    }

    /// Reads `NAME=DNS-OR-IP,DNS-OR-IP,..`.
    ///
    /// # Errors
    /// When it has another form.
    pub fn parse(text: &str) -> Result<Self, PkiError> {
        let malformed = |rule| PkiError::Name { what: "node", value: text.to_owned(), rule };
        let (name, names) = text.split_once('=').ok_or_else(|| malformed("NAME=DNS-OR-IP,.."))?;
        let names: Vec<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
        if names.iter().any(String::is_empty) {
            return Err(malformed("NAME=DNS-OR-IP,.. with at least one name and no empty ones"));
        }
        Ok(Self { name: check_file_name("node name", name)?.to_owned(), names })
    }
}

/// Where things lie below the folder of a cluster.
#[derive(Clone, Debug)]
pub struct Paths(PathBuf);

impl Paths {
    /// The paths below `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// A file at the top.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file of one node's.
    #[must_use]
    pub fn node_file(&self, node: &str, name: &str) -> PathBuf {
        self.0.join("nodes").join(node).join(name)
    }

    /// The UUID of the cluster these files are for.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn cluster_id(&self) -> Result<String, PkiError> {
        let path = self.file("cluster-id");
        Ok(std::fs::read_to_string(&path).map_err(failed("read", &path))?.trim().to_owned())
    }

    fn write(&self, path: &Path, content: &str) -> Result<(), PkiError> {
        if let Some(folder) = path.parent() {
            files::create_private_folder(folder).map_err(failed("make", folder))?;
        }
        files::create_private(path, content.as_bytes()).map_err(failed("write", path))
    }

    fn write_issued(&self, stem: &Path, issued: &Issued) -> Result<(), PkiError> {
        // The key first: a certificate without its key is the state one cannot get out of.
        self.write(&stem.with_added_extension("key"), &issued.key_pem)?;
        self.write(&stem.with_added_extension("crt"), &issued.certificate_pem)
    }
}

/// Makes everything for a new cluster whose nodes are numbered 1, 2, 3 in the order given.
///
/// # Errors
/// When the folder holds a cluster already, a name is not usable, or the file system says no.
pub fn init(
    folder: &Path,
    cluster_id: &str,
    nodes: &[NodeNames],
    clock: &dyn Clock,
    ids: &dyn IdsSource,
) -> Result<(), PkiError> {
    let paths = Paths::new(folder);
    check_nodes(nodes)?;
    let now_ms = clock.now_ms();
    let (clients, clients_issued) = Authority::create(AuthorityKind::Clients, cluster_id, serial(ids), now_ms)?;
    let (peers, peers_issued) = Authority::create(AuthorityKind::Peers, cluster_id, serial(ids), now_ms)?;
    // The first file decides whether the folder is free.
    paths.write(&paths.file("cluster-id"), &format!("{cluster_id}\n"))?;
    paths.write_issued(&paths.file("client-ca"), &clients_issued)?;
    paths.write_issued(&paths.file("peer-ca"), &peers_issued)?;
    let secrets_key = secrets::generate_key_file(ids);
    let admin_token = format!("{}\n", *token::generate(ids).text);
    paths.write(&paths.file("secrets.key"), &secrets_key)?;
    paths.write(&paths.file("admin.token"), &admin_token)?;
    let admin = CertIdentity::Role { role: Role::Admin, name: "admin".to_owned() };
    paths.write_issued(&paths.file("admin"), &clients.issue(Leaf::Client(&admin), serial(ids), now_ms)?)?;
    for (node, node_id) in nodes.iter().zip(1..) {
        let file = |name| paths.node_file(&node.name, name);
        let server = clients.issue(Leaf::Server { names: &node.names }, serial(ids), now_ms)?;
        paths.write_issued(&file("server"), &server)?;
        let peer = peers.issue(Leaf::Peer { cluster_id, node_id }, serial(ids), now_ms)?;
        paths.write_issued(&file("peer"), &peer)?;
        paths.write(&file("client-ca.crt"), clients.certificate_pem())?;
        paths.write(&file("peer-ca.crt"), peers.certificate_pem())?;
        paths.write(&file("secrets.key"), &secrets_key)?;
        paths.write(&file("admin.token"), &admin_token)?;
    }
    Ok(())
}

/// Issues what one more node needs from the authorities in `folder`: `nodes/NAME`, without the first administrator's token,
/// which only a founder needs.
///
/// # Errors
/// When an authority's key is not there, the name is not usable, or the node's files exist.
pub fn issue_node(
    folder: &Path,
    node: &NodeNames,
    node_id: u64,
    clock: &dyn Clock,
    ids: &dyn IdsSource,
) -> Result<(), PkiError> {
    check_nodes(std::slice::from_ref(node))?;
    let paths = Paths::new(folder);
    let cluster_id = paths.cluster_id()?;
    let clients = Authority::load(&paths.file("client-ca.crt"), &paths.file("client-ca.key"))?;
    let peers = Authority::load(&paths.file("peer-ca.crt"), &paths.file("peer-ca.key"))?;
    let secrets_path = paths.file("secrets.key");
    let secrets_key = std::fs::read_to_string(&secrets_path).map_err(failed("read", &secrets_path))?;
    let secrets_key = zeroize::Zeroizing::new(secrets_key);
    let now_ms = clock.now_ms();
    let file = |name| paths.node_file(&node.name, name);
    paths.write_issued(&file("server"), &clients.issue(Leaf::Server { names: &node.names }, serial(ids), now_ms)?)?;
    let peer = peers.issue(Leaf::Peer { cluster_id: &cluster_id, node_id }, serial(ids), now_ms)?;
    paths.write_issued(&file("peer"), &peer)?;
    paths.write(&file("client-ca.crt"), clients.certificate_pem())?;
    paths.write(&file("peer-ca.crt"), peers.certificate_pem())?;
    paths.write(&file("secrets.key"), &secrets_key)
}

/// Issues a client certificate from the authority in `folder`, and writes `OUT/NAME.crt` and `OUT/NAME.key`.
///
/// # Errors
/// When the authority's key is not there, the name is not usable, or a file of this name exists.
pub fn issue_client(
    folder: &Path,
    identity: &CertIdentity,
    name: &str,
    out: &Path,
    clock: &dyn Clock,
    ids: &dyn IdsSource,
) -> Result<(), PkiError> {
    let paths = Paths::new(folder);
    let stem = out.join(check_file_name("name", name)?);
    let clients = Authority::load(&paths.file("client-ca.crt"), &paths.file("client-ca.key"))?;
    let issued = clients.issue(Leaf::Client(identity), serial(ids), clock.now_ms())?;
    paths.write_issued(&stem, &issued)
}

/// Renews the certificates that a node on its own made for itself, once they have used up two thirds of their life.
/// Returns whether it did. Certificates of an administrator's making are never touched: only a folder that still holds
/// both authorities' keys is a node's own.
///
/// # Errors
/// When a file cannot be read or written.
pub fn renew_if_due(
    folder: &Path,
    node: &NodeNames,
    node_id: u64,
    clock: &dyn Clock,
    ids: &dyn IdsSource,
) -> Result<bool, PkiError> {
    let paths = Paths::new(folder);
    let now_ms = clock.now_ms();
    let server_path = paths.node_file(&node.name, "server.crt");
    let left_ms = expires_ms(&server_path)?.saturating_sub(now_ms);
    if u128::from(left_ms) > super::authority::LEAF_LIFE.as_millis() / 3 {
        return Ok(false);
    }
    let clients = Authority::load(&paths.file("client-ca.crt"), &paths.file("client-ca.key"))?;
    let peers = Authority::load(&paths.file("peer-ca.crt"), &paths.file("peer-ca.key"))?;
    let admin = CertIdentity::Role { role: Role::Admin, name: "admin".to_owned() };
    let cluster_id = paths.cluster_id()?;
    let renewed = [
        (paths.file("admin"), clients.issue(Leaf::Client(&admin), serial(ids), now_ms)?),
        (
            paths.node_file(&node.name, "peer"),
            peers.issue(Leaf::Peer { cluster_id: &cluster_id, node_id }, serial(ids), now_ms)?,
        ),
        // Last, because its date decides whether this was done.
        (
            paths.node_file(&node.name, "server"),
            clients.issue(Leaf::Server { names: &node.names }, serial(ids), now_ms)?,
        ),
    ];
    for (stem, issued) in &renewed {
        for (extension, content) in [("key", issued.key_pem.as_str()), ("crt", &issued.certificate_pem)] {
            let path = stem.with_added_extension(extension);
            files::replace_private(&path, content.as_bytes()).map_err(failed("renew", &path))?;
        }
    }
    Ok(true)
}

fn expires_ms(path: &Path) -> Result<u64, PkiError> {
    let pem = std::fs::read(path).map_err(failed("read", path))?;
    let unreadable = |reason: String| PkiError::NotAnAuthority { path: path.to_owned(), reason };
    let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).map_err(|error| unreadable(error.to_string()))?;
    let (_, certificate) = parse_x509_certificate(&pem.contents).map_err(|error| unreadable(error.to_string()))?;
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
    Ok(seconds.saturating_mul(1_000))
}

fn serial(ids: &dyn IdsSource) -> [u8; 16] {
    let mut serial = [0; 16];
    ids.fill(&mut serial);
    serial
}

fn check_nodes(nodes: &[NodeNames]) -> Result<(), PkiError> {
    for (index, node) in nodes.iter().enumerate() {
        check_file_name("node name", &node.name)?;
        if nodes[..index].iter().any(|earlier| earlier.name == node.name) {
            return Err(PkiError::Name { what: "node name", value: node.name.clone(), rule: "each node has its own" });
        }
        // Before anything is written, so that a refused name leaves no half of a cluster behind.
        for name in &node.names {
            super::authority::server_name(name)?;
        }
    }
    Ok(())
}

fn check_file_name<'a>(what: &'static str, name: &'a str) -> Result<&'a str, PkiError> {
    let fits = (1..=64).contains(&name.len())
        && !name.starts_with(['.', '-'])
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let rule = "1 to 64 of A-Z a-z 0-9 - _ . and not starting with . or -";
    if fits { Ok(name) } else { Err(PkiError::Name { what, value: name.to_owned(), rule }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::ids_source::OsIds;
    use std::time::Duration;

    const CLUSTER: &str = "0f0e0d0c-0000-4000-8000-000000000000";

    #[test]
    fn init_writes_all_once_for_the_owner_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = ManualClock::new(1_795_000_000_000);
        let nodes = [NodeNames::local("n1"), NodeNames::local("n2")];
        init(folder.path(), CLUSTER, &nodes, &clock, &OsIds).expect("made");
        let paths = Paths::new(folder.path());
        assert_eq!(paths.cluster_id().expect("there"), CLUSTER);
        for name in ["server.crt", "server.key", "peer.crt", "peer.key", "client-ca.crt", "secrets.key", "admin.token"]
        {
            assert!(!files::is_open_to_others(&paths.node_file("n2", name)).expect(name), "{name}");
        }
        let before = std::fs::read(paths.file("client-ca.key")).expect("there");
        assert!(matches!(init(folder.path(), CLUSTER, &nodes, &clock, &OsIds), Err(PkiError::Exists(_))));
        assert_eq!(std::fs::read(paths.file("client-ca.key")).expect("there"), before);
        let leaf_days = (expires_ms(&paths.node_file("n1", "peer.crt")).expect("read") - clock.now_ms()) / 86_400_000;
        assert_eq!(leaf_days, 397);
    }

    #[test]
    fn a_client_certificate_carries_its_identity_and_is_not_overwritten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = ManualClock::new(1_795_000_000_000);
        init(folder.path(), CLUSTER, &[NodeNames::local("n1")], &clock, &OsIds).expect("made");
        let identity = CertIdentity::Device { namespace: "plant".into(), device: "press/1".into() };
        let issue = |name| issue_client(folder.path(), &identity, name, folder.path(), &clock, &OsIds);
        issue("press").expect("issued");
        assert!(matches!(issue("press"), Err(PkiError::Exists(_))));
        for bad in ["", "../up", "a/b", ".hidden", "-dash"] {
            assert!(matches!(issue(bad), Err(PkiError::Name { .. })), "{bad:?}");
        }
        let pem = std::fs::read(folder.path().join("press.crt")).expect("there");
        let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).expect("pem");
        assert_eq!(CertIdentity::from_der(&pem.contents), Ok(identity.clone()));
        std::fs::remove_file(folder.path().join("client-ca.key")).expect("taken offline");
        assert!(matches!(issue("other"), Err(PkiError::Io { .. })), "no key, no certificate");
    }

    #[test]
    fn one_more_node_gets_certificates_of_the_same_authorities_under_its_own_id() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = ManualClock::new(1_795_000_000_000);
        init(folder.path(), CLUSTER, &[NodeNames::local("n1")], &clock, &OsIds).expect("made");
        let issue = |name| issue_node(folder.path(), &NodeNames::local(name), 4, &clock, &OsIds);
        issue("n4").expect("issued");
        let paths = Paths::new(folder.path());
        let pem = std::fs::read(paths.node_file("n4", "peer.crt")).expect("there");
        let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).expect("pem");
        let identity = CertIdentity::Peer { cluster_id: CLUSTER.to_owned(), node_id: 4 };
        assert_eq!(CertIdentity::from_der(&pem.contents), Ok(identity));
        let content = |node, name| std::fs::read(paths.node_file(node, name)).expect(name);
        for shared in ["client-ca.crt", "peer-ca.crt", "secrets.key"] {
            assert_eq!(content("n4", shared), content("n1", shared), "{shared}");
        }
        assert!(matches!(issue("n4"), Err(PkiError::Exists(_))), "nothing is overwritten");
        std::fs::remove_file(folder.path().join("peer-ca.key")).expect("taken offline");
        assert!(matches!(issue("n5"), Err(PkiError::Io { .. })), "no key, no certificate");
        assert!(!paths.node_file("n5", "").exists(), "and no half of a node");
    }

    #[test]
    fn own_certificates_are_renewed_when_two_thirds_are_used_up() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = ManualClock::new(1_795_000_000_000);
        let node = NodeNames::local("n1");
        init(folder.path(), CLUSTER, std::slice::from_ref(&node), &clock, &OsIds).expect("made");
        let renew = || renew_if_due(folder.path(), &node, 1, &clock, &OsIds).expect("checked");
        let expires = || expires_ms(&Paths::new(folder.path()).node_file("n1", "server.crt")).expect("read");
        let first = expires();
        clock.advance(Duration::from_secs(200 * 86_400));
        assert!(!renew());
        clock.advance(Duration::from_secs(100 * 86_400));
        assert!(renew());
        assert_eq!((expires() - first) / 86_400_000, 300);
        assert!(!renew(), "once is enough");
    }

    #[test]
    fn node_names_are_checked() {
        let node = NodeNames::parse("n1=muster.example,10.0.0.1").expect("well formed");
        assert_eq!(node.names, ["muster.example", "10.0.0.1"]);
        for bad in ["", "n1", "n1=", "=localhost", "n1=a,,b", "n/1=localhost"] {
            assert!(NodeNames::parse(bad).is_err(), "{bad:?}");
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = ManualClock::new(1_795_000_000_000);
        let bad_dns = NodeNames { name: "n1".into(), names: vec!["not a name".into()] };
        assert!(matches!(init(folder.path(), CLUSTER, &[bad_dns], &clock, &OsIds), Err(PkiError::Name { .. })));
        let twice = [NodeNames::local("n1"), NodeNames::local("n1")];
        assert!(matches!(init(&folder.path().join("x"), CLUSTER, &twice, &clock, &OsIds), Err(PkiError::Name { .. })));
    }
}
