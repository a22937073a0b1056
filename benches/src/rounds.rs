//! The plan: which cases a kind of run has, who is started for it, and in which order they are driven.
//!
//! Invariants:
//! - Within a run the systems of a case follow each other directly; every second run goes the other way round, so that
//!   neither always has the fresher disk or the warmer machine.
//! - A system that is idle stays up: it costs its heartbeats to the one measured, the same for all.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{sleep, timeout};

use crate::load::{Window, drive};
use crate::machine::Machine;
use crate::options::Settings;
use crate::process::find_program;
use crate::report::{Measurement, Report, Target};
use crate::systems::echo::Echo;
use crate::systems::etcd::{self, Etcd};
use crate::systems::muster::{self, Muster};
use crate::systems::{Sizes, System, Work};
use crate::talk::say;

/// What is asked for on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Write,
    Read,
    Stream,
}

/// Nodes of each cluster.
const NODES: usize = 3;
/// How long a system may take to start, without its devices.
const START_WITHIN: Duration = Duration::from_secs(90);
/// How long loading one device may take, on average.
const LOAD_DEVICE_WITHIN: Duration = Duration::from_millis(2);

/// Patches in one call of the batch case.
const BATCH_PATCHES: usize = 100;
/// Callers of the batch case.
const BATCH_CLIENTS: usize = 8;
/// etcd's clients in the stream cases.
const STREAM_PEER_CLIENTS: usize = 256;

/// Sizes the echo takes when Muster is left out: those of its messages when this was written.
const USUAL_SIZES: (Sizes, Sizes) = (Sizes { request: 297, answer: 72 }, Sizes { request: 45, answer: 420 });

/// Work for one system within a case.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    system: &'static str,
    work: Work,
    clients: usize,
}

impl Entry {
    fn label(&self) -> String {
        let (system, clients) = (self.system, counted(self.clients, "client"));
        match (self.work, system) {
            (Work::Write, "etcd") => format!("etcd put, {clients}"),
            (Work::Read, "etcd") => format!("etcd range, {clients}"),
            (Work::Write, "muster") => format!("muster patch, {clients}"),
            (Work::Read, "muster") => format!("muster get, {clients}"),
            (Work::Write | Work::Read, _) => format!("{system}, {clients}"),
            (Work::Stream, _) => format!("{system}, {}", counted(self.clients, "stream")),
            (Work::Batch { patches }, _) => format!("{system} batches of {patches}, {clients}"),
        }
    }
}

fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Work that is compared with each other.
#[derive(Debug)]
struct Case {
    title: String,
    entries: Vec<Entry>,
    targets: Vec<Target>,
}

/// Measures and prints; false when a measurement had errors.
pub(crate) async fn run(kind: Kind, settings: &Settings) -> Result<bool> {
    let parent = settings.data_dir.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new()
        .prefix("muster-bench-")
        .tempdir_in(&parent)
        .with_context(|| format!("make a folder in {}", parent.display()))?;
    let machine = Machine::look(folder.path())?;
    if machine.keeps_data_in_memory() {
        say(&format!("warning: {} is in memory: syncs cost nothing there. Use --data-dir.", parent.display()));
    }
    let mut systems = start(kind, settings, folder.path()).await?;
    if systems.is_empty() {
        bail!("there is nothing to measure: every system was left out");
    }
    let measured = measure(kind, settings, &mut systems).await;
    for system in systems {
        system.stop().await;
    }
    let report = Report::new(kind_name(kind), settings.is_quick(), settings.measured(), machine, measured?);
    report.print();
    if let Some(file) = &settings.json {
        fs::write(file, report.to_json()?).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(report.is_sound())
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Write => "write",
        Kind::Read => "read",
        Kind::Stream => "stream",
    }
}

/// Starts every system that was not left out.
async fn start(kind: Kind, settings: &Settings, folder: &Path) -> Result<Vec<Box<dyn System>>> {
    let mut systems: Vec<Box<dyn System>> = Vec::new();
    let mut sizes = USUAL_SIZES;
    if !settings.no_etcd {
        match find_program(&settings.etcd) {
            None => say("etcd is not installed and is skipped (Debian: apt-get install etcd-server)"),
            Some(program) => {
                say("starting etcd, three nodes");
                let layout = etcd::Layout {
                    nodes: NODES,
                    connections: settings.connections as usize,
                    leader_only: settings.leader_only,
                    keys: settings.keys(),
                };
                let etcd = within(settings, Etcd::start(&program, &folder_for(folder, "etcd")?, layout)).await;
                let etcd = etcd.context("start etcd")?;
                systems.push(Box::new(etcd));
            }
        }
    }
    if !settings.no_muster {
        say("starting muster, three nodes");
        let layout = muster::Layout {
            nodes: NODES,
            connections: settings.connections as usize,
            leader_only: settings.leader_only,
            keys: settings.keys(),
            tls: settings.tls,
            in_flight: settings.in_flight as usize,
            request_ids: !settings.no_request_ids,
        };
        let program = musterd(settings.musterd.as_deref())?;
        let muster = within(settings, Muster::start(&program, &folder_for(folder, "muster")?, layout)).await;
        let muster = muster.context("start muster")?;
        sizes = within(settings, muster.sizes()).await.context("call muster once")?;
        systems.push(Box::new(muster));
    }
    if !settings.no_echo && kind != Kind::Stream {
        let connections = settings.connections as usize;
        let echo = within(settings, Echo::start(&folder_for(folder, "echo")?, connections, sizes.0, sizes.1)).await;
        systems.push(Box::new(echo.context("start the echo")?));
    }
    Ok(systems)
}

/// Bounds the start of a system, loading its devices included.
pub(crate) async fn within<T>(settings: &Settings, start: impl Future<Output = Result<T>>) -> Result<T> {
    let limit = START_WITHIN + LOAD_DEVICE_WITHIN * settings.keys();
    timeout(limit, start).await.with_context(|| format!("not done in {} s", limit.as_secs()))?
}

pub(crate) fn folder_for(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
    Ok(path)
}

/// The node's binary: the one named, or the one beside this program.
pub(crate) fn musterd(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(named) = named {
        return find_program(named).with_context(|| format!("there is no program {}", named.display()));
    }
    let beside = std::env::current_exe().context("find this binary")?.with_file_name("musterd");
    if !beside.is_file() {
        bail!("there is no {}; build it (cargo build -p muster-node) or name it with --musterd", beside.display());
    }
    Ok(beside)
}

/// Drives every case through every run.
async fn measure(kind: Kind, settings: &Settings, systems: &mut [Box<dyn System>]) -> Result<Vec<Measurement>> {
    let mut measurements = Vec::new();
    for run in 1..=settings.runs() {
        for mut case in cases(kind, settings) {
            if run % 2 == 0 {
                case.entries.reverse();
            }
            for entry in &case.entries {
                let Some(system) = systems.iter_mut().find(|system| system.name() == entry.system) else { continue };
                say(&format!("run {run} of {}: {}", settings.runs(), entry.label()));
                let window = Window::after(settings.warmup(), settings.measured());
                let clients = system.clients(entry.work, entry.clients, window)?;
                let figures = drive(clients, window, &system.processes()).await;
                system.check_running()?;
                let figures = figures?;
                if let Some(error) = &figures.first_error {
                    say(&format!("FAILED: {} errors, the first: {error}", figures.errors));
                }
                measurements.push(Measurement {
                    case: case.title.clone(),
                    system: entry.system,
                    label: entry.label(),
                    clients: entry.clients,
                    run,
                    targets: if entry.system == "muster" { case.targets.clone() } else { Vec::new() },
                    figures,
                });
                sleep(settings.rest()).await;
            }
        }
    }
    Ok(measurements)
}

/// The cases of a kind; their targets are those of the design's table of speeds.
fn cases(kind: Kind, settings: &Settings) -> Vec<Case> {
    let everybody = |work, clients: u32| {
        ["etcd", "muster", "tonic echo"].map(|system| Entry { system, work, clients: clients as usize }).to_vec()
    };
    match kind {
        Kind::Write => settings
            .clients(&[1, 256])
            .into_iter()
            .map(|clients| Case {
                title: format!("one twin patch per call, {}", counted(clients as usize, "client")),
                entries: everybody(Work::Write, clients),
                targets: match clients {
                    1 => vec![Target::MedianAtMost { peer: "etcd", times: 1.0 }],
                    256 => vec![Target::RateAtLeast { peer: "etcd", times: 3.0 }],
                    _ => Vec::new(),
                },
            })
            .collect(),
        Kind::Read => settings
            .clients(&[64])
            .into_iter()
            .map(|clients| Case {
                title: format!("one linearizable twin read per call, {}", counted(clients as usize, "client")),
                entries: everybody(Work::Read, clients),
                targets: match clients {
                    64 => vec![
                        Target::RateAtLeast { peer: "etcd", times: 5.0 },
                        Target::RateAtLeast { peer: "tonic echo", times: 0.5 },
                    ],
                    _ => Vec::new(),
                },
            })
            .collect(),
        Kind::Stream => {
            let mut entries = vec![Entry { system: "etcd", work: Work::Write, clients: STREAM_PEER_CLIENTS }];
            entries.extend(settings.clients(&[1, 8]).into_iter().map(|streams| Entry {
                system: "muster",
                work: Work::Stream,
                clients: streams as usize,
            }));
            entries.push(Entry {
                system: "muster",
                work: Work::Batch { patches: BATCH_PATCHES },
                clients: BATCH_CLIENTS,
            });
            let title = "patches on streams and in batches".to_owned();
            vec![Case { title, entries, targets: vec![Target::RateAtLeast { peer: "etcd", times: 10.0 }] }]
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::options::{Command, Options};

    fn settings(arguments: &[&str]) -> Settings {
        let all = ["muster-bench", "write"].into_iter().chain(arguments.iter().copied());
        match Options::try_parse_from(all).unwrap().command {
            Command::Write(settings) => settings,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_target_names_a_peer_of_its_case() {
        for kind in [Kind::Write, Kind::Read, Kind::Stream] {
            let cases = cases(kind, &settings(&[]));
            assert!(cases.iter().any(|case| !case.targets.is_empty()));
            for case in cases {
                for target in case.targets {
                    let (Target::RateAtLeast { peer, .. } | Target::MedianAtMost { peer, .. }) = target;
                    assert!(case.entries.iter().any(|entry| entry.system == peer), "{}: {peer}", case.title);
                }
            }
        }
    }

    #[test]
    fn labels_tell_the_entries_of_a_case_apart() {
        for kind in [Kind::Write, Kind::Read, Kind::Stream] {
            for case in cases(kind, &settings(&["--clients", "1,8"])) {
                let mut labels: Vec<String> = case.entries.iter().map(Entry::label).collect();
                let all = labels.len();
                labels.sort();
                labels.dedup();
                assert_eq!(labels.len(), all, "{labels:?}");
            }
        }
    }

    #[tokio::test]
    async fn without_any_system_it_says_so_instead_of_an_empty_table() {
        let error = run(Kind::Write, &settings(&["--no-etcd", "--no-muster", "--no-echo"])).await.unwrap_err();
        assert!(error.to_string().contains("nothing to measure"), "{error}");
    }

    #[tokio::test]
    async fn a_missing_node_binary_is_named() {
        let settings = settings(&["--no-etcd", "--no-echo", "--musterd", "/no/such/musterd"]);
        let error = run(Kind::Write, &settings).await.unwrap_err();
        assert!(format!("{error:#}").contains("/no/such/musterd"), "{error:#}");
    }
}
