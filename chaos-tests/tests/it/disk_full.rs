//! A disk that is nearly full: reads go on, writes are refused by name, and both are back when there is room. A disk that
//! holds something else than was written, or whose syncs fail, ends the node with an exit code of its own.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::eventually::eventually;
use muster_chaos::faults::disk::Disk;
use muster_chaos::workload::{NAMESPACE, prepare};
use muster_client::{CallError, Client, Code, RetryPolicy, names, proto};
use nix::sys::signal::Signal;

/// A file system in memory over a folder, so that nobody else fills it.
pub(crate) struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// Takes over what lies in the folder. Needs root.
    pub(crate) fn over(folder: &'a Path, megabytes: u64) -> anyhow::Result<Self> {
        let aside = folder.with_extension("aside");
        fs::rename(folder, &aside)?;
        fs::create_dir(folder)?;
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m,mode=0700"), "tmpfs"])
            .arg(folder))?;
        let disk = Self(folder);
        run(Command::new("cp").arg("-a").arg(aside.join(".")).arg(folder))?;
        Ok(disk)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Lazily: the node may still be running when a test fails.
        drop(Command::new("umount").arg("-l").arg(self.0).status());
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let done = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// A client that takes the first answer.
fn impatient(cluster: &Cluster) -> anyhow::Result<Client> {
    let once = RetryPolicy { attempts_max: 1, ..RetryPolicy::default() };
    Ok(Client::new(cluster.client_config(&[1])?.token_file(cluster.pki().join("admin.token"))?.retry(once))?)
}

async fn patch(client: &Client, value: u64) -> Result<u64, CallError> {
    let request = proto::PatchTwinRequest {
        name: names::twin(NAMESPACE, "d0"),
        desired_json: Some(format!("{{\"value\":{value}}}")),
        ..Default::default()
    };
    Ok(client.twins().patch(request).await?.header.map(|header| header.revision).unwrap_or_default())
}

async fn read(client: &Client) -> Result<String, CallError> {
    let request = proto::GetTwinRequest { name: names::twin(NAMESPACE, "d0"), ..Default::default() };
    let twin = client.twins().get(request).await?.twin;
    Ok(twin.and_then(|twin| twin.desired).map(|section| section.json).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_nearly_full_refuses_writes_until_there_is_room() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let settings = "[storage]\ndisk_free_min_bytes = 67108864\n".to_owned();
    let mut cluster = Cluster::start(Options { nodes: 1, settings, ..Options::default() }).await?;
    prepare(&cluster.client()?, 1).await?;
    cluster.end(1, Signal::SIGTERM).await?;
    let data = cluster.data_dir(1);
    let _disk = SmallDisk::over(&data, 300)?;
    cluster.start_node(1)?;
    cluster.wait_until_whole().await?;
    let client = impatient(&cluster)?;
    let first = patch(&client, 1).await?;

    let filler = data.join("filler");
    // Within less than the bound, so that what the node needs for itself is there.
    fs::write(&filler, vec![1; available_bytes(&data)?.saturating_sub(32 << 20)])?;
    let refused = eventually("writes are refused", Duration::from_secs(20), async || match patch(&client, 2).await {
        Err(error) => Ok(error),
        Ok(revision) => Err(format!("accepted at {revision}")),
    })
    .await?;
    assert_eq!((refused.code(), refused.reason()), (Code::ResourceExhausted, Some("DISK_LOW")), "{refused}");
    assert!(refused.retry_after().is_some(), "it says when to try again");
    read(&client).await?;
    // What makes room is taken: a policy could not be carried out otherwise.
    let compact = proto::CompactEventsRequest { floor: first, ..Default::default() };
    let retention = client.retention().compact(compact).await?.retention.context("retention")?;
    assert_eq!(retention.floor, first);

    fs::remove_file(&filler)?;
    eventually("writes are back by themselves", Duration::from_secs(20), async || {
        patch(&client, 3).await.map_err(|error| error.to_string())
    })
    .await?;
    assert_eq!(read(&client).await?, "{\"value\":3}");
    let log = cluster.log_of(1)?;
    assert!(log.contains("the disk is nearly full") && log.contains("the disk has room again"), "{log}");
    cluster.end(1, Signal::SIGTERM).await?;
    Ok(())
}

pub(crate) fn available_bytes(path: &Path) -> anyhow::Result<usize> {
    let shown = Command::new("df").args(["--output=avail", "-B1"]).arg(path).output()?;
    let shown = String::from_utf8(shown.stdout)?;
    Ok(shown.lines().last().context("a line")?.trim().parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_disk_ends_the_node_with_its_own_code_and_says_where() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let mut cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, 1).await?;
    for value in 0..20 {
        patch(&client, value).await?;
    }
    cluster.kill(&[1]).await?;
    let log = cluster.data_dir(1).join("raftlog");
    let mut segments: Vec<_> = fs::read_dir(&log)?.collect::<Result<Vec<_>, _>>()?;
    segments.retain(|file| file.path().extension().is_some_and(|ending| ending == "seg"));
    segments.sort_by_key(fs::DirEntry::path);
    let path = segments.first().context("a segment")?.path();
    let mut bytes = fs::read(&path)?;
    // In the first frame, with whole frames behind it: no torn end looks like this.
    bytes[4096 + 64] ^= 1;
    fs::write(&path, bytes)?;
    cluster.start_node(1)?;
    let status = cluster.wait_for_exit(1).await?;
    assert_eq!(status.code(), Some(70), "{status}");
    let log = cluster.log_of(1)?;
    assert!(log.contains("is damaged"), "it says what is wrong:\n{log}");
    Ok(())
}

/// The next write would hear of it, were there one; RocksDB's log tells it at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_of_a_compaction_that_nobody_waits_for_ends_the_node() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let settings = "[raft]\nsnapshot_entries = 300\n[storage]\nstate_memtable_bytes = 1048576\n".to_owned();
    let mut cluster = Cluster::start(Options { nodes: 1, settings, breakable: true, ..Options::default() }).await?;
    let client = impatient(&cluster)?;
    prepare(&client, 1).await?;
    let disk = Disk::of(cluster.folder_of(1))?;
    disk.fail_next_sync_of_a_compaction()?;
    let mut value = 0;
    let status = eventually("it ends", Duration::from_secs(180), async || {
        for _ in 0..100 {
            value += 1;
            // Refused while it ends.
            patch(&client, value).await.ok();
        }
        cluster.ended(1).map_err(|error| error.to_string())?.ok_or_else(|| format!("it goes on after {value} patches"))
    })
    .await?;
    let log = cluster.log_of(1)?;
    ensure!(status.code() == Some(70), "{status}:\n{log}");
    ensure!(log.contains("disk-faults: the sync of") && log.contains("background compaction error"), "{log}");
    disk.heal()?;
    cluster.start_node(1)?;
    cluster.wait_until_whole().await?;
    cluster.end(1, Signal::SIGTERM).await?;
    Ok(())
}
