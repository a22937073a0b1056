//! A node with many edges is killed: how long until all of them are in step at the other two, and what writers feel meanwhile.
//!
//! The node is one that does not lead, so that the storm is measured and not an election beside it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use tokio::task::spawn_local;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::crowd::{Crowd, Manner};
use super::{Setting, sites};
use crate::connections::Connections;
use crate::grpc::Method;
use crate::systems::muster::cluster::Cluster;
use crate::talk::{print, say};
use crate::workload::{Choice, patch, twin_name};
use muster_proto::v1;

/// Edges that connect at a time before the storm.
const AT_ONCE: usize = 16;
/// Writes a second.
const RATE: u32 = 100;
/// How long writes are measured at rest.
const REST: Duration = Duration::from_secs(10);

type Patch = Method<v1::PatchTwinRequest, v1::TwinChangeResponse>;

/// Measures and prints.
pub(super) async fn run(setting: &Setting) -> Result<()> {
    let mut cluster = setting.cluster(3, setting.tls).await?;
    let count = setting.edges;
    say(&format!("storm: making {count} edges with {} devices each", setting.devices));
    let edges = sites::create(&cluster, count, setting.devices).await?;
    let leader = cluster.leader().await?;
    let victim = (leader + 1) % 3;
    let mut urls = cluster.urls();
    let at_leader = urls[leader].clone();
    urls.swap(0, victim);
    let crowd = Crowd::gather(edges, &urls, cluster.tls(), AT_ONCE, Manner::Patient);
    let calmly = crowd.all_in_step(1).await?;
    ensure!(crowd.losses() == 0, "{} links were lost before the storm", crowd.losses());

    let rest = Writing::start(&cluster, &at_leader, count * setting.devices).await?;
    sleep(REST).await;
    let rest = rest.stop().await?;
    let storm = Writing::start(&cluster, &at_leader, count * setting.devices).await?;
    let begun = Instant::now();
    cluster.kill(victim).await?;
    crowd.all_in_step(2).await?;
    let took = begun.elapsed();
    let storm = storm.stop().await?;
    let attempts = crowd.losses();
    let show = |latencies: &Histogram<u64>| {
        let at = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
        format!("p50 {:.1}, p99 {:.1}, longest {:.1} ms of {}", at(0.5), at(0.99), at(1.0), latencies.len())
    };
    print(&format!(
        "{count} edges on one node of three, killed: all in step on the other two after {took:.1?} ({attempts} links lost or refused; \
         one after the other, {AT_ONCE} at a time, they came in {calmly:.1?})\n\
         writes, {RATE}/s: at rest {}; in the storm {}",
        show(&rest),
        show(&storm),
    ));
    drop(crowd);
    cluster.stop().await;
    Ok(())
}

/// Patches at a fixed rate through one node.
struct Writing {
    stop: Rc<Cell<bool>>,
    task: tokio::task::JoinHandle<Result<Histogram<u64>, String>>,
}

impl Writing {
    async fn start(cluster: &Cluster, url: &str, devices: u32) -> Result<Self> {
        let connections = Connections::open(&[url.to_owned()], 1, cluster.tls()).await?;
        let method = Patch::new(connections.of(0), "/muster.v1.TwinService/PatchTwin", Some(&cluster.token()));
        let stop = Rc::new(Cell::new(false));
        let task = spawn_local(write(method, Choice::new(0, devices), Rc::clone(&stop)));
        Ok(Self { stop, task })
    }

    async fn stop(self) -> Result<Histogram<u64>> {
        self.stop.set(true);
        self.task.await?.map_err(anyhow::Error::msg).context("a write")
    }
}

/// From when each was due: a write that waits for the one before it has waited as well.
async fn write(method: Patch, mut choice: Choice, stop: Rc<Cell<bool>>) -> Result<Histogram<u64>, String> {
    let mut latencies = Histogram::new_with_max(u64::from(u32::MAX), 3).map_err(|error| error.to_string())?;
    let mut ticks = interval(Duration::from_secs(1) / RATE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !stop.get() {
        let due = ticks.tick().await;
        let request = v1::PatchTwinRequest {
            name: twin_name(choice.device()),
            desired_json: Some(patch(choice.count())),
            ..Default::default()
        };
        method.call(&request).await?;
        latencies.saturating_record(u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(latencies)
}
