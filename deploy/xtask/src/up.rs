//! `cargo xtask up`: a real cluster on this machine, from nothing, with a fleet in it.
//!
//! This file is the order of events; each step is a file below: `ports` and `plan` decide what there will be, `files`
//! writes it, `processes` runs it, `cluster` asks it questions through the command line, `sample` fills it, `guide`
//! says what to try. Invariants: whatever happens after the first node started, all nodes are stopped before xtask
//! ends; a second start goes on with the same cluster and the same data.

mod cluster;
mod files;
mod guide;
mod plan;
mod ports;
mod processes;
mod restarts;
mod sample;
mod stop_signal;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use crate::{cargo, needs, say, workspace};
use cluster::Cluster;
use plan::{Plan, Wishes};
use processes::Nodes;
use restarts::Restarts;
use stop_signal::StopSignal;

/// How often the nodes are looked after.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[derive(Args)]
pub(crate) struct Arguments {
    /// Delete the cluster that is there and start a new one.
    #[arg(long)]
    fresh: bool,
    /// How many nodes, 1 to 9 [default: 3].
    #[arg(long, value_name = "N")]
    nodes: Option<u16>,
    /// Where the cluster keeps its files.
    #[arg(long, value_name = "FOLDER", default_value = ".muster")]
    dir: PathBuf,
    /// The first node's client port; its peer port is one above, HTTP two above, the next node ten above [default: 7420].
    #[arg(long, value_name = "PORT")]
    port_base: Option<u16>,
    /// Leave the cluster empty instead of importing the sample fleet.
    #[arg(long)]
    no_sample: bool,
    /// Leave a node that ended alone instead of starting it again.
    #[arg(long)]
    no_restart: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    needs::for_building()?;
    let root = workspace::root()?;
    let folder = root.join(&arguments.dir);
    let wishes = Wishes { nodes: arguments.nodes, port_base: arguments.port_base };
    let existing = if arguments.fresh { None } else { Plan::load(&folder, wishes)? };
    let resumes = existing.is_some();
    let plan = existing.map_or_else(|| Plan::new(&folder, wishes), Ok)?;
    // Before the build: nobody should wait for a compiler only to hear that a port is taken.
    ports::require_free(plan.port_base, plan.size())?;
    say::step("building musterd and muster");
    cargo::build_binaries()?;
    prepare(&plan, resumes, &folder, &root, arguments.fresh)?;

    let signal = StopSignal::listen()?;
    let mut nodes = Nodes::new(vec![workspace::binary("musterd")?.into()], &plan.nodes);
    let outcome = live(arguments, &plan, &root, &mut nodes, &signal);
    signal.acknowledge();
    say::step("stopping the nodes (Ctrl-C again kills them)");
    nodes.stop(|| signal.again());
    outcome?;
    say::good(&format!(
        "stopped; everything is kept in {}, `cargo xtask up` goes on with it",
        workspace::shown(&folder, &root)
    ));
    Ok(ExitCode::SUCCESS)
}

fn prepare(plan: &Plan, resumes: bool, folder: &Path, root: &Path, fresh: bool) -> Result<()> {
    let shown = workspace::shown(folder, root);
    if resumes {
        say::step(&format!("going on with the cluster in {shown} (--fresh starts a new one)"));
    } else {
        if fresh {
            plan::delete(folder)?;
        }
        say::step(&format!("making certificates, secrets and configurations in {shown}"));
        files::create(plan)?;
    }
    files::refresh(plan)
}

/// From the first node's start until somebody wants the cluster to stop.
fn live(arguments: &Arguments, plan: &Plan, root: &Path, nodes: &mut Nodes, signal: &StopSignal) -> Result<()> {
    let nodes_text = if plan.size() == 1 { "one node".to_owned() } else { format!("{} nodes", plan.size()) };
    say::step(&format!("starting {nodes_text} on loopback"));
    for node in &plan.nodes {
        nodes.start(node.id)?;
    }
    let cluster = Cluster::new(plan)?;
    if !cluster.wait_for_leader(nodes, signal)? {
        return Ok(());
    }
    say::good("the cluster has a leader and takes writes");
    if !arguments.no_sample && !sample::import(plan, &cluster, root, signal)? {
        return Ok(());
    }
    guide::print(plan, &cluster, nodes, root);
    watch(arguments, plan, root, nodes, signal)
}

/// Reports nodes that end, and starts them again, until somebody wants to stop or nothing runs any more.
fn watch(arguments: &Arguments, plan: &Plan, root: &Path, nodes: &mut Nodes, signal: &StopSignal) -> Result<()> {
    let mut restarts = Restarts::default();
    while !signal.asked() {
        for (id, status) in nodes.ended()? {
            let node = plan.nodes.iter().find(|node| node.id == id).context("a node of the plan")?;
            say::bad(&format!("n{id} ended: {status}; its log is {}", workspace::shown(&node.log_file(), root)));
            if arguments.no_restart {
                say::note(&format!("n{id} stays down, as --no-restart says"));
            } else if let Some(delay) = restarts.schedule(id) {
                say::note(&format!("n{id} is started again in {} s", delay.as_secs()));
            } else {
                say::note(&format!("n{id} ended too often and stays down"));
            }
        }
        for id in restarts.due() {
            nodes.start(id)?;
            say::good(&format!("n{id} runs again, as process {}", nodes.pid(id).context("it was just started")?));
        }
        if !nodes.any_running() && restarts.is_idle() {
            anyhow::bail!("no node runs any more");
        }
        sleep(LOOK_EVERY);
    }
    Ok(())
}
