//! Sweeps this node's disk behind the floors. What it does changes no answer, so every node does it by itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::apply::Applier;
use crate::store::error::StoreError;
use crate::store::event_log;
use crate::store::states::States;
use crate::store::sweep;
use crate::tasks::{self, StopSignal};

/// How often it looks.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a floor must be known before it is swept: a read that began before may still be looking back.
const GRACE: Duration = Duration::from_secs(3);

/// The task's parts.
pub struct Sweeper {
    /// Knows the floors in force.
    pub applier: Arc<Applier>,
    /// Holds events and images.
    pub states: Arc<States>,
}

impl Sweeper {
    /// Starts the task. A fault of the disk ends the process, as everywhere.
    pub fn start(self, stop: StopSignal) {
        drop(tasks::spawn("sweeper", async move {
            while pause(&stop, PAUSE).await {
                let floor = self.applier.physical_floor();
                // Asked of the store each time: a snapshot that was installed may be behind.
                let swept = or_die(event_log::swept(&self.states.db())).revision;
                if floor <= swept || !pause(&stop, GRACE).await {
                    continue;
                }
                let states = Arc::clone(&self.states);
                let Some(reached) = tasks::blocking(move || sweep_to(&states, floor)).await else { return };
                tracing::info!(oldest_revision = or_die(reached), "swept compacted events");
            }
        }));
    }
}

fn or_die<T>(result: Result<T, StoreError>) -> T {
    result.unwrap_or_else(|error| {
        let chain = crate::raft::chain(&error);
        tasks::die(tasks::EXIT_STORAGE, &format!("sweeping compacted events: {chain}"))
    })
}

/// False when the node was told to stop meanwhile.
async fn pause(stop: &StopSignal, time: Duration) -> bool {
    tokio::select! {
        () = stop.clone().stopped() => false,
        () = sleep(time) => true,
    }
}

/// Sweeps up to `floor`, or as far as an installed snapshot lets it, and says how far it came.
fn sweep_to(states: &States, floor: u64) -> Result<u64, StoreError> {
    let mut reached = sweep_on(states, floor)?;
    if reached < floor {
        // What is left waits for the twins that it leads to.
        states.write_twins()?;
        reached = sweep_on(states, floor)?;
    }
    sweep::free(states)?;
    #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("muster_events_oldest_revision").set(reached as f64);
    Ok(reached)
}

fn sweep_on(states: &States, floor: u64) -> Result<u64, StoreError> {
    let mut reached = 0;
    loop {
        let next = sweep::step(states, floor)?;
        if next <= reached {
            return Ok(reached);
        }
        reached = next;
    }
}
