//! `million`: what a large fleet costs a node: loading, memory, disk, a restart, catching up from nothing, a backup and its
//! way back.
//!
//! Three nodes, of which the third is stopped before the fleet is loaded: it catches up from nothing. Every figure is of
//! one run; the restart is repeated.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::time::Instant;

use crate::machine::resident_bytes;
use crate::options::MillionSettings;
use crate::rounds::{folder_for, musterd};
use crate::systems::muster::cluster::Cluster;
use crate::systems::muster::probe::Probe;
use crate::talk::{print, say};

/// The node that catches up.
const AWAY: usize = 2;
/// The node that is restarted.
const RESTARTED: usize = 1;
const RESTARTS: usize = 3;
/// How long anything here may take.
const WITHIN: Duration = Duration::from_secs(900);

/// Measures and prints.
pub(crate) async fn run(settings: &MillionSettings) -> Result<bool> {
    let parent = settings.data_dir.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("muster-bench-").tempdir_in(&parent).context("make a folder")?;
    let (program, own) = (musterd(settings.musterd.as_deref())?, folder_for(folder.path(), "muster")?);
    let mut cluster = Cluster::start(&program, &own, 3, false).await?;
    cluster.kill(AWAY).await?;

    say(&format!("loading {} devices with their twins", settings.twins));
    let begun = Instant::now();
    Probe::load(&cluster, &[0, 1], settings.twins).await?;
    let took = begun.elapsed();
    let rate = f64::from(settings.twins) / took.as_secs_f64();
    print(&format!("{} twins of 213 bytes each, created and patched in {took:.1?} ({rate:.0}/s)", settings.twins));
    for node in [0, 1] {
        show_size(&cluster, &own, node)?;
    }
    catch_up(&mut cluster, &own).await?;
    for kind in ["kill -9", "SIGTERM"] {
        restart(&mut cluster, kind).await?;
    }
    backup(&cluster, &program, folder.path()).await?;
    cluster.stop().await;
    Ok(true)
}

fn show_size(cluster: &Cluster, own: &Path, node: usize) -> Result<()> {
    let (_, pid) = cluster.processes()[node];
    let data = own.join(format!("data-n{}", node + 1));
    print(&format!(
        "node {}: {} MiB of memory, {} MiB on disk (records and events {} MiB, Raft log {} MiB, snapshots {} MiB)",
        node + 1,
        resident_bytes(pid)? >> 20,
        size_of(&data)? >> 20,
        size_of(&data.join("state"))? >> 20,
        size_of(&data.join("raftlog"))? >> 20,
        size_of(&data.join("snapshots"))? >> 20,
    ));
    Ok(())
}

/// Bytes of all files below a folder. Tables that a snapshot shares with the state count in both.
fn size_of(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        // What vanishes meanwhile counts nothing.
        bytes += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()).unwrap_or(0),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        };
    }
    Ok(bytes)
}

async fn catch_up(cluster: &mut Cluster, own: &Path) -> Result<()> {
    let begun = Instant::now();
    cluster.restart_within(AWAY, WITHIN).await?;
    print(&format!("an empty node caught up in {:.1?}", begun.elapsed()));
    show_size(cluster, own, AWAY)
}

/// From the start of the process to the first write that is accepted through it.
async fn restart(cluster: &mut Cluster, kind: &str) -> Result<()> {
    let mut took = Vec::new();
    for _ in 0..RESTARTS {
        match kind {
            "kill -9" => cluster.kill(RESTARTED).await?,
            _ => cluster.terminate(RESTARTED)?,
        }
        cluster.wait_for_end(RESTARTED).await?;
        let begun = Instant::now();
        cluster.start_again(RESTARTED)?;
        loop {
            if let Ok(mut probe) = Probe::open(cluster, RESTARTED).await
                && probe.send().await.1.is_ok()
            {
                break;
            }
            cluster.check_running()?;
            ensure!(begun.elapsed() < WITHIN, "the node does not serve");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        took.push(begun.elapsed());
    }
    print(&format!(
        "restart after {kind}, from the start of the process to an accepted write: {took:.2?} (to reach: 10 s)"
    ));
    Ok(())
}

async fn backup(cluster: &Cluster, program: &Path, folder: &Path) -> Result<()> {
    let muster = program.with_file_name("muster");
    let token = folder.join("token");
    std::fs::write(&token, cluster.secret())?;
    let (target, restored) = (folder.join("backups"), folder.join("restored"));
    std::fs::create_dir(&target)?;
    let address = cluster.urls()[0].trim_start_matches("http://").to_owned();
    for what in ["a backup into an empty folder", "another one, into the same folder"] {
        let begun = Instant::now();
        let mut create = Command::new(&muster);
        create.args(["--endpoint", &address, "--insecure", "--timeout", "5m", "--token-file"]).arg(&token);
        done(create.args(["backup", "create"]).arg(&target)).await?;
        print(&format!("{what}: {:.1?}; the folder holds {} MiB", begun.elapsed(), size_of(&target)? >> 20));
    }
    let path = |path: &PathBuf| path.display().to_string();
    let steps: [(&str, Vec<String>); 2] = [
        ("musterd verify --backup", vec!["verify".to_owned(), "--backup".to_owned(), path(&target)]),
        (
            "musterd restore",
            vec!["restore".to_owned(), "--from".to_owned(), path(&target), "--data-dir".to_owned(), path(&restored)],
        ),
    ];
    for (what, arguments) in steps {
        let begun = Instant::now();
        done(Command::new(program).args(arguments)).await?;
        print(&format!("{what}: {:.1?}", begun.elapsed()));
    }
    Ok(())
}

async fn done(command: &mut Command) -> Result<()> {
    let output =
        tokio::time::timeout(WITHIN, command.kill_on_drop(true).output()).await.context("it takes too long")??;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
