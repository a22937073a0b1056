//! A bare tonic server that answers with as many bytes as asked for: the limit of any service built on tonic here.
//!
//! The server half runs as a process of its own (a hidden subcommand), so that it shares no thread with the load.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use tokio::time::{Instant, sleep};
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use super::{Sizes, System, Work};
use crate::connections::Connections;
use crate::grpc::Method;
use crate::load::{Caller, Client, Window, closed_loop};
use crate::process::{Process, free_ports};

#[allow(unreachable_pub, missing_docs, unused_qualifications, reason = "generated code")]
#[allow(clippy::all, clippy::clone_on_ref_ptr, reason = "generated code")]
mod pb {
    tonic::include_proto!("muster.bench.v1");
}

use pb::echo_service_server::{EchoService, EchoServiceServer};

/// The path of the one method.
const ECHO: &str = "/muster.bench.v1.EchoService/Echo";

/// The largest answer one may ask for.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How long the server may take to listen.
const START_WITHIN: Duration = Duration::from_secs(10);

struct Answering {
    bytes: Bytes,
}

#[tonic::async_trait]
impl EchoService for Answering {
    async fn echo(&self, request: Request<pb::EchoRequest>) -> Result<Response<pb::EchoResponse>, Status> {
        let wanted = request.get_ref().answer_bytes as usize;
        if wanted > ANSWER_BYTES_MAX {
            return Err(Status::invalid_argument("answer_bytes: at most 64 KiB"));
        }
        Ok(Response::new(pb::EchoResponse { body: self.bytes.slice(..wanted) }))
    }
}

/// Serves until killed.
pub(crate) async fn serve(port: u16) -> Result<()> {
    let answering = Answering { bytes: Bytes::from(vec![b'x'; ANSWER_BYTES_MAX]) };
    Server::builder()
        .tcp_nodelay(true)
        .add_service(EchoServiceServer::new(answering))
        .serve(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await
        .context("serve the echo")
}

/// The running echo server, and the sizes it stands in for.
pub(crate) struct Echo {
    process: Process,
    connections: Connections,
    write: Sizes,
    read: Sizes,
}

impl Echo {
    /// Starts the server half of this very binary.
    pub(crate) async fn start(folder: &Path, connections: usize, write: Sizes, read: Sizes) -> Result<Self> {
        let port = free_ports(1)?[0];
        let own = std::env::current_exe().context("find this binary")?;
        let mut process = Process::start("server", &own, ["echo-server", "--port", &port.to_string()], folder)?;
        let connections = connect(port, connections, || process.check_running()).await?;
        Ok(Self { process, connections, write, read })
    }
}

/// Connects as soon as the server listens; `check` says when waiting is in vain.
async fn connect(port: u16, count: usize, mut check: impl FnMut() -> Result<()>) -> Result<Connections> {
    let url = format!("http://127.0.0.1:{port}");
    let deadline = Instant::now() + START_WITHIN;
    loop {
        match Connections::open(std::slice::from_ref(&url), count, None).await {
            Ok(connections) => return Ok(connections),
            Err(error) if Instant::now() > deadline => return Err(error.context("the echo server does not listen")),
            Err(_) => check()?,
        }
        sleep(Duration::from_millis(10)).await;
    }
}

impl System for Echo {
    fn name(&self) -> &'static str {
        "tonic echo"
    }

    fn processes(&self) -> Vec<(String, u32)> {
        vec![(self.process.name.clone(), self.process.pid)]
    }

    fn clients(&self, work: Work, count: usize, window: Window) -> Result<Vec<Client>> {
        let sizes = match work {
            Work::Write => self.write,
            Work::Read => self.read,
            Work::Stream | Work::Batch { .. } => bail!("the echo has unary calls only"),
        };
        let answer_bytes = u32::try_from(sizes.answer).context("answer size")?;
        let body = Bytes::from(vec![b'x'; sizes.request]);
        let caller = |client| EchoCaller {
            method: Method::new(self.connections.of(client), ECHO, None),
            request: pb::EchoRequest { body: body.clone(), answer_bytes },
        };
        Ok((0..count).map(|client| closed_loop(caller(client), window)).collect())
    }

    fn check_running(&mut self) -> Result<()> {
        self.process.check_running()
    }

    fn stop(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.process.stop())
    }
}

struct EchoCaller {
    method: Method<pb::EchoRequest, pb::EchoResponse>,
    request: pb::EchoRequest,
}

impl Caller for EchoCaller {
    async fn call(&mut self) -> Result<u32, String> {
        let answer = self.method.call(&self.request).await?;
        if answer.body.len() != self.request.answer_bytes as usize {
            return Err(format!("{} bytes instead of {}", answer.body.len(), self.request.answer_bytes));
        }
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_server_answers_with_the_size_asked_for_and_bounds_it() {
        let port = free_ports(1).unwrap()[0];
        let server = tokio::spawn(serve(port));
        let connections = connect(port, 1, || Ok(())).await.unwrap();
        let request = pb::EchoRequest { body: Bytes::from_static(b"hello"), answer_bytes: 300 };
        let mut caller = EchoCaller { method: Method::new(connections.of(0), ECHO, None), request };
        assert_eq!(caller.call().await, Ok(1));
        caller.request.answer_bytes = u32::MAX;
        assert!(caller.call().await.unwrap_err().contains("at most 64 KiB"));
        server.abort();
    }
}
