//! Sweeps this node's disk behind the floors. What it does changes no answer, so every node does it by itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::apply::Applier;
use crate::store::error::StoreError;
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
            let mut swept = 0;
            loop {
                if !pause(&stop, PAUSE).await {
                    return;
                }
                let floor = self.applier.physical_floor();
                if floor <= swept.max(1) {
                    continue;
                }
                if !pause(&stop, GRACE).await {
                    return;
                }
                let states = Arc::clone(&self.states);
                match tasks::blocking(move || sweep_to(&states, floor)).await {
                    Some(Ok(reached)) => swept = reached,
                    Some(Err(error)) => tasks::die(
                        tasks::EXIT_STORAGE,
                        &format!("sweeping compacted events: {}", crate::raft::chain(&error)),
                    ),
                    None => return,
                }
            }
        }));
    }
}

/// False when the node was told to stop meanwhile.
async fn pause(stop: &StopSignal, time: Duration) -> bool {
    tokio::select! {
        () = stop.clone().stopped() => false,
        () = sleep(time) => true,
    }
}

/// Sweeps up to `floor` and says how far it came: a snapshot installed meanwhile may be behind.
fn sweep_to(states: &States, floor: u64) -> Result<u64, StoreError> {
    // Their events may go only when the twins are written.
    states.write_twins()?;
    let mut reached = 0;
    loop {
        let next = sweep::step(states, floor)?;
        if next <= reached {
            break;
        }
        reached = next;
    }
    sweep::free(states)?;
    #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("muster_events_oldest_revision").set(reached as f64);
    tracing::info!(oldest_revision = reached, "swept compacted events");
    Ok(reached)
}
