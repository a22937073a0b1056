//! Down: what an edge is told of its scope at first, as it changes, as it moves, and after it was away.

use anyhow::{Context, ensure};
use muster_client::{names, proto};
use proto::sync_request::Message as Asked;
use proto::sync_response::Message as Told;

use super::edge::Store;
use super::{NAMESPACE, asset, cluster, delete_device, device, move_device, patch, serve_site, site};

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_holds_its_scope_and_follows_it() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press", "paint"]).await?;
    site(&client, "plant", "", "press").await?;
    site(&client, "hall", "plant", "").await?;
    device(&client, "oven", "press", "").await?;
    device(&client, "robot", "", "hall").await?;
    device(&client, "loose", "", "").await?;
    device(&client, "other", "paint", "hall").await?;
    asset(&client, "heat", "oven").await?;
    let newest = asset(&client, "dust", "other").await?;

    let mut press = Store::new(&client, "press").await?;
    let mut link = press.connect(&cluster, 1).await?;
    press.follow(&mut link, newest).await?;
    let held = ["assets/heat", "devices/oven", "devices/oven/twin", "devices/robot", "devices/robot/twin"];
    assert_eq!(press.names(), held);

    let revision = patch(&client, "robot", r#"{"speed":3}"#).await?;
    let came = press.follow(&mut link, revision).await?;
    assert_eq!(
        came.iter().map(|item| (item.name.as_str(), item.revision)).collect::<Vec<_>>(),
        [("namespaces/plant1/devices/robot/twin", revision)]
    );
    assert_eq!(press.desired("robot"), Some(r#"{"speed":3}"#));

    device(&client, "drill", "", "plant").await?;
    let module = proto::CreateModuleRequest {
        parent: names::device(NAMESPACE, "drill"),
        module_id: "m1".to_owned(),
        module: Some(proto::Module::default()),
        ..Default::default()
    };
    let made = client.modules().create(module).await?;
    press.follow(&mut link, super::revision(made.header.as_ref())?).await?;
    ensure!(press.names().contains(&"devices/drill/modules/m1/twin"), "{:?}", press.names());
    let gone = delete_device(&client, "drill").await?;
    press.follow(&mut link, gone).await?;
    assert_eq!(press.names(), held);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_leaves_one_edge_and_comes_to_the_other() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press", "paint"]).await?;
    site(&client, "hall", "", "press").await?;
    device(&client, "oven", "press", "").await?;
    device(&client, "robot", "", "hall").await?;
    asset(&client, "heat", "oven").await?;
    let newest = asset(&client, "arm", "robot").await?;
    let (mut press, mut paint) = (Store::new(&client, "press").await?, Store::new(&client, "paint").await?);
    let (mut left, mut right) = (press.connect(&cluster, 1).await?, paint.connect(&cluster, 1).await?);
    press.follow(&mut left, newest).await?;
    paint.follow(&mut right, newest).await?;
    assert_eq!((press.items.len(), paint.items.len()), (6, 0));

    let moved = move_device(&client, "oven", "paint").await?;
    press.follow(&mut left, moved).await?;
    paint.follow(&mut right, moved).await?;
    assert_eq!(press.names(), ["assets/arm", "devices/robot", "devices/robot/twin"]);
    assert_eq!(paint.names(), ["assets/heat", "devices/oven", "devices/oven/twin"], "its asset goes with it");

    let moved = serve_site(&client, "hall", "paint").await?;
    press.follow(&mut left, moved).await?;
    paint.follow(&mut right, moved).await?;
    assert_eq!((press.items.len(), paint.items.len()), (0, 6), "all that lies at the site");

    let moved = serve_site(&client, "hall", "").await?;
    paint.follow(&mut right, moved).await?;
    assert_eq!(paint.items.len(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_was_away_is_told_what_changed_meanwhile() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press"]).await?;
    for id in ["oven", "robot", "drill"] {
        device(&client, id, "press", "").await?;
    }
    let newest = device(&client, "loose", "", "").await?;
    let mut press = Store::new(&client, "press").await?;
    let mut link = press.connect(&cluster, 1).await?;
    press.follow(&mut link, newest).await?;
    drop(link);
    for speed in 0..5 {
        patch(&client, "oven", &format!(r#"{{"speed":{speed}}}"#)).await?;
    }
    let newest = patch(&client, "loose", r#"{"speed":1}"#).await?;
    let mut link = press.connect(&cluster, 1).await?;
    let came = press.follow(&mut link, newest).await?;
    assert_eq!(came.len(), 1, "state travels, not each change: {came:?}");
    assert_eq!(press.desired("oven"), Some(r#"{"speed":4}"#));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_below_the_floor_gets_everything() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press"]).await?;
    device(&client, "oven", "press", "").await?;
    let newest = device(&client, "robot", "press", "").await?;
    let mut press = Store::new(&client, "press").await?;
    let mut link = press.connect(&cluster, 1).await?;
    press.follow(&mut link, newest).await?;
    drop(link);
    patch(&client, "oven", r#"{"speed":1}"#).await?;
    let newest = patch(&client, "oven", r#"{"speed":2}"#).await?;
    let request = proto::CompactEventsRequest { floor: newest, ..Default::default() };
    client.retention().compact(request).await?;
    let mut link = press.connect(&cluster, 1).await?;
    let came = press.follow(&mut link, newest).await?;
    assert_eq!(came.len(), 4, "{came:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_edge_is_sent_no_more_than_its_window_and_then_only_what_is_newest() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press"]).await?;
    let mut newest = 0;
    for at in 0..10 {
        newest = device(&client, &format!("d{at}"), "press", "").await?;
    }
    let mut press = Store::new(&client, "press").await?;
    let mut link = press.connect_with(&cluster, 1, 7).await?;
    while link.items < 7 {
        let Some(Told::Items(items)) = link.next().await? else { anyhow::bail!("nothing but items") };
        press.write(items.items);
    }
    // Two heartbeats bring nothing more, though much changes.
    for speed in 0..20 {
        newest = patch(&client, "d0", &format!(r#"{{"speed":{speed}}}"#)).await?;
    }
    for _ in 0..2 {
        let Some(Told::Items(items)) = link.next().await? else { anyhow::bail!("nothing but items") };
        assert_eq!(items.items, [], "the window is full");
        link.say(Asked::Received(proto::SyncReceived::default())).await?;
    }
    link.received(0, false).await?;
    let mut came = Vec::new();
    while press.cursor < newest {
        match link.next().await?.context("the node ended the link")? {
            Told::Items(items) => {
                came.extend(items.items.clone());
                press.write(items.items);
                link.received(press.cursor, true).await?;
            }
            Told::Mark(mark) => {
                ensure!(press.agrees(&mark), "does not agree with {mark:?}");
                press.cursor = mark.revision;
                link.received(press.cursor, true).await?;
            }
            other => anyhow::bail!("unexpected: {other:?}"),
        }
    }
    assert_eq!(press.desired("d0"), Some(r#"{"speed":19}"#));
    let twins = came.iter().filter(|item| item.name.ends_with("d0/twin")).count();
    ensure!(twins <= 2, "as of the first mark and as of now, not each change: {twins}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_edge_hears_marks_that_move_on() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press"]).await?;
    let newest = device(&client, "oven", "press", "").await?;
    let mut press = Store::new(&client, "press").await?;
    let mut link = press.connect(&cluster, 1).await?;
    press.follow(&mut link, newest).await?;
    let elsewhere = device(&client, "loose", "", "").await?;
    let came = press.follow(&mut link, elsewhere).await?;
    assert_eq!(came, [], "nothing of it concerns the edge");
    let request = proto::GetEdgeStatusRequest { name: press.edge.clone(), ..Default::default() };
    let status = client.edges().status(request).await?.status.context("a status")?;
    let presence = status.presence.context("the node serves the edge")?;
    assert_eq!((presence.items, presence.agrees, presence.queued_operations), (2, true, 3));
    assert_eq!((presence.dropped_operations, presence.agent_version.as_str()), (1, "by hand"));
    Ok(())
}
