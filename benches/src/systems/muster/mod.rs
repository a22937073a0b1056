//! Our own nodes: real `musterd` processes with a fleet in them.
//!
//! - `cluster.rs` makes certificates and configuration, and starts the nodes.
//! - `fleet.rs` creates the devices and their first twins.
//! - `calls.rs` and `stream.rs` are the clients that are measured. They are not the client library: its retries and its
//!   search for the leader would hide errors here.

use std::path::Path;
use std::pin::Pin;

use anyhow::{Context, Result};
use http::HeaderValue;
use muster_proto::v1;
use prost::Message;

use super::{Sizes, System, Work};
use crate::connections::Connections;
use crate::grpc::Method;
use crate::load::{Client, Window, closed_loop};
use crate::workload::{self, Choice};
use calls::{BatchCaller, GetCaller, PatchCaller};
use cluster::Cluster;
pub(crate) use fleet::check;

mod calls;
pub(crate) mod cluster;
mod fleet;
pub(crate) mod probe;
mod stream;
mod watch;

/// How the cluster is used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) nodes: usize,
    pub(crate) connections: usize,
    pub(crate) leader_only: bool,
    pub(crate) keys: u32,
    pub(crate) tls: bool,
    /// Patches unanswered at a time on one stream.
    pub(crate) in_flight: usize,
    /// Whether each write carries a request id, as the client library's do.
    pub(crate) request_ids: bool,
}

/// The running cluster with the fleet in it.
pub(crate) struct Muster {
    cluster: Cluster,
    calls: Calls,
    layout: Layout,
}

impl Muster {
    pub(crate) async fn start(program: &Path, folder: &Path, layout: Layout) -> Result<Self> {
        let cluster = Cluster::start(program, folder, layout.nodes, layout.tls).await?;
        let urls = if layout.leader_only { vec![cluster.leader_url().await?] } else { cluster.urls() };
        let connections = Connections::open(&urls, layout.connections, cluster.tls()).await?;
        let calls = Calls { connections, token: cluster.token() };
        fleet::create(&calls, layout.keys).await.context("create the fleet")?;
        Ok(Self { cluster, calls, layout })
    }

    /// Sizes of a patch and of a read, each with its answer, taken from one real call.
    pub(crate) async fn sizes(&self) -> Result<(Sizes, Sizes)> {
        let patch = patch_request(&mut Choice::new(0, 1), true);
        let get = get_request(0);
        let patched = self.calls.patch(0).call(&patch).await.map_err(anyhow::Error::msg)?;
        let got = self.calls.get(0).call(&get).await.map_err(anyhow::Error::msg)?;
        Ok((
            Sizes { request: patch.encoded_len(), answer: patched.encoded_len() },
            Sizes { request: get.encoded_len(), answer: got.encoded_len() },
        ))
    }
}

impl System for Muster {
    fn name(&self) -> &'static str {
        "muster"
    }

    fn processes(&self) -> Vec<(String, u32)> {
        self.cluster.processes()
    }

    fn clients(&self, work: Work, count: usize, window: Window) -> Result<Vec<Client>> {
        let (calls, layout) = (&self.calls, self.layout);
        let ids = layout.request_ids;
        let client = |number: usize| -> Client {
            let choice = Choice::new(number, layout.keys);
            match work {
                Work::Write => closed_loop(PatchCaller { method: calls.patch(number), choice, ids }, window),
                Work::Read => closed_loop(GetCaller { method: calls.get(number), choice }, window),
                Work::Batch { patches } => {
                    closed_loop(BatchCaller { method: calls.batch(number), choice, ids, patches }, window)
                }
                Work::Stream => {
                    Box::pin(stream::run(calls.patch_stream(number), choice, ids, layout.in_flight, window))
                }
            }
        };
        Ok((0..count).map(client).collect())
    }

    fn check_running(&mut self) -> Result<()> {
        self.cluster.check_running()
    }

    fn stop(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.cluster.stop())
    }
}

/// One patch per call.
pub(crate) type Patch = Method<v1::PatchTwinRequest, v1::TwinChangeResponse>;
/// One read per call.
pub(crate) type Get = Method<v1::GetTwinRequest, v1::TwinResponse>;
/// Many patches per call.
pub(crate) type Batch = Method<v1::BatchPatchTwinsRequest, v1::BatchPatchTwinsResponse>;
/// Patches on a stream.
pub(crate) type PatchStream = Method<v1::PatchTwinRequest, v1::PatchTwinStreamResponse>;

/// Our methods on the connection of a client, with the token that nodes check in every call.
pub(crate) struct Calls {
    connections: Connections,
    token: HeaderValue,
}

impl Calls {
    fn patch(&self, client: usize) -> Patch {
        self.method(client, "/muster.v1.TwinService/PatchTwin")
    }

    fn get(&self, client: usize) -> Get {
        self.method(client, "/muster.v1.TwinService/GetTwin")
    }

    fn batch(&self, client: usize) -> Batch {
        self.method(client, "/muster.v1.TwinService/BatchPatchTwins")
    }

    fn patch_stream(&self, client: usize) -> PatchStream {
        self.method(client, "/muster.v1.TwinService/PatchTwinStream")
    }

    fn method<Q: Message, A: Message + Default>(&self, client: usize, path: &'static str) -> Method<Q, A> {
        Method::new(self.connections.of(client), path, Some(&self.token))
    }
}

/// The next patch of a choice; its number, which never repeats, also makes the request id.
fn patch_request(choice: &mut Choice, request_id: bool) -> v1::PatchTwinRequest {
    let counter = choice.count();
    v1::PatchTwinRequest {
        name: workload::twin_name(choice.device()),
        desired_json: Some(workload::patch(counter)),
        request_id: if request_id { format!("bench-{counter:016x}") } else { String::new() },
        ..Default::default()
    }
}

fn get_request(device: u32) -> v1::GetTwinRequest {
    v1::GetTwinRequest { name: workload::twin_name(device), omit_metadata: true, ..Default::default() }
}
