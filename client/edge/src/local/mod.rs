//! The same services as the cluster's, on a socket of this machine, as far as an edge can answer them: reads of what it holds,
//! what a device or an asset reports, what is discovered, and watches. Everything else is answered with UNIMPLEMENTED: it is the cluster's.
//!
//! - Who may open the socket may read and report everything here: the file system decides. The loopback address asks nobody.
//! - Answers are true at the revision in their header, the newest mark's, with what waits merged on top; the node in the header
//!   is 0.

mod agent_status;
mod asset;
mod device;
mod discovery;
mod reads;
mod refusal;
mod twin;
mod watch;
mod watch_request;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use muster_proto::edge::v1::agent_service_server::AgentServiceServer;
use muster_proto::v1::asset_service_server::AssetServiceServer;
use muster_proto::v1::device_service_server::DeviceServiceServer;
use muster_proto::v1::discovery_service_server::DiscoveryServiceServer;
use muster_proto::v1::twin_service_server::TwinServiceServer;
use muster_proto::v1::watch_service_server::WatchServiceServer;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch as signal;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::service::Routes;
use tonic::transport::Server;

use crate::agent::StartError;
use crate::config::Config;
use crate::handle::Handle;

/// Largest message that is taken.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Calls at a time on one connection.
const CALLS_MAX: u32 = 256;

/// What every service works on.
#[derive(Clone)]
pub(crate) struct Local {
    handle: Handle,
    stop: signal::Receiver<bool>,
}

/// Starts to serve.
///
/// # Errors
/// When the socket or the address cannot be listened on.
pub(crate) fn serve(
    handle: &Handle,
    config: &Config,
    stop: &signal::Receiver<bool>,
) -> Result<Vec<JoinHandle<()>>, StartError> {
    let local = Local { handle: handle.clone(), stop: stop.clone() };
    let path = &config.local.socket;
    let failed = |cause| StartError::Listen { place: path.display().to_string(), cause };
    let socket = bind(path, config.socket_mode()?).map_err(failed)?;
    let server = server().add_routes(routes(&local));
    let mut tasks = vec![tokio::spawn(finish(
        server.serve_with_incoming_shutdown(UnixListenerStream::new(socket), stopped(stop.clone())),
    ))];
    if let Some(address) = config.local.address {
        let failed = |cause| StartError::Listen { place: address.to_string(), cause };
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let server = self::server().add_routes(routes(&local));
        tasks.push(tokio::spawn(finish(
            server.serve_with_incoming_shutdown(TcpListenerStream::new(listener), stopped(stop.clone())),
        )));
    }
    Ok(tasks)
}

fn server() -> Server {
    Server::builder().max_concurrent_streams(CALLS_MAX)
}

async fn finish(serving: impl Future<Output = Result<(), tonic::transport::Error>>) {
    if let Err(error) = serving.await {
        tracing::error!(%error, "a local listener failed");
    }
}

async fn stopped(mut stop: signal::Receiver<bool>) {
    stop.wait_for(|stop| *stop).await.ok();
}

/// Listens on a socket; one that a dead agent left behind is taken over.
fn bind(path: &Path, mode: u32) -> std::io::Result<UnixListener> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    if path.exists() {
        if UnixStream::connect(path).is_ok() {
            return Err(std::io::Error::new(std::io::ErrorKind::AddrInUse, "another process answers there"));
        }
        std::fs::remove_file(path)?;
    }
    // It gets its permissions under another name, so that nobody can open it before.
    let unready = path.with_extension("unready");
    std::fs::remove_file(&unready).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let listener = UnixListener::bind(&unready)?;
    std::fs::set_permissions(&unready, std::fs::Permissions::from_mode(mode))?;
    std::fs::rename(&unready, path)?;
    Ok(listener)
}

fn routes(local: &Local) -> Routes {
    let max = MESSAGE_BYTES_MAX;
    let routes = Routes::new(TwinServiceServer::new(local.clone()).max_decoding_message_size(max))
        .add_service(DeviceServiceServer::new(local.clone()).max_decoding_message_size(max))
        .add_service(AssetServiceServer::new(local.clone()).max_decoding_message_size(max))
        .add_service(DiscoveryServiceServer::new(local.clone()).max_decoding_message_size(max))
        .add_service(WatchServiceServer::new(local.clone()).max_decoding_message_size(max))
        .add_service(AgentServiceServer::new(local.clone()).max_decoding_message_size(max));
    let elsewhere = |request: axum::extract::Request| async move {
        refusal::of_the_cluster(request.uri().path().trim_start_matches('/')).into_http::<axum::body::Body>()
    };
    routes.into_axum_router().fallback(elsewhere).into()
}
