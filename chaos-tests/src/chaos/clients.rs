//! The load: clients that each do one kind of thing, at once, until they are told to stop, and write down what they were told.
//!
//! - Values are unique: the client's number and a count. A client that is restarted would repeat them, so none is.
//! - What a call's outcome is, is judged here once, from the public error alone.
//! - Devices `c0` to `c{n}` live through the whole run; `m0` and so on are created and deleted all the time.

mod batches;
mod lives;
mod singles;
mod streams;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use muster_client::{CallError, Client, Code, names, proto};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::task::JoinHandle;

use crate::history::{Kind, Op, Outcome, Recorder};
use crate::workload::NAMESPACE;

/// Devices that live through the run.
pub const DEVICES: u32 = 40;
/// Devices that do not; their numbers follow.
pub const MORTALS: u32 = 8;

/// How many clients of each kind.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    /// Patch and read single twins.
    pub singles: u16,
    /// Patch atomically.
    pub batches: u16,
    /// Patch on streams.
    pub streams: u16,
    /// Create and delete.
    pub lives: u16,
}

impl Counts {
    fn of(&self) -> u16 {
        self.singles + self.batches + self.streams + self.lives
    }
}

/// Name of a device by its number.
#[must_use]
pub fn device(number: u32) -> String {
    if number < DEVICES { format!("c{number}") } else { format!("m{}", number - DEVICES) }
}

/// Number of a device by its name.
#[must_use]
pub fn number(device: &str) -> Option<u32> {
    let number = device.get(1..)?.parse().ok();
    match device.get(..1)? {
        "c" => number,
        "m" => number.map(|number: u32| number + DEVICES),
        _ => None,
    }
}

/// One client: its number, its way to the cluster, its chance.
struct Hand {
    number: u16,
    client: Client,
    recorder: Recorder,
    chance: StdRng,
    count: u64,
    stop: Arc<AtomicBool>,
}

impl Hand {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Acquire)
    }

    /// A value like no other.
    fn value(&mut self) -> u64 {
        self.count += 1;
        (u64::from(self.number) + 1) << 32 | self.count
    }

    /// An operation that begins now; its outcome is unknown as long as nobody says otherwise.
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
            invoked_ns: self.recorder.now_ns(),
            returned_ns: 0,
        }
    }

    fn end(&self, op: Op) {
        self.recorder.add(Op { returned_ns: self.recorder.now_ns(), ..op });
    }

    /// What an error says about the call.
    fn judge(&self, error: &CallError) -> Outcome {
        let outcome = match error.code() {
            Code::Aborted | Code::AlreadyExists | Code::NotFound | Code::FailedPrecondition => return Outcome::Refused,
            _ if error.is_outcome_unknown() => Outcome::Unknown,
            _ => Outcome::Failed,
        };
        // Without a reason of the server it is told up to its first number: how long a client waited is no kind of failure.
        let text = || error.message().split(|end: char| end.is_ascii_digit()).next().unwrap_or_default().to_owned();
        let why = error.reason().map_or_else(text, str::to_owned);
        self.recorder.note_failure(format!("{outcome:?} by {:?} {why}", error.code()));
        outcome
    }
}

/// Waits a little after a failed call, so that a cluster without a leader is not asked as fast as possible.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

fn patch_of(device_number: u32, value: u64) -> proto::PatchTwinRequest {
    proto::PatchTwinRequest {
        name: names::twin(NAMESPACE, &device(device_number)),
        desired_json: Some(format!("{{\"v\":{value}}}")),
        ..Default::default()
    }
}

/// The value in a document of this load; 0 for none.
///
/// # Errors
/// When it is no JSON.
pub fn value_in(json: &str) -> anyhow::Result<u64> {
    let document: serde_json::Value = serde_json::from_str(json).context("a document")?;
    Ok(document.get("v").and_then(serde_json::Value::as_u64).unwrap_or_default())
}

/// Creates the namespace and the devices that live.
///
/// # Errors
/// When the cluster refuses.
pub async fn prepare(client: &Client, recorder: &Recorder) -> anyhow::Result<()> {
    let namespace = proto::CreateNamespaceRequest { namespace_id: NAMESPACE.to_owned(), ..Default::default() };
    client.namespaces().create(namespace).await?;
    let stop = Arc::default();
    let hand = Hand {
        number: u16::MAX,
        client: client.clone(),
        recorder: recorder.clone(),
        chance: chance(0),
        count: 0,
        stop,
    };
    for number in 0..DEVICES {
        lives::create(&hand, number).await;
    }
    Ok(())
}

fn chance(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// All clients of a run.
pub struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts them; `client_of(n)` makes the way of client `n` to the cluster.
    ///
    /// # Errors
    /// When a client cannot be made.
    pub fn start(
        counts: Counts,
        seed: u64,
        recorder: &Recorder,
        client_of: impl Fn(u16) -> anyhow::Result<Client>,
    ) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for number in 0..counts.of() {
            let hand = Hand {
                number,
                client: client_of(number)?,
                recorder: recorder.clone(),
                chance: chance(seed ^ u64::from(number) << 48),
                count: 0,
                stop: Arc::clone(&stop),
            };
            tasks.push(match number {
                n if n < counts.singles => tokio::spawn(singles::run(hand)),
                n if n < counts.singles + counts.batches => tokio::spawn(batches::run(hand)),
                n if n < counts.singles + counts.batches + counts.streams => tokio::spawn(streams::run(hand)),
                _ => tokio::spawn(lives::run(hand)),
            });
        }
        Ok(Self { stop, tasks })
    }

    /// Stops all clients and waits for the calls that are open.
    ///
    /// # Errors
    /// When a client panicked.
    pub async fn finish(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Release);
        for task in self.tasks {
            task.await.context("a client panicked")?;
        }
        Ok(())
    }
}

/// Reads all devices linearizably, one after the other: what everything has come to.
///
/// # Errors
/// When a read fails.
pub async fn read_all(client: &Client, recorder: &Recorder) -> anyhow::Result<()> {
    let (stop, client) = (Arc::default(), client.clone());
    let hand = Hand { number: u16::MAX - 1, client, recorder: recorder.clone(), chance: chance(0), count: 0, stop };
    for number in 0..DEVICES {
        anyhow::ensure!(
            singles::read(&hand, number, Kind::Read).await.is_some(),
            "c{number} cannot be read in the end"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_go_together() {
        for n in [0, 7, DEVICES - 1, DEVICES, DEVICES + MORTALS - 1] {
            assert_eq!(number(&device(n)), Some(n));
        }
        assert_eq!(number("other"), None);
    }
}
