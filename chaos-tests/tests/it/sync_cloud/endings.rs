//! Who may not go on is told so, in time; a node that stops says goodbye.

use anyhow::Context;
use muster_client::{Client, Code, names, proto};
use nix::sys::signal::Signal;
use proto::sync_response::Message as Told;

use super::edge::{Link, Store};
use super::{NAMESPACE, cluster, device, mask, reason};

async fn connected(cluster: &muster_chaos::cluster::Cluster, client: &Client) -> anyhow::Result<(Store, Link)> {
    let mut press = Store::new(client, "press").await?;
    let mut link = press.connect(cluster, 1).await?;
    press.follow(&mut link, 1).await?;
    Ok((press, link))
}

/// Keeps a link alive until it ends.
async fn end(store: &mut Store, link: &mut Link) -> anyhow::Result<tonic::Status> {
    loop {
        match link.next().await {
            Ok(Some(Told::Mark(mark))) => {
                store.cursor = mark.revision;
                link.received(mark.revision, true).await?;
            }
            Ok(Some(_)) => {}
            Ok(None) => anyhow::bail!("it ended without a status"),
            Err(status) => return Ok(status),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_or_deleted_edge_and_a_revoked_token_end_the_session() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press"]).await?;
    device(&client, "oven", "press", "").await?;
    let name = names::edge(NAMESPACE, "press");

    let (mut store, mut link) = connected(&cluster, &client).await?;
    let update = |enabled| proto::UpdateEdgeRequest {
        edge: Some(proto::Edge { name: names::edge(NAMESPACE, "press"), enabled, ..Default::default() }),
        update_mask: mask(&["enabled"]),
        ..Default::default()
    };
    client.edges().update(update(Some(false))).await?;
    let ended = end(&mut store, &mut link).await?;
    assert_eq!((ended.code(), reason(&ended).as_str()), (Code::FailedPrecondition, "EDGE_DISABLED"));
    let refused = store.connect(&cluster, 1).await.err().context("it may not come back")?;
    assert_eq!(reason(&refused), "EDGE_DISABLED");
    client.edges().update(update(Some(true))).await?;
    let mut link = store.connect(&cluster, 1).await?;

    let revoke = proto::RevokeTokenRequest { token_id: store.token_id.clone(), ..Default::default() };
    client.cluster().revoke_token(revoke).await?;
    let ended = end(&mut store, &mut link).await?;
    assert_eq!((ended.code(), reason(&ended).as_str()), (Code::PermissionDenied, "PERMISSION_DENIED"));

    let (mut store, mut link) = connected(&cluster, &client).await?;
    super::delete_device(&client, "oven").await?;
    client.edges().delete(proto::DeleteEdgeRequest { name, ..Default::default() }).await?;
    let ended = end(&mut store, &mut link).await?;
    assert_eq!((ended.code(), reason(&ended).as_str()), (Code::NotFound, "NOT_FOUND"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_says_goodbye() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press"]).await?;
    let (_store, mut link) = connected(&cluster, &client).await?;
    cluster.signal(1, Signal::SIGTERM)?;
    loop {
        match link.next().await?.context("goodbye comes before the end")? {
            Told::Goodbye(goodbye) => {
                assert!(goodbye.reconnect_after_ms < 1_000 && !goodbye.reason.is_empty(), "{goodbye:?}");
                break;
            }
            Told::Items(_) | Told::Mark(_) => {}
            other => anyhow::bail!("unexpected: {other:?}"),
        }
    }
    assert_eq!(link.end().await.map(|status| status.code()), None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_is_silent_for_three_heartbeats_is_left() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press"]).await?;
    let mut press = Store::new(&client, "press").await?;
    let mut link = press.connect(&cluster, 1).await?;
    let ended = link.end().await.context("a status")?;
    assert_eq!((ended.code(), reason(&ended).as_str()), (Code::Unavailable, "EDGE_SILENT"));
    Ok(())
}
