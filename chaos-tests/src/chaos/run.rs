//! One run: stage, warm up, storm, heal, converge, check.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use muster_client::{Client, RetryPolicy};
use nix::sys::signal::Signal;

use super::availability::{self, Histogram};
use super::clients::{self, Counts};
use super::nemesis::{self, Happened, Processes, Scene, Surroundings};
use super::plan::Plan;
use super::recovery::{self, Rates};
use super::resources::{Resources, Taken};
use super::watchers::{self, Watcher};
use super::ways;
use crate::cluster::Cluster;
use crate::edges::{self, Broken, Field};
use crate::faults::disk::Disk;
use crate::faults::network::Network;
use crate::history::facts::Facts;
use crate::history::{Op, Recorder};
use crate::invariants::evidence::Evidence;
use crate::invariants::watchers_hear_everything::{self, Heard, Message};
use crate::invariants::{chains_agree, of_histories, replicas_agree};

/// The pause of the watcher that is slow.
const SLOW: Duration = Duration::from_millis(20);

/// What a run is asked for.
#[derive(Debug, Clone)]
pub struct Task {
    /// What breaks.
    pub plan: Plan,
    /// How long; or until the plan is carried out.
    pub storm: Duration,
    /// Clients.
    pub counts: Counts,
    /// Edges, each with an agent.
    pub edges: usize,
    /// Another musterd than the one built here.
    pub musterd: Option<PathBuf>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// Every call.
    pub ops: Vec<Op>,
    /// Failed calls by what they were called.
    pub failures: BTreeMap<String, u64>,
    /// Every fault.
    pub happened: Vec<Happened>,
    /// What each check looked at, or what it found.
    pub verdicts: Vec<(&'static str, Result<u64, String>)>,
    /// What happened to edges: cuts of their links, kills of their agents.
    pub edges: (u64, u64),
    /// Kills of the leader.
    pub failovers: Histogram,
    /// What was written before the storm and after it.
    pub rates: Rates,
    /// Until all nodes were back.
    pub healed_in: Duration,
    /// The most that a node took.
    pub taken: Taken,
    /// Where each node wrote its log.
    pub logs: BTreeMap<u64, String>,
    /// Nanoseconds from the beginning to the end of the load.
    pub end_ns: u64,
}

impl Outcome {
    /// What was found, if anything.
    #[must_use]
    pub fn findings(&self) -> Vec<String> {
        let found = self.verdicts.iter().filter_map(|(name, verdict)| Some((name, verdict.as_ref().err()?)));
        found.map(|(name, finding)| format!("{name}: {finding}")).collect()
    }
}

/// Runs; a finding of a check is part of the outcome.
///
/// # Errors
/// When the run itself cannot go on: a node that does not come back, a load that is refused.
pub async fn run(task: &Task) -> anyhow::Result<Outcome> {
    let mut stage = Stage::set(task).await?;
    let done = stage.play(task).await;
    let logs = stage.logs();
    let mut outcome = done.map_err(|error| error.context(stage.cluster.last_words()))?;
    outcome.logs = logs;
    Ok(outcome)
}

struct Stage {
    cluster: Cluster,
    network: Network,
    disks: BTreeMap<u64, Disk>,
    recorder: Recorder,
    field: Option<Field>,
}

impl Stage {
    async fn set(task: &Task) -> anyhow::Result<Self> {
        let (mut cluster, network) = ways::prepare(task).await?;
        let disks = cluster.ids().into_iter().map(|id| Ok((id, Disk::of(cluster.folder_of(id))?)));
        let disks = disks.collect::<anyhow::Result<_>>()?;
        cluster.start_all().await?;
        let recorder = Recorder::default();
        clients::prepare(&cluster.client()?, &recorder).await?;
        let plan = edges::plan::Plan::without_end(task.plan.seed);
        let field = match task.edges {
            0 => None,
            number => Some(Field::build(&cluster, plan, number).await?),
        };
        Ok(Self { cluster, network, disks, recorder, field })
    }

    async fn play(&mut self, task: &Task) -> anyhow::Result<Outcome> {
        let watching = self.watch()?;
        let load = ways::load(&self.cluster, task, &self.recorder)?;
        let over = Arc::new(AtomicBool::new(false));
        let at_work = self.field.as_ref().map(|field| field.begin(self.cluster.client()?, &over)).transpose()?;
        let before = recovery::rate(&self.recorder).await;
        let (happened, mut resources, broken) = self.storm(task, &over).await?;
        let began = Instant::now();
        self.heal().await?;
        let healed_in = began.elapsed();
        let rates = recovery::measure(before, &self.recorder, task).await?;
        load.finish().await?;
        let done = match at_work {
            Some(at_work) => Some(at_work.finish().await?),
            None => None,
        };
        let end_ns = self.recorder.now_ns();
        self.cluster.wait_until_whole().await?;
        let client = self.cluster.client()?;
        clients::read_all(&client, &self.recorder).await?;
        watchers::mark_the_end(&client).await?;
        let (facts, log) = watchers::log(&client).await?;
        let mut heard = Vec::new();
        for watcher in watching {
            heard.push(watcher.finish().await?);
        }
        let evidence = Evidence { ops: self.recorder.take(), facts: Facts::new(facts) };
        let mut verdicts = judge(&evidence, &heard, &log);
        verdicts.push(("chains_agree", chains_agree::check(&self.cluster).await.map_err(text)));
        verdicts.push(("replicas_agree", replicas_agree::check(&client).await.map_err(text)));
        if let (Some(field), Some(done)) = (&self.field, &done) {
            let checked = field.check(&self.cluster, done, broken).await;
            verdicts.push(("edges_have_one_effect_and_agree", checked.map(|checked| checked.answered).map_err(text)));
        }
        self.look(&mut resources);
        let taken = resources.check();
        verdicts.push(("resources_are_bounded", taken.as_ref().map(|_| 1).map_err(|error| format!("{error:#}"))));
        verdicts.push(("throughput_recovers", rates.verdict()));
        let acknowledged = availability::acknowledged(&evidence.ops);
        let failovers = availability::failovers(&acknowledged, &happened, end_ns);
        let (taken, logs) = (taken.unwrap_or_default(), BTreeMap::new());
        let edges = (self.field.as_ref().map_or(0, Field::cuts), broken.kills);
        Ok(Outcome {
            ops: evidence.ops,
            failures: self.recorder.failures(),
            happened,
            verdicts,
            edges,
            failovers,
            rates,
            healed_in,
            taken,
            logs,
            end_ns,
        })
    }

    /// One that begins at each node, and a slow one.
    fn watch(&self) -> anyhow::Result<Vec<Watcher>> {
        let mut watchers = vec![Watcher::start(self.cluster.client()?, SLOW)];
        for first in 0..self.cluster.ids().len() {
            watchers
                .push(Watcher::start(self.cluster.client_of(&ways::rotated(&self.cluster, first))?, Duration::ZERO));
        }
        Ok(watchers)
    }

    async fn storm(&mut self, task: &Task, over: &AtomicBool) -> anyhow::Result<(Vec<Happened>, Resources, Broken)> {
        let scene = Scene::new(self.recorder.clone());
        let observed = self.cluster.ids().into_iter().map(|id| {
            let once = RetryPolicy { attempts_max: 1, attempt_timeout: Duration::from_millis(300), ..ways::eager() };
            let config = self.cluster.client_config(&[id])?.retry(once);
            Ok((id, Client::new(config.token_file(self.cluster.pki().join("admin.token"))?)?))
        });
        let observed: BTreeMap<u64, Client> = observed.collect::<anyhow::Result<_>>()?;
        let (ids, pki, pids) = (self.cluster.ids(), self.cluster.pki(), self.cluster.pids());
        let config = self.cluster.client_config(&ids)?.retry(ways::eager());
        let new_client = move || Ok(Client::new(config.clone().token_file(pki.join("admin.token"))?)?);
        let folders: Vec<_> = ids.iter().map(|id| (*id, self.cluster.folder_of(*id).to_owned())).collect();
        let surroundings = Surroundings { network: &self.network, disks: &self.disks, new_client: &new_client };
        let client = self.cluster.client()?;
        let mut processes = Processes {
            cluster: &mut self.cluster,
            disks: &self.disks,
            client,
            may_replace: true,
            starved: BTreeSet::new(),
        };
        let mut resources = Resources::default();
        let time = async {
            let end = Instant::now() + task.storm;
            while Instant::now() < end && !scene.is_over() {
                folders.iter().for_each(|(id, folder)| resources.look(*id, pids.of(*id), folder));
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            scene.end();
            over.store(true, Ordering::SeqCst);
            anyhow::Ok(())
        };
        let field = self.field.as_mut();
        let edges = async {
            match field {
                Some(field) => field.storm(over).await,
                None => Ok(Broken::default()),
            }
        };
        let lanes = async {
            tokio::try_join!(
                processes.run(&scene, &task.plan.processes),
                surroundings.run(&scene, &task.plan.surroundings)
            )?;
            // A plan that is carried out ends the storm before its time.
            scene.end();
            anyhow::Ok(())
        };
        let observing = async {
            scene.observe(observed).await;
            anyhow::Ok(())
        };
        let ((), (), (), broken) = tokio::try_join!(lanes, time, observing, edges)?;
        Ok((scene.happened(), resources, broken))
    }

    /// Mends everything and waits until all members are in reach.
    async fn heal(&mut self) -> anyhow::Result<()> {
        self.network.heal();
        self.field.iter().for_each(Field::heal);
        self.disks.values().try_for_each(Disk::heal)?;
        for id in self.cluster.ids() {
            // It may have ended since the last step.
            let ended = self.cluster.ended(id)?;
            let is_storage = ended.is_none_or(|status| status.code() == Some(nemesis::EXIT_STORAGE));
            ensure!(is_storage, "R4, R5: node {id} ended by itself with {ended:?}");
            if self.cluster.pid_of(id).is_some() {
                self.cluster.signal(id, Signal::SIGCONT)?;
            } else {
                self.cluster.start_node(id)?;
            }
        }
        self.cluster.wait_until_whole().await.context("R3: the cluster does not heal")
    }

    fn look(&self, resources: &mut Resources) {
        for id in self.cluster.ids() {
            resources.look(id, self.cluster.pid_of(id), self.cluster.folder_of(id));
        }
    }

    fn logs(&self) -> BTreeMap<u64, String> {
        self.cluster.ids().into_iter().map(|id| (id, self.cluster.log_of(id).unwrap_or_default())).collect()
    }
}

/// Asks every check of histories, and that of watchers.
fn judge(evidence: &Evidence, heard: &[Vec<Message>], log: &[Heard]) -> Vec<(&'static str, Result<u64, String>)> {
    let mut verdicts: Vec<_> =
        of_histories::CHECKS.into_iter().map(|(name, check)| (name, check(evidence).map_err(text))).collect();
    let watched: anyhow::Result<u64> =
        heard.iter().map(|messages| watchers_hear_everything::check(messages, log)).sum::<anyhow::Result<u64>>();
    verdicts.push(("watchers_hear_everything", watched.map_err(text)));
    verdicts
}

fn text(error: anyhow::Error) -> String {
    format!("{error:#}")
}
