//! What the faults cost those who write: gaps between acknowledged writes, and rates over time.

use crate::history::Op;

use super::nemesis::Happened;

/// How long after a fault a gap still counts as its own.
const REACH_NS: u64 = 3_000_000_000;

/// Percentiles of some durations, milliseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram(Vec<f64>);

impl Histogram {
    /// Of these.
    #[must_use]
    pub fn new(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        Self(values)
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// All of them, the shortest first.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// The value that so many of a hundred do not exceed; 0 for none.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).or(self.0.last()).copied().unwrap_or_default()
    }

    /// `count: p50, p90, p99, longest`, and how many lie in each step.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let bounds =
            [100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 1_000.0, 1_250.0, 1_500.0, 2_000.0];
        let mut lines = vec![format!(
            "{} in all: p50 {:.0} ms, p90 {:.0} ms, p99 {:.0} ms, longest {:.0} ms",
            self.count(),
            self.percentile(50),
            self.percentile(90),
            self.percentile(99),
            self.percentile(100)
        )];
        let mut from = 0;
        for bound in bounds.into_iter().chain([f64::INFINITY]) {
            let to = self.0.partition_point(|value| *value <= bound);
            if to > from {
                lines.push(format!("  up to {bound:>6} ms: {}", to - from));
            }
            from = to;
        }
        lines
    }
}

/// Instants at which writes were acknowledged, in order. `ops` are in the order of their ends.
#[must_use]
pub fn acknowledged(ops: &[Op]) -> Vec<u64> {
    ops.iter().filter(|op| op.is_ok() && op.kind.is_write()).map(|op| op.returned_ns).collect()
}

/// For each kill of a leader, how long no write was acknowledged: the longest gap that began soon after it and before the next
/// one, whose own it is otherwise. Kills near the end, before anything came, count until the end.
#[must_use]
pub fn failovers(acknowledged: &[u64], happened: &[Happened], end_ns: u64) -> Histogram {
    let kills: Vec<u64> =
        happened.iter().filter(|fault| fault.kind == "kill leader").map(|fault| fault.from_ns).collect();
    let nexts = kills.iter().skip(1).copied().chain([end_ns]);
    let gap = |(kill, next): (&u64, u64)| gap_after(acknowledged, *kill, next.min(kill + REACH_NS), end_ns);
    Histogram::new(kills.iter().zip(nexts).map(|kill| milliseconds(gap(kill))).collect())
}

/// The longest time without an acknowledged write in the whole run, milliseconds.
#[must_use]
pub fn longest_gap(acknowledged: &[u64]) -> f64 {
    milliseconds(acknowledged.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default())
}

/// The longest gap that begins between `from_ns` and `until_ns`.
fn gap_after(acknowledged: &[u64], from_ns: u64, until_ns: u64, end_ns: u64) -> u64 {
    let last_before = acknowledged.partition_point(|instant| *instant <= from_ns).saturating_sub(1);
    let mut longest = 0;
    let mut before = acknowledged.get(last_before).copied().unwrap_or(from_ns).max(from_ns);
    for instant in acknowledged[last_before..].iter().copied().filter(|instant| *instant > from_ns).chain([end_ns]) {
        if before > until_ns {
            break;
        }
        longest = longest.max(instant.saturating_sub(before));
        before = instant;
    }
    longest
}

#[expect(clippy::cast_precision_loss, reason = "for a person to read")]
pub(super) fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn the_gap_of_a_kill_is_the_longest_after_it() {
        let writes: Vec<u64> = [1, 2, 3, 4, 5, 800, 801, 810, 9_000].map(|ms| ms * MS).to_vec();
        let reach = 4 * MS + REACH_NS;
        assert_eq!(gap_after(&writes, 4 * MS, reach, 9_500 * MS), 8_190 * MS, "the one that begins within reach");
        assert_eq!(gap_after(&writes, 4 * MS, 805 * MS, 9_500 * MS), 795 * MS, "what begins later is another kill's");
        assert_eq!(gap_after(&writes[..8], 4 * MS, reach, 811 * MS), 795 * MS);
        assert_eq!(gap_after(&[], 4 * MS, reach, 600 * MS), 596 * MS, "nothing came");
        assert!((longest_gap(&writes) - 8_190.0).abs() < 1e-6);
    }

    #[test]
    fn percentiles_are_values() {
        let histogram = Histogram::new((1..=200).rev().map(f64::from).collect());
        assert_eq!(histogram.percentile(50), 100.0);
        assert_eq!(histogram.percentile(99), 198.0);
        assert_eq!(histogram.percentile(100), 200.0);
        assert_eq!(Histogram::default().percentile(99), 0.0);
    }
}
