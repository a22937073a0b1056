//! A real etcd, as Debian's `etcd-server` ships it: put against our patch, linearizable range against our
//! read.
//!
//! It runs as it comes: syncs on, its own defaults, no TLS and no authentication (as our nodes in the comparison).
//! Only its quota is raised, so that long runs don't end in an alarm.

use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::{System, Work};
use crate::connections::{Connection, Connections};
use crate::grpc::Method;
use crate::load::{Caller, Client, Window, closed_loop};
use crate::process::{Process, free_ports};
use crate::workload::{self, Choice};

#[allow(unreachable_pub, missing_docs, unused_qualifications, reason = "generated code")]
#[allow(clippy::all, clippy::clone_on_ref_ptr, reason = "generated code")]
pub(super) mod pb {
    tonic::include_proto!("etcdserverpb");
}

pub(super) type Put = Method<pb::PutRequest, pb::PutResponse>;
type Range = Method<pb::RangeRequest, pb::RangeResponse>;
type Status = Method<pb::StatusRequest, pb::StatusResponse>;

pub(super) const PUT: &str = "/etcdserverpb.KV/Put";
const RANGE: &str = "/etcdserverpb.KV/Range";
const STATUS: &str = "/etcdserverpb.Maintenance/Status";

/// How long the cluster may take until it accepts a put.
const START_WITHIN: Duration = Duration::from_secs(30);

/// Puts in flight while the keys are loaded.
const LOADERS: u32 = 64;

/// How the cluster is used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) nodes: usize,
    pub(crate) connections: usize,
    pub(crate) leader_only: bool,
    pub(crate) keys: u32,
}

/// The running cluster with all keys loaded.
pub(crate) struct Etcd {
    nodes: Vec<Process>,
    connections: Connections,
    keys: u32,
}

impl Etcd {
    pub(crate) async fn start(program: &Path, folder: &Path, layout: Layout) -> Result<Self> {
        let ports = free_ports(2 * layout.nodes)?;
        let (client_ports, peer_ports) = ports.split_at(layout.nodes);
        let url = |port: &u16| format!("http://127.0.0.1:{port}");
        let members: Vec<String> =
            peer_ports.iter().enumerate().map(|(node, port)| format!("etcd{}={}", node + 1, url(port))).collect();
        let members = members.join(",");

        let mut nodes = Vec::with_capacity(layout.nodes);
        for (client_port, peer_port) in client_ports.iter().zip(peer_ports) {
            let name = format!("etcd{}", nodes.len() + 1);
            let arguments = [
                format!("--name={name}"),
                format!("--data-dir={}", folder.join(&name).display()),
                format!("--listen-client-urls={}", url(client_port)),
                format!("--advertise-client-urls={}", url(client_port)),
                format!("--listen-peer-urls={}", url(peer_port)),
                format!("--initial-advertise-peer-urls={}", url(peer_port)),
                format!("--initial-cluster={members}"),
                "--initial-cluster-state=new".to_owned(),
                "--initial-cluster-token=muster-bench".to_owned(),
                format!("--quota-backend-bytes={}", 8_u64 << 30),
                "--logger=zap".to_owned(),
                "--log-level=warn".to_owned(),
            ];
            nodes.push(Process::start(&name, program, arguments, folder)?);
        }

        let urls: Vec<String> = client_ports.iter().map(url).collect();
        wait_until_ready(&urls, &mut nodes).await?;
        let used = if layout.leader_only { vec![leader(&urls).await?] } else { urls };
        let connections = Connections::open(&used, layout.connections, None).await?;
        load_keys(&connections, layout.keys).await.context("load etcd's keys")?;
        Ok(Self { nodes, connections, keys: layout.keys })
    }
}

impl Etcd {
    pub(super) fn connections(&self) -> &Connections {
        &self.connections
    }

    pub(super) fn keys(&self) -> u32 {
        self.keys
    }
}

impl System for Etcd {
    fn name(&self) -> &'static str {
        "etcd"
    }

    fn processes(&self) -> Vec<(String, u32)> {
        self.nodes.iter().map(|node| (node.name.clone(), node.pid)).collect()
    }

    fn clients(&self, work: Work, count: usize, window: Window) -> Result<Vec<Client>> {
        let client = |number: usize| -> Result<Client> {
            let (connection, choice) = (self.connections.of(number), Choice::new(number, self.keys));
            match work {
                Work::Write => Ok(closed_loop(PutCaller { put: Put::new(connection, PUT, None), choice }, window)),
                Work::Read => {
                    Ok(closed_loop(RangeCaller { range: Range::new(connection, RANGE, None), choice }, window))
                }
                Work::Stream | Work::Batch { .. } => bail!("etcd has no stream of puts; its peer there is put itself"),
            }
        };
        (0..count).map(client).collect()
    }

    fn check_running(&mut self) -> Result<()> {
        self.nodes.iter_mut().try_for_each(Process::check_running)
    }

    fn stop(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            for node in self.nodes {
                node.stop().await;
            }
        })
    }
}

async fn wait_until_ready(urls: &[String], nodes: &mut [Process]) -> Result<()> {
    let deadline = Instant::now() + START_WITHIN;
    for url in urls {
        while let Err(error) = put_once(url).await {
            nodes.iter_mut().try_for_each(Process::check_running)?;
            if Instant::now() > deadline {
                bail!("etcd accepted no put in {START_WITHIN:?}: {error:#}");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

async fn put_once(url: &str) -> Result<()> {
    let put = Put::new(only(url).await?, PUT, None);
    timeout(Duration::from_secs(2), put.call(&put_request(0, 0))).await?.map_err(anyhow::Error::msg)?;
    Ok(())
}

/// The endpoint of the member that says it is the leader.
async fn leader(urls: &[String]) -> Result<String> {
    for url in urls {
        let status = Status::new(only(url).await?, STATUS, None);
        let status = status.call(&pb::StatusRequest {}).await.map_err(anyhow::Error::msg)?;
        if status.header.is_some_and(|header| header.member_id == status.leader) {
            return Ok(url.clone());
        }
    }
    bail!("no member of etcd says that it leads")
}

async fn only(url: &str) -> Result<Connection> {
    Ok(Connections::open(&[url.to_owned()], 1, None).await?.of(0))
}

async fn load_keys(connections: &Connections, keys: u32) -> Result<()> {
    let mut loaders = JoinSet::new();
    for loader in 0..LOADERS {
        let put = Put::new(connections.of(loader as usize), PUT, None);
        loaders.spawn(async move {
            for key in (loader..keys).step_by(LOADERS as usize) {
                put.call(&put_request(key, 0)).await.map_err(anyhow::Error::msg)?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(loaded) = loaders.join_next().await {
        loaded.context("a loader stopped")??;
    }
    Ok(())
}

pub(super) fn put_request(key: u32, counter: u64) -> pb::PutRequest {
    pb::PutRequest { key: Bytes::from(workload::twin_name(key)), value: Bytes::from(workload::patch(counter)) }
}

struct PutCaller {
    put: Put,
    choice: Choice,
}

impl Caller for PutCaller {
    async fn call(&mut self) -> Result<u32, String> {
        let request = put_request(self.choice.device(), self.choice.count());
        let answer = self.put.call(&request).await?;
        match answer.header {
            Some(header) if header.revision > 0 => Ok(1),
            other => Err(format!("a put without a revision: {other:?}")),
        }
    }
}

struct RangeCaller {
    range: Range,
    choice: Choice,
}

impl Caller for RangeCaller {
    async fn call(&mut self) -> Result<u32, String> {
        let key = workload::twin_name(self.choice.device());
        let request = pb::RangeRequest { key: Bytes::from(key), serializable: false };
        let answer = self.range.call(&request).await?;
        match answer.kvs.as_slice() {
            [one] if one.key == request.key && one.value.len() == workload::PATCH_BYTES => Ok(1),
            other => Err(format!("{} values for {:?}", other.len(), request.key)),
        }
    }
}
