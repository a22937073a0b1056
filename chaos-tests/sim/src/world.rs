//! The nodes of a run: started, killed, cut off from power and started again. What happens to them is decided elsewhere.
//!
//! - A node that is dead reaches nothing: its disk takes nothing from it, its connections are gone, its clients have been told nothing.
//!   What still runs of it in memory is let go of.
//! - A node that ends itself (a fault of its disk is fatal) counts as a process that ended, and is started again.
//! - Once nothing is done to its disk any more, a node must start; only one whose log was damaged on purpose may refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use hyper_util::rt::TokioIo;
use muster_sim_node::ids_source::SeededIds;
use muster_sim_node::raft::{self, FatalHandler, Member, PeerConnector, RaftSettings};
use muster_sim_node::simulated::{self, Node, Parts};
use muster_sim_node::store::unwritten::Limits;
use muster_sim_std::disk::{self, Loss};
use muster_sim_std::trace;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tonic::transport::Channel;

use crate::clock::SimClock;
use crate::net::{Net, Stream};
use crate::plan::Plan;

/// The name of the cluster.
pub const CLUSTER: &str = "sim";
/// How long a call of a client may take.
pub const CALL_MAX: Duration = Duration::from_secs(3);

/// A node that runs, as its clients hold it.
#[derive(Clone)]
pub struct Running {
    /// The node.
    pub node: Arc<Node>,
    /// Becomes true when it is dead.
    pub dead: watch::Receiver<bool>,
}

struct Slot {
    clock: Arc<SimClock>,
    lives: u64,
    running: Option<(Running, watch::Sender<bool>)>,
    /// Of its newest life: false once that is over.
    alive: Arc<AtomicBool>,
    /// It is being started.
    is_starting: bool,
    /// It refused to start after its log was damaged: it will not come back.
    is_lost: bool,
    /// Its log was damaged on purpose, or a sync failed.
    is_damaged: bool,
    /// Something is being done to its disk, or was since it started last.
    disk_suffers: bool,
}

/// What went wrong, in sentences.
#[derive(Debug, Default)]
pub struct Wrongs(Mutex<Vec<String>>);

impl Wrongs {
    /// Adds one.
    pub fn add(&self, what: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The cluster and its surroundings.
pub struct World {
    /// The network.
    pub net: Net,
    /// What the run is.
    pub plan: Plan,
    /// What went wrong.
    pub wrongs: Wrongs,
    slots: Mutex<BTreeMap<u64, Slot>>,
    ended: mpsc::UnboundedSender<(u64, u64, String)>,
    seed: u64,
}

/// The name of a node's disk.
#[must_use]
pub fn disk_of(id: u64) -> String {
    format!("n{id}")
}

fn address(id: u64) -> String {
    format!("n{id}:7000")
}

/// A node as members know it.
#[must_use]
pub fn member(id: u64) -> Member {
    Member { peer_addr: address(id), client_addr: format!("n{id}:6000"), name: format!("n{id}") }
}

struct Connector {
    net: Net,
    from: u64,
    alive: Arc<AtomicBool>,
}

impl PeerConnector for Connector {
    fn channel(&self, peer_addr: &str) -> Result<Channel, raft::BoxError> {
        let (net, from, alive) = (self.net.clone(), self.from, Arc::clone(&self.alive));
        let to: u64 = peer_addr.split(':').next().and_then(|host| host.get(1..)).unwrap_or_default().parse()?;
        let connect = tower::service_fn(move |_: http::Uri| {
            let (net, alive) = (net.clone(), Arc::clone(&alive));
            async move {
                // What is left in memory of a dead node reaches nobody.
                if !alive.load(Ordering::SeqCst) {
                    return Err(io::Error::from(io::ErrorKind::NetworkDown));
                }
                let stream = net.connect(from, to).await?;
                if alive.load(Ordering::SeqCst) {
                    Ok(TokioIo::new(stream))
                } else {
                    Err(io::Error::from(io::ErrorKind::NetworkDown))
                }
            }
        });
        Ok(raft::endpoint(&format!("http://{peer_addr}"))?.connect_with_connector_lazy(connect))
    }
}

/// Ends the process of a node: from this moment on nothing of it reaches anybody.
struct EndsNode {
    id: u64,
    life: u64,
    net: Net,
    ended: mpsc::UnboundedSender<(u64, u64, String)>,
    alive: Arc<AtomicBool>,
}

impl FatalHandler for EndsNode {
    fn fatal(&self, what: &str, error: &(dyn Error + 'static)) {
        if !self.alive.swap(false, Ordering::SeqCst) {
            return;
        }
        disk::process_ended(&disk_of(self.id));
        self.net.process_ended(self.id);
        // The run may be over.
        drop(self.ended.send((self.id, self.life, format!("{what}: {}", raft::chain(error)))));
    }
}

impl World {
    /// A world with disks, and without nodes.
    #[must_use]
    pub fn new(seed: u64, plan: Plan) -> Arc<Self> {
        let (ended, mut endings) = mpsc::unbounded_channel();
        let net = Net::new(seed ^ 0x4E45, plan.net_us);
        let mut slots = BTreeMap::new();
        for id in 1..=plan.nodes {
            disk::make(&disk_of(id), seed ^ id << 8);
            disk::set_faults(&disk_of(id), |faults| faults.latency_us = plan.disk_us);
            let slot = Slot {
                clock: Arc::new(SimClock::new()),
                lives: 0,
                running: None,
                alive: Arc::default(),
                is_starting: false,
                is_lost: false,
                is_damaged: false,
                disk_suffers: false,
            };
            slots.insert(id, slot);
        }
        let world = Arc::new(Self { net, plan, wrongs: Wrongs::default(), slots: Mutex::new(slots), ended, seed });
        let watcher = Arc::clone(&world);
        tokio::spawn(async move {
            while let Some((id, life, why)) = endings.recv().await {
                watcher.ended_itself(id, life, &why);
            }
        });
        world
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<u64, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, id: u64, work: impl FnOnce(&mut Slot) -> T) -> T {
        work(self.slots().get_mut(&id).expect("a node of the plan"))
    }

    /// All ids.
    #[must_use]
    pub fn ids(&self) -> Vec<u64> {
        self.slots().keys().copied().collect()
    }

    /// The node, if it runs.
    #[must_use]
    pub fn running(&self, id: u64) -> Option<Running> {
        self.with(id, |slot| slot.running.as_ref().map(|(running, _)| running.clone()))
    }

    /// All nodes that run.
    #[must_use]
    pub fn all_running(&self) -> Vec<(u64, Running)> {
        self.ids().into_iter().filter_map(|id| Some((id, self.running(id)?))).collect()
    }

    /// Nodes that can run: all but those whose damaged log made them refuse.
    #[must_use]
    pub fn able(&self) -> Vec<u64> {
        self.slots().iter().filter(|(_, slot)| !slot.is_lost).map(|(id, _)| *id).collect()
    }

    /// Nodes whose log was damaged.
    #[must_use]
    pub fn damaged(&self) -> BTreeSet<u64> {
        self.slots().iter().filter(|(_, slot)| slot.is_damaged).map(|(id, _)| *id).collect()
    }

    /// Says that a node's log was damaged.
    pub fn note_damage(&self, id: u64) {
        self.with(id, |slot| slot.is_damaged = true);
    }

    /// Says that something is done to a node's disk.
    pub fn note_disk_fault(&self, id: u64) {
        self.with(id, |slot| slot.disk_suffers = true);
    }

    /// The clock of a node.
    #[must_use]
    pub fn clock(&self, id: u64) -> Arc<SimClock> {
        self.with(id, |slot| Arc::clone(&slot.clock))
    }

    fn settings(&self, id: u64) -> RaftSettings {
        let plan = &self.plan;
        let mut settings = RaftSettings::new(CLUSTER, id, disk::folder(&disk_of(id)));
        settings.heartbeat_ms = plan.heartbeat_ms;
        settings.election_timeout_min_ms = plan.election_ms;
        settings.election_timeout_max_ms = plan.election_ms * 8 / 5;
        settings.snapshot_logs_since_last = plan.snapshot_entries;
        settings.log_keep_entries = plan.keep_entries;
        settings.purge_batch_entries = 1;
        settings.log_segment_bytes = plan.segment_bytes;
        settings.log_tail_entries = plan.tail_entries;
        settings.read_timeout = CALL_MAX / 2;
        settings.call_timeout = CALL_MAX;
        settings
    }

    /// Starts a node that does not run. True when it runs then.
    pub async fn start(self: &Arc<Self>, id: u64) -> bool {
        let alive = Arc::new(AtomicBool::new(true));
        let (clock, life) = {
            let mut slots = self.slots();
            let slot = slots.get_mut(&id).expect("a node of the plan");
            if slot.running.is_some() || slot.is_starting || slot.is_lost {
                return slot.running.is_some();
            }
            slot.is_starting = true;
            slot.lives += 1;
            slot.alive = Arc::clone(&alive);
            (Arc::clone(&slot.clock), slot.lives)
        };
        disk::comes_back(&disk_of(id));
        trace::note("start", [id, life, 0]);
        let (listener, incoming) = mpsc::unbounded_channel::<io::Result<Stream>>();
        let fatal = EndsNode { id, life, net: self.net.clone(), ended: self.ended.clone(), alive: Arc::clone(&alive) };
        let parts = Parts {
            raft: self.settings(id),
            clock,
            ids: Arc::new(SeededIds::new(self.seed ^ id << 16 ^ life)),
            connector: Arc::new(Connector { net: self.net.clone(), from: id, alive: Arc::clone(&alive) }),
            fatal: Arc::new(fatal),
            request_timeout: CALL_MAX - Duration::from_millis(200),
            state_buffer_bytes: self.plan.state_buffer_bytes,
            unwritten: Limits { twins: self.plan.unwritten_twins, bytes: 1 << 20, changes: 10_000 },
        };
        self.net.listen(id, listener);
        let incoming = futures::stream::unfold(incoming, |mut incoming| async move {
            let next = incoming.recv().await?;
            Some((next, incoming))
        });
        let started = simulated::start(parts, incoming.boxed()).await;
        let name = disk_of(id);
        let mut slots = self.slots();
        let slot = slots.get_mut(&id).expect("a node of the plan");
        slot.is_starting = false;
        match started {
            Ok(node) if alive.load(Ordering::SeqCst) && !disk::is_dead(&name) => {
                let (kill, dead) = watch::channel(false);
                slot.running = Some((Running { node: Arc::new(node), dead }, kill));
                trace::note("runs", [id, life, 0]);
                true
            }
            Ok(node) => {
                drop(slots);
                self.bury(Arc::new(node));
                false
            }
            Err(error) => {
                let has_died = disk::is_dead(&name) || !alive.load(Ordering::SeqCst);
                trace::note("does not start", [id, life, has_died.into()]);
                if has_died || slot.disk_suffers {
                    // The next try may go better.
                } else if slot.is_damaged {
                    slot.is_lost = true;
                } else {
                    self.wrongs.add(format!("starts_again: node {id} refuses to start: {error:#}"));
                    slot.is_lost = true;
                }
                drop(slots);
                if alive.swap(false, Ordering::SeqCst) {
                    disk::process_ended(&name);
                    self.net.process_ended(id);
                }
                false
            }
        }
    }

    fn bury(&self, node: Arc<Node>) {
        tokio::spawn(async move { node.bury().await });
    }

    /// Takes a node out of the world, dead. Whether it ran.
    fn take(&self, id: u64) -> Option<Arc<Node>> {
        self.with(id, |slot| {
            slot.alive.store(false, Ordering::SeqCst);
            let (running, kill) = slot.running.take()?;
            kill.send_replace(true);
            Some(running.node)
        })
    }

    /// Ends the process of a node. Whether it ran.
    pub fn kill(&self, id: u64) -> bool {
        let Some(node) = self.take(id) else { return false };
        trace::note("kill", [id, 0, 0]);
        disk::process_ended(&disk_of(id));
        self.net.process_ended(id);
        self.bury(node);
        true
    }

    /// Cuts a node off from power. Whether it ran.
    pub fn power_cut(&self, id: u64, loss: Loss) -> bool {
        let node = self.take(id);
        self.net.power_off(id);
        disk::power_cut(&disk_of(id), loss);
        let ran = node.is_some();
        if let Some(node) = node {
            self.bury(node);
        }
        ran
    }

    /// Stops a node in order. Whether it ran.
    pub async fn stop(&self, id: u64) -> bool {
        let Some(running) = self.running(id) else { return false };
        // A node that is asked to stop may be killed meanwhile.
        let mut dead = running.dead.clone();
        let node = Arc::clone(&running.node);
        // In a task of its own: what is stopped half-way would never end.
        let stopping = tokio::spawn(async move { node.stop().await });
        let stopped = tokio::select! {
            stopped = stopping => stopped.is_ok_and(|stopped| stopped.is_ok()),
            _ = dead.wait_for(|dead| *dead) => return false,
        };
        trace::note("stop", [id, stopped.into(), 0]);
        if self.take(id).is_some() {
            disk::process_ended(&disk_of(id));
            self.net.process_ended(id);
        }
        true
    }

    fn ended_itself(&self, id: u64, life: u64, why: &str) {
        let is_current = self.with(id, |slot| slot.lives == life);
        trace::note("ends itself", [id, life, trace::number_of(why.as_bytes())]);
        if !is_current {
            return;
        }
        if !self.with(id, |slot| slot.disk_suffers || slot.is_damaged) && !disk::is_dead(&disk_of(id)) {
            self.wrongs
                .add(format!("nodes_go_on: node {id} ended itself although nothing was done to its disk: {why}"));
        }
        if let Some(node) = self.take(id) {
            self.bury(node);
        }
    }

    /// Starts every node that does not run and can, again and again.
    pub async fn keep_running(self: Arc<Self>, pause: Duration, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            for id in self.able() {
                if self.running(id).is_none() {
                    self.start(id).await;
                }
            }
            tokio::select! {
                () = sleep(pause) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Nothing is done to anything any more.
    pub fn heal(&self) {
        self.net.heal();
        for id in self.ids() {
            disk::set_faults(&disk_of(id), |faults| {
                let lies = faults.lies;
                *faults = disk::Faults { latency_us: self.plan.disk_us, lies, ..disk::Faults::default() };
            });
            self.with(id, |slot| slot.disk_suffers = false);
        }
    }
}
