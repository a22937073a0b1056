//! The model of the cluster behind a real gRPC stream on loopback, for agents with real links.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::Stream;
use muster_edge::config::{Cluster, Config, Edge, Local};
use muster_proto::v1;
use muster_proto::v1::sync_service_server::{SyncService, SyncServiceServer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt};

use super::cloud::{Cloud, Stream as Serving};

/// How often it looks for what changed.
const LOOK: Duration = Duration::from_millis(10);

/// A cluster that any number of servers serve.
#[derive(Clone)]
pub(crate) struct Served(Arc<Mutex<Cloud>>);

impl Served {
    pub(crate) fn new(cloud: Cloud) -> Self {
        Self(Arc::new(Mutex::new(cloud)))
    }

    pub(crate) fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves on the address until the answer is dropped or aborted; port 0 takes a free one.
    pub(crate) async fn serve(&self, address: SocketAddr) -> (SocketAddr, Server1) {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let service = SyncServiceServer::new(self.clone());
        let serving = Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener));
        let task = tokio::spawn(async move { serving.await.expect("served") });
        (address, Server1(task))
    }
}

/// A server that ends when it is dropped.
pub(crate) struct Server1(tokio::task::JoinHandle<()>);

impl Drop for Server1 {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tonic::async_trait]
impl SyncService for Served {
    type SyncStream = Pin<Box<dyn Stream<Item = Result<v1::SyncResponse, Status>> + Send>>;

    async fn sync(&self, request: Request<Streaming<v1::SyncRequest>>) -> Result<Response<Self::SyncStream>, Status> {
        let (served, mut requests) = (self.clone(), request.into_inner());
        let (answers, out) = mpsc::channel(1_024);
        tokio::spawn(async move {
            let mut stream: Option<Serving> = None;
            let mut looks = tokio::time::interval(LOOK);
            loop {
                let said = tokio::select! {
                    said = requests.message() => match said {
                        Ok(Some(request)) => served.cloud().hear(&mut stream, request).map_err(|loss| status(&loss)),
                        Ok(None) | Err(_) => return,
                    },
                    _ = looks.tick() => Ok(stream.as_mut().map_or_else(Vec::new, |stream| served.cloud().live(stream))),
                };
                match said {
                    Ok(messages) => {
                        for message in messages {
                            if answers.send(Ok(message)).await.is_err() {
                                return;
                            }
                        }
                    }
                    Err(status) => {
                        answers.send(Err(status)).await.ok();
                        return;
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(out))))
    }
}

fn status(loss: &muster_edge::protocol::Loss) -> Status {
    let details = ErrorDetails::with_error_info(loss.reason.clone(), "muster", std::collections::HashMap::new());
    Status::with_error_details(Code::FailedPrecondition, loss.message.clone(), details)
}

/// An edge in a folder, whose cluster is at an address.
pub(crate) fn config(folder: &std::path::Path, cluster: SocketAddr) -> Config {
    Config {
        edge: Edge { name: "namespaces/plant1/edges/press-hall".to_owned(), store_dir: folder.join("store") },
        cluster: Cluster { endpoints: vec![format!("http://{cluster}")], ..Cluster::default() },
        local: Local { socket: folder.join("edge.sock"), ..Local::default() },
        ..Config::default()
    }
}

/// Waits until `look` finds something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1_000 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}: not within 20 s");
}
