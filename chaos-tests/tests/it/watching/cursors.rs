//! Cursors: they move forward only, survive everything, and a consumer goes on from them.

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options, binary};
use muster_client::{Client, Code, names, proto};

use tokio::process::Command;

use super::{everything, kinds, started, until, watch};
use crate::table::Table;

async fn acknowledge(client: &Client, name: &str, revision: u64) -> Result<u64, muster_client::CallError> {
    let request = proto::AcknowledgeCursorRequest { name: name.to_owned(), revision, ..Default::default() };
    let answer = client.cursors().acknowledge(request).await?;
    Ok(answer.cursor.map(|cursor| cursor.acknowledged_revision).unwrap_or_default())
}

async fn create(client: &Client, parent: &str, id: &str, from_now: bool) -> Result<u64, muster_client::CallError> {
    let request = proto::CreateCursorRequest {
        parent: parent.to_owned(),
        cursor_id: id.to_owned(),
        from_now,
        ..Default::default()
    };
    Ok(client.cursors().create(request).await?.cursor.map(|cursor| cursor.acknowledged_revision).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_goes_on_where_its_cursor_stands_on_any_node() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    let request = proto::CreateNamespaceRequest { namespace_id: "plant1".to_owned(), ..Default::default() };
    let made = client.namespaces().create(request).await?.header.context("a header")?.revision;
    let mut table = Table::default();
    table.same("from now", create(&client, "", "warehouse", true).await?, made);
    table.same("from the oldest", create(&client, "namespaces/plant1", "audit", false).await?, 0);

    let parent = names::namespace("plant1");
    let request = proto::CreateDeviceRequest { parent, device_id: "pump7".to_owned(), ..Default::default() };
    let device = client.devices().create(request).await?.header.context("a header")?.revision;
    let follow = |client: &Client| {
        let spec = proto::WatchSpec { cursor: "cursors/warehouse".to_owned(), ..everything(1) };
        client.watch(watch(vec![spec]))
    };
    let told = until(&mut follow(&client), device).await?;
    let expected = vec!["cursor.created", "cursor.created", "device.created", "twin.created"];
    table.same("what follows the cursor", kinds(&told), expected);
    table.same("acknowledged", acknowledge(&client, "cursors/warehouse", device).await?, device);
    table.same("again, without effect", acknowledge(&client, "cursors/warehouse", device).await?, device);

    let leader = cluster.leader().await?;
    cluster.kill(&[leader]).await?;
    for id in cluster.ids().into_iter().filter(|id| *id != leader) {
        let mut watcher = follow(&cluster.client_of(&[id])?);
        let first = started(&mut watcher).await?.from_revision;
        table.same(&format!("node {id} goes on after it"), first, device + 1);
    }
    let listed = client.cursors().list(proto::ListCursorsRequest::default()).await?.cursors;
    let listed: Vec<_> = listed.iter().map(|cursor| (cursor.name.as_str(), cursor.acknowledged_revision)).collect();
    table.same("the cluster's cursors", listed, vec![("cursors/warehouse", device)]);
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_that_break_a_rule_are_refused() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    create(&client, "", "feed", true).await?;
    let newest = acknowledge(&client, "cursors/feed", 2).await.map(|_| 3)?;
    let mut table = Table::default();
    let backwards = (Code::FailedPrecondition, "CURSOR_BACKWARDS", "revision");
    table.refused("backwards", &acknowledge(&client, "cursors/feed", 1).await, backwards);
    let future = (Code::InvalidArgument, "INVALID_FIELD", "revision");
    table.refused("the future", &acknowledge(&client, "cursors/feed", newest + 10).await, future);
    let nobody = (Code::NotFound, "NOT_FOUND", "name");
    table.refused("nobody's", &acknowledge(&client, "cursors/nobody", 1).await, nobody);
    let malformed = (Code::InvalidArgument, "INVALID_FIELD", "name");
    table.refused("no name of a cursor", &acknowledge(&client, "namespaces/plant1", 1).await, malformed);
    let taken = (Code::AlreadyExists, "ALREADY_EXISTS", "cursor_id");
    table.refused("taken", &create(&client, "", "feed", true).await, taken);
    for id in ["", "Feed", "a b", &"x".repeat(129)] {
        let invalid = (Code::InvalidArgument, "INVALID_ID", "cursor_id");
        table.refused(&format!("the id {id:?}"), &create(&client, "", id, true).await, invalid);
    }
    let orphan = (Code::NotFound, "PARENT_NOT_FOUND", "parent");
    table.refused("no such namespace", &create(&client, "namespaces/nowhere", "feed", true).await, orphan);
    let request = proto::CreateCursorRequest {
        cursor_id: "late".to_owned(),
        acknowledged_revision: newest + 10,
        ..Default::default()
    };
    let future = (Code::InvalidArgument, "INVALID_FIELD", "acknowledged_revision");
    table.refused("created in the future", &client.cursors().create(request).await, future);
    table.finish();
    Ok(())
}

/// Runs `muster watch --ack --count`, and returns which kinds of events it told.
async fn consume(cluster: &Cluster, count: u64) -> anyhow::Result<Vec<String>> {
    let output = Command::new(binary("muster")?)
        // Contexts of whoever runs the tests, or of `cargo xtask up` here, would lend their certificates.
        .envs(["HOME", "XDG_CONFIG_HOME"].map(|name| (name, cluster.scratch())))
        .current_dir(cluster.scratch())
        .args(["--endpoint", &cluster.endpoint(1), "--output", "json", "--ca-file"])
        .arg(cluster.pki().join("client-ca.crt"))
        .arg("--token-file")
        .arg(cluster.pki().join("admin.token"))
        .args(["watch", "--all", "--cursor", "feed", "--ack", "--kind", "device.*", "--kind", "twin.*"])
        .args(["--count", &count.to_string()])
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(super::PATIENCE, output).await.context("muster watch does not end")??;
    ensure!(output.status.success(), "muster watch: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    text.lines()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line)?;
            Ok(event["kind"].as_str().context("a kind")?.to_owned())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_counted_event_is_acknowledged_before_the_command_ends() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    let request = proto::CreateNamespaceRequest { namespace_id: "plant1".to_owned(), ..Default::default() };
    client.namespaces().create(request).await?;
    create(&client, "", "feed", true).await?;
    let mut made = Vec::new();
    for id in ["pump1", "pump2", "pump3", "pump4"] {
        let parent = names::namespace("plant1");
        let request = proto::CreateDeviceRequest { parent, device_id: id.to_owned(), ..Default::default() };
        made.push(client.devices().create(request).await?.header.context("a header")?.revision);
    }
    let stands = async || -> anyhow::Result<u64> {
        let listed = client.cursors().list(proto::ListCursorsRequest::default()).await?.cursors;
        Ok(listed.first().context("the cursor")?.acknowledged_revision)
    };
    let device = ["device.created", "twin.created"];
    let mut table = Table::default();
    // A device and its twin are one revision, and a cursor cannot stand between them.
    table.same("two of eight", consume(&cluster, 2).await?, device.map(str::to_owned).to_vec());
    table.same("stands after the first device", stands().await?, made[0]);
    table.same("one more, and what belongs to it", consume(&cluster, 1).await?, device.map(str::to_owned).to_vec());
    table.same("stands after the second device", stands().await?, made[1]);
    table.same(
        "all that is left",
        consume(&cluster, 4).await?,
        [device, device].concat().iter().map(|kind| (*kind).to_owned()).collect(),
    );
    ensure!(stands().await? >= made[3], "it stands at {}, and all was told up to {}", stands().await?, made[3]);
    table.finish();
    Ok(())
}
