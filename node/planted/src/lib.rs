//! Bugs that can be planted into Muster, one at a time, to show that its checks would notice them (`cargo xtask mutants`).
//!
//! ```text
//! if planted::is(Bug::UplinkGap) { return Ok(()); }      one line at the place where somebody could make the mistake
//! ```
//!
//! Knows the names of the bugs, not where they are nor what finds them. Invariants:
//!
//! - Without the feature `planted-bugs`, [`is`] is the constant `false`, and the compiler removes every bug. No binary that
//!   is meant for use is built with it.
//! - With it a process makes at most one mistake: the one that `MUSTER_PLANTED_BUG` named when it was first asked. A name
//!   that is none ends the process: a check of a bug that is not there proves nothing.

mod bug;

pub use bug::{Bug, Promise};

/// The variable that names the bug.
pub const VARIABLE: &str = "MUSTER_PLANTED_BUG";

/// Whether this process is to make this mistake: never.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
#[must_use]
pub const fn is(_: Bug) -> bool {
    false
}

/// Whether this process is to make this mistake.
///
/// # Panics
/// When the variable names no bug.
#[cfg(feature = "planted-bugs")]
#[must_use]
pub fn is(bug: Bug) -> bool {
    use std::sync::LazyLock;

    static PLANTED: LazyLock<Option<Bug>> = LazyLock::new(|| {
        let name = std::env::var(VARIABLE).ok()?;
        let bug = Bug::named(&name);
        Some(bug.unwrap_or_else(|| panic!("{VARIABLE}: there is no bug `{name}`")))
    });
    *PLANTED == Some(bug)
}

/// The time that a process making this mistake takes from its own clock, milliseconds: here, so that those who must not
/// know a clock do not learn of one. Never asked for without the feature.
#[must_use]
pub fn own_clock_ms() -> u64 {
    #[cfg(feature = "planted-bugs")]
    {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
    #[cfg(not(feature = "planted-bugs"))]
    0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_bug_is_found_by_its_name_and_there_are_no_two_of_one_name() {
        let names: BTreeSet<_> = Bug::ALL.iter().map(|bug| bug.name()).collect();
        assert_eq!(names.len(), Bug::ALL.len());
        assert!(Bug::ALL.iter().all(|bug| Bug::named(bug.name()) == Some(*bug)));
        assert_eq!(Bug::named("no-such-bug"), None);
    }

    #[test]
    fn none_of_the_numbers_of_the_plan_is_missing() {
        let numbers: BTreeSet<_> = Bug::ALL.iter().filter_map(|bug| bug.number()).collect();
        assert_eq!(numbers, (1..=34).collect());
    }

    #[test]
    #[cfg(not(feature = "planted-bugs"))]
    fn nothing_is_planted_without_the_feature() {
        const { assert!(!is(Bug::UplinkGap)) }
    }
}
