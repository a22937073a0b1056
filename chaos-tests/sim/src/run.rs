//! The run of one seed, from an empty disk to the last check. Once in a process.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use muster_domain::cluster::Cluster;
use muster_domain::feature::FEATURE_LEVEL;
use muster_domain::namespace::NamespaceDefinition;
use muster_domain::{Command, Limits, Operation};
use muster_sim_node::outcome::OperationResult;
use muster_sim_std::chance::Chance;
use muster_sim_std::{baton, disk, trace};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::clients::{self, Client, LASTING, NAMESPACE, Record};
use crate::edges::{self, Edges};
use crate::history::{Kind, Op, Outcome};
use crate::nemesis::Nemesis;
use crate::plan::{Mode, Plan};
use crate::report::Report;
use crate::watching::{self, Seen};
use crate::world::{CLUSTER, Running, World, disk_of, member};
use crate::{checks, machine};

/// What is run.
#[derive(Debug)]
pub struct Asked {
    /// The seed.
    pub seed: u64,
    /// What is demanded.
    pub mode: Mode,
    /// How long faults go on at most.
    pub length_max: Option<Duration>,
    /// Where each happening is written.
    pub trace: Option<File>,
    /// A defect that is planted, so that it is seen whether the checks notice.
    pub plant: Option<Plant>,
}

/// Defects of the simulation itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Plant {
    /// Syncs of all disks do nothing: what was acknowledged may be lost.
    LyingDisks,
    /// A read's answer is noted as an older value.
    StaleRead,
}

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Runs a seed.
///
/// # Panics
/// When the runtime cannot be made.
#[must_use]
pub fn run(asked: Asked) -> Report {
    std::panic::set_hook(Box::new(|panic| {
        let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
        panics.push(format!("no_panic: {panic}").replace('\n', " "));
    }));
    machine::seed_everything(asked.seed);
    if let Some(file) = asked.trace {
        trace::into_file(file);
    }
    let (seed, plant) = (asked.seed, asked.plant);
    let mut plan = Plan::of(seed, asked.mode);
    plan.length = asked.length_max.map_or(plan.length, |most| most.min(plan.length));
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        // Never dropped: what still runs ends with the process, and not one by one without a clock.
        let runtime = std::mem::ManuallyDrop::new(runtime.expect("a runtime"));
        runtime.block_on(simulate(seed, plan, plant))
    };
    // In a thread that never asked for chance before the seed was there.
    let report = std::thread::Builder::new().stack_size(8 << 20).spawn(work).expect("a thread").join();
    let mut report = report.unwrap_or_else(|_| Report { seed, ..Report::default() });
    report.wrongs.extend(PANICS.lock().unwrap_or_else(PoisonError::into_inner).drain(..));
    report
}

/// Gives simulated threads their turns whenever somebody woke them, or their time has come.
async fn drive(wake: Arc<Notify>, origin: Instant) {
    loop {
        let next = baton::turn();
        match next {
            Some(at) => tokio::select! {
                biased;
                () = wake.notified() => {}
                () = sleep_until(origin + Duration::from_nanos(at)) => {}
            },
            None => wake.notified().await,
        }
    }
}

fn begin(seed: u64) {
    let (origin, wake) = (Instant::now(), Arc::new(Notify::new()));
    let poke = Arc::clone(&wake);
    let handle: &'static Handle = Box::leak(Box::new(Handle::current()));
    baton::begin(
        seed,
        move || u64::try_from((Instant::now() - origin).as_nanos()).unwrap_or(u64::MAX),
        move || poke.notify_one(),
        move || Box::new(handle.enter()),
    );
    tokio::spawn(drive(wake, origin));
}

async fn simulate(seed: u64, plan: Plan, plant: Option<Plant>) -> Report {
    begin(seed);
    let mut chance = Chance::new(seed ^ 0xC1A5);
    let heals = plan.heals;
    let world = World::new(seed, plan);
    let record = Record::default();
    let (stop_faults, faults_stop) = watch::channel(false);
    let (stop_clients, clients_stop) = watch::channel(false);
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let looking = tokio::spawn(watching::watch(Arc::clone(&world), Arc::clone(&seen), clients_stop.clone()));
    for id in world.ids() {
        if plant == Some(Plant::LyingDisks) {
            disk::set_faults(&disk_of(id), |faults| faults.lies = true);
        }
        world.start(id).await;
    }
    let mut wrongs = Vec::new();
    if let Err(error) = found(&world, &record).await {
        wrongs.push(format!("founding: {error:#}"));
    }
    let keeping = tokio::spawn(
        Arc::clone(&world).keep_running(Duration::from_millis(chance.between(50, 3_000)), clients_stop.clone()),
    );
    let working: Vec<_> = (0..world.plan.clients)
        .map(|number| {
            let (world, record) = (Arc::clone(&world), record.clone());
            let client = Client { number, world, record, chance: chance.fork(), count: 0 };
            tokio::spawn(client.run(clients_stop.clone()))
        })
        .collect();
    let edges = Edges::new(Arc::clone(&world), seed);
    let mut edging = vec![tokio::spawn(Arc::clone(&edges).keep_running(chance.fork(), clients_stop.clone()))];
    edging.extend(
        edges
            .ids()
            .into_iter()
            .map(|edge| tokio::spawn(Arc::clone(&edges).report(edge, chance.fork(), clients_stop.clone()))),
    );
    let nemesis = Nemesis::new(Arc::clone(&world), Arc::clone(&edges), chance.fork());
    let counted = nemesis.counts();
    let nemesis = tokio::spawn(nemesis.run(faults_stop));
    sleep(world.plan.length).await;
    stop_faults.send_replace(true);
    drop(nemesis.await);
    // What was begun is undone by itself within four seconds.
    sleep(Duration::from_secs(6)).await;
    world.heal();
    let healing = checks::healed(&world).await;
    let runs_edges = checks::edges_run(&edges).await;
    stop_clients.send_replace(true);
    for client in working.into_iter().chain(edging) {
        drop(client.await);
    }
    drop((keeping.await, looking.await));
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (kind, count) in counted.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        counts.insert(format!("fault.{kind}"), *count);
    }
    let mut looked = checks::of_nodes(&seen.lock().unwrap_or_else(PoisonError::into_inner), &mut wrongs);
    let ops = plant_read(record.take(), plant);
    count_ops(&ops, &mut counts);
    match healing {
        Ok(took) => {
            counts.insert("healing_ms".to_owned(), u64::try_from(took.as_millis()).unwrap_or_default());
            if let Err(wrong) = runs_edges {
                wrongs.push(wrong);
            }
            match checks::edges_settle(&edges, &world).await {
                Ok(reports) => looked.push(("edge_reports_count_once", reports)),
                Err(wrong) => wrongs.push(wrong),
            }
            match checks::agree(&world).await {
                Ok(revision) => looked.push(("replicas_agree", revision)),
                Err(wrong) => wrongs.push(wrong),
            }
            match checks::facts(&world) {
                Ok(facts) => looked.extend(checks::of_history(ops, facts, &mut wrongs)),
                Err(error) => wrongs.push(format!("reading the log: {error:#}")),
            }
        }
        Err(missing) if heals => wrongs.push(format!("heals: {missing}")),
        Err(_) => {
            counts.insert("not_healed".to_owned(), 1);
        }
    }
    wrongs.extend(world.wrongs.all());
    counts.extend(looked.into_iter().map(|(name, count)| (format!("checked.{name}"), count)));
    count_world(&world, &seen, &mut counts);
    let (trace, notes) = trace::so_far();
    let simulated_ms = u64::try_from(checks::simulated().as_millis()).unwrap_or_default();
    Report { seed, wrongs, simulated_ms, trace, notes, counts }
}

/// Founds the cluster, and makes what the load works on.
async fn found(world: &Arc<World>, record: &Record) -> anyhow::Result<()> {
    let running = world.all_running();
    for (_, running) in &running {
        running.node.raft.join_founding(1).await?;
    }
    let (_, first) = running.first().ok_or_else(|| anyhow::anyhow!("no node runs"))?;
    first.node.found(world.ids().into_iter().map(|id| (id, member(id))).collect()).await?;
    let cluster = Cluster {
        cluster_id: CLUSTER.to_owned(),
        page_key: [0; 32],
        limits: Limits::default(),
        feature_level: FEATURE_LEVEL,
        last_node_id: 0,
    };
    let settings = Command::single(Operation::InitializeCluster { cluster, token: None });
    for _ in 0..20 {
        if first.node.propose_first(settings.clone()).await.is_ok() {
            break;
        }
    }
    let (namespace, definition) = (NAMESPACE.to_owned(), NamespaceDefinition::default());
    accepted(first, Operation::CreateNamespace { namespace, definition }, "first").await?;
    for edge in 1..=world.plan.edges {
        for (place, operation) in edges::creations(edge).into_iter().enumerate() {
            accepted(first, operation, &format!("first-e{edge}-{place}")).await?;
        }
    }
    for device in 0..LASTING {
        let invoked_ns = baton::now_ns();
        let revision = accepted(first, clients::creation(device), &format!("first-d{device}")).await?;
        record.add(Op {
            client: u16::MAX,
            kind: Kind::Create,
            outcome: Outcome::Ok,
            device,
            value: 0,
            condition: 0,
            revision,
            version: 0,
            invoked_ns,
            returned_ns: baton::now_ns(),
        });
    }
    Ok(())
}

/// Carries an operation out, whatever that takes; returns its revision.
async fn accepted(running: &Running, operation: Operation, request_id: &str) -> anyhow::Result<u64> {
    let mut last = String::new();
    for _ in 0..20 {
        match running.node.propose(Command::single(operation.clone()), request_id).await {
            Ok(outcome) if outcome.results.iter().all(OperationResult::is_accepted) => return Ok(outcome.revision),
            Ok(refused) => bail!("refused: {refused:?}"),
            Err(error) => last = error.to_string(),
        }
    }
    bail!("never done: {last}")
}

/// With [`Plant::StaleRead`], the last read of a device that was written before tells its first value.
fn plant_read(mut ops: Vec<Op>, plant: Option<Plant>) -> Vec<Op> {
    if plant == Some(Plant::StaleRead) {
        let first = ops.iter().find(|op| op.kind == Kind::Patch && op.is_ok() && op.device < LASTING).copied();
        if let Some(first) = first
            && let Some(read) = ops
                .iter_mut()
                .rev()
                .find(|op| op.kind == Kind::Read && op.is_ok() && op.device == first.device && op.value != first.value)
        {
            read.value = first.value;
        }
    }
    ops
}

fn count_ops(ops: &[Op], counts: &mut BTreeMap<String, u64>) {
    for op in ops {
        let what = match op.outcome {
            Outcome::Ok => "calls.ok",
            Outcome::Refused => "calls.refused",
            Outcome::Failed => "calls.failed",
            Outcome::Unknown => "calls.unknown",
        };
        *counts.entry(what.to_owned()).or_default() += 1;
    }
}

fn count_world(world: &World, seen: &Mutex<Seen>, counts: &mut BTreeMap<String, u64>) {
    let mut add = |name: &str, count: u64| *counts.entry(name.to_owned()).or_default() += count;
    for id in world.ids() {
        let disk = disk::counts(&disk_of(id));
        add("disk.writes", disk.writes);
        add("disk.syncs", disk.syncs);
        add("disk.torn_writes", disk.torn);
        add("disk.lost_writes", disk.lost);
        add("disk.errors", disk.errors);
    }
    let terms: BTreeSet<u64> =
        seen.lock().unwrap_or_else(PoisonError::into_inner).leads.iter().map(|leads| leads.term).collect();
    add("terms", terms.len() as u64);
    add("connections", world.net.connections());
    add("threads.turns", baton::turns().0);
    add("lost_nodes", world.ids().len() as u64 - world.able().len() as u64);
}
