//! Asks the running cluster through its own command line, as a person would: who leads, and please import this.
//!
//! Knows how `muster` is called and the few fields of its JSON that `up` shows. No gRPC here: xtask depends on no crate
//! of Muster, and what does not work through `muster` would not work for the newcomer either.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::plan::Plan;
use super::processes::Nodes;
use super::stop_signal::StopSignal;
use crate::workspace;

/// A cluster of healthy nodes has a leader within a second; this is for machines that are busy with something else.
const LEADER_MAX: Duration = Duration::from_secs(60);

/// How much of a log is shown when a node does not start.
const LOG_TAIL_LINES: usize = 12;

/// The cluster as the command line sees it.
pub(super) struct Cluster {
    muster: PathBuf,
    context_file: PathBuf,
    logs: Vec<(u16, PathBuf)>,
}

impl Cluster {
    pub(super) fn new(plan: &Plan) -> Result<Self> {
        let logs = plan.nodes.iter().map(|node| (node.id, node.log_file())).collect();
        Ok(Self { muster: workspace::binary("muster")?, context_file: plan.context_file(), logs })
    }

    /// A `muster` command that talks to this cluster.
    pub(super) fn muster(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.muster);
        command.args(arguments).env("MUSTER_CONTEXT_FILE", &self.context_file);
        command
    }

    /// Waits until the cluster has a leader. False when somebody wanted to stop before it did.
    pub(super) fn wait_for_leader(&self, nodes: &mut Nodes, signal: &StopSignal) -> Result<bool> {
        let until = Instant::now() + LEADER_MAX;
        loop {
            if signal.asked() {
                return Ok(false);
            }
            if let Some((id, status)) = nodes.ended()?.first() {
                bail!("n{id} did not start ({status}); the end of its log:\n{}", self.log_tail(*id));
            }
            let answer = self.status();
            if answer.as_ref().is_ok_and(takes_writes) {
                return Ok(true);
            }
            if Instant::now() > until {
                let said = answer.map_or_else(|error| format!("{error:#}"), |status| status.to_string());
                bail!("no leader after {} s; `muster cluster status` says: {said}", LEADER_MAX.as_secs());
            }
            sleep(Duration::from_millis(200));
        }
    }

    /// The id of the node that leads now.
    pub(super) fn leader(&self) -> Option<u16> {
        self.status().ok().as_ref().and_then(leader_in)
    }

    fn status(&self) -> Result<Value> {
        let output = self
            .muster(&["cluster", "status", "--output", "json"])
            .stdin(Stdio::null())
            .output()
            .context("running muster cluster status")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).context("muster cluster status printed no JSON")
    }

    fn log_tail(&self, id: u16) -> String {
        let path = self.logs.iter().find(|(other, _)| *other == id).map(|(_, path)| path);
        let text = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..]
            .iter()
            .map(|line| format!("    {line}"))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// The leader's id in a status; 0 means none.
fn leader_in(status: &Value) -> Option<u16> {
    let id = status.get("leaderId")?.as_u64()?;
    u16::try_from(id).ok().filter(|id| *id > 0)
}

/// Whether the cluster has a leader and accepts changes.
fn takes_writes(status: &Value) -> bool {
    leader_in(status).is_some() && status.get("canWrite").and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cluster_takes_writes_when_it_says_so_and_names_its_leader() {
        assert!(takes_writes(&json!({ "leaderId": 2, "canWrite": true })));
        for status in
            [json!({ "leaderId": 0, "canWrite": true }), json!({ "leaderId": 2, "canWrite": false }), json!({})]
        {
            assert!(!takes_writes(&status), "{status}");
        }
        assert_eq!(leader_in(&json!({ "leaderId": 3 })), Some(3));
    }
}
