//! Which floor a policy asks for, given what lies in the log. It knows no disk and no clock.
//!
//! Compacting is itself a revision, so bounds have slack: a policy that has just been carried out is not due again before a
//! part of what it keeps has come in anew.

use muster_domain::retention::RetentionPolicy;

/// The slack of ages at most, milliseconds.
const AGE_SLACK_MS_MAX: u64 = 3_600_000;
/// Fewer revisions than this are looked at one by one: a log of nothing but compactions is left alone.
const FEW: u64 = 8;

/// What must be known of the log.
pub(super) trait Log {
    type Error;

    /// The newest revision.
    fn newest(&self) -> u64;

    /// When a revision was made, milliseconds since the epoch; never decreases from one to the next.
    fn time_ms(&self, revision: u64) -> Result<u64, Self::Error>;

    /// Stored bytes from a revision on; `None` while they are not counted.
    fn bytes_from(&self, revision: u64) -> Option<u64>;

    /// About the oldest revision from which on at most so many bytes are stored.
    fn oldest_within(&self, bytes: u64) -> Option<u64>;

    /// Whether a revision says nothing but that events were compacted.
    fn is_compaction(&self, revision: u64) -> Result<bool, Self::Error>;
}

/// The floor that is due, if one is. `floor` is the one in force.
pub(super) fn floor<L: Log>(
    policy: &RetentionPolicy,
    floor: u64,
    now_ms: u64,
    log: &L,
) -> Result<Option<u64>, L::Error> {
    let newest = log.newest();
    if floor >= newest {
        return Ok(None);
    }
    let mut due = floor;
    if let Some(max) = policy.max_revisions {
        let kept = newest + 1 - floor;
        if kept > max.saturating_add(max / 10) {
            due = due.max(newest + 1 - max);
        }
    }
    if let (Some(max), Some(kept)) = (policy.max_bytes, log.bytes_from(floor))
        && kept > max.saturating_add(max / 10)
    {
        due = due.max(log.oldest_within(max).unwrap_or(floor));
    }
    if let Some(max) = policy.max_age_ms {
        let slack = (max / 100).min(AGE_SLACK_MS_MAX);
        if log.time_ms(floor)? < now_ms.saturating_sub(max).saturating_sub(slack) {
            due = due.max(first_since(log, floor, newest, now_ms.saturating_sub(max))?);
        }
    }
    // The newest revision always stays.
    let due = due.min(newest);
    if due == floor || (due - floor <= FEW && only_compactions(log, floor, due)?) {
        return Ok(None);
    }
    Ok(Some(due))
}

/// The first revision from `floor` on that was made at `time_ms` or later; `newest` if none was.
fn first_since<L: Log>(log: &L, floor: u64, newest: u64, time_ms: u64) -> Result<u64, L::Error> {
    let (mut low, mut high) = (floor, newest);
    while low < high {
        let middle = low + (high - low) / 2;
        if log.time_ms(middle)? < time_ms {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn only_compactions<L: Log>(log: &L, floor: u64, due: u64) -> Result<bool, L::Error> {
    for revision in floor..due {
        if !log.is_compaction(revision)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Revision `r` was made at second `r` and has 100 bytes; those above `real` are compactions.
    struct Plain {
        newest: u64,
        real: u64,
    }

    impl Log for Plain {
        type Error = Infallible;
        fn newest(&self) -> u64 {
            self.newest
        }
        fn time_ms(&self, revision: u64) -> Result<u64, Infallible> {
            Ok(revision * 1_000)
        }
        fn bytes_from(&self, revision: u64) -> Option<u64> {
            Some((self.newest + 1 - revision) * 100)
        }
        fn oldest_within(&self, bytes: u64) -> Option<u64> {
            Some(self.newest + 1 - bytes / 100)
        }
        fn is_compaction(&self, revision: u64) -> Result<bool, Infallible> {
            Ok(revision > self.real)
        }
    }

    fn due(policy: RetentionPolicy, from: u64, now_ms: u64, log: &Plain) -> Option<u64> {
        match floor(&policy, from, now_ms, log) {
            Ok(due) => due,
            Err(never) => match never {},
        }
    }

    const NONE: RetentionPolicy = RetentionPolicy { max_age_ms: None, max_bytes: None, max_revisions: None };

    #[test]
    fn each_bound_alone_and_the_strictest_of_all() {
        let log = Plain { newest: 1_000, real: 1_000 };
        let revisions = RetentionPolicy { max_revisions: Some(100), ..NONE };
        let bytes = RetentionPolicy { max_bytes: Some(20_000), ..NONE };
        let age = RetentionPolicy { max_age_ms: Some(50_000), ..NONE };
        assert_eq!(due(NONE, 1, 2_000_000, &log), None);
        assert_eq!(due(revisions, 1, 1_000_000, &log), Some(901));
        assert_eq!(due(bytes, 1, 1_000_000, &log), Some(801));
        assert_eq!(due(age, 1, 1_000_000, &log), Some(950), "made 50 s ago: just kept");
        let all = RetentionPolicy { max_age_ms: Some(50_000), max_bytes: Some(20_000), max_revisions: Some(100) };
        assert_eq!(due(all, 1, 1_000_000, &log), Some(950));
        assert_eq!(due(age, 1, 9_000_000, &log), Some(1_000), "the newest stays, however old");
    }

    #[test]
    fn a_bound_that_is_just_passed_waits() {
        let log = Plain { newest: 1_000, real: 1_000 };
        let revisions = RetentionPolicy { max_revisions: Some(100), ..NONE };
        assert_eq!(due(revisions, 891, 0, &log), None, "110 are kept");
        assert_eq!(due(revisions, 890, 0, &log), Some(901), "111 are kept");
        let age = RetentionPolicy { max_age_ms: Some(100_000), ..NONE };
        assert_eq!(due(age, 899, 1_000_000, &log), None, "101 s old: within the slack");
        assert_eq!(due(age, 898, 1_000_000, &log), Some(900));
        assert_eq!(due(age, 1_000, 9_000_000, &log), None, "nothing but the newest is left");
    }

    #[test]
    fn compacting_is_not_a_reason_to_compact() {
        let tight = RetentionPolicy { max_revisions: Some(1), ..NONE };
        assert_eq!(due(tight, 1, 0, &Plain { newest: 2, real: 2 }), Some(2));
        // Its own revision came on top; the change before it goes, and then there is rest.
        assert_eq!(due(tight, 2, 0, &Plain { newest: 3, real: 2 }), Some(3));
        assert_eq!(due(tight, 3, 0, &Plain { newest: 4, real: 2 }), None);
        assert_eq!(due(tight, 3, 0, &Plain { newest: 5, real: 5 }), Some(5));
    }
}
