//! What is wrong on one node's disk is found: by `musterd verify` while it is stopped, by `muster cluster verify` while
//! it runs, and by the node itself, which then ends. A store whose old events were removed is found good, and can be
//! restored.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options, binary};
use muster_chaos::eventually::eventually;
use muster_chaos::invariants::replicas_agree;
use muster_chaos::workload::{NAMESPACE, Writers, prepare, wait_for_writes};
use muster_client::proto;
use muster_domain::Key;
use muster_node::apply::Position;
use muster_node::store::state_db::{StateDb, StateOptions};
use muster_node::store::{columns, envelope, event_log, keys};
use muster_node::tasks::{EXIT_DIVERGED, EXIT_STORAGE};
use nix::sys::signal::Signal;
use tokio::process::Command;

mod untouched;

/// Envelope type of a stored position.
const POSITION_TYPE: u16 = 18;

/// The state of a node that is stopped.
struct Stopped(std::sync::Arc<StateDb>);

impl Stopped {
    fn open(data_dir: &Path) -> anyhow::Result<Self> {
        Ok(Self(StateDb::open(data_dir, StateOptions::default())?))
    }

    fn position(&self) -> anyhow::Result<Position> {
        Ok(Position::load(&self.0.db())?)
    }

    fn get(&self, family: &str, key: impl AsRef<[u8]>) -> anyhow::Result<Vec<u8>> {
        let db = self.0.db();
        db.get_cf(db.cf_handle(family).context("a family")?, key)?.context("a value")
    }

    fn put(&self, family: &str, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> anyhow::Result<()> {
        let db = self.0.db();
        Ok(db.put_cf(db.cf_handle(family).context("a family")?, key, value)?)
    }

    fn close(self) -> anyhow::Result<()> {
        Ok(self.0.flush()?)
    }

    /// Changes the actor in an event, with a checksum that fits; `chained` makes the chain of hashes fit, too. Returns
    /// what was there.
    fn forge(&self, revision: u64, chained: bool) -> anyhow::Result<Vec<u8>> {
        let before = self.get(columns::EVENTS, keys::event(revision - 1))?;
        let good = self.get(columns::EVENTS, keys::event(revision))?;
        let mut body = envelope::open(event_log::REVISION_TYPE, &good[32..])?.to_vec();
        let at = body.windows(6).position(|text| text == b"token:").context("an actor with a token")?;
        body[at] = b'x';
        let stored = envelope::seal(event_log::REVISION_TYPE, &body);
        let mut chain = good[..32].to_vec();
        if chained {
            chain = event_log::chain(before[..32].try_into()?, &stored).to_vec();
            let position = self.get(columns::META, keys::APPLIED)?;
            let mut body = envelope::open(POSITION_TYPE, &position)?.to_vec();
            let from = body.len() - 32;
            body[from..].copy_from_slice(&chain);
            self.put(columns::META, keys::APPLIED, envelope::seal(POSITION_TYPE, &body))?;
        }
        self.put(columns::EVENTS, keys::event(revision), [chain, stored].concat())?;
        Ok(good)
    }
}

async fn verify(data_dir: &Path) -> anyhow::Result<Output> {
    Ok(Command::new(binary("musterd")?).arg("verify").arg("--data-dir").arg(data_dir).output().await?)
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn finds_good(data_dir: &Path) -> anyhow::Result<String> {
    let found = verify(data_dir).await?;
    ensure!(found.status.success(), "musterd verify: {}", told(&found));
    Ok(String::from_utf8(found.stdout)?)
}

async fn finds(data_dir: &Path, difference: &str) -> anyhow::Result<()> {
    let found = verify(data_dir).await?;
    let right = found.status.code() == Some(EXIT_STORAGE) && told(&found).contains(difference);
    ensure!(right, "musterd verify ended with {}, and said: {}", found.status, told(&found));
    Ok(())
}

/// Three nodes with some writes behind them, one follower of them stopped in order.
async fn with_one_stopped() -> anyhow::Result<(Cluster, u64)> {
    let mut cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    prepare(&client, 4).await?;
    let writers = Writers::start((0..4).map(|_| cluster.client()).collect::<anyhow::Result<_>>()?);
    wait_for_writes(&client, 200).await?;
    writers.finish().await?;
    replicas_agree::check(&client).await?;
    let leader = cluster.leader().await?;
    let follower = cluster.ids().into_iter().find(|id| *id != leader).context("a follower")?;
    cluster.end(follower, Signal::SIGTERM).await?;
    Ok((cluster, follower))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_another_past_than_the_majority_ends_itself() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (mut cluster, follower) = with_one_stopped().await?;
    let data_dir = cluster.data_dir(follower);
    let stopped = Stopped::open(&data_dir)?;
    stopped.forge(stopped.position()?.revision, true)?;
    stopped.close()?;
    // Its own past is in order; only beside the others it is wrong.
    finds_good(&data_dir).await?;
    cluster.start_node(follower)?;
    let ended = cluster.wait_for_exit(follower).await?;
    ensure!(ended.code() == Some(EXIT_DIVERGED), "it ended with {ended}");
    ensure!(cluster.log_of(follower)?.contains("differs from the majority"), "it says why");
    let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != follower).collect();
    let client = cluster.client_of(&others)?;
    let writers = Writers::start(vec![cluster.client_of(&others)?]);
    wait_for_writes(&client, 50).await?;
    writers.finish().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_event_and_a_changed_record_are_named() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (mut cluster, follower) = with_one_stopped().await?;
    let data_dir = cluster.data_dir(follower);
    let facts = finds_good(&data_dir).await?;
    ensure!(facts.contains("agrees") && facts.contains("first revision 1\n"), "{facts}");

    let stopped = Stopped::open(&data_dir)?;
    let revision = stopped.position()?.revision - 20;
    let good = stopped.forge(revision, false)?;
    stopped.close()?;
    finds(&data_dir, &format!("revision {revision}")).await?;

    let stopped = Stopped::open(&data_dir)?;
    stopped.put(columns::EVENTS, keys::event(revision), good)?;
    let twin = |device: &str| keys::state(&Key::DeviceTwin(NAMESPACE.to_owned(), device.to_owned()));
    stopped.put(columns::STATES, twin("d0"), stopped.get(columns::STATES, twin("d1"))?)?;
    stopped.close()?;
    let name = format!("namespaces/{NAMESPACE}/devices/d0/twin");
    finds(&data_dir, &name).await?;

    cluster.start_node(follower)?;
    cluster.wait_until_whole().await?;
    for id in cluster.ids() {
        let found = replicas_agree::check(&cluster.client_of(&[id])?).await.err().context("they differ")?.to_string();
        ensure!(found.contains(&name) && found.contains(&format!("{follower}")), "asked at node {id}: {found}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_old_events_were_removed_is_found_good_and_can_be_restored() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, 4).await?;
    let writers = Writers::start((0..3).map(|_| cluster.client()).collect::<anyhow::Result<_>>()?);
    wait_for_writes(&client, 200).await?;
    writers.finish().await?;
    let newest = client.cluster().status(proto::GetStatusRequest {}).await?.header.context("a header")?.revision;
    client.retention().compact(proto::CompactEventsRequest { floor: newest - 50, ..Default::default() }).await?;
    eventually("the events are removed", Duration::from_secs(30), async || {
        let log = cluster.log_of(1).map_err(|error| error.to_string())?;
        if log.contains("swept compacted events") { Ok(()) } else { Err("they are there".to_owned()) }
    })
    .await?;
    replicas_agree::check(&client).await?;

    let backup = cluster.scratch().join("swept.mbk");
    let made = Command::new(binary("muster")?)
        // Contexts of whoever runs the tests, or of `cargo xtask up` here, would lend their certificates.
        .envs(["HOME", "XDG_CONFIG_HOME"].map(|name| (name, cluster.scratch())))
        .current_dir(cluster.scratch())
        .args(["--endpoint", &cluster.endpoint(1), "--ca-file"])
        .arg(cluster.pki().join("client-ca.crt"))
        .arg("--token-file")
        .arg(cluster.pki().join("admin.token"))
        .args(["backup", "create"])
        .arg(&backup)
        .output()
        .await?;
    ensure!(made.status.success(), "muster backup create: {}", told(&made));
    let restored = cluster.scratch().join("restored");
    let taken = Command::new(binary("musterd")?)
        .args(["restore", "--from"])
        .arg(&backup)
        .arg("--data-dir")
        .arg(&restored)
        .output()
        .await?;
    ensure!(taken.status.success(), "musterd restore: {}", told(&taken));
    cluster.end(1, Signal::SIGTERM).await?;
    for data_dir in [&cluster.data_dir(1), &restored] {
        let facts = finds_good(data_dir).await?;
        ensure!(facts.contains(&format!("first revision {}\n", newest - 50)), "{facts}");
        // Devices, twins and settings did not change since; the twins that did are compared.
        ensure!(facts.contains("records compared 3\n") || facts.contains("records compared 4\n"), "{facts}");
    }
    Ok(())
}
