//! The load: clients that write and read through any node, and write down what they were told. Their record is the oracle.
//!
//! - Values are unique in a run. A call to a node that dies, or that takes too long, has an unknown outcome.
//! - Half of the writes carry a request id, so that the node tries again by itself what it does not know the outcome of.
//! - Devices `0..LASTING` live through the run; the others are created and deleted all the time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use muster_domain::device::{Authentication, DeviceDefinition, DeviceStatus};
use muster_domain::{Body, Command, Event, EventKind, Key, Operation};
use muster_sim_node::outcome::{self, OperationResult};
use muster_sim_node::propose::ProposeError;
use muster_sim_node::read::Consistency;
use muster_sim_node::simulated::Node;
use muster_sim_std::chance::Chance;
use muster_sim_std::{baton, trace};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::history::facts::{Fact, What};
use crate::history::{Kind, Op, Outcome};
use crate::world::{CALL_MAX, Running, World};

/// The namespace of the load.
pub const NAMESPACE: &str = "sim";
/// Devices that live through the run.
pub const LASTING: u32 = 6;
/// Devices that do not; their numbers follow.
const MORTAL: u32 = 2;

/// What clients did and were told.
#[derive(Clone, Debug, Default)]
pub struct Record(Arc<Mutex<Vec<Op>>>);

impl Record {
    /// Adds a call that is over.
    pub fn add(&self, op: Op) {
        trace::note(
            "told",
            [op.value, op.revision, u64::from(op.client) << 16 | (op.kind as u64) << 8 | op.outcome as u64],
        );
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(op);
    }

    /// All calls, by the time at which they ended.
    #[must_use]
    pub fn take(&self) -> Vec<Op> {
        let mut ops = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        ops.sort_by_key(|op| op.returned_ns);
        ops
    }
}

fn name(device: u32) -> String {
    format!("d{device}")
}

fn twin(device: u32) -> Key {
    Key::DeviceTwin(NAMESPACE.to_owned(), name(device))
}

/// What creates the device.
#[must_use]
pub fn creation(device: u32) -> Operation {
    let definition = DeviceDefinition {
        status: DeviceStatus::Enabled,
        status_reason: String::new(),
        authentication: Authentication::None,
        iot_edge: false,
        device_scope: String::new(),
        parent_scopes: Vec::new(),
        external_device_id: String::new(),
        manufacturer: String::new(),
        model: String::new(),
        operating_system: String::new(),
        operating_system_version: String::new(),
        attributes: String::new(),
        endpoints: Default::default(),
        discovered_device_ref: String::new(),
        uuid: format!("00000000-0000-4000-8000-{device:012}"),
        edge: String::new(),
        site: String::new(),
    };
    Operation::CreateDevice { namespace: NAMESPACE.to_owned(), device: name(device), definition: Box::new(definition) }
}

fn patch(device: u32, value: u64, etag: Option<String>) -> Operation {
    Operation::PatchTwin { key: twin(device), tags: None, desired: Some(format!("{{\"v\":{value}}}")), etag }
}

/// One client.
pub struct Client {
    /// Its number.
    pub number: u16,
    /// Where its nodes are.
    pub world: Arc<World>,
    /// Where it writes down what it was told.
    pub record: Record,
    /// Its chance.
    pub chance: Chance,
    /// Values it has written.
    pub count: u64,
}

impl Client {
    /// Works until told to stop.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            self.step().await;
            let pause = self.chance.below(2 * self.world.plan.think_ms + 1);
            tokio::select! {
                () = sleep(Duration::from_millis(pause)) => {}
                _ = stop.changed() => {}
            }
        }
    }

    async fn step(&mut self) {
        let ids = self.world.ids();
        let at = usize::try_from(self.chance.below(ids.len() as u64)).unwrap_or_default();
        let Some(running) = self.world.running(ids[at]) else { return };
        let lasting = u32::try_from(self.chance.below(LASTING.into())).unwrap_or_default();
        let mortal = LASTING + u32::try_from(self.chance.below(MORTAL.into())).unwrap_or_default();
        match self.chance.below(100) {
            0..30 => {
                self.write(&running, Kind::Patch, lasting).await;
            }
            30..42 => self.write_on_condition(&running, lasting).await,
            42..52 => self.write_batch(&running).await,
            52..80 => {
                self.read(&running, lasting, Kind::Read).await;
            }
            80..88 => {
                self.read(&running, lasting, Kind::LocalRead).await;
            }
            88..92 => self.live(&running, Kind::Create, mortal).await,
            92..96 => self.live(&running, Kind::Delete, mortal).await,
            _ => {
                self.write(&running, Kind::Patch, mortal).await;
            }
        }
    }

    fn value(&mut self) -> u64 {
        self.count += 1;
        (u64::from(self.number) + 1) << 32 | self.count
    }

    fn begin(&self, kind: Kind, device: u32, value: u64) -> Op {
        Op {
            client: self.number,
            kind,
            outcome: Outcome::Unknown,
            device,
            value,
            condition: 0,
            revision: 0,
            version: 0,
            invoked_ns: baton::now_ns(),
            returned_ns: 0,
        }
    }

    fn end(&self, op: Op) {
        self.record.add(Op { returned_ns: baton::now_ns(), ..op });
    }

    fn request_id(&mut self) -> String {
        if self.chance.happens(500) { format!("c{}-{}", self.number, self.chance.draw()) } else { String::new() }
    }

    async fn propose(&mut self, running: &Running, operations: Vec<Operation>) -> Result<outcome::Outcome, Outcome> {
        let request_id = self.request_id();
        let command = Command { operations, atomic: true };
        let mut dead = running.dead.clone();
        let proposed = tokio::select! {
            biased;
            _ = dead.wait_for(|dead| *dead) => return Err(Outcome::Unknown),
            proposed = timeout(CALL_MAX, running.node.propose(command, &request_id)) => proposed,
        };
        match proposed {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(ProposeError::OutcomeUnknown(_) | ProposeError::Store(_))) | Err(_) => Err(Outcome::Unknown),
            Ok(Err(_)) => Err(Outcome::Failed),
        }
    }

    async fn write(&mut self, running: &Running, kind: Kind, device: u32) {
        let value = self.value();
        let op = self.begin(kind, device, value);
        let proposed = self.propose(running, vec![patch(device, value, None)]).await;
        self.end(judged(op, proposed.as_ref(), 0));
    }

    async fn write_on_condition(&mut self, running: &Running, device: u32) {
        let Some((version, etag)) = self.read(running, device, Kind::LocalRead).await else { return };
        let value = self.value();
        let op = Op { condition: version, ..self.begin(Kind::ConditionalPatch, device, value) };
        let proposed = self.propose(running, vec![patch(device, value, Some(etag))]).await;
        self.end(judged(op, proposed.as_ref(), 0));
    }

    async fn write_batch(&mut self, running: &Running) {
        let first = u32::try_from(self.chance.below(u64::from(LASTING) - 2)).unwrap_or_default();
        let number = self.count + 1;
        let ops: Vec<Op> = (first..first + 3)
            .map(|device| {
                let value = self.value();
                Op { condition: number, ..self.begin(Kind::BatchedPatch, device, value) }
            })
            .collect();
        let operations = ops.iter().map(|op| patch(op.device, op.value, None)).collect();
        let proposed = self.propose(running, operations).await;
        for (position, op) in ops.into_iter().enumerate() {
            self.end(judged(op, proposed.as_ref(), position));
        }
    }

    async fn live(&mut self, running: &Running, kind: Kind, device: u32) {
        let op = self.begin(kind, device, 0);
        let operation = match kind {
            Kind::Create => creation(device),
            _ => Operation::DeleteDevice { namespace: NAMESPACE.to_owned(), device: name(device), etag: None },
        };
        let proposed = self.propose(running, vec![operation]).await;
        self.end(Op { version: 0, ..judged(op, proposed.as_ref(), 0) });
    }

    /// Returns the version and etag that were read.
    async fn read(&mut self, running: &Running, device: u32, kind: Kind) -> Option<(u64, String)> {
        let mut op = self.begin(kind, device, 0);
        let consistency = if kind == Kind::Read { Consistency::Linearizable } else { Consistency::Local };
        let mut dead = running.dead.clone();
        let found = tokio::select! {
            biased;
            _ = dead.wait_for(|dead| *dead) => None,
            found = timeout(CALL_MAX, look(&running.node, device, consistency)) => found.ok().flatten(),
        };
        // A read changes nothing, so that its failure is certain.
        op.outcome = Outcome::Failed;
        let mut read = None;
        if let Some(found) = found {
            op =
                Op { outcome: Outcome::Ok, revision: found.revision, version: found.version, value: found.value, ..op };
            read = Some((found.version, found.etag));
        }
        self.end(op);
        read
    }
}

struct Found {
    revision: u64,
    version: u64,
    value: u64,
    etag: String,
}

async fn look(node: &Node, device: u32, consistency: Consistency) -> Option<Found> {
    let view = node.reader.view(consistency).await.ok()?;
    let record = view.get(&twin(device)).ok()??;
    let Body::Twin(body) = &record.body else { return None };
    let mut document = String::new();
    body.desired.write_json(&mut document);
    let value = value_in(&document)?;
    Some(Found { revision: view.revision(), version: record.version(), value, etag: record.etag() })
}

/// The value in a document of this load; 0 for none.
fn value_in(document: &str) -> Option<u64> {
    let document: serde_json::Value = serde_json::from_str(document).ok()?;
    Some(document.get("v").and_then(serde_json::Value::as_u64).unwrap_or_default())
}

fn judged(op: Op, proposed: Result<&outcome::Outcome, &Outcome>, position: usize) -> Op {
    match proposed {
        Err(outcome) => Op { outcome: *outcome, ..op },
        Ok(outcome) => match outcome.results.get(position) {
            Some(OperationResult::Accepted(accepted)) => {
                Op { outcome: Outcome::Ok, revision: outcome.revision, version: accepted.version, ..op }
            }
            _ => Op { outcome: Outcome::Refused, ..op },
        },
    }
}

/// An event as the checks ask for it.
#[must_use]
pub fn fact(revision: u64, index: u32, event: &Event) -> Fact {
    let device = event.key.device().and_then(|device| device.get(1..)?.parse().ok());
    // What edges hold is looked at by their own checks.
    let device = device.filter(|device: &u32| *device < LASTING + MORTAL);
    let what = match (&event.kind, device) {
        (_, None) => What::Other,
        (EventKind::DeviceCreated(_), _) => What::Created,
        (EventKind::DeviceDeleted, _) => What::Deleted,
        (EventKind::TwinPatched { desired: Some(desired), .. }, _) => {
            What::Patched(value_in(desired).unwrap_or_default())
        }
        _ => What::Other,
    };
    Fact { revision, index, device: device.unwrap_or_default(), what }
}
