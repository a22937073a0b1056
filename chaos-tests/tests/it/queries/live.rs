//! Live queries: what is told, folded, is the answer, also when nodes go and when one comes back to go on.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::eventually::eventually;
use muster_chaos::workload::{NAMESPACE, Writers, prepare};
use muster_client::{QueryWatcher, names, proto};
use nix::sys::signal::Signal;
use proto::watch_query_response::Kind;
use tokio::time::timeout;

use super::{answer, patch, query};

const TEXT: &str = "SELECT deviceId, desired.sequence AS s FROM devices WHERE desired.sequence % 3 != 0";

fn watch(text: &str, resume_revision: u64) -> proto::WatchQueryRequest {
    proto::WatchQueryRequest {
        parent: names::namespace(NAMESPACE),
        text: text.to_owned(),
        resume_revision,
        ..Default::default()
    }
}

/// Folds what is told until a progress reaches `revision`; how many rows came, changed and left.
async fn fold(
    watcher: &mut QueryWatcher,
    rows: &mut BTreeMap<String, String>,
    revision: u64,
) -> anyhow::Result<(u64, [usize; 3])> {
    let mut told = [0; 3];
    loop {
        let message = timeout(Duration::from_secs(30), watcher.next()).await.context("something is told")??;
        let (kind, id, row) = (message.kind(), message.id, message.row_json);
        match kind {
            Kind::Enter | Kind::Update => {
                told[usize::from(kind == Kind::Update)] += 1;
                rows.insert(id, row);
            }
            Kind::Leave => {
                told[2] += 1;
                ensure!(rows.remove(&id).is_some(), "{id} left without having been there");
            }
            Kind::Progress => {
                let reached = message.header.unwrap_or_default().revision;
                if reached >= revision {
                    return Ok((reached, told));
                }
            }
            Kind::Unspecified => anyhow::bail!("a message without a kind"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_answers_are_whole_through_kills_of_nodes() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    prepare(&client, 5).await?;
    let mut watchers: Vec<(QueryWatcher, BTreeMap<String, String>)> = Vec::new();
    let mut order = cluster.ids();
    for _ in 0..3 {
        order.rotate_left(1);
        let mut watcher = cluster.client_of(&order)?.watch_query(watch(TEXT, 0));
        let mut rows = BTreeMap::new();
        fold(&mut watcher, &mut rows, 0).await?;
        watchers.push((watcher, rows));
    }
    let clients = (0..5).map(|_| cluster.client()).collect::<Result<_, _>>()?;
    let writers = Writers::start(clients);
    for id in cluster.ids() {
        let (revision, _) = answer(&client, query("SELECT COUNT() FROM devices")).await?;
        cluster.end(id, Signal::SIGKILL).await?;
        let (watcher, rows) = &mut watchers[0];
        fold(watcher, rows, revision + 50).await?;
        cluster.start_node(id)?;
        cluster.wait_until_whole().await?;
    }
    let acked = writers.finish().await?;
    ensure!(acked.len() > 150, "there was something to follow: {}", acked.len());
    let (revision, expected) = answer(&client, query(TEXT)).await?;
    let expected: BTreeMap<String, serde_json::Value> =
        expected.into_iter().map(|row| (row["deviceId"].as_str().unwrap_or_default().to_owned(), row)).collect();
    for (watcher, rows) in &mut watchers {
        fold(watcher, rows, revision).await?;
        let found: BTreeMap<String, serde_json::Value> = rows
            .iter()
            .map(|(id, row)| Ok((id.clone(), serde_json::from_str(row)?)))
            .collect::<Result<_, serde_json::Error>>()?;
        ensure!(found == expected, "{found:?}\nis not\n{expected:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_enter_change_and_leave_and_an_interrupted_watch_goes_on() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, 4).await?;
    let text = "SELECT deviceId, tags.site AS site FROM devices WHERE tags.site = 'ams' OR tags.site = 'rtm'";
    patch(&client, "d0", (Some("{\"site\":\"ams\"}"), None)).await?;
    let first = patch(&client, "d1", (Some("{\"site\":\"ber\"}"), None)).await?;
    let (mut watcher, mut rows) = (client.watch_query(watch(text, 0)), BTreeMap::new());
    assert_eq!(fold(&mut watcher, &mut rows, first).await?.1, [1, 0, 0]);
    patch(&client, "d1", (Some("{\"site\":\"ams\"}"), None)).await?;
    let second = patch(&client, "d0", (Some("{\"site\":\"rtm\"}"), None)).await?;
    let (reached, told) = fold(&mut watcher, &mut rows, second).await?;
    assert_eq!(told, [1, 1, 0]);
    drop(watcher);
    // What does not show in the answer is not told, and of several changes only what became of them.
    patch(&client, "d0", (Some("{\"colour\":\"red\"}"), None)).await?;
    patch(&client, "d2", (Some("{\"site\":\"ams\"}"), None)).await?;
    patch(&client, "d2", (Some("{\"site\":\"lon\"}"), None)).await?;
    let request = proto::DeleteDeviceRequest { name: names::device(NAMESPACE, "d1"), ..Default::default() };
    client.devices().delete(request).await?;
    let last = patch(&client, "d3", (Some("{\"site\":\"rtm\"}"), None)).await?;
    let mut watcher = client.watch_query(watch(text, reached));
    assert_eq!(fold(&mut watcher, &mut rows, last).await?.1, [1, 0, 1]);
    assert_eq!(rows.keys().collect::<Vec<_>>(), ["d0", "d3"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_kept_up_to_date() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, 3).await?;
    let text = "SELECT tags.site AS site, COUNT() AS n FROM devices WHERE IS_DEFINED(tags.site) GROUP BY tags.site";
    let mut answers = client.watch_answers(watch(text, 0)).await?;
    let mut next = async || -> anyhow::Result<Vec<String>> {
        loop {
            let message = timeout(Duration::from_secs(30), answers.message()).await??.context("the stream goes on")?;
            if !message.unchanged {
                return Ok(message.rows_json);
            }
        }
    };
    assert!(next().await?.is_empty());
    patch(&client, "d0", (Some("{\"site\":\"ams\"}"), None)).await?;
    assert_eq!(next().await?, [r#"{"n":1,"site":"ams"}"#]);
    patch(&client, "d1", (Some("{\"site\":\"ams\"}"), None)).await?;
    assert_eq!(next().await?, [r#"{"n":2,"site":"ams"}"#]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_live_queries_of_different_texts_are_each_told_what_concerns_them() -> anyhow::Result<()> {
    const TENANTS: usize = 120;
    const DEVICES: usize = 40;
    let _turn = crate::turn().await;
    let settings = format!("[queries]\nlive = {}\n", TENANTS + 1);
    let cluster = Cluster::start(Options { nodes: 1, settings, ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, DEVICES).await?;
    let text = |tenant| format!("SELECT deviceId, tags.turn AS turn FROM devices WHERE tags.tenant = 't{tenant}'");
    let mut watchers = Vec::new();
    for tenant in 0..TENANTS {
        let (mut watcher, mut rows) = (client.watch_query(watch(&text(tenant), 0)), BTreeMap::new());
        fold(&mut watcher, &mut rows, 0).await?;
        watchers.push((tenant, watcher, rows));
    }
    // Each device moves from tenant to tenant, and sometimes shows another turn where it is.
    for step in 0..600_usize {
        let (device, tenant) = ((step * 7 + step / 5) % DEVICES, step * step / 3 % TENANTS);
        let tags = match step % 5 {
            0 => format!("{{\"turn\":{step}}}"),
            1 => "{\"tenant\":null}".to_owned(),
            _ => format!("{{\"tenant\":\"t{tenant}\"}}"),
        };
        patch(&client, &format!("d{device}"), (Some(&tags), None)).await?;
    }
    let mut told = [0; 3];
    for (tenant, watcher, rows) in &mut watchers {
        let (revision, expected) = answer(&client, query(&text(*tenant))).await?;
        let (_, more) = fold(watcher, rows, revision).await?;
        told.iter_mut().zip(more).for_each(|(told, more)| *told += more);
        let found: Vec<serde_json::Value> =
            rows.values().map(|row| serde_json::from_str(row)).collect::<Result<_, _>>()?;
        let id = |row: &serde_json::Value| row["deviceId"].as_str().unwrap_or_default().to_owned();
        let mut expected = expected;
        expected.sort_by_key(id);
        let mut found = found;
        found.sort_by_key(id);
        ensure!(found == expected, "t{tenant}: {found:?}\nis not\n{expected:?}");
    }
    ensure!(told.iter().all(|told| *told > 20), "rows came, changed and left: {told:?}");
    // One more has a place, and no further one.
    let (mut last, mut rows) = (client.watch_query(watch("SELECT deviceId FROM devices", 0)), BTreeMap::new());
    fold(&mut last, &mut rows, 0).await?;
    ensure!(rows.len() == DEVICES, "{rows:?}");
    let mut stream = client.watch_answers(watch("SELECT COUNT() AS n FROM devices", 0)).await;
    let refused = match &mut stream {
        Ok(stream) => stream.message().await.err().map(|status| status.message().to_owned()),
        Err(error) => Some(error.to_string()),
    };
    let refused = refused.context("it is refused")?;
    ensure!(refused.contains("queries.live"), "{refused}");
    drop(last);
    eventually("the place is free again", Duration::from_secs(20), async || {
        let mut next = client.watch_query(watch("SELECT deviceId FROM devices", 0));
        next.next().await.map(drop).map_err(|error| error.to_string())
    })
    .await
}
