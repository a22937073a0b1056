//! From a change that was accepted to its arrival at the edge, against etcd's watch; three nodes each.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use muster_proto::v1;

use super::link::{Edge, Link, News};
use super::{Setting, sites};
use crate::connections::Connections;
use crate::fanout::{Feed, Heard, Put, Watched, latency};
use crate::grpc::Method;
use crate::rounds::folder_for;
use crate::systems::System;
use crate::systems::etcd::{self, Etcd};
use crate::talk::{print, say};
use crate::workload::{Choice, patch, twin_name};

/// Changes a second.
const RATE: u32 = 50;

type Patch = Method<v1::PatchTwinRequest, v1::TwinChangeResponse>;

/// Measures and prints.
pub(super) async fn run(setting: &Setting) -> Result<()> {
    let cluster = setting.cluster(3, false).await?;
    say("downlink: one edge of three nodes");
    let edges = sites::create(&cluster, 1, setting.devices).await?;
    let leader = cluster.leader().await?;
    let urls = cluster.urls();
    let etcd = match &setting.etcd {
        Some(program) => {
            let layout = etcd::Layout { nodes: 3, connections: 3, leader_only: false, keys: setting.devices };
            let own = folder_for(setting.folder.path(), "etcd-downlink")?;
            Some(Etcd::start(program, &own, layout).await.context("start etcd")?)
        }
        None => None,
    };
    // The edge is at a node that does not lead, the writer at the leader.
    let connections = Connections::open(&[urls[leader].clone()], 1, None).await?;
    let patches = Patch::new(connections.of(0), "/muster.v1.TwinService/PatchTwin", Some(&cluster.token()));
    let ours = Down {
        edge: Arc::new(Mutex::new(edges.into_iter().next())),
        url: urls[(leader + 1) % 3].clone(),
        patches,
        devices: setting.devices,
    };
    for run in 1..=setting.runs {
        if let Some(etcd) = &etcd {
            show(run, "etcd", &latency(etcd, RATE, setting.measured).await.context("etcd")?);
        }
        show(run, "muster", &latency(&ours, RATE, setting.measured).await.context("muster")?);
    }
    if let Some(etcd) = etcd {
        Box::new(etcd).stop().await;
    }
    cluster.stop().await;
    Ok(())
}

fn show(run: u32, system: &str, (sent, answered): &([u64; 2], [u64; 2])) {
    print(&format!(
        "run {run} {system:<7} seen by the edge: after sending p50 {} us, p99 {} us; after the answer p50 {} us, p99 {} us",
        sent[0], sent[1], answered[0], answered[1]
    ));
}

/// One edge as a watcher.
struct Down {
    /// Back here when its link has ended.
    edge: Arc<Mutex<Option<Edge>>>,
    url: String,
    patches: Patch,
    devices: u32,
}

struct Following {
    place: Arc<Mutex<Option<Edge>>>,
    edge: Option<Edge>,
    link: Link,
    /// Revisions that came together with one that was told.
    more: VecDeque<u64>,
}

impl Watched for Down {
    async fn watch(&self, client: usize) -> Result<impl Feed + Send + 'static, String> {
        let edge = self.edge.lock().map_err(|error| error.to_string())?.take();
        let mut edge = edge.filter(|_| client == 0).ok_or("there is one edge")?;
        let mut link = edge.connect(&self.url, None).await?;
        edge.settle(&mut link).await?;
        Ok(Following { place: Arc::clone(&self.edge), edge: Some(edge), link, more: VecDeque::new() })
    }

    fn put(&self, client: usize) -> impl Put + Send + 'static {
        Putting { patches: self.patches.clone(), choice: Choice::new(client, self.devices) }
    }
}

impl Feed for Following {
    async fn next(&mut self) -> Result<Heard, String> {
        loop {
            if let Some(revision) = self.more.pop_front() {
                return Ok(Heard { revision, events: 1 });
            }
            let edge = self.edge.as_mut().ok_or("no edge")?;
            if let News::Items(revisions) = edge.next(&mut self.link).await? {
                self.more.extend(revisions);
            }
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Ok(mut place) = self.place.lock() {
            *place = self.edge.take();
        }
    }
}

struct Putting {
    patches: Patch,
    choice: Choice,
}

impl Put for Putting {
    async fn put(&mut self) -> Result<u64, String> {
        let request = v1::PatchTwinRequest {
            name: twin_name(self.choice.device()),
            desired_json: Some(patch(self.choice.count())),
            ..Default::default()
        };
        let answer = self.patches.call(&request).await?;
        answer.header.map(|header| header.revision).filter(|revision| *revision > 0).ok_or("no revision".to_owned())
    }
}
