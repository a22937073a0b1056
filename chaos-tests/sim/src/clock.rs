//! A node's clock: simulated time, with a wall clock that may be set wrongly.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use muster_sim_node::clock::Clock;
use muster_sim_std::baton;

/// When all runs begin: milliseconds since 1970.
const BEGIN_MS: i64 = 1_790_000_000_000;

/// The clock of one node, across its restarts.
#[derive(Debug)]
pub struct SimClock {
    origin: Instant,
    ahead_ms: AtomicI64,
}

impl SimClock {
    /// A clock that goes right.
    #[must_use]
    pub fn new() -> Self {
        // Of a monotonic clock only differences count.
        Self { origin: Instant::now(), ahead_ms: AtomicI64::new(0) }
    }

    /// Sets the wall clock so many milliseconds ahead of the right time, or behind.
    pub fn set_ahead(&self, ms: i64) {
        self.ahead_ms.store(ms, Ordering::Relaxed);
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SimClock {
    fn now_ms(&self) -> u64 {
        let passed = i64::try_from(baton::now_ns() / 1_000_000).unwrap_or(i64::MAX / 2);
        u64::try_from(BEGIN_MS + passed + self.ahead_ms.load(Ordering::Relaxed)).unwrap_or_default()
    }

    fn monotonic(&self) -> Instant {
        self.origin + Duration::from_nanos(baton::now_ns())
    }
}
