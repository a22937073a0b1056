//! The only door to time. Everything else takes a [`Clock`], so that tests choose the hour.
//!
//! Deliberately knows nothing of Raft or of stamps: that a stamp never goes backwards is `propose`'s promise,
//! because a wall clock may well go backwards.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall-clock and monotonic time.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970-01-01T00:00:00Z. May jump in either direction when the system's clock is set.
    fn now_ms(&self) -> u64;

    /// Monotonic time, for measuring and for deadlines. Never leaves this process.
    fn monotonic(&self) -> Instant;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that may ask the machine for the time")]
    fn now_ms(&self) -> u64 {
        // A clock before 1970 is a machine without a battery that has not synchronised yet: 0 is as good as its guess.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, saturating_millis)
    }

    #[allow(clippy::disallowed_methods, reason = "this is the one place that may ask the machine for the time")]
    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

/// A clock that moves only when told to; both of its times move together.
#[derive(Debug)]
pub struct ManualClock {
    start: Instant,
    start_ms: u64,
    elapsed_ms: AtomicU64,
}

impl ManualClock {
    /// Starts at `now_ms`, in milliseconds since 1970.
    #[must_use]
    pub fn new(now_ms: u64) -> Self {
        Self { start: SystemClock.monotonic(), start_ms: now_ms, elapsed_ms: AtomicU64::new(0) }
    }

    /// Moves both times forward.
    pub fn advance(&self, by: Duration) {
        self.elapsed_ms.fetch_add(saturating_millis(by), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.start_ms + self.elapsed_ms.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Instant {
        self.start + Duration::from_millis(self.elapsed_ms.load(Ordering::SeqCst))
    }
}

fn saturating_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(1_000);
        let before = clock.monotonic();
        assert_eq!(clock.now_ms(), 1_000);
        clock.advance(Duration::from_millis(250));
        assert_eq!(clock.now_ms(), 1_250);
        assert_eq!(clock.monotonic() - before, Duration::from_millis(250));
    }

    #[test]
    fn system_clock_is_in_this_millennium() {
        assert!(SystemClock.now_ms() > 1_700_000_000_000, "unix milliseconds, not seconds");
    }
}
