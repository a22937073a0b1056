//! How long questions take: one client or several, each asking again as soon as it is answered.

use std::time::Duration;

use anyhow::Result;
use futures::future::try_join_all;
use serde::Serialize;
use tokio::time::Instant;

use super::questions::Question;
use super::store::Session;

/// Runs before the first one that counts.
const WARM_UP: u32 = 3;
/// So many runs count, even when time is up.
const AT_LEAST: usize = 3;
/// A question that takes longer is asked less often.
const SLOW: Duration = Duration::from_millis(200);

/// How often a question is asked: so many times, or until the time is up, which the number of runs in the JSON shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    pub(super) runs: u32,
    /// Of questions that take longer than [`SLOW`].
    pub(super) slow_runs: u32,
    pub(super) within: Duration,
}

impl Effort {
    /// So many runs, unless a question takes so long that the run would not end.
    pub(super) fn at_rest(runs: u32, slow_runs: u32) -> Self {
        Self { runs, slow_runs: slow_runs.min(runs), within: Duration::from_secs(30) }
    }
}

/// Percentiles in milliseconds. Of fewer than a hundred runs, the 99th is the longest.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Times {
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) runs: usize,
    /// Answers a second, of all clients together.
    pub(super) rate: f64,
}

/// How long a question takes.
pub(super) async fn time(session: &mut impl Session, question: &Question, effort: Effort) -> Result<Times> {
    session.turn_to(question).await?;
    let warming = Instant::now();
    for _ in 0..WARM_UP {
        session.time().await?;
    }
    let slow = warming.elapsed() > SLOW * WARM_UP;
    let runs = if slow { effort.slow_runs } else { effort.runs } as usize;
    let (started, mut times) = (Instant::now(), Vec::new());
    while times.len() < runs && (times.len() < AT_LEAST || started.elapsed() <= effort.within) {
        times.push(once(session).await?);
    }
    Ok(summary(times, started.elapsed()))
}

/// How long it takes when several ask it at the same time.
pub(super) async fn time_together<S: Session>(
    sessions: &mut [S],
    question: &Question,
    within: Duration,
) -> Result<Times> {
    if let Some((first, others)) = sessions.split_first_mut() {
        first.turn_to(question).await?;
        for session in others {
            session.learn(first);
            session.turn_to(question).await?;
        }
    }
    let started = Instant::now();
    let clients = sessions.iter_mut().map(|session| async move {
        let mut times = Vec::new();
        while times.is_empty() || started.elapsed() <= within {
            times.push(once(session).await?);
        }
        anyhow::Ok(times)
    });
    let times = try_join_all(clients).await?.concat();
    Ok(summary(times, started.elapsed()))
}

async fn once(session: &mut impl Session) -> Result<f64> {
    let begun = Instant::now();
    session.time().await?;
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

#[allow(clippy::cast_precision_loss, reason = "a rate for people")]
fn summary(mut times: Vec<f64>, took: Duration) -> Times {
    times.sort_by(f64::total_cmp);
    // The smallest that is not below so many of a hundred.
    let rank = |percent: usize| (times.len() * percent).div_ceil(100).max(1) - 1;
    let at = |percent| times.get(rank(percent)).copied().unwrap_or(f64::NAN);
    let rate = times.len() as f64 / took.as_secs_f64();
    Times { p50_ms: at(50), p95_ms: at(95), p99_ms: at(99), runs: times.len(), rate }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks() {
        let times = summary((1..=200).rev().map(f64::from).collect(), Duration::from_secs(2));
        assert_eq!((times.p50_ms, times.p95_ms, times.p99_ms, times.runs), (100.0, 190.0, 198.0, 200));
        assert!((times.rate - 100.0).abs() < 1e-9);
        let few = summary(vec![3.0, 1.0, 2.0], Duration::from_secs(1));
        assert_eq!((few.p50_ms, few.p95_ms, few.p99_ms), (2.0, 3.0, 3.0));
    }
}
