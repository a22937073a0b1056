//! `musterd verify` reads: after it, each file of a killed node's data is what it was before.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::workload::{Writers, prepare, wait_for_writes};

use super::finds_good;

type Files = BTreeMap<PathBuf, (Vec<u8>, SystemTime)>;

/// Every file below a folder: its bytes, and when it was last written.
fn files(folder: &Path, found: &mut Files) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else {
            found.insert(path.clone(), (fs::read(&path)?, fs::metadata(&path)?.modified()?));
        }
    }
    Ok(())
}

/// Leaves behind the log's last frame what a round leaves that was torn by a power cut, and a file that was being made.
fn tear(data_dir: &Path) -> anyhow::Result<()> {
    const PAGE: usize = 4096;
    const ALIGN: usize = 8;
    const HEADER: usize = 28;
    let segment = data_dir.join("raftlog/00000000000000000001.seg");
    let mut bytes = fs::read(&segment)?;
    let written = bytes.iter().rposition(|byte| *byte != 0).context("a segment with frames")? + 1;
    let next = written.next_multiple_of(ALIGN);
    // The header of a frame without what it announces; the first frame lends it.
    ensure!(bytes[PAGE..PAGE + HEADER].iter().any(|byte| *byte != 0), "there is a first frame");
    bytes.copy_within(PAGE..PAGE + HEADER, next);
    fs::write(&segment, bytes)?;
    Ok(fs::write(data_dir.join("raftlog/spare-99.tmp"), [9; PAGE])?)
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_a_killed_node_changes_no_file() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, 2).await?;
    let writers = Writers::start(vec![cluster.client()?]);
    wait_for_writes(&client, 50).await?;
    writers.finish().await?;
    cluster.kill(&[1]).await?;
    let data_dir = cluster.data_dir(1);
    tear(&data_dir)?;
    let (mut before, mut after) = (Files::new(), Files::new());
    files(&data_dir, &mut before)?;
    let facts = finds_good(&data_dir).await?;
    ensure!(facts.contains("agrees"), "{facts}");
    files(&data_dir, &mut after)?;
    let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    ensure!(names(&before) == names(&after), "files came or went: {:?}, then {:?}", names(&before), names(&after));
    for (path, held) in &before {
        ensure!(after.get(path) == Some(held), "{} was written to", path.display());
    }
    // And a start is as good as before.
    cluster.start_node(1)?;
    cluster.wait_until_whole().await
}
