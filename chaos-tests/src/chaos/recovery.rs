//! R3: the rate of acknowledged writes is back after the storm.
//!
//! - The measure is the rate before the storm. A machine that became slower meanwhile is no finding, so where that rate is not reached
//!   the same load is put on a cluster that nothing ever happened to, beside the one in question, and both are measured in the same
//!   windows: whatever else runs there costs both.
//! - Knows nothing of what broke.

use std::time::{Duration, Instant};

use super::clients::{self, Load};
use super::run::Task;
use super::ways;
use crate::cluster::Cluster;
use crate::faults::network::Network;
use crate::history::Recorder;

/// How long each measurement takes.
pub(super) const WINDOW: Duration = Duration::from_secs(3);
/// How much of the rate that it is measured against has to be back.
const RECOVERED_MIN: f64 = 0.5;
/// How many windows it may take against the rate before, and as many against the other cluster.
const WINDOWS_MAX: u32 = 4;

/// Acknowledged writes a second.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Before the storm.
    pub before: f64,
    /// After it.
    pub after: f64,
    /// Of the other cluster at the same time as `after`, where it was asked.
    pub beside: Option<f64>,
}

impl Rates {
    /// One when the rate is back.
    ///
    /// # Errors
    /// The finding, when it is not.
    pub(super) fn verdict(self) -> Result<u64, String> {
        let enough = |rate: f64| self.after > 0.0 && self.after >= rate * RECOVERED_MIN;
        if enough(self.before) || self.beside.is_some_and(enough) { Ok(1) } else { Err(format!("R3: {self}")) }
    }
}

impl std::fmt::Display for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} writes a second before the storm, {:.0} after it", self.before, self.after)?;
        self.beside.map_or(Ok(()), |rate| write!(f, ", {rate:.0} of a new cluster beside it"))
    }
}

/// Measures until the rate is back or the time is over. The load that `recorder` counts goes on meanwhile.
///
/// # Errors
/// When the cluster beside cannot be brought up.
pub(super) async fn measure(before: f64, recorder: &Recorder, task: &Task) -> anyhow::Result<Rates> {
    let mut rates = Rates { before, after: 0.0, beside: None };
    for _ in 0..WINDOWS_MAX {
        rates.after = rate(recorder).await;
        if rates.verdict().is_ok() {
            return Ok(rates);
        }
    }
    let beside = Beside::start(task).await?;
    for _ in 0..WINDOWS_MAX {
        let (after, other) = tokio::join!(rate(recorder), rate(&beside.recorder));
        rates = Rates { before, after, beside: Some(other) };
        if rates.verdict().is_ok() {
            break;
        }
    }
    beside.load.finish().await?;
    Ok(rates)
}

/// Acknowledged writes a second over one window.
pub(super) async fn rate(recorder: &Recorder) -> f64 {
    let (from, begun) = (recorder.acknowledged(), Instant::now());
    tokio::time::sleep(WINDOW).await;
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let done = (recorder.acknowledged() - from) as f64;
    done / begun.elapsed().as_secs_f64()
}

/// A cluster like that of the run, with the same load, to which nothing happens.
struct Beside {
    recorder: Recorder,
    load: Load,
    /// Dropped last: both are in its way.
    _network: Network,
    _cluster: Cluster,
}

impl Beside {
    async fn start(task: &Task) -> anyhow::Result<Self> {
        let (mut cluster, network) = ways::prepare(task).await?;
        cluster.start_all().await?;
        let recorder = Recorder::default();
        clients::prepare(&cluster.client()?, &recorder).await?;
        let load = ways::load(&cluster, task, &recorder)?;
        Ok(Self { recorder, load, _network: network, _cluster: cluster })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_machine_is_no_finding_and_a_slow_cluster_is() {
        let rates = |after, beside| Rates { before: 1_000.0, after, beside };
        assert!(rates(500.0, None).verdict().is_ok());
        assert!(rates(499.0, None).verdict().is_err());
        assert!(rates(100.0, Some(150.0)).verdict().is_ok(), "the new one is as slow");
        assert!(rates(0.0, Some(0.0)).verdict().is_err(), "nothing is no rate");
        let finding = rates(100.0, Some(400.0)).verdict().expect_err("only this one is slow");
        assert_eq!(finding, "R3: 1000 writes a second before the storm, 100 after it, 400 of a new cluster beside it");
    }
}
