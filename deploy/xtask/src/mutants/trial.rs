//! Runs one check with one bug planted, or with none, and says how it ended.
//!
//! Invariants:
//! - Exactly one test runs; a name that no test has is an error of the catalogue, not a finding.
//! - A check ends: after its time it is killed with all that it started, and counts as failed.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use muster_planted::{Bug, VARIABLE};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::catalogue::{Check, Suite};
use super::suites::Suites;

/// After so long a check counts as failed. The longest takes a minute without optimisation.
const SECONDS_MAX: u64 = 300;
/// How often it is looked whether a check has ended.
const PACE: Duration = Duration::from_millis(10);

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Passed,
    Failed,
    /// It was killed when its time was over.
    TooLate,
}

impl Ended {
    pub(super) fn is_found(self) -> bool {
        self != Self::Passed
    }
}

/// How a check ended, after how long, and where what it said lies.
pub(super) struct Verdict {
    pub(super) ended: Ended,
    pub(super) seconds: f64,
    pub(super) log: PathBuf,
}

impl Verdict {
    pub(super) fn is_found(&self) -> bool {
        self.ended.is_found()
    }
}

pub(super) fn run(suites: &Suites, check: &Check, bug: Option<Bug>) -> Result<Verdict> {
    let binary = suites.binary(check.suite);
    let log = suites.folder.join("logs").join(log_name(check, bug));
    let said = File::create(&log).with_context(|| format!("making {}", log.display()))?;
    let mut command = Command::new(&binary.path);
    command
        .args(["--exact", check.test])
        .current_dir(&binary.folder)
        .env("CARGO_MANIFEST_DIR", &binary.folder)
        .env_remove(VARIABLE)
        // What a planted bug makes fail is no case to try again ever after.
        .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1")
        .stdin(Stdio::null())
        .stdout(said.try_clone().context("a second handle of a log")?)
        .stderr(said)
        .process_group(0);
    if check.suite == Suite::Clusters {
        command.envs(suites.servers());
    }
    if let Some(bug) = bug {
        command.env(VARIABLE, bug.name());
    }
    let began = Instant::now();
    let mut child = command.spawn().with_context(|| format!("running {}", binary.path.display()))?;
    let ended = match wait(&mut child, Duration::from_secs(SECONDS_MAX))? {
        Some(status) if status.success() => Ended::Passed,
        Some(_) => Ended::Failed,
        None => Ended::TooLate,
    };
    let text = std::fs::read(&log).with_context(|| format!("reading {}", log.display()))?;
    ensure!(is_one_test(&String::from_utf8_lossy(&text)), "{check} is not one test: {}", log.display());
    Ok(Verdict { ended, seconds: began.elapsed().as_secs_f64(), log })
}

/// Waits until the child ends; after the limit it is killed with all it started, and there is no status.
fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let group = Pid::from_raw(i32::try_from(child.id()).context("a process id")?);
    let until = Instant::now() + limit;
    let ended = loop {
        if let Some(status) = child.try_wait().context("waiting for a check")? {
            break Some(status);
        }
        if Instant::now() >= until {
            break None;
        }
        std::thread::sleep(PACE);
    };
    // What a test leaves behind when it is aborted must not disturb the next; mostly there is nothing.
    killpg(group, Signal::SIGKILL).ok();
    if ended.is_none() {
        child.wait().context("waiting for a killed check")?;
    }
    Ok(ended)
}

fn is_one_test(said: &str) -> bool {
    said.lines().any(|line| line == "running 1 test")
}

fn log_name(check: &Check, bug: Option<Bug>) -> String {
    let test = check.test.rsplit("::").next().unwrap_or(check.test);
    format!("{}--{test}.txt", bug.map_or("control", Bug::name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_does_not_end_is_ended_with_its_own_children() {
        let mut child = Command::new("sh").args(["-c", "sleep 60 & sleep 60"]).process_group(0).spawn().expect("sh");
        let began = Instant::now();
        assert!(wait(&mut child, Duration::from_millis(50)).expect("waits").is_none());
        assert!(began.elapsed() < Duration::from_secs(30));
        let mut child = Command::new("false").process_group(0).spawn().expect("false");
        assert!(wait(&mut child, Duration::from_secs(30)).expect("waits").is_some_and(|status| !status.success()));
    }

    #[test]
    fn one_test_must_have_run() {
        assert!(is_one_test("\nrunning 1 test\ntest x ... ok\n"));
        assert!(!is_one_test("\nrunning 0 tests\n"));
        assert!(!is_one_test("error: no such file"));
    }
}
