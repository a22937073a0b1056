//! Licences, bans and sources of all dependencies, and known vulnerabilities where their list can be had (cargo-deny).
//!
//! The first three need no network: cargo-deny gets the metadata of what is built here instead of fetching the crates of
//! every platform. Invariant: what was not checked is said, in one line of the summary. In CI, where `CI` is set, a
//! cargo-deny that could be installed and was not is a failure.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::report::{Outcome, Report};
use crate::{cargo, say, workspace};

/// The versions whose configuration we know.
const VERSION: &str = "^0.20";

/// How long fetching the list of advisories may take; a network that swallows packets would hold us for minutes.
const FETCH_MAX: Duration = Duration::from_secs(60);

const LICENCES: &str = "licences, bans, sources";
const ADVISORIES: &str = "advisories";

/// Adds the two steps to the report.
pub(super) fn run(report: &mut Report) {
    if let Err(why) = available() {
        if env::var("CI").is_ok_and(|value| value == "true") && reachable() {
            report.step(LICENCES, || bail!("{why:#}"));
        } else {
            report.leave_out(LICENCES, &format!("{why:#}"));
        }
        report.leave_out(ADVISORIES, "cargo-deny is not there");
        return;
    }
    report.step(LICENCES, || {
        let metadata = metadata()?;
        check(&metadata, &["--offline"], &["bans", "licenses", "sources"])
    });
    report.step(ADVISORIES, || match fetch_advisories() {
        Ok(()) => check(&metadata()?, &[], &["advisories"]),
        Err(why) => Ok(Outcome::LeftOut(format!("their database could not be fetched ({why:#})"))),
    });
}

/// Makes sure that cargo-deny is there; installs it into cargo's home, once.
fn available() -> Result<()> {
    if installed() {
        return Ok(());
    }
    say::step("installing cargo-deny (once; about five minutes on two cores)");
    let mut install = cargo::command(&["install", "cargo-deny", "--locked", "--version", VERSION])?;
    // Our target directory is for our crates: sharing it would make both builds wait for each other's lock.
    let status = install.env_remove("CARGO_TARGET_DIR").status().context("running cargo install")?;
    ensure!(
        status.success() && installed(),
        "cargo-deny could not be installed; `cargo install cargo-deny --locked` does it"
    );
    Ok(())
}

fn installed() -> bool {
    cargo::command(&["deny", "--version"])
        .and_then(|mut command| Ok(command.output()?))
        .is_ok_and(|output| output.status.success())
}

/// Whether crates can be had at all; without a registry nothing could be installed, and that is nobody's fault.
fn reachable() -> bool {
    cargo::command(&["info", "--quiet", "cargo-deny"])
        .and_then(|mut command| Ok(command.output()?))
        .is_ok_and(|output| output.status.success())
}

/// Writes what is built on this machine, as cargo knows it, to a file beside the binaries.
fn metadata() -> Result<PathBuf> {
    let host = host()?;
    let output = cargo::command(&["metadata", "--format-version", "1", "--locked", "--filter-platform", &host])?
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata failed");
    let path = workspace::binaries()?.join("deny-metadata.json");
    fs::write(&path, output.stdout).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

/// The platform that rustc builds for here.
fn host() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().context("running rustc")?;
    let text = String::from_utf8(output.stdout).context("rustc prints text")?;
    text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned).context("rustc names its host")
}

fn check(metadata: &Path, options: &[&str], which: &[&str]) -> Result<Outcome> {
    let mut command = cargo::command(&["deny", "--config", ".deny.toml"])?;
    command.arg("--metadata-path").arg(metadata).args(options).arg("check").args(which);
    let output = command.output().context("running cargo deny")?;
    if output.status.success() {
        return Ok(Outcome::Good);
    }
    say::plain(&without_fetching(&String::from_utf8_lossy(&output.stderr)));
    Ok(Outcome::Bad(format!("cargo deny --config .deny.toml check {}", which.join(" "))))
}

/// cargo-deny complains that it may not fetch the crates of other platforms. We did not want them; the complaint would
/// only hide the finding. It ends at the first empty line that is followed by another message.
fn without_fetching(text: &str) -> String {
    let mut kept = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.contains("failed to fetch crates") {
            inside = true;
        } else if inside && (line.starts_with("error") || line.starts_with("warning") || line.contains("[ERROR]")) {
            inside = false;
        }
        if !inside {
            kept.push(line);
        }
    }
    kept.join("\n")
}

/// Fetches the list of advisories, for a minute at most.
fn fetch_advisories() -> Result<()> {
    let mut fetch = cargo::command(&["deny", "--config", ".deny.toml", "fetch", "db"])?;
    // git must not ask anybody for a password.
    fetch.env("GIT_TERMINAL_PROMPT", "0").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = fetch.spawn().context("running cargo deny")?;
    let until = Instant::now() + FETCH_MAX;
    loop {
        if let Some(status) = child.try_wait().context("waiting for cargo deny")? {
            ensure!(status.success(), "github.com/RustSec/advisory-db is not reachable from here");
            return Ok(());
        }
        if Instant::now() >= until {
            child.kill().context("stopping cargo deny")?;
            child.wait().context("waiting for cargo deny")?;
            bail!("it took more than {} s", FETCH_MAX.as_secs());
        }
        sleep(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_complaint_about_fetching_goes_and_the_finding_stays() {
        let text = "2026-01-01 [ERROR] failed to fetch crates: error: failed to download `w`\n\nCaused by:\n  no network\n\nerror[banned]: crate 'openssl'\n  here\n\nbans FAILED";
        assert_eq!(without_fetching(text), "error[banned]: crate 'openssl'\n  here\n\nbans FAILED");
    }

    #[test]
    fn other_output_is_kept_whole() {
        let text = "error[rejected]: licence\n\nCaused by:\n  x";
        assert_eq!(without_fetching(text), text);
    }

    #[test]
    fn rustc_names_a_platform() {
        assert!(host().expect("rustc is there").contains('-'));
    }
}
