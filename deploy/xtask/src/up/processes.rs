//! The node processes of a development cluster: start, log, notice their end, stop.
//!
//! Knows processes and signals, nothing of Raft. Invariants:
//! - No node outlives xtask: nodes are stopped when `Nodes` is dropped, and where `setpriv` exists (every Debian has it)
//!   the kernel kills them should xtask itself be killed.
//! - A node has a process group of its own, so Ctrl-C reaches xtask alone and nodes are stopped in order.
//! - What a node writes goes to its log file; only lines that tell of an error reach the terminal, and none while
//!   the nodes are being stopped.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, PipeReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::plan::PlannedNode;
use crate::{needs, say};

/// How long a node may take to stop when asked, before it is killed.
const STOP_MAX: Duration = Duration::from_secs(10);

/// All nodes of the cluster, running or not.
pub(super) struct Nodes {
    /// What starts a node: the program, and arguments before the node's own.
    program: Vec<OsString>,
    setpriv: Option<PathBuf>,
    nodes: Vec<Node>,
    /// Set when the nodes are asked to stop: that peers go away is no error then, and stays in the logs.
    stopping: Arc<AtomicBool>,
}

struct Node {
    plan: PlannedNode,
    child: Option<Child>,
}

impl Nodes {
    /// The nodes of the plan, none of them running yet.
    pub(super) fn new(program: Vec<OsString>, plans: &[PlannedNode]) -> Self {
        let nodes = plans.iter().map(|plan| Node { plan: plan.clone(), child: None }).collect();
        Self { program, setpriv: needs::program("setpriv"), nodes, stopping: Arc::default() }
    }

    /// Starts one node, by its id.
    pub(super) fn start(&mut self, id: u16) -> Result<()> {
        let mut command = self.command(id)?;
        let node = self.node(id)?;
        let (reader, writer) = std::io::pipe().context("making a pipe")?;
        let log_path = node.plan.log_file();
        // The log before this one is kept: after a crash the reason is at its end.
        if log_path.exists() {
            fs::rename(&log_path, log_path.with_extension("previous.txt")).context("keeping the previous log")?;
        }
        let log = File::create(&log_path).with_context(|| format!("creating {}", log_path.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone().context("copying a pipe")?)
            .stderr(writer)
            .process_group(0);
        let child = command.spawn().with_context(|| format!("starting {}", node.plan.name()))?;
        fs::write(node.plan.folder.join("pid"), format!("{}\n", child.id())).context("writing the process id")?;
        node.child = Some(child);
        let name = node.plan.name();
        let quiet = Arc::clone(&self.stopping);
        thread::Builder::new()
            .name(format!("log of {name}"))
            .spawn(move || copy_log(&name, reader, log, &quiet))
            .context("starting a thread")?;
        Ok(())
    }

    /// The nodes that ended since the last call, with how they ended.
    pub(super) fn ended(&mut self) -> Result<Vec<(u16, ExitStatus)>> {
        let mut ended = Vec::new();
        for node in &mut self.nodes {
            if let Some(child) = &mut node.child
                && let Some(status) = child.try_wait().context("asking for a node's state")?
            {
                node.child = None;
                ended.push((node.plan.id, status));
            }
        }
        Ok(ended)
    }

    /// The process id of a running node.
    pub(super) fn pid(&self, id: u16) -> Option<u32> {
        self.nodes.iter().find(|node| node.plan.id == id)?.child.as_ref().map(Child::id)
    }

    /// Whether any node runs.
    pub(super) fn any_running(&self) -> bool {
        self.nodes.iter().any(|node| node.child.is_some())
    }

    /// Asks all nodes to stop, waits for a bounded time, and kills what is left. `hurry` ends the wait early.
    pub(super) fn stop(&mut self, hurry: impl Fn() -> bool) {
        self.stopping.store(true, Ordering::Relaxed);
        for node in &self.nodes {
            if let Some(child) = &node.child {
                terminate(child);
            }
        }
        let until = Instant::now() + STOP_MAX;
        while self.any_running() && Instant::now() < until && !hurry() {
            if self.ended().is_err() {
                break;
            }
            sleep(Duration::from_millis(20));
        }
        for node in &mut self.nodes {
            if let Some(mut child) = node.child.take() {
                say::note(&format!("{} did not stop in time and is killed", node.plan.name()));
                if let Err(error) = child.kill().and_then(|()| child.wait()) {
                    say::bad(&format!("{} cannot be killed: {error}", node.plan.name()));
                }
            }
        }
    }

    fn node(&mut self, id: u16) -> Result<&mut Node> {
        self.nodes.iter_mut().find(|node| node.plan.id == id).context("a node of the plan")
    }

    fn command(&mut self, id: u16) -> Result<Command> {
        let config = self.node(id)?.plan.config_file();
        let mut words = Vec::new();
        if let Some(setpriv) = &self.setpriv {
            // setpriv becomes the node: the process id stays the same.
            words.extend([setpriv.into(), "--pdeathsig".into(), "KILL".into(), "--".into()]);
        }
        words.extend(self.program.iter().cloned());
        let (program, arguments) = words.split_first().context("a program to start")?;
        let mut command = Command::new(program);
        command.args(arguments).arg("--config").arg(config);
        Ok(command)
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        self.stop(|| false);
    }
}

fn terminate(child: &Child) {
    let Ok(pid) = i32::try_from(child.id()) else { return };
    // A node that ended a moment ago cannot be asked any more; the wait that follows notices.
    kill(Pid::from_raw(pid), Signal::SIGTERM).ok();
}

/// Copies what a node writes into its log file, and lines that tell of an error to the terminal too.
fn copy_log(name: &str, from: PipeReader, mut to: File, quiet: &AtomicBool) {
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // A full disk must not stop the node: its pipe has to be read to the end.
        to.write_all(&line).ok();
        let text = String::from_utf8_lossy(&line);
        if is_alarming(&text) && !quiet.load(Ordering::Relaxed) {
            say::bad(&format!("{name}: {}", text.trim_end()));
        }
        line.clear();
    }
}

/// Whether a line of a node's log belongs on the terminal: errors, panics, and refusals to start.
fn is_alarming(line: &str) -> bool {
    let start: String = line.chars().take(80).collect();
    start.contains(" ERROR ")
        || line.starts_with("error:")
        || line.starts_with("Error:")
        || start.contains("panicked at")
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Plan, Wishes};
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;

    /// Nodes that run a shell script instead of musterd; it gets the same arguments.
    fn nodes(folder: &Path, script: &str) -> Nodes {
        let plan = Plan::new(folder, Wishes { nodes: Some(1), port_base: None }).expect("a plan");
        fs::create_dir_all(&plan.nodes[0].folder).expect("made");
        Nodes::new(["sh", "-c", script, "stand-in"].map(OsString::from).to_vec(), &plan.nodes)
    }

    fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
        let until = Instant::now() + Duration::from_secs(20);
        while !holds() {
            assert!(Instant::now() < until, "waited too long: {what}");
            sleep(Duration::from_millis(10));
        }
    }

    fn log_of(folder: &Path) -> String {
        fs::read_to_string(folder.join("n1/log.txt")).unwrap_or_default()
    }

    #[test]
    fn a_node_is_asked_to_stop_and_its_log_is_kept() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut nodes = nodes(
            folder.path(),
            "trap 'echo asked; exit 0' TERM\necho \"$@\"\necho ready\nwhile :; do sleep 0.05; done",
        );
        nodes.start(1).expect("started");
        wait_until("it is ready", || log_of(folder.path()).contains("ready"));
        assert!(log_of(folder.path()).contains("--config"), "{}", log_of(folder.path()));
        nodes.stop(|| false);
        assert!(!nodes.any_running());
        wait_until("it was asked", || log_of(folder.path()).contains("asked"));
    }

    #[test]
    fn a_deaf_node_is_killed_when_there_is_a_hurry() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut nodes = nodes(folder.path(), "trap '' TERM\necho ready\nwhile :; do sleep 0.05; done");
        nodes.start(1).expect("started");
        let pid = i32::try_from(nodes.pid(1).expect("running")).expect("a process id");
        wait_until("it is ready", || log_of(folder.path()).contains("ready"));
        nodes.stop(|| true);
        wait_until("it is gone", || kill(Pid::from_raw(pid), None).is_err());
    }

    #[test]
    fn the_end_of_a_node_is_noticed_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut nodes = nodes(folder.path(), "while :; do sleep 0.05; done");
        nodes.start(1).expect("started");
        assert!(nodes.ended().expect("asked").is_empty());
        let pid = i32::try_from(nodes.pid(1).expect("running")).expect("a process id");
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("killed");
        let mut seen = Vec::new();
        wait_until("its end is noticed", || {
            seen.extend(nodes.ended().expect("asked"));
            !seen.is_empty()
        });
        assert_eq!((seen[0].0, seen[0].1.signal()), (1, Some(9)));
        assert!(nodes.ended().expect("asked").is_empty() && nodes.pid(1).is_none());
    }

    #[test]
    fn only_errors_reach_the_terminal() {
        assert!(is_alarming("2026-11-20T17:00:00Z ERROR muster_node::raft: vote lost"));
        assert!(is_alarming("error: cannot bind 127.0.0.1:7420"));
        assert!(is_alarming("thread 'main' panicked at src/main.rs:1:1"));
        assert!(!is_alarming("2026-11-20T17:00:00Z  INFO muster_node: wrote error table"));
        assert!(!is_alarming("2026-11-20T17:00:00Z  WARN muster_node: slow"));
    }
}
