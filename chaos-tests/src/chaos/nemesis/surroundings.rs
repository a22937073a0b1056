//! The lane of networks, disks and clocks.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use muster_client::{Client, proto};

use super::super::plan::{Fault, Step, Surrounding};
use super::{Happened, Scene};
use crate::faults::disk::Disk;
use crate::faults::network::Network;

const RESETS_EVERY: Duration = Duration::from_millis(150);

/// What this lane can break.
pub(in super::super) struct Surroundings<'a> {
    pub network: &'a Network,
    pub disks: &'a BTreeMap<u64, Disk>,
    pub new_client: &'a (dyn Fn() -> anyhow::Result<Client> + Sync),
}

impl Surroundings<'_> {
    /// Step after step, until the scene is over.
    pub(in super::super) async fn run(&self, scene: &Scene, steps: &[Step<Surrounding>]) -> anyhow::Result<()> {
        let ids: Vec<u64> = self.disks.keys().copied().collect();
        for step in steps {
            tokio::time::sleep(step.pause).await;
            if scene.is_over() {
                break;
            }
            let node = step.fault.target().map_or(0, |who| scene.find(who, &ids));
            let other = ids.iter().copied().find(|id| *id != node).unwrap_or_default();
            let from_ns = scene.recorder.now_ns();
            self.begin(step.fault, node, other).await?;
            self.hold(step, node, &ids).await?;
            self.network.heal();
            // A clock that was wrong becomes right by a jump as well.
            self.disks.values().try_for_each(Disk::calm)?;
            let (what, kind, to_ns) = (step.fault.title(), step.fault.kind(), scene.recorder.now_ns());
            scene.note(Happened { what, kind, node, from_ns, to_ns });
        }
        Ok(())
    }

    async fn begin(&self, fault: Surrounding, node: u64, other: u64) -> anyhow::Result<()> {
        let disk = || self.disks.get(&node).context("a node with a disk");
        match fault {
            Surrounding::Isolate(_) => self.network.isolate(node),
            Surrounding::Silence(_) => self.network.silence(node),
            Surrounding::Deafen(_) => self.network.deafen(node),
            Surrounding::Part(_) => self.network.part(node, other),
            Surrounding::Ring => self.network.ring(),
            Surrounding::Slow(_, ms) => self.network.slow_down(node, Duration::from_millis(ms.into())),
            Surrounding::SlowDisk(_, ms) => disk()?.slow_down(Duration::from_millis(ms.into()))?,
            Surrounding::FullDisk(_) => disk()?.seem_full(true)?,
            Surrounding::ClockOff(_, seconds) => disk()?.put_clock_off(seconds)?,
            Surrounding::ReconnectStorm(clients) => self.storm(clients).await?,
            Surrounding::Resets(_) => {}
        }
        Ok(())
    }

    async fn hold(&self, step: &Step<Surrounding>, node: u64, ids: &[u64]) -> anyhow::Result<()> {
        if !matches!(step.fault, Surrounding::Resets(_)) {
            tokio::time::sleep(step.hold).await;
            return Ok(());
        }
        let times = step.hold.as_millis() / RESETS_EVERY.as_millis() + 1;
        for _ in 0..times {
            for other in ids.iter().copied().filter(|id| *id != node) {
                self.network.reset(node, other)?;
                self.network.reset(other, node)?;
            }
            tokio::time::sleep(RESETS_EVERY).await;
        }
        Ok(())
    }

    /// Each comes by a connection of its own and reads.
    async fn storm(&self, clients: u16) -> anyhow::Result<()> {
        let clients: Vec<Client> = (0..clients).map(|_| (self.new_client)()).collect::<anyhow::Result<_>>()?;
        let reads = clients.iter().map(async |client| client.cluster().status(proto::GetStatusRequest {}).await);
        // Whether they are answered is the business of the cluster's other faults.
        drop(futures::future::join_all(reads).await);
        Ok(())
    }
}
