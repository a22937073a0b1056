//! What happens to the cluster: one fault after the other, of the kinds that the plan has, until it is told to stop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use muster_sim_std::chance::Chance;
use muster_sim_std::disk::{self, Loss};
use muster_sim_std::trace;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::edges::Edges;
use crate::plan::Kind;
use crate::world::{World, disk_of};

/// How often each kind happened.
pub type Counts = BTreeMap<&'static str, u64>;

/// Brings the faults about.
pub struct Nemesis {
    world: Arc<World>,
    edges: Arc<Edges>,
    chance: Chance,
    counts: Arc<Mutex<Counts>>,
}

impl Nemesis {
    /// Over a world and its edges.
    #[must_use]
    pub fn new(world: Arc<World>, edges: Arc<Edges>, chance: Chance) -> Self {
        Self { world, edges, chance, counts: Arc::default() }
    }

    /// Where it counts.
    #[must_use]
    pub fn counts(&self) -> Arc<Mutex<Counts>> {
        Arc::clone(&self.counts)
    }

    /// Goes on until told to stop.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let kinds = self.world.plan.kinds.clone();
        loop {
            let pause = self.chance.below(2 * self.world.plan.pause_ms + 1);
            tokio::select! {
                () = sleep(Duration::from_millis(pause)) => {}
                _ = stop.changed() => return,
            }
            let kind = kinds[usize::try_from(self.chance.below(kinds.len() as u64)).unwrap_or_default()];
            trace::note(kind.name(), [0; 3]);
            if self.bring(kind) {
                *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(kind.name()).or_default() += 1;
            }
        }
    }

    fn node(&mut self) -> u64 {
        let ids = self.world.ids();
        ids[usize::try_from(self.chance.below(ids.len() as u64)).unwrap_or_default()]
    }

    fn two(&mut self) -> (u64, u64) {
        let one = self.node();
        loop {
            let other = self.node();
            if other != one {
                return (one, other);
            }
        }
    }

    fn loss(&mut self) -> Loss {
        match self.chance.below(4) {
            0 => Loss::Nothing,
            1 => Loss::Everything,
            _ => Loss::Some,
        }
    }

    /// How long a fault lasts.
    fn while_ms(&mut self) -> Duration {
        let longest = [200, 1_000, 4_000][usize::try_from(self.chance.below(3)).unwrap_or_default()];
        Duration::from_millis(self.chance.between(20, longest))
    }

    /// Undoes something later.
    fn later(&mut self, undo: impl FnOnce(&World) + Send + 'static) {
        let (time, world) = (self.while_ms(), Arc::clone(&self.world));
        tokio::spawn(async move {
            sleep(time).await;
            undo(&world);
        });
    }

    /// Whether it happened to anything.
    fn bring(&mut self, kind: Kind) -> bool {
        let node = self.node();
        let name = disk_of(node);
        match kind {
            Kind::Kill => return self.world.kill(node),
            Kind::PowerCut => {
                let loss = self.loss();
                return self.world.power_cut(node, loss);
            }
            Kind::PowerCutAll => {
                for id in self.world.ids() {
                    let loss = self.loss();
                    self.world.power_cut(id, loss);
                }
            }
            Kind::DieInWork => return self.die_in_work(node),
            Kind::Stop => {
                if self.world.running(node).is_none() {
                    return false;
                }
                let world = Arc::clone(&self.world);
                tokio::spawn(async move { world.stop(node).await });
            }
            Kind::Partition => self.partition(),
            Kind::OneWay => {
                let (from, to) = self.two();
                self.world.net.cut(from, to, true);
                self.later(move |world| world.net.cut(from, to, false));
            }
            Kind::IsolateLeader => return self.isolate_leader(),
            Kind::SlowLink => {
                let (from, to) = self.two();
                let most = self.chance.between(20_000, 400_000);
                self.world.net.slow(from, to, Some((most / 4, most)));
                self.later(move |world| world.net.slow(from, to, None));
            }
            Kind::Reset => {
                let (one, other) = self.two();
                self.world.net.reset(one, other);
            }
            Kind::SlowDisk => {
                let most = self.chance.between(50_000, 800_000);
                disk::set_faults(&name, |faults| faults.latency_us = (most / 4, most));
                self.later(move |world| {
                    disk::set_faults(&name, |faults| faults.latency_us = world.plan.disk_us);
                });
            }
            Kind::SyncError | Kind::WriteError => {
                // After a failed sync a disk shows what it does not have: that is damage, which is noticed when the power is cut.
                if self.world.running(node).is_none() || kind == Kind::SyncError && !self.may_damage(node) {
                    return false;
                }
                if kind == Kind::SyncError {
                    self.world.note_damage(node);
                }
                self.world.note_disk_fault(node);
                disk::set_faults(&name, |faults| match kind {
                    Kind::SyncError => faults.failing_syncs += 1,
                    _ => faults.failing_writes += 1,
                });
            }
            Kind::FullDisk => {
                self.world.note_disk_fault(node);
                disk::set_faults(&name, |faults| faults.is_full = true);
                self.later(move |_| disk::set_faults(&name, |faults| faults.is_full = false));
            }
            Kind::ClockJump => {
                const TEN_YEARS_MS: u64 = 10 * 366 * 24 * 3_600_000;
                let most = [2_000, 3_600_000, TEN_YEARS_MS][usize::try_from(self.chance.below(3)).unwrap_or_default()];
                let ahead = i64::try_from(self.chance.below(2 * most)).unwrap_or_default()
                    - i64::try_from(most).unwrap_or_default();
                self.world.clock(node).set_ahead(ahead);
            }
            Kind::Snapshot => {
                let Some(running) = self.world.running(node) else { return false };
                tokio::spawn(async move { running.node.raft.trigger_snapshot().await });
            }
            Kind::Transfer => {
                let Some(running) = self.world.running(node) else { return false };
                let to = self.node();
                tokio::spawn(async move { running.node.raft.transfer_leader(to).await });
            }
            Kind::BitFlip => return self.flip(node),
            Kind::EdgeKill => return self.end_edge(false),
            Kind::EdgePowerCut => return self.end_edge(true),
            Kind::EdgeReset => {
                self.edges.reset_lines();
                return !self.edges.ids().is_empty();
            }
        }
        true
    }

    fn end_edge(&mut self, power: bool) -> bool {
        let ids = self.edges.ids();
        if ids.is_empty() {
            return false;
        }
        let edge = ids[usize::try_from(self.chance.below(ids.len() as u64)).unwrap_or_default()];
        let loss = self.loss();
        self.edges.kill(edge, power.then_some(loss))
    }

    /// The machine dies after so many operations of its disk, which may be in the middle of anything.
    fn die_in_work(&mut self, node: u64) -> bool {
        if self.world.running(node).is_none() {
            return false;
        }
        let (after, loss) = (self.chance.below(60), self.loss());
        let name = disk_of(node);
        disk::set_faults(&name, |faults| faults.dies_after = Some(after));
        let world = Arc::clone(&self.world);
        tokio::spawn(async move {
            for _ in 0..5_000 {
                if disk::is_dead(&name) {
                    world.power_cut(node, loss);
                    return;
                }
                sleep(Duration::from_millis(1)).await;
            }
            // Nobody would take note of its death any more.
            disk::set_faults(&name, |faults| faults.dies_after = None);
        });
        true
    }

    fn partition(&mut self) {
        let ids = self.world.ids();
        let here: Vec<u64> = ids.iter().copied().filter(|_| self.chance.happens(500)).collect();
        let mut cut = Vec::new();
        for one in &here {
            cut.extend(ids.iter().filter(|id| !here.contains(id)).flat_map(|other| [(*one, *other), (*other, *one)]));
        }
        self.cut(cut);
    }

    fn isolate_leader(&mut self) -> bool {
        let leader = self.world.all_running().into_iter().find(|(_, running)| running.node.raft.is_leader());
        let Some((leader, _)) = leader else { return false };
        let others = self.world.ids().into_iter().filter(|id| *id != leader);
        let cut = others.flat_map(|other| [(leader, other), (other, leader)]).collect();
        self.cut(cut);
        true
    }

    fn cut(&mut self, ways: Vec<(u64, u64)>) {
        ways.iter().for_each(|(from, to)| self.world.net.cut(*from, *to, true));
        self.later(move |world| ways.iter().for_each(|(from, to)| world.net.cut(*from, *to, false)));
    }

    /// Whether only a minority is damaged with this node: nothing can help against more.
    fn may_damage(&self, node: u64) -> bool {
        let damaged = self.world.damaged();
        damaged.contains(&node) || (damaged.len() as u64) < (self.world.plan.nodes - 1) / 2
    }

    /// Damages the log of a node that is off, but not in what was written last, which cannot be told from a torn write.
    fn flip(&mut self, node: u64) -> bool {
        if !self.may_damage(node) || !self.world.power_cut(node, Loss::Nothing) {
            return false;
        }
        let segments: Vec<_> = disk::files(&disk_of(node))
            .into_iter()
            .filter(|(path, _)| path.extension().is_some_and(|end| end == "seg"))
            .collect();
        // All but the newest two: the last round lies in one of them.
        let Some(old) = segments.len().checked_sub(2).filter(|old| *old > 0) else { return false };
        let (path, bytes) = &segments[usize::try_from(self.chance.below(old as u64)).unwrap_or_default()];
        self.world.note_damage(node);
        (0..self.chance.between(1, 3)).all(|_| disk::flip(path, self.chance.below(bytes * 8)))
    }
}
