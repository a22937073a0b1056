//! Child processes: started with a log of their own, and never outliving this one.
//!
//! Invariants:
//! - A child is killed when its [`Process`] is dropped, and by the kernel when this program dies (where `setpriv` of
//!   util-linux is installed, as on Debian).
//! - A child sees no variable that would configure it: what runs is what the arguments say.
//! - A child is in a process group of its own, so that Ctrl-C reaches the load first and it can end in order.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

/// How long a child that was asked to end may take.
const END_WITHIN: std::time::Duration = std::time::Duration::from_secs(20);
/// Lines of a child's log shown when it ends too early.
const LOG_TAIL_LINES: usize = 15;

/// A running child process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) pid: u32,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program`, with both its outputs in `folder/name.log`.
    ///
    /// To be called on the main thread: the kernel takes the end of the starting thread for the end of the parent.
    pub(crate) fn start<A: AsRef<OsStr>>(
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        folder: &Path,
    ) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let mut command = bound_to_this(program);
        for (variable, _) in std::env::vars_os().filter(|(variable, _)| configures_a_node(variable)) {
            command.env_remove(variable);
        }
        let child = command
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("share the log")?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let pid = child.id().context("the child has ended at once")?;
        Ok(Self { name: name.to_owned(), pid, child, log })
    }

    /// Fails with the end of its log when the child has ended.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait().context("ask for the child")? {
            bail!("{} ended with {status}; the end of its log:\n{}", self.name, self.log_tail());
        }
        Ok(())
    }

    /// The last lines it wrote.
    pub(crate) fn log_tail(&self) -> String {
        let text = fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("kill a node")
    }

    /// Asks it to end.
    pub(crate) fn terminate(&mut self) -> Result<()> {
        let pid = i32::try_from(self.pid).context("a process id")?;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM)
            .context("ask a node to end")
    }

    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait().context("ask for the child")?.is_some())
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> Result<()> {
        tokio::time::timeout(END_WITHIN, self.child.wait()).await.context("a node does not end")?.context("its end")?;
        Ok(())
    }

    /// Kills it and waits until it is gone, so that its folder can be removed.
    pub(crate) async fn stop(mut self) {
        self.child.kill().await.ok();
    }
}

/// Whether a variable would change what a node does, beside the arguments it gets.
fn configures_a_node(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("ETCD_") || name.starts_with("MUSTER_")
}

/// A command whose process the kernel kills when this one dies, even by `kill -9`.
fn bound_to_this(program: &Path) -> Command {
    match find_program(Path::new("setpriv")) {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// The file that would run: the path itself when it has a folder, else the first match on `PATH`.
pub(crate) fn find_program(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.canonicalize().ok().filter(|file| file.is_file());
    }
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Free ports of 127.0.0.1, all different. Another process may take one before it is used; the node then says so.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>> {
    let listeners = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<std::io::Result<Vec<_>>>()
        .context("find free ports")?;
    listeners.iter().map(|listener| Ok(listener.local_addr().context("name a free port")?.port())).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test]
    async fn a_child_that_ends_is_reported_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut child =
            Process::start("talker", Path::new("/bin/sh"), ["-c", "echo no such key; exit 3"], folder.path()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let error = loop {
            if let Err(error) = child.check_running() {
                break error.to_string();
            }
            assert!(Instant::now() < deadline, "the child never ended");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert!(error.contains("exit status: 3") && error.contains("no such key"), "{error}");
    }

    #[tokio::test]
    async fn a_stopped_child_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let child = Process::start("sleeper", Path::new("/bin/sleep"), ["600"], folder.path()).unwrap();
        let pid = child.pid;
        assert!(Path::new(&format!("/proc/{pid}")).exists());
        child.stop().await;
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn free_ports_differ() {
        let mut ports = free_ports(9).unwrap();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 9);
    }

    #[test]
    fn programs_are_found_on_the_path_only_when_they_exist() {
        assert!(find_program(Path::new("sh")).is_some());
        assert!(find_program(Path::new("no-such-program-here")).is_none());
        assert!(find_program(Path::new("/no/such/program")).is_none());
    }
}
