//! `query`: the questions people ask a fleet, against PostgreSQL with the same fleet in it.
//!
//! The way of a run: all [`systems`] are loaded with the same [`dataset`]; the [`questions`] are asked of all and the [`answers`]
//! compared, again after some changes, and a difference ends the run. Then each question is asked again and again, at rest and
//! while [`writers`] change twins, both through their protocols on this machine: gRPC on loopback, a Unix socket. PostgreSQL is
//! asked in two ways ([`indexes`]), Muster in two also: through a node, and the engine alone ([`engine`]).
//!
//! Invariants: nothing is timed that was not compared before, unless a system is left out, which the table says; a
//! write that Muster's next answer does not show fails the run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::machine::Machine;
use crate::options::QuerySettings;
use crate::rounds::{folder_for, musterd};
use crate::systems::muster::cluster::Cluster;
use crate::talk::{print, say};
use dataset::Fleet;
use node::Muster;
use postgres::Postgres;
use questions::Question;
use side::Loaded;
use summary::Summary;
use systems::Systems;
use timing::Effort;

mod answers;
mod dataset;
mod engine;
mod indexes;
mod live;
mod node;
mod postgres;
mod questions;
mod restart;
mod side;
mod sql;
mod store;
mod summary;
mod systems;
mod tables;
mod timing;
mod writers;

/// Devices of a quick run.
const QUICK: u32 = 10_000;
/// Changes after which answers are compared once more, and of a quick run.
const CHANGES: u64 = 40_000;
const QUICK_CHANGES: u64 = 2_000;
/// How long several clients of a quick run ask each question.
const QUICK_TOGETHER: Duration = Duration::from_millis(100);
/// Changes a second beside live queries.
const LIVE_RATE: u64 = 5_000;

/// Measures and prints; false when an answer was stale or an error.
pub(crate) async fn run(settings: &QuerySettings) -> Result<bool> {
    ensure!(!(settings.no_muster && settings.no_postgres), "there is nothing to measure: both systems were left out");
    let parent = settings.data_dir.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("muster-bench-").tempdir_in(&parent).context("make a folder")?;
    let fleet =
        Fleet { seed: settings.seed, twins: if settings.quick { QUICK } else { settings.twins }, tail: settings.tail };
    let questions = chosen(questions::all(&fleet), &settings.only)?;
    let machine = Machine::look(folder.path())?;
    let mut summary = Summary::new(settings.quick, (fleet, settings.clients), machine, questions);

    let server = start_postgres(settings, folder.path()).await?;
    let mut cluster = start_muster(settings, folder.path()).await?;
    let measured = measure(settings, fleet, server.as_ref(), cluster.as_mut(), &mut summary).await;
    if let Some(cluster) = cluster {
        cluster.stop().await;
    }
    if let Some(server) = server {
        server.stop().await?;
    }
    if measured.is_err() {
        print("THE RUN FAILED; what was measured before:\n");
    }
    print(&summary.markdown());
    if let Some(file) = &settings.json {
        std::fs::write(file, summary.to_json()?).with_context(|| format!("write {}", file.display()))?;
    }
    measured?;
    Ok(summary.missed() == 0 && summary.refused() == 0)
}

fn chosen(all: Vec<Question>, only: &[String]) -> Result<Vec<Question>> {
    for name in only {
        let known: Vec<_> = all.iter().map(|question| question.key).collect();
        ensure!(known.contains(&name.as_str()), "there is no question {name}; there are {}", known.join(", "));
    }
    Ok(all.into_iter().filter(|question| only.is_empty() || only.iter().any(|name| name == question.key)).collect())
}

async fn start_postgres(settings: &QuerySettings, folder: &Path) -> Result<Option<Postgres>> {
    if settings.no_postgres {
        return Ok(None);
    }
    let bin = postgres::installed(settings.postgres.as_deref())?;
    Ok(Some(Postgres::start(&bin, &folder.join("postgres")).await?))
}

async fn start_muster(settings: &QuerySettings, folder: &Path) -> Result<Option<Cluster>> {
    if settings.no_muster {
        return Ok(None);
    }
    let program = musterd(settings.musterd.as_deref())?;
    Ok(Some(Cluster::start(&program, &folder_for(folder, "muster")?, 1, false).await?))
}

async fn measure(
    settings: &QuerySettings,
    fleet: Fleet,
    server: Option<&Postgres>,
    cluster: Option<&mut Cluster>,
    summary: &mut Summary,
) -> Result<()> {
    let muster = cluster.as_deref().map(Muster::of).transpose()?;
    let mut systems = Systems::load(server.map(Postgres::place), muster, fleet).await?;
    let outcome = phases(settings, fleet, &mut systems, cluster, summary).await;
    (summary.postgres, summary.muster) = (systems.theirs.map(|it| it.side), systems.ours.map(|it| it.side));
    outcome
}

async fn phases(
    settings: &QuerySettings,
    fleet: Fleet,
    systems: &mut Systems,
    cluster: Option<&mut Cluster>,
    summary: &mut Summary,
) -> Result<()> {
    let questions = summary.questions.clone();
    let changes = if settings.quick { QUICK_CHANGES } else { CHANGES };

    let mut compared = systems.compare(&questions).await?;
    systems.change("usual indexes", changes).await?;
    compared &= systems.compare(&questions).await.context("after changes")?;
    let effort =
        if settings.quick { Effort::at_rest(11, 11) } else { Effort::at_rest(settings.runs, settings.slow_runs) };
    systems.at_rest(&questions, effort, summary).await?;

    systems.fit().await?;
    systems.change("fitted", changes).await?;
    compared &= systems.compare(&questions).await.context("of the fitted table")?;
    summary.compared_after_changes = compared.then_some(2 * changes);
    say(if compared {
        "all answers are the same, also after changes"
    } else {
        "answers are not compared: a system was left out"
    });
    summary.engine = systems.end_of_engine();
    systems.fitted_at_rest(&questions, effort, summary).await?;
    let seconds = Duration::from_secs(if settings.quick { 1 } else { settings.seconds });
    if settings.clients > 1 {
        let within = if settings.quick { QUICK_TOGETHER } else { seconds };
        systems.together(&questions, settings.clients, within).await?;
    }
    systems.fresh_at_rest().await?;
    for rate in &settings.rates {
        systems.beside(&questions, *rate, Effort { within: seconds, ..effort }).await?;
    }
    match systems.ours.as_ref().zip(cluster) {
        Some((ours, cluster)) => only_muster(settings, fleet, ours, cluster, summary).await,
        None => Ok(()),
    }
}

/// What PostgreSQL does not do, or not in a way that could be compared.
async fn only_muster(
    settings: &QuerySettings,
    fleet: Fleet,
    ours: &Loaded<Muster>,
    cluster: &mut Cluster,
    summary: &mut Summary,
) -> Result<()> {
    if settings.subscriptions > 0 {
        say(&format!("{} live queries", settings.subscriptions));
        let rate = if settings.quick { LIVE_RATE / 10 } else { LIVE_RATE };
        let next = Arc::clone(&ours.next);
        summary.live = Some(live::follow(&ours.store, fleet, settings.subscriptions, rate, next).await?);
    }
    say("restarts");
    let any = summary.questions.first().context("there is a question")?;
    summary.restarts = Some(restart::restart(cluster, fleet, any).await?);
    Ok(())
}
