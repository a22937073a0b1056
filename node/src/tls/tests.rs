//! Real handshakes over real sockets: who gets in, who does not, and what happens when certificates change.

use super::*;
use crate::clock::{Clock, SystemClock};
use crate::config::{ClientTlsFiles, PeerListener, PeerTlsFiles};
use crate::identity::{CertIdentity, Role};
use crate::ids_source::OsIds;
use crate::pki::{self, NodeNames, Paths};
use crate::raft::PeerConnector as _;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_stream::StreamExt;

const CLUSTER: &str = "0f0e0d0c-0000-4000-8000-000000000000";
const OTHER_CLUSTER: &str = "0f0e0d0c-1111-4000-8000-000000000000";
/// Long enough for a busy machine; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// The machine's clock is what rustls checks against, so certificates start now.
fn make_pki(folder: &Path, cluster_id: &str) -> Paths {
    let nodes = [NodeNames::local("n1"), NodeNames::local("n2")];
    pki::init(folder, cluster_id, &nodes, &SystemClock, &OsIds).expect("made");
    Paths::new(folder)
}

fn client_files(paths: &Paths) -> ClientTlsFiles {
    ClientTlsFiles {
        cert_file: paths.node_file("n1", "server.crt"),
        key_file: paths.node_file("n1", "server.key"),
        client_ca_file: Some(paths.file("client-ca.crt")),
    }
}

fn peer_files(paths: &Paths, node: &str) -> PeerTlsFiles {
    PeerTlsFiles {
        cert_file: paths.node_file(node, "peer.crt"),
        key_file: paths.node_file(node, "peer.key"),
        ca_file: paths.node_file(node, "peer-ca.crt"),
    }
}

fn limits() -> IncomingLimits {
    IncomingLimits {
        listener: "test",
        max_connections: 8,
        max_handshakes: 4,
        handshake_timeout: Duration::from_secs(5),
    }
}

async fn listen(tls: ServerTls) -> Incoming {
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    Incoming::bind(local, Some(Arc::new(tls)), limits()).await.expect("bound")
}

/// Connects with the authority and, where given, the certificate of these files. A TLS 1.3 client hears of a refusal
/// only when it reads, so success means that a byte came back.
async fn dial(
    address: SocketAddr,
    name: &str,
    ca: &Path,
    own: Option<(&Path, &Path)>,
) -> std::io::Result<TlsStream<TcpStream>> {
    dial_with(address, name, Arc::new(client_config(ca, own))).await
}

fn client_config(ca: &Path, own: Option<(&Path, &Path)>) -> rustls::ClientConfig {
    let authorities = material::PemFile::read(ca).and_then(|file| file.authorities()).expect("an authority");
    let builder = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(authorities);
    match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = material::PemFile::read(certificate).and_then(|file| file.certificates()).expect("a chain");
            let key = rustls::pki_types::PrivateKeyDer::from_pem_file(key).expect("a key");
            builder.with_client_auth_cert(chain, key).expect("go together")
        }
    }
}

async fn dial_with(
    address: SocketAddr,
    name: &str,
    config: Arc<rustls::ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut stream = TlsConnector::from(config).connect(name, TcpStream::connect(address).await?).await?;
    stream.read_u8().await?;
    Ok(stream)
}

/// Greets the next connection with a byte and returns what is known of it.
async fn greet(incoming: &mut Incoming) -> (Connection, ConnectionInfo) {
    let mut connection =
        tokio::time::timeout(PATIENCE, incoming.next()).await.expect("in time").expect("listens").expect("accepted");
    connection.write_all(b"!").await.expect("written");
    connection.flush().await.expect("sent");
    let info = connection.info().clone();
    (connection, info)
}

#[tokio::test]
async fn clients_are_known_by_their_certificate_and_welcome_without() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths = make_pki(folder.path(), CLUSTER);
    let device = CertIdentity::Device { namespace: "plant".into(), device: "press/1".into() };
    pki::issue_client(folder.path(), &device, "press", folder.path(), &SystemClock, &OsIds).expect("issued");
    let mut incoming = listen(ServerTls::clients(&client_files(&paths)).expect("usable")).await;
    let (address, ca) = (incoming.local_addr(), paths.file("client-ca.crt"));
    let admin = CertIdentity::Role { role: Role::Admin, name: "admin".into() };
    for (stem, wanted) in [(None, None), (Some("admin"), Some(admin)), (Some("press"), Some(device))] {
        let own = stem.map(|stem: &str| (paths.file(&format!("{stem}.crt")), paths.file(&format!("{stem}.key"))));
        let own = own.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        let (dialled, (_connection, info)) = tokio::join!(dial(address, "localhost", &ca, own), greet(&mut incoming));
        dialled.expect("let in");
        assert!(info.encrypted);
        assert_eq!(info.identity, wanted);
    }
}

/// Every one of these must fail, while a good client gets in afterwards.
#[tokio::test]
async fn strangers_are_refused_on_the_client_listener() {
    let (ours, theirs) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (paths, foreign) = (make_pki(ours.path(), CLUSTER), make_pki(theirs.path(), CLUSTER));
    let mut incoming = listen(ServerTls::clients(&client_files(&paths)).expect("usable")).await;
    let (address, ca) = (incoming.local_addr(), paths.file("client-ca.crt"));
    for (what, certificate, key) in [
        ("another authority's client", foreign.file("admin.crt"), foreign.file("admin.key")),
        ("a peer of ours", paths.node_file("n1", "peer.crt"), paths.node_file("n1", "peer.key")),
        (
            "a server's certificate used as a client's",
            paths.node_file("n1", "server.crt"),
            paths.node_file("n1", "server.key"),
        ),
    ] {
        let dialled = tokio::time::timeout(PATIENCE, dial(address, "localhost", &ca, Some((&certificate, &key)))).await;
        assert!(dialled.expect("refused in time").is_err(), "{what}");
    }
    let wrong_name = dial(address, "elsewhere.example", &ca, None).await;
    assert!(wrong_name.is_err(), "the client refuses a server of another name");
    let wrong_ca = dial(address, "localhost", &foreign.file("client-ca.crt"), None).await;
    assert!(wrong_ca.is_err(), "the client refuses a server of another authority");
    let (dialled, _) = tokio::join!(dial(address, "localhost", &ca, None), greet(&mut incoming));
    dialled.expect("a good one gets in");
}

#[tokio::test]
async fn only_members_of_this_cluster_reach_the_peer_listener() {
    let (ours, theirs) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (paths, foreign) = (make_pki(ours.path(), CLUSTER), make_pki(theirs.path(), OTHER_CLUSTER));
    let mut incoming = listen(ServerTls::peers(&peer_files(&paths, "n1"), CLUSTER).expect("usable")).await;
    let (address, ca, name) = (incoming.local_addr(), paths.file("peer-ca.crt"), pki::peer_server_name(CLUSTER));
    // Signed by our own authority, but for another cluster: a mistake in making certificates must not join two clusters.
    let authority = pki::Authority::load(&paths.file("peer-ca.crt"), &paths.file("peer-ca.key")).expect("loaded");
    let now_ms = SystemClock.now_ms();
    let stray =
        authority.issue(pki::Leaf::Peer { cluster_id: OTHER_CLUSTER, node_id: 2 }, [7; 16], now_ms).expect("issued");
    std::fs::write(paths.file("stray.crt"), &stray.certificate_pem).expect("written");
    std::fs::write(paths.file("stray.key"), stray.key_pem.as_bytes()).expect("written");
    for (what, own) in [
        ("no certificate", None),
        ("a client of ours", Some((paths.file("admin.crt"), paths.file("admin.key")))),
        (
            "a peer of another authority",
            Some((foreign.node_file("n2", "peer.crt"), foreign.node_file("n2", "peer.key"))),
        ),
        ("a peer of another cluster", Some((paths.file("stray.crt"), paths.file("stray.key")))),
    ] {
        let own = own.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        let dialled = tokio::time::timeout(PATIENCE, dial(address, &name, &ca, own)).await;
        assert!(dialled.expect("refused in time").is_err(), "{what}");
    }
    let (certificate, key) = (paths.node_file("n2", "peer.crt"), paths.node_file("n2", "peer.key"));
    let (dialled, (_connection, info)) =
        tokio::join!(dial(address, &name, &ca, Some((&certificate, &key))), greet(&mut incoming));
    let stream = dialled.expect("a member gets in");
    assert_eq!(stream.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!(info.identity, Some(CertIdentity::Peer { cluster_id: CLUSTER.into(), node_id: 2 }));
}

fn peer_listener(paths: &Paths, node: &str) -> PeerListener {
    PeerListener { tls: Some(peer_files(paths, node)), ..PeerListener::default() }
}

/// Asks the health service through a channel made by the connector.
async fn check(channel: tonic::transport::Channel) -> Result<(), tonic::Status> {
    let mut client = tonic_health::pb::health_client::HealthClient::new(channel);
    let request = tonic_health::pb::HealthCheckRequest { service: String::new() };
    tokio::time::timeout(PATIENCE, client.check(request)).await.expect("answered in time").map(drop)
}

async fn serve_health(incoming: Incoming) -> SocketAddr {
    let address = incoming.local_addr();
    let (_reporter, service) = tonic_health::server::health_reporter();
    drop(crate::tasks::spawn("test server", async move {
        tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await.expect("served");
    }));
    address
}

#[tokio::test]
async fn the_connector_reaches_members_and_refuses_others() {
    let (ours, theirs) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (paths, foreign) = (make_pki(ours.path(), CLUSTER), make_pki(theirs.path(), OTHER_CLUSTER));
    let connector = PeerConnector::new(&peer_listener(&paths, "n1"), CLUSTER, 1).expect("usable");
    let member =
        serve_health(listen(ServerTls::peers(&peer_files(&paths, "n2"), CLUSTER).expect("usable")).await).await;
    check(connector.channel(&member.to_string()).expect("a channel")).await.expect("a member answers");

    let stranger = ServerTls::peers(&peer_files(&foreign, "n2"), OTHER_CLUSTER).expect("usable");
    let stranger = serve_health(listen(stranger).await).await;
    check(connector.channel(&stranger.to_string()).expect("a channel")).await.expect_err("another cluster's member");
    let client_side = serve_health(listen(ServerTls::clients(&client_files(&paths)).expect("usable")).await).await;
    check(connector.channel(&client_side.to_string()).expect("a channel")).await.expect_err("not a peer listener");
    assert!(connector.channel("not an address").is_err());
}

#[tokio::test]
async fn plain_text_members_reach_each_other_when_told() {
    let connector = PeerConnector::new(&PeerListener::default(), CLUSTER, 1).expect("no files");
    let incoming = Incoming::bind(([127, 0, 0, 1], 0).into(), None, limits()).await.expect("bound");
    let member = serve_health(incoming).await;
    check(connector.channel(&member.to_string()).expect("a channel")).await.expect("answers");
}

#[test]
fn a_node_refuses_to_start_with_another_members_certificate() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths = make_pki(folder.path(), CLUSTER);
    let error = PeerConnector::new(&peer_listener(&paths, "n2"), CLUSTER, 1).expect_err("n2's").to_string();
    assert!(error.contains("member 1") && error.contains(&format!("muster:peer:{CLUSTER}/2")), "{error}");
}

#[tokio::test]
async fn changed_certificates_count_for_new_connections_and_bad_ones_do_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths = make_pki(folder.path(), CLUSTER);
    let files = client_files(&paths);
    let tls = ServerTls::clients(&files).expect("usable");
    let reloading = Arc::clone(tls.reloading());
    let mut incoming = listen(tls).await;
    let (address, ca) = (incoming.local_addr(), paths.file("client-ca.crt"));
    let shown = async |incoming: &mut Incoming| {
        let (dialled, _) = tokio::join!(dial(address, "localhost", &ca, None), greet(incoming));
        dialled.expect("let in").get_ref().1.peer_certificates().expect("shown")[0].to_vec()
    };
    let first = shown(&mut incoming).await;
    assert!(!reloading.reload().expect("read"), "nothing changed");

    // The certificate arrives before its key: between the two the old pair stays in use.
    let authority = pki::Authority::load(&ca, &paths.file("client-ca.key")).expect("loaded");
    let now_ms = SystemClock.now_ms();
    let names = ["localhost".to_owned()];
    let renewed = authority.issue(pki::Leaf::Server { names: &names }, [9; 16], now_ms).expect("issued");
    std::fs::write(&files.cert_file, &renewed.certificate_pem).expect("written");
    reloading.reload().expect_err("a certificate without its key");
    assert_eq!(shown(&mut incoming).await, first);
    std::fs::write(&files.key_file, renewed.key_pem.as_bytes()).expect("written");
    assert!(reloading.reload().expect("a pair again"));
    let second = shown(&mut incoming).await;
    assert_ne!(second, first);

    std::fs::write(&files.cert_file, "rubbish").expect("written");
    reloading.reload().expect_err("rubbish");
    std::fs::remove_file(&files.cert_file).expect("removed");
    reloading.reload().expect_err("missing");
    assert_eq!(shown(&mut incoming).await, second, "the last good pair stays");
}

#[tokio::test]
async fn connections_and_handshakes_are_bounded() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths = make_pki(folder.path(), CLUSTER);
    let tls = Arc::new(ServerTls::clients(&client_files(&paths)).expect("usable"));
    let ca = paths.file("client-ca.crt");
    let few = IncomingLimits { max_connections: 1, handshake_timeout: Duration::from_millis(200), ..limits() };
    let mut incoming = Incoming::bind(([127, 0, 0, 1], 0).into(), Some(tls), few).await.expect("bound");
    let address = incoming.local_addr();

    let mut silent = TcpStream::connect(address).await.expect("connected");
    let closed = tokio::time::timeout(PATIENCE, silent.read(&mut [0])).await.expect("closed in time");
    assert!(matches!(closed, Ok(0) | Err(_)), "one that never speaks is closed");

    let (dialled, (held, _)) = tokio::join!(dial_until(address, &ca), greet(&mut incoming));
    let refused = tokio::time::timeout(PATIENCE, dial(address, "localhost", &ca, None)).await.expect("refused in time");
    assert!(refused.is_err(), "one too many");
    drop((dialled, held));
    let (_again, _) = tokio::join!(dial_until(address, &ca), greet(&mut incoming));
}

/// Dials until there is room; the place of a closed connection becomes free a moment later.
async fn dial_until(address: SocketAddr, ca: &Path) -> TlsStream<TcpStream> {
    let dialling = async {
        loop {
            if let Ok(stream) = dial(address, "localhost", ca, None).await {
                return stream;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, dialling).await.expect("let in at last")
}

#[test]
fn unusable_files_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths = make_pki(folder.path(), CLUSTER);
    let files = client_files(&paths);
    let error =
        ServerTls::clients(&ClientTlsFiles { cert_file: files.key_file.clone(), ..files.clone() }).expect_err("a key");
    assert!(error.to_string().contains("server.key"), "{error}");
    let swapped = ClientTlsFiles { key_file: paths.node_file("n2", "server.key"), ..files.clone() };
    assert!(matches!(ServerTls::clients(&swapped), Err(TlsError::Certificate { .. })), "another's key");
    let missing = ClientTlsFiles { client_ca_file: Some(folder.path().join("no.crt")), ..files };
    assert!(matches!(ServerTls::clients(&missing), Err(TlsError::Read { .. })));
}

/// A client that remembers sessions would go on as who it was when its certificate was looked at.
#[tokio::test]
async fn no_session_is_resumed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths = make_pki(folder.path(), CLUSTER);
    let own = (paths.file("admin.crt"), paths.file("admin.key"));
    let clients = ServerTls::clients(&client_files(&paths)).expect("usable");
    let mut incoming = listen(clients).await;
    let config = Arc::new(client_config(&paths.file("client-ca.crt"), Some((&own.0, &own.1))));
    for number in 0..3 {
        let dialling = dial_with(incoming.local_addr(), "localhost", Arc::clone(&config));
        let (dialled, _greeted) = tokio::join!(dialling, greet(&mut incoming));
        let kind = dialled.expect("let in").get_ref().1.handshake_kind();
        assert_eq!(kind, Some(rustls::HandshakeKind::Full), "connection {number}");
    }
}
