//! Builds Muster with the feature, and finds the test binaries and servers that came of it.
//!
//! Invariants:
//! - Everything is built for the whole workspace, so that only Muster's own crates differ from the usual build.
//! - When it is done, the usual binaries lie where they always do; those with bugs in them lie in a folder `planted` beside
//!   them, and nobody starts these by accident.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::catalogue::Suite;
use crate::{cargo, say, workspace};

/// The feature; and no optimisation of the crates that have it, which then build in a fraction of the time. Packages that do not
/// have it keep their settings, or they were built once more.
const FEATURE: &[&str] = &[
    "--features",
    "muster-planted/planted-bugs",
    "--config",
    "profile.dev.package.muster-domain.opt-level=0",
    "--config",
    "profile.dev.package.muster-domain.codegen-units=256",
    "--config",
    "profile.dev.package.muster-node.opt-level=0",
    "--config",
    "profile.dev.package.muster-edge.opt-level=0",
];
/// Servers that are started with a bug in them.
const SERVERS: [&str; 2] = ["musterd", "muster-edge"];
/// The file that says what was built last.
const LIST: &str = "suites.json";

/// A test binary and where it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TestBinary {
    pub(super) path: PathBuf,
    pub(super) folder: PathBuf,
}

/// All that was built.
pub(super) struct Suites {
    pub(super) folder: PathBuf,
    binaries: BTreeMap<&'static str, TestBinary>,
}

impl Suites {
    /// Builds everything.
    pub(super) fn build() -> Result<Self> {
        say::step("build with the feature planted-bugs");
        let folder = workspace::binaries()?.join("planted");
        fs::create_dir_all(folder.join("logs")).with_context(|| format!("making {}", folder.display()))?;
        // Without the test of clusters, which is the largest and is not used with the feature. No library that is not Muster's
        // is built with other features for want of it; `cargo tree --format "{p} {f}"` with and without shows it.
        let tests = ["test", "--no-run", "--exclude", "muster-chaos", "--lib", "--test", "it"];
        let mut binaries = artifacts(&[&tests, FEATURE].concat())?;
        built(&[&["build", "--bin", SERVERS[0], "--bin", SERVERS[1]], FEATURE].concat())?;
        for server in SERVERS {
            // A copy: the next build puts the usual one in its place.
            let copy = folder.join(server);
            fs::remove_file(&copy).or_else(|error| absent(&error).then_some(()).ok_or(error))?;
            fs::copy(workspace::binary(server)?, &copy).with_context(|| format!("copying {server}"))?;
        }
        say::step("build without it");
        built(&["build"])?;
        // The test of clusters is the usual one: it is the servers that have the bug, not who judges them.
        binaries.extend(artifacts(&["test", "--no-run", "--test", "it"])?.into_iter().filter(is_of(Suite::Clusters)));
        let list = binaries
            .iter()
            .map(|(name, binary)| (name.clone(), serde_json::json!({ "path": binary.path, "folder": binary.folder })));
        fs::write(folder.join(LIST), Value::Object(list.collect()).to_string()).context("writing what was built")?;
        Self::of(folder, &binaries)
    }

    /// What was built last.
    pub(super) fn built() -> Result<Self> {
        let folder = workspace::binaries()?.join("planted");
        let text = fs::read_to_string(folder.join(LIST)).context("nothing was built yet: leave out --skip-build")?;
        let list: BTreeMap<String, Value> = serde_json::from_str(&text).context("reading what was built")?;
        let path = |value: &Value| value.as_str().map(PathBuf::from).unwrap_or_default();
        let binaries = list
            .into_iter()
            .map(|(name, value)| (name, TestBinary { path: path(&value["path"]), folder: path(&value["folder"]) }));
        Self::of(folder, &binaries.collect())
    }

    fn of(folder: PathBuf, found: &BTreeMap<String, TestBinary>) -> Result<Self> {
        let mut binaries = BTreeMap::new();
        for suite in Suite::ALL {
            let binary = found.get(suite.name()).with_context(|| format!("{} was not built", suite.name()))?;
            ensure!(binary.path.is_file(), "{} is gone: leave out --skip-build", binary.path.display());
            binaries.insert(suite.name(), binary.clone());
        }
        Ok(Self { folder, binaries })
    }

    pub(super) fn binary(&self, suite: Suite) -> &TestBinary {
        &self.binaries[suite.name()]
    }

    /// The server with the bugs in it.
    pub(super) fn server(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The servers as variables for the tests that start them.
    pub(super) fn servers(&self) -> [(String, PathBuf); 2] {
        SERVERS.map(|name| (format!("{}_BINARY", name.to_uppercase()), self.server(name)))
    }
}

fn absent(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

fn is_of(suite: Suite) -> impl Fn(&(String, TestBinary)) -> bool {
    move |(name, _)| name == suite.name()
}

fn built(arguments: &[&str]) -> Result<()> {
    let status = cargo::command(&with_workspace(arguments))?.status().context("running cargo")?;
    ensure!(status.success(), "cargo {} failed", arguments.join(" "));
    Ok(())
}

/// Builds, and returns the test binaries that cargo names, as `package target`.
fn artifacts(arguments: &[&str]) -> Result<BTreeMap<String, TestBinary>> {
    let mut arguments = with_workspace(arguments);
    arguments.push("--message-format=json-render-diagnostics");
    let output = cargo::command(&arguments)?.stderr(Stdio::inherit()).output().context("running cargo")?;
    ensure!(output.status.success(), "cargo {} failed", arguments.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(artifact).collect())
}

fn with_workspace<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut all = arguments.to_vec();
    all.insert(1, "--workspace");
    all
}

/// The test binary that a line of cargo's messages is about, if it is about one.
fn artifact(line: &str) -> Option<(String, TestBinary)> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
        return None;
    }
    let path = PathBuf::from(message["executable"].as_str()?);
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?.to_owned();
    let kind = message["target"]["kind"][0].as_str()?;
    let target = if kind == "test" { message["target"]["name"].as_str()? } else { kind };
    let package = package_of(message["package_id"].as_str()?)?;
    Some((format!("{package} {target}"), TestBinary { path, folder }))
}

/// `path+file:///x/node#muster-node@0.1.0` is of `muster-node`; `path+file:///x/muster-node#0.1.0` too.
fn package_of(id: &str) -> Option<&str> {
    let (place, rest) = id.split_once('#')?;
    match rest.split_once('@') {
        Some((name, _)) => Some(name),
        None => place.rsplit('/').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_binaries_are_told_from_everything_else() {
        let line = |test: bool, kind: &str, executable: Value| {
            serde_json::json!({
                "reason": "compiler-artifact",
                "package_id": "path+file:///m/node/domain#muster-domain@0.1.0",
                "manifest_path": "/m/node/domain/Cargo.toml",
                "target": { "kind": [kind], "name": "it" },
                "profile": { "test": test },
                "executable": executable,
            })
            .to_string()
        };
        let binary = TestBinary { path: "/t/it-1".into(), folder: "/m/node/domain".into() };
        let found = artifact(&line(true, "test", "/t/it-1".into()));
        assert_eq!(found, Some(("muster-domain it".to_owned(), binary.clone())));
        let found = artifact(&line(true, "lib", "/t/it-1".into()));
        assert_eq!(found, Some(("muster-domain lib".to_owned(), binary)));
        assert_eq!(artifact(&line(false, "lib", Value::Null)), None);
        assert_eq!(artifact("   Compiling muster"), None);
    }

    #[test]
    fn packages_are_named_in_both_ways() {
        assert_eq!(package_of("path+file:///x/node#muster-node@0.1.0"), Some("muster-node"));
        assert_eq!(package_of("path+file:///x/muster-node#0.1.0"), Some("muster-node"));
    }
}
