//! What is left of a run: the history, the nodes' logs, a summary, and a page with the timeline.

mod page;
mod plot;
mod series;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::run::{Outcome, Task};
use crate::history::{self, Op};

/// How many calls of each kind and outcome, faults of each kind, and the verdicts, as lines.
#[must_use]
pub fn summary(task: &Task, outcome: &Outcome) -> Vec<String> {
    let mut lines = vec![format!(
        "seed {:#x}: {} nodes, {} faults, {} calls, {:.0} s",
        task.plan.seed,
        task.plan.nodes,
        outcome.happened.len(),
        outcome.ops.len(),
        super::availability::milliseconds(outcome.end_ns) / 1e3
    )];
    lines.push(format!("faults: {}", counts(outcome.happened.iter().map(|fault| fault.kind.to_owned()))));
    lines.push(format!("calls: {}", counts(outcome.ops.iter().map(|op| format!("{:?} {:?}", op.kind, op.outcome)))));
    lines.extend(outcome.failures.iter().map(|(name, count)| format!("failures: {count} {name}")));
    lines.push(format!(
        "{}; healed in {:.1} s; the most a node took: {} MiB of memory, {} \
         descriptors, {} MiB of disk",
        outcome.rates,
        outcome.healed_in.as_secs_f64(),
        outcome.taken.memory_bytes >> 20,
        outcome.taken.descriptors,
        outcome.taken.disk_bytes >> 20
    ));
    lines.push(format!("edges: {} cuts of their links, {} agents killed", outcome.edges.0, outcome.edges.1));
    for (name, verdict) in &outcome.verdicts {
        lines.push(match verdict {
            Ok(checked) => format!("ok    {name}: {checked}"),
            Err(finding) => format!("FOUND {name}: {finding}"),
        });
    }
    lines
}

fn counts(names: impl Iterator<Item = String>) -> String {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    let parts: Vec<String> = counts.into_iter().map(|(name, count)| format!("{count} {name}")).collect();
    parts.join(", ")
}

/// Writes everything into a folder, which is made.
///
/// # Errors
/// When it cannot be written.
pub fn keep(folder: &Path, task: &Task, outcome: &Outcome) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    history::file::write(&folder.join("history.bin"), &outcome.ops)?;
    fs::write(folder.join("summary.txt"), summary(task, outcome).join("\n") + "\n")?;
    for (node, log) in &outcome.logs {
        fs::write(folder.join(format!("n{node}.log")), log)?;
    }
    fs::write(folder.join("timeline.html"), page::page(task, outcome))?;
    Ok(())
}

/// Calls that were acknowledged, for plots.
fn answered(ops: &[Op]) -> impl Iterator<Item = &Op> {
    ops.iter().filter(|op| op.is_ok())
}
