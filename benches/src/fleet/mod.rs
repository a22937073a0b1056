//! `query`: the questions people ask a fleet, against PostgreSQL with the same fleet in it.
//!
//! The way of a run: both are loaded with the same [`dataset`]; the [`questions`] are asked of both and the [`answers`]
//! compared, again after some changes, and a difference ends the run. Then one client asks each question again and again, at rest
//! and while [`writers`] change twins, both through their protocols on this machine: gRPC on loopback, a Unix socket.
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
use questions::{FITTED, Question};
use side::{Answered, Loaded};
use sql::Sql;
use store::Store;
use summary::Summary;
use timing::{Effort, time};

mod answers;
mod dataset;
mod live;
mod node;
mod postgres;
mod questions;
mod side;
mod sql;
mod store;
mod summary;
mod timing;
mod writers;

/// Devices of a quick run.
const QUICK: u32 = 10_000;
/// Changes a second beside live queries.
const LIVE_RATE: u64 = 5_000;

/// Measures and prints; false when an answer was stale.
pub(crate) async fn run(settings: &QuerySettings) -> Result<bool> {
    ensure!(!(settings.no_muster && settings.no_postgres), "there is nothing to measure: both systems were left out");
    let parent = settings.data_dir.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("muster-bench-").tempdir_in(&parent).context("make a folder")?;
    let fleet = Fleet { seed: settings.seed, twins: if settings.quick { QUICK } else { settings.twins } };
    let questions = chosen(questions::all(&fleet), &settings.only)?;
    let machine = Machine::look(folder.path())?;
    let mut summary = Summary::new(settings.quick, fleet.twins, fleet.seed, machine, questions);

    let server = start_postgres(settings, folder.path()).await?;
    let mut cluster = start_muster(settings, folder.path()).await?;
    let measured = measure(settings, fleet, server.as_ref(), cluster.as_mut(), &mut summary).await;
    if let Some(cluster) = cluster {
        cluster.stop().await;
    }
    if let Some(server) = server {
        server.stop().await?;
    }
    measured?;
    print(&summary.markdown());
    if let Some(file) = &settings.json {
        std::fs::write(file, summary.to_json()?).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(summary.missed() == 0)
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
    let questions = summary.questions.clone();
    let mut theirs = match server {
        Some(server) => Some(Loaded::new("PostgreSQL", server.place(), fleet).await?),
        None => None,
    };
    let mut ours = match &cluster {
        Some(cluster) => Some(Loaded::new("Muster", Muster::of(cluster)?, fleet).await?),
        None => None,
    };
    summary.compared_after_changes = same_answers(&mut ours, &mut theirs, &questions, settings.quick).await?;

    let runs = if settings.quick { 11 } else { settings.runs };
    say(&format!("each question {runs} times at rest"));
    for question in &questions {
        // One directly after the other, so that both have the same minute of the machine.
        if let Some(theirs) = &mut theirs {
            theirs.at_rest(question, runs).await?;
            summary.postgres_scans.push((question.key, theirs.session.scans(question).await?));
        }
        if let Some(ours) = &mut ours {
            ours.at_rest(question, runs).await?;
        }
    }
    if let Some(theirs) = &mut theirs {
        summary.postgres_fitted = fitted(&theirs.store, &questions, runs, &mut summary.postgres_scans).await?;
        theirs.fresh_at_rest().await?;
    }
    if let Some(ours) = &mut ours {
        ours.fresh_at_rest().await?;
    }

    let within = Duration::from_secs(if settings.quick { 1 } else { settings.seconds });
    for rate in &settings.rates {
        if let Some(theirs) = &mut theirs {
            theirs.beside(&questions, *rate, runs, within).await?;
            theirs.store.settle().await?;
        }
        if let Some(ours) = &mut ours {
            ours.beside(&questions, *rate, runs, within).await?;
        }
    }
    if let Some((ours, cluster)) = ours.as_ref().zip(cluster) {
        only_muster(settings, fleet, ours, cluster, summary).await?;
    }
    (summary.postgres, summary.muster) = (theirs.map(|loaded| loaded.side), ours.map(|loaded| loaded.side));
    Ok(())
}

/// Compares all answers, makes some changes in both, and compares again.
async fn same_answers(
    ours: &mut Option<Loaded<Muster>>,
    theirs: &mut Option<Loaded<Sql>>,
    questions: &[Question],
    quick: bool,
) -> Result<Option<u64>> {
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        say("answers are not compared: a system was left out");
        return Ok(None);
    };
    let changes = if quick { 1_000 } else { 10_000 };
    for question in questions {
        answers::compare(&mut ours.session, &mut theirs.session, question).await?;
    }
    ours.change(changes).await?;
    theirs.change(changes).await?;
    for question in questions {
        let compared = answers::compare(&mut ours.session, &mut theirs.session, question).await;
        compared.with_context(|| format!("after {changes} changes"))?;
    }
    say(&format!("all answers are the same, and again after {changes} changes"));
    Ok(Some(changes))
}

/// PostgreSQL once more, with indexes that hold the very condition of a question.
async fn fitted(
    sql: &Sql,
    questions: &[Question],
    runs: u32,
    scans: &mut Vec<(&'static str, Vec<String>)>,
) -> Result<Vec<Answered>> {
    let served: Vec<_> =
        questions.iter().filter(|question| FITTED.iter().any(|(key, _)| *key == question.key)).collect();
    if served.is_empty() {
        return Ok(Vec::new());
    }
    say("PostgreSQL with indexes made for one question each");
    sql.fit().await?;
    // A session of its own: what is known about JIT is of other plans.
    let (mut session, mut answered) = (sql.session().await?, Vec::new());
    for question in served {
        let times = time(&mut session, question, Effort::at_rest(runs)).await?;
        answered.push(Answered { question: question.key, times });
        scans.push((question.key, session.scans(question).await?));
    }
    sql.unfit().await?;
    Ok(answered)
}

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
    let any = summary.questions.first().context("there is a question")?;
    summary.restart = Some(live::restart(cluster, any).await?);
    Ok(())
}
