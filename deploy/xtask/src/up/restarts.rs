//! When a node that ended is started again: after a pause that lets its absence be seen, and not without end.
//!
//! Knows node ids and time, no processes. A node that ends again and again has a reason that another start won't mend.

use std::time::{Duration, Instant};

/// Long enough to watch the others elect a leader and go on; short enough not to be waited for.
const PAUSE: Duration = Duration::from_secs(5);

/// This many ends within `WINDOW` are too many.
const ENDS_MAX: usize = 4;
const WINDOW: Duration = Duration::from_secs(60);

/// What ended lately, and what is to be started.
#[derive(Default)]
pub(super) struct Restarts {
    ends: Vec<(u16, Instant)>,
    waiting: Vec<(u16, Instant)>,
}

impl Restarts {
    /// Plans to start a node that just ended; tells in how long, or nothing when it ended too often.
    pub(super) fn schedule(&mut self, id: u16) -> Option<Duration> {
        self.schedule_at(id, Instant::now())
    }

    /// The nodes whose time has come.
    pub(super) fn due(&mut self) -> Vec<u16> {
        self.due_at(Instant::now())
    }

    /// Whether nothing waits to be started.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    fn schedule_at(&mut self, id: u16, now: Instant) -> Option<Duration> {
        self.ends.retain(|(_, at)| now.duration_since(*at) < WINDOW);
        self.ends.push((id, now));
        if self.ends.iter().filter(|(other, _)| *other == id).count() >= ENDS_MAX {
            return None;
        }
        self.waiting.push((id, now + PAUSE));
        Some(PAUSE)
    }

    fn due_at(&mut self, now: Instant) -> Vec<u16> {
        let due = self.waiting.iter().filter(|(_, at)| *at <= now).map(|(id, _)| *id).collect();
        self.waiting.retain(|(_, at)| *at > now);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_comes_back_after_a_pause_once() {
        let mut restarts = Restarts::default();
        let now = Instant::now();
        assert_eq!(restarts.schedule_at(2, now), Some(PAUSE));
        assert!(restarts.due_at(now).is_empty() && !restarts.is_idle());
        assert_eq!(restarts.due_at(now + PAUSE), [2]);
        assert!(restarts.due_at(now + PAUSE).is_empty() && restarts.is_idle());
    }

    #[test]
    fn a_node_that_keeps_ending_stays_down_and_others_do_not_suffer() {
        let mut restarts = Restarts::default();
        let now = Instant::now();
        for end in 1..ENDS_MAX {
            assert!(restarts.schedule_at(1, now).is_some(), "end {end}");
        }
        assert!(restarts.schedule_at(1, now).is_none());
        assert!(restarts.schedule_at(3, now).is_some());
        assert!(restarts.schedule_at(1, now + WINDOW).is_some(), "long ago is forgotten");
    }
}
