//! Bridges: other ways to what the edge holds than its socket. MQTT for devices that speak it, files for programs that read
//! files.
//!
//! ```text
//!   keeper ──▶ marks ──▶ feed ──┬──▶ mqtt ──▶ broker      newest of each resource that changed
//!     ▲                         └──▶ folder ──▶ files
//!     └──────── reports, statuses ──── mqtt ◀── broker    acknowledged when they are durable here
//! ```
//!
//! - A bridge is a client of the agent like any other: it knows neither store nor protocol, and whatever happens to it, to a
//!   broker or to a disk beside the store, the agent goes on.
//! - Nothing is bridged before the replica was whole once: an empty store would look like an empty scope.
//! - What a bridge keeps in memory is bounded by the names of the scope.

mod escape;
mod feed;
pub(crate) mod folder;
pub(crate) mod mqtt;
mod standing;

use std::time::Duration;

use rand::Rng;
use tokio::sync::watch;

use crate::handle::Handle;

pub(crate) use standing::{Standing, Standings};

/// Waits that double up to a bound, each shortened by chance so that many do not come back at once.
struct Pause {
    next: Duration,
    longest: Duration,
}

impl Pause {
    const FIRST: Duration = Duration::from_millis(500);

    fn new(longest: Duration) -> Self {
        Self { next: Self::FIRST, longest }
    }

    fn reset(&mut self) {
        self.next = Self::FIRST;
    }

    fn next(&mut self) -> Duration {
        let wait = self.next.mul_f64(rand::rng().random_range(0.5..1.0));
        self.next = (self.next * 2).min(self.longest);
        wait
    }
}

/// Waits until the replica was whole once; false when told to stop before.
async fn replica_is_whole(handle: &Handle, stop: &mut watch::Receiver<bool>) -> bool {
    let mut progress = handle.published().progress();
    tokio::select! {
        whole = progress.wait_for(|cursor| *cursor > 0) => whole.is_ok(),
        _ = stop.wait_for(|stop| *stop) => false,
    }
}

/// Waits; false when told to stop meanwhile.
async fn slept(wait: Duration, stop: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(wait) => true,
        _ = stop.wait_for(|stop| *stop) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_begin_again() {
        let mut pause = Pause::new(Duration::from_secs(2));
        let waits: Vec<_> = (0..5).map(|_| pause.next()).collect();
        for (wait, most) in waits.iter().zip([500, 1_000, 2_000, 2_000, 2_000]) {
            let most = Duration::from_millis(most);
            assert!(*wait >= most / 2 && *wait < most, "{wait:?} of {most:?}");
        }
        pause.reset();
        assert!(pause.next() < Pause::FIRST);
    }
}
