//! The cluster of a run before it starts, and how clients reach it.

use std::time::Duration;

use muster_client::{Client, RetryPolicy};

use super::clients::Load;
use super::run::Task;
use crate::cluster::{Cluster, Options};
use crate::faults::network::Network;
use crate::history::Recorder;

/// Makes the members, which can be broken, and the ways between them; starts nothing.
pub(super) async fn prepare(task: &Task) -> anyhow::Result<(Cluster, Network)> {
    let plan = &task.plan;
    let options = Options { nodes: plan.nodes, settings: plan.settings.clone(), breakable: true, recorded: None };
    let cluster = Cluster::prepare(options, task.musterd.clone()).await?;
    let network = Network::between(&cluster).await?;
    Ok((cluster, network))
}

/// Puts a run's load on a cluster.
pub(super) fn load(cluster: &Cluster, task: &Task, recorder: &Recorder) -> anyhow::Result<Load> {
    Load::start(task.counts, task.plan.seed, recorder, |number| {
        let config = cluster.client_config(&rotated(cluster, number.into()))?.retry(eager());
        Ok(Client::new(config.token_file(cluster.pki().join("admin.token"))?)?)
    })
}

/// The members, beginning with another one for each number.
pub(super) fn rotated(cluster: &Cluster, first: usize) -> Vec<u64> {
    let mut ids = cluster.ids();
    let first = first % ids.len();
    ids.rotate_left(first);
    ids
}

/// Clients of a run ask again soon, and give up soon enough to tell the unknown from the failed.
pub(super) fn eager() -> RetryPolicy {
    RetryPolicy {
        deadline: Duration::from_secs(4),
        attempt_timeout: Duration::from_secs(1),
        first_wait: Duration::from_millis(10),
        wait_max: Duration::from_millis(100),
        attempts_max: 1_000,
    }
}
