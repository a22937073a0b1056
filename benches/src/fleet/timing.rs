//! One client asks one question again and again.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::time::Instant;

use super::questions::Question;
use super::store::Session;

/// Runs before the first one that counts.
const WARM_UP: u32 = 3;
/// So many runs count, even when time is up.
const AT_LEAST: usize = 3;

/// How often a question is asked: so many times, or until the time is up, which the number of runs in the JSON shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    pub(super) runs: u32,
    pub(super) within: Duration,
}

impl Effort {
    /// So many runs, unless a question takes so long that the run would not end.
    pub(super) fn at_rest(runs: u32) -> Self {
        Self { runs, within: Duration::from_secs(120) }
    }
}

/// Median and 99th percentile, milliseconds. Of fewer than a hundred runs, the latter is the longest.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Times {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) runs: usize,
}

/// How long a question takes.
pub(super) async fn time(session: &mut impl Session, question: &Question, effort: Effort) -> Result<Times> {
    session.turn_to(question).await?;
    for _ in 0..WARM_UP {
        session.time().await?;
    }
    let (started, mut times) = (Instant::now(), Vec::new());
    while times.len() < effort.runs as usize {
        if times.len() >= AT_LEAST && started.elapsed() > effort.within {
            break;
        }
        let begun = Instant::now();
        session.time().await?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(summary(times))
}

fn summary(mut times: Vec<f64>) -> Times {
    times.sort_by(f64::total_cmp);
    // The smallest that is not below so many of a hundred.
    let rank = |percent: usize| (times.len() * percent).div_ceil(100).max(1) - 1;
    let at = |percent| times.get(rank(percent)).copied().unwrap_or(f64::NAN);
    Times { p50_ms: at(50), p99_ms: at(99), runs: times.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks() {
        let times = summary((1..=200).rev().map(f64::from).collect());
        assert_eq!((times.p50_ms, times.p99_ms, times.runs), (100.0, 198.0, 200));
        let few = summary(vec![3.0, 1.0, 2.0]);
        assert_eq!((few.p50_ms, few.p99_ms), (2.0, 3.0));
    }
}
