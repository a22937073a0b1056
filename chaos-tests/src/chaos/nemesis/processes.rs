//! The lane of processes and members.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use anyhow::{Context, ensure};
use muster_client::{Client, proto};
use nix::sys::signal::Signal;

use super::super::plan::{Fault, ProcessFault, Step};
use super::{EXIT_STORAGE, Happened, Scene};
use crate::cluster::Cluster;
use crate::eventually::eventually;
use crate::faults::disk::Disk;

/// How long a node may take to end by itself, or a member to join.
const PATIENCE: Duration = Duration::from_secs(60);

/// What this lane can break.
pub(in super::super) struct Processes<'a> {
    pub cluster: &'a mut Cluster,
    pub disks: &'a BTreeMap<u64, Disk>,
    /// A way to the cluster with patience.
    pub client: Client,
    /// Clients know the first members only, so that not all of them may be replaced.
    pub may_replace: bool,
    /// Nodes whose process has met a disk without space: it may notice at any time, and end with its reason.
    pub starved: BTreeSet<u64>,
}

impl Processes<'_> {
    /// Step after step, until the scene is over.
    pub(in super::super) async fn run(&mut self, scene: &Scene, steps: &[Step<ProcessFault>]) -> anyhow::Result<()> {
        for step in steps {
            tokio::time::sleep(step.pause).await;
            if scene.is_over() {
                break;
            }
            let ids = self.cluster.ids();
            if step.fault == ProcessFault::LoseLeader {
                self.cluster.wait_until_whole().await?;
            }
            let node = step.fault.target().map_or(0, |who| scene.find(who, &ids));
            let from_ns = scene.recorder.now_ns();
            self.carry_out(scene, step, node)
                .await
                .with_context(|| format!("{} of node {node}", step.fault.title()))?;
            self.nobody_ended().with_context(|| format!("after {} of node {node}", step.fault.title()))?;
            let (what, kind, to_ns) = (step.fault.title(), step.fault.kind(), scene.recorder.now_ns());
            scene.note(Happened { what, kind, node, from_ns, to_ns });
        }
        Ok(())
    }

    async fn carry_out(&mut self, scene: &Scene, step: &Step<ProcessFault>, node: u64) -> anyhow::Result<()> {
        match step.fault {
            ProcessFault::Kill(_) => {
                self.cluster.kill(&[node]).await?;
                tokio::time::sleep(step.hold).await;
                self.start(node)
            }
            ProcessFault::LoseLeader => {
                self.cluster.kill(&[node]).await?;
                eventually("another node leads", PATIENCE, async || {
                    if scene.leader() == node { Err(format!("{node} is the last known")) } else { Ok(()) }
                })
                .await?;
                self.start(node)
            }
            ProcessFault::KillAll => {
                let ids = self.cluster.ids();
                self.cluster.kill(&ids).await?;
                tokio::time::sleep(step.hold).await;
                ids.into_iter().try_for_each(|id| self.start(id))
            }
            ProcessFault::Pause(_) => {
                self.cluster.signal(node, Signal::SIGSTOP)?;
                tokio::time::sleep(step.hold).await;
                self.cluster.signal(node, Signal::SIGCONT)
            }
            ProcessFault::StopInOrder(_) => {
                let status = self.cluster.end(node, Signal::SIGTERM).await?;
                // One that was started a moment ago does not listen to signals yet, and has nothing to end in order.
                let is_told = status.success() || status.signal() == Some(Signal::SIGTERM as i32);
                ensure!(is_told, "it ended with {status}");
                tokio::time::sleep(step.hold).await;
                self.start(node)
            }
            ProcessFault::TransferLeadership => {
                let request = proto::TransferLeadershipRequest::default();
                // Refused where nobody can take it over at the moment.
                self.client.members().transfer_leadership(request).await.ok();
                Ok(())
            }
            ProcessFault::ReplaceMember(_) => self.replace(node).await,
            ProcessFault::FailingSync(_) => self.fail_sync(node, step.hold).await,
            ProcessFault::NoSpace(_) => self.take_space(node, step.hold).await,
        }
    }

    async fn replace(&mut self, node: u64) -> anyhow::Result<()> {
        if !std::mem::take(&mut self.may_replace) {
            return Ok(());
        }
        let admission = proto::AdmitNodeRequest { name: "new".to_owned(), replaces: node, ..Default::default() };
        let new = self.cluster.add_node(admission).await?;
        let votes = |member: &proto::Member| member.node_id == new && member.state() == proto::MemberState::Voter;
        self.cluster.wait_for_members("the new node votes", |members| members.iter().any(votes)).await?;
        self.cluster.wait_for_exit(node).await?;
        self.cluster.forget_node(node)
    }

    /// One sync of the node fails: it has to end with its reason, and comes back.
    async fn fail_sync(&mut self, node: u64, hold: Duration) -> anyhow::Result<()> {
        let disk = self.disks.get(&node);
        let Some(disk) = disk else { return Ok(()) };
        disk.fail_next_sync()?;
        let status = eventually("a node whose sync failed ends", PATIENCE, async || {
            self.cluster.ended(node).map_err(|error| error.to_string())?.ok_or_else(|| "it goes on".to_owned())
        })
        .await?;
        ensure!(status.code() == Some(EXIT_STORAGE), "R5: after a failed sync it ended with {status}");
        disk.heal()?;
        tokio::time::sleep(hold).await;
        self.start(node)
    }

    /// Writes of the node find no space: it may end, with its reason.
    async fn take_space(&mut self, node: u64, hold: Duration) -> anyhow::Result<()> {
        let Some(disk) = self.disks.get(&node) else { return Ok(()) };
        self.starved.insert(node);
        disk.be_full(true)?;
        tokio::time::sleep(hold).await;
        disk.heal()
    }

    fn start(&mut self, node: u64) -> anyhow::Result<()> {
        self.starved.remove(&node);
        self.cluster.start_node(node)
    }

    /// Nobody has ended by itself without a reason; who has one comes back.
    fn nobody_ended(&mut self) -> anyhow::Result<()> {
        for id in self.cluster.ids() {
            let Some(status) = self.cluster.ended(id)? else { continue };
            let is_excused = self.starved.contains(&id) && status.code() == Some(EXIT_STORAGE);
            ensure!(is_excused, "R4, R5: node {id} ended by itself with {status}");
            self.start(id)?;
        }
        Ok(())
    }
}
