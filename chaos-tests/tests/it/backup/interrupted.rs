//! A restore that ends as `kill -9` would end it: no node starts on what it left, and restoring again works.

use std::path::Path;
use std::process::Output;

use anyhow::ensure;
use muster_chaos::cluster::{Cluster, Options, binary};
use muster_chaos::invariants::acked_writes_survive;
use muster_chaos::workload::{Writers, prepare, wait_for_writes};
use muster_client::proto;
use muster_node::failpoint::Point;
use tokio::process::Command;

use super::{backup, restore, run, said, start};

/// Between the steps of a restore.
const POINTS: [Point; 3] = [Point::RestoreCopied, Point::RestoreFilled, Point::RestoreClaimed];

/// What a node says that is to start on the directory; it must end by itself.
async fn start_refused(data_dir: &Path) -> anyhow::Result<Output> {
    let settings = data_dir.with_extension("toml");
    std::fs::write(&settings, format!("[node]\ndata_dir = \"{}\"\n", data_dir.display()))?;
    let mut command = Command::new(binary("musterd")?);
    let home = data_dir.with_extension("home");
    command.arg("--config").arg(&settings).env("HOME", &home).env("XDG_CONFIG_HOME", &home).kill_on_drop(true);
    Ok(tokio::time::timeout(std::time::Duration::from_secs(30), command.output()).await??)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_restore_is_no_nodes_data_and_can_be_repeated() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, 2).await?;
    let writers = Writers::start(vec![cluster.client()?]);
    wait_for_writes(&client, 30).await?;
    let acked = writers.finish().await?;
    let file = cluster.scratch().join("one.mbk");
    let made = backup(&cluster, &file).await?;
    let target = cluster.scratch().join("restored");
    let path = target.display().to_string();
    for point in POINTS {
        let killed = Command::new(binary("musterd")?)
            .args(["restore", "--from"])
            .arg(&file)
            .args(["--data-dir", &path])
            .env("MUSTER_FAILPOINT", point.name())
            .output()
            .await?;
        ensure!(killed.status.code().is_none(), "{}: no signal ended it: {}", point.name(), said(&killed));
        ensure!(target.join("RESTORING").exists(), "{}: the mark is there", point.name());
        let refused = start_refused(&target).await?;
        let told = said(&refused) + &String::from_utf8_lossy(&refused.stdout);
        ensure!(!refused.status.success() && told.contains("run `musterd restore` again"), "{}: {told}", point.name());
        let verified = run("musterd", &["verify", "--data-dir", &path]).await?;
        ensure!(!verified.status.success(), "{}: verify finds half a restore good", point.name());
    }
    let restored = restore(&file, &target).await?;
    ensure!(restored.status.success(), "musterd restore: {}", said(&restored));
    ensure!(!target.join("RESTORING").exists(), "the mark is gone");
    let node = start(&target).await?;
    let status = node.client.cluster().status(proto::GetStatusRequest {}).await?;
    let revision = made["revision"].as_u64().unwrap_or_default();
    ensure!(status.header.is_some_and(|header| header.revision > revision), "revisions go on from {revision}");
    acked_writes_survive::check(&node.client, &acked, revision).await
}
