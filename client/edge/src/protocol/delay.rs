//! When the edge comes back after a link was lost. Section 7 of `sync.md`.

use std::time::Duration;

/// The first delay.
const FIRST_MS: u64 = 500;
/// It doubles up to this.
const LONGEST_MS: u64 = 60_000;

/// Milliseconds until the next link, after so many failures in a row; between half and one and a half times the delay.
pub(super) fn after(failures: u32, chance: u64) -> u64 {
    let delay = FIRST_MS.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_MS);
    jittered(delay, chance)
}

/// The longest wait: for those whom only a person at the cluster can help.
pub(super) fn longest(chance: u64) -> u64 {
    jittered(LONGEST_MS, chance)
}

/// What the cluster asked for; a little is added, so that those who were told the same do not come together.
pub(super) fn asked(delay: Duration, chance: u64) -> u64 {
    let delay = u64::try_from(delay.as_millis()).unwrap_or(LONGEST_MS).min(10 * LONGEST_MS);
    delay + chance % (delay / 8 + 1)
}

fn jittered(delay: u64, chance: u64) -> u64 {
    delay / 2 + chance % (delay + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_a_minute_and_spread() {
        assert_eq!((after(1, 0), after(1, 500)), (250, 750));
        assert_eq!((after(2, 0), after(2, 1_000)), (500, 1_500));
        assert_eq!((after(40, 0), after(40, 60_000)), (30_000, 90_000));
        for chance in 0..2_000 {
            assert!((250..=750).contains(&after(1, chance)));
            assert!((8_000..=9_000).contains(&asked(Duration::from_secs(8), chance)));
        }
    }
}
