//! Edges: real agents over simulated disks, their lines to the nodes, and the applications that report to them.
//!
//! ```text
//! application ─ report ─▶ agent (keeper, queue, store) ─ frames, late ─▶ session of a node ─▶ the log
//! ```
//!
//! - An application's record is the oracle of `E1` and `E2`: what the agent took has exactly one effect, in the order in which it
//!   was taken; what it refused has none.
//! - A line is one stream to one node. It breaks when the node or the agent dies, and when somebody resets it.
//! - An agent is killed or cut off from power as a node is; after that it must start again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use muster_domain::device::DeviceDefinition;
use muster_domain::edge::EdgeDefinition;
use muster_domain::{EventKind, Operation};
use muster_proto::v1;
use muster_sim_edge::Refused;
use muster_sim_edge::protocol::Loss;
use muster_sim_edge::simulated::{Agent, Frames, Heard};
use muster_sim_std::chance::Chance;
use muster_sim_std::disk::{self, Loss as DiskLoss};
use muster_sim_std::trace;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::clients::{NAMESPACE, creation};
use crate::world::World;

/// The first number of devices that edges hold; those of edge 1 come first.
const FIRST_DEVICE: u32 = 100;
/// Devices of each edge.
const DEVICES: u32 = 3;
/// How long an application waits for its agent.
const REPORT_MAX: Duration = Duration::from_secs(5);

/// What an application was told of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is queued, durably.
    Taken,
    /// It is not, and will have no effect.
    Refused,
    /// The agent died before it answered.
    Unknown,
}

/// A report, in the order of its application.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Which edge.
    pub edge: u64,
    /// The device.
    pub device: u32,
    /// A value like no other.
    pub value: u64,
    /// What was told.
    pub told: Told,
}

struct Place {
    agent: Option<(Arc<Agent>, watch::Sender<bool>)>,
    is_lost: bool,
}

/// All edges of a run.
pub struct Edges {
    world: Arc<World>,
    places: Mutex<BTreeMap<u64, Place>>,
    reports: Mutex<Vec<Report>>,
    /// Counts resets of lines: each breaks all that were open.
    resets: watch::Sender<u64>,
}

fn disk_of(edge: u64) -> String {
    format!("e{edge}")
}

/// The id of an edge.
#[must_use]
pub fn name(edge: u64) -> String {
    format!("e{edge}")
}

fn twin(device: u32) -> String {
    format!("namespaces/{NAMESPACE}/devices/d{device}/twin")
}

fn devices_of(edge: u64) -> impl Iterator<Item = u32> {
    let first = FIRST_DEVICE + u32::try_from(edge - 1).unwrap_or_default() * DEVICES;
    first..first + DEVICES
}

/// What makes an edge and its devices in the registry.
#[must_use]
pub fn creations(edge: u64) -> Vec<Operation> {
    let definition = EdgeDefinition {
        enabled: true,
        display_name: String::new(),
        description: String::new(),
        attributes: String::new(),
    };
    let mut all = vec![Operation::CreateEdge { namespace: NAMESPACE.to_owned(), edge: name(edge), definition }];
    all.extend(devices_of(edge).map(|device| {
        let mut creation = creation(device);
        if let Operation::CreateDevice { definition, .. } = &mut creation {
            **definition = DeviceDefinition { edge: name(edge), ..(**definition).clone() };
        }
        creation
    }));
    all
}

/// The value that an event reports, if it is a report of an edge's device.
#[must_use]
pub fn reported(kind: &EventKind) -> Option<u64> {
    let EventKind::TwinReported(json) = kind else { return None };
    let document: serde_json::Value = serde_json::from_str(json).ok()?;
    document.get("v")?.as_u64()
}

impl Edges {
    /// As many as the plan has, with disks and without agents.
    #[must_use]
    pub fn new(world: Arc<World>, seed: u64) -> Arc<Self> {
        let places = (1..=world.plan.edges).map(|edge| {
            disk::make(&disk_of(edge), seed ^ edge << 24);
            (edge, Place { agent: None, is_lost: false })
        });
        let places = Mutex::new(places.collect());
        Arc::new(Self { world, places, reports: Mutex::default(), resets: watch::Sender::new(0) })
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<u64, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All ids.
    #[must_use]
    pub fn ids(&self) -> Vec<u64> {
        self.places().keys().copied().collect()
    }

    /// What applications were told, in their order.
    #[must_use]
    pub fn reports(&self) -> Vec<Report> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The agent of an edge, if it runs, and what says that it is dead.
    #[must_use]
    pub fn agent(&self, edge: u64) -> Option<(Arc<Agent>, watch::Receiver<bool>)> {
        self.places().get(&edge)?.agent.as_ref().map(|(agent, dead)| (Arc::clone(agent), dead.subscribe()))
    }

    fn start(self: &Arc<Self>, edge: u64, chance: &mut Chance) -> bool {
        if self.places().get(&edge).is_none_or(|place| place.agent.is_some() || place.is_lost) {
            return false;
        }
        let disk = disk_of(edge);
        disk::comes_back(&disk);
        let full_name = format!("namespaces/{NAMESPACE}/edges/{}", name(edge));
        match Agent::start(&disk::folder(&disk), &full_name, 200) {
            Ok(mut agent) => {
                trace::note("edge runs", [edge, 0, 0]);
                let (kill, dead) = watch::channel(false);
                let failed = agent.failed();
                let agent = Arc::new(agent);
                tokio::spawn(Arc::clone(self).link(edge, Arc::clone(&agent), dead.clone(), chance.fork()));
                if let Some(place) = self.places().get_mut(&edge) {
                    place.agent = Some((agent, kill));
                }
                let edges = Arc::clone(self);
                let mut ended = dead;
                tokio::spawn(async move {
                    tokio::select! {
                        () = failed => {
                            trace::note("edge fails", [edge, 0, 0]);
                            edges.kill(edge, None);
                        }
                        _ = ended.wait_for(|dead| *dead) => {}
                    }
                });
                true
            }
            Err(error) => {
                trace::note("edge does not start", [edge, 0, 0]);
                if !disk::is_dead(&disk) {
                    self.world.wrongs.add(format!("edge_starts_again: {edge} refuses to start: {error}"));
                    if let Some(place) = self.places().get_mut(&edge) {
                        place.is_lost = true;
                    }
                }
                disk::process_ended(&disk);
                false
            }
        }
    }

    /// Ends an agent: kills it, or cuts it off from power with what that costs its disk. Whether it ran.
    pub fn kill(&self, edge: u64, power: Option<DiskLoss>) -> bool {
        let agent = self.places().get_mut(&edge).and_then(|place| place.agent.take());
        trace::note("edge ends", [edge, power.is_some().into(), 0]);
        match power {
            Some(loss) => disk::power_cut(&disk_of(edge), loss),
            None => disk::process_ended(&disk_of(edge)),
        }
        agent.is_some_and(|(_, kill)| {
            kill.send_replace(true);
            true
        })
    }

    /// Resets all lines.
    pub fn reset_lines(&self) {
        self.resets.send_modify(|resets| *resets += 1);
    }

    /// Starts every agent that does not run, again and again.
    pub async fn keep_running(self: Arc<Self>, mut chance: Chance, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            for edge in self.ids() {
                self.start(edge, &mut chance);
            }
            let pause = Duration::from_millis(chance.between(50, 1_500));
            tokio::select! {
                () = sleep(pause) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Keeps a line to some node, as long as the agent lives.
    async fn link(self: Arc<Self>, edge: u64, agent: Arc<Agent>, mut dead: watch::Receiver<bool>, mut chance: Chance) {
        let link = agent.link();
        drop(agent);
        loop {
            let (edges, chance) = (Arc::clone(&self), chance.fork());
            let connect = move |frames| async move { edges.connect(edge, frames, chance).await }.boxed();
            let wait = tokio::select! {
                wait = link.run(Box::new(connect)) => wait,
                _ = dead.wait_for(|dead| *dead) => return,
            };
            let Some(wait) = wait else { return };
            tokio::select! {
                () = sleep(wait) => {}
                _ = dead.wait_for(|dead| *dead) => return,
            }
        }
    }

    async fn connect(&self, edge: u64, frames: Frames, mut chance: Chance) -> Result<BoxStream<'static, Heard>, Loss> {
        let lost = |message: &str| Loss { message: message.to_owned(), ..Loss::default() };
        let ids = self.world.ids();
        let first = usize::try_from(chance.below(ids.len() as u64)).unwrap_or_default();
        let (low, high) = self.world.plan.net_us;
        let mut found = None;
        // As the client library does: one address after the other.
        for node in ids.iter().cycle().skip(first).take(ids.len()) {
            sleep(Duration::from_micros(chance.between(low, high) * 2)).await;
            found = self.world.running(*node).map(|running| (*node, running));
            if found.is_some() {
                break;
            }
        }
        let (node, running) = found.ok_or_else(|| lost("connection refused"))?;
        let inbound = late(frames, (low, high), chance.fork()).map(Ok);
        let (heard, hearing) = mpsc::unbounded_channel();
        let mut dead = running.dead.clone();
        let mut resets = self.resets.subscribe();
        resets.borrow_and_update();
        trace::note("edge line", [edge, node, 0]);
        tokio::spawn(async move {
            let told = async {
                let mut session = match running.node.open_edge(NAMESPACE, &name(edge), inbound.boxed()).await {
                    Ok(session) => session,
                    Err(refused) => return drop(heard.send(Err(refused))),
                };
                while let Some(said) = session.next().await {
                    let is_over = said.is_err();
                    if heard.send(said).is_err() || is_over {
                        return;
                    }
                }
            };
            tokio::select! {
                () = told => {}
                _ = dead.wait_for(|dead| *dead) => {}
                _ = resets.changed() => {}
            }
        });
        let hearing = futures::stream::unfold(hearing, |mut hearing| async move {
            let next = hearing.recv().await?;
            Some((next, hearing))
        });
        let hearing = hearing.map(|said: Result<v1::SyncResponse, (String, String, Option<Duration>)>| {
            said.map_err(|(reason, message, retry_after)| {
                let is_denied = matches!(reason.as_str(), "PERMISSION_DENIED" | "EDGE_DISABLED" | "NOT_FOUND");
                Loss { reason, message, retry_after, is_denied }
            })
        });
        Ok(late(hearing.boxed(), (low, high), chance).boxed())
    }

    /// An application that reports to its edge until told to stop.
    pub async fn report(self: Arc<Self>, edge: u64, mut chance: Chance, mut stop: watch::Receiver<bool>) {
        let mut count = 0;
        while !*stop.borrow() {
            let pause = chance.below(2 * self.world.plan.think_ms * 2 + 1);
            tokio::select! {
                () = sleep(Duration::from_millis(pause)) => {}
                _ = stop.changed() => {}
            }
            let Some((agent, mut dead)) = self.agent(edge) else { continue };
            count += 1;
            let value = (1_000 + edge) << 32 | count;
            let device = FIRST_DEVICE
                + u32::try_from(edge - 1).unwrap_or_default() * DEVICES
                + u32::try_from(chance.below(DEVICES.into())).unwrap_or_default();
            let twin = twin(device);
            let asked = agent.report(&twin, format!("{{\"v\":{value}}}"), String::new());
            let told = tokio::select! {
                biased;
                _ = dead.wait_for(|dead| *dead) => Told::Unknown,
                answer = timeout(REPORT_MAX, asked) => match answer {
                    Ok(Ok(())) => Told::Taken,
                    Ok(Err(Refused::Stopping)) | Err(_) => Told::Unknown,
                    Ok(Err(_)) => Told::Refused,
                },
            };
            trace::note("reported", [edge, value, told as u64]);
            let report = Report { edge, device, value, told };
            self.reports.lock().unwrap_or_else(PoisonError::into_inner).push(report);
        }
    }

    /// Waits until every edge runs, has nothing left to send and holds what the cluster says it should.
    ///
    /// # Errors
    /// Says what was still missing after `limit`.
    pub async fn settled(&self, limit: Duration) -> Result<(), String> {
        let begin = Instant::now();
        loop {
            let missing = match self.unsettled().await {
                None => return Ok(()),
                Some(missing) => missing,
            };
            if begin.elapsed() > limit {
                return Err(missing);
            }
            sleep(Duration::from_millis(250)).await;
        }
    }

    async fn unsettled(&self) -> Option<String> {
        for edge in self.ids() {
            let Some((agent, _)) = self.agent(edge) else { return Some(format!("edge {edge} does not run")) };
            let status = match timeout(REPORT_MAX, agent.status()).await {
                Ok(Some(status)) => status,
                _ => return Some(format!("edge {edge} does not answer")),
            };
            if status.queued_operations > 0 {
                return Some(format!("edge {edge} has {} operations left: {status:?}", status.queued_operations));
            }
            if let Some(missing) = self.differs(edge, &agent) {
                return Some(missing);
            }
        }
        None
    }

    /// Whether an edge holds other devices than its own, or others' revisions.
    fn differs(&self, edge: u64, agent: &Agent) -> Option<String> {
        let (_, running) = self.world.all_running().into_iter().next()?;
        let view = running.node.reader.local();
        let items: BTreeMap<String, u64> = match agent.items() {
            Ok(items) => items.into_iter().map(|item| (item.name, item.revision)).collect(),
            Err(error) => return Some(format!("edge {edge} cannot be read: {error}")),
        };
        for device in devices_of(edge) {
            let key = muster_domain::Key::DeviceTwin(NAMESPACE.to_owned(), format!("d{device}"));
            let expected = view.get(&key).ok().flatten().map(|record| record.updated_revision);
            let held = items.get(&twin(device)).copied();
            if held != expected {
                return Some(format!("edge {edge} holds {} at {held:?}, the cluster at {expected:?}", twin(device)));
            }
        }
        let others = items.keys().find(|name| {
            !devices_of(edge).any(|device| name.starts_with(&format!("namespaces/{NAMESPACE}/devices/d{device}")))
        });
        others.map(|other| format!("edge {edge} holds {other}, which is not its own"))
    }
}

/// What comes, each a delay later and in its order.
fn late<T: Send + 'static>(
    stream: impl futures::Stream<Item = T> + Send + 'static,
    delay_us: (u64, u64),
    mut chance: Chance,
) -> impl futures::Stream<Item = T> + Send + 'static {
    let (arriving, arrived) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut stream = Box::pin(stream);
        while let Some(item) = stream.next().await {
            let at = Instant::now() + Duration::from_micros(chance.between(delay_us.0, delay_us.1));
            if arriving.send((at, item)).is_err() {
                return;
            }
        }
    });
    futures::stream::unfold(arrived, |mut arrived| async move {
        let (at, item) = arrived.recv().await?;
        sleep_until(at).await;
        Some((item, arrived))
    })
}
