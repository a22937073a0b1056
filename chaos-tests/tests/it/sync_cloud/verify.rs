//! Comparisons of contents with edges that are old, go away in between, or say what is not so.

use anyhow::{Context, ensure};
use muster_client::{CallError, Client, Code, names, proto};
use proto::sync_request::Message as Asked;
use proto::sync_response::Message as Told;

use super::edge::{Link, Store};
use super::{NAMESPACE, cluster, device, patch, reason};
use crate::wire;

fn verify(client: &Client) -> tokio::task::JoinHandle<Result<proto::VerifyEdgeResponse, CallError>> {
    let client = client.clone();
    let name = names::edge(NAMESPACE, "press");
    tokio::spawn(async move { client.edges().verify(proto::VerifyEdgeRequest { name }).await })
}

/// The question, and the mark that follows at once.
async fn question(store: &mut Store, link: &mut Link) -> anyhow::Result<(u64, proto::SyncMark)> {
    loop {
        match link.next().await?.context("the node ended the link")? {
            Told::Verify(verify) => {
                let Some(Told::Mark(mark)) = link.next().await? else { anyhow::bail!("a mark follows") };
                ensure!(mark.check, "{mark:?}");
                return Ok((verify.id, mark));
            }
            Told::Items(items) => store.write(items.items),
            Told::Mark(mark) => {
                store.cursor = mark.revision;
                link.received(mark.revision, store.agrees(&mark)).await?;
            }
            other => anyhow::bail!("unexpected: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_does_not_know_how_is_told_of_and_goes_on() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press"]).await?;
    let newest = device(&client, "oven", "press", "").await?;
    let refused = verify(&client).await?.expect_err("it has never connected");
    assert_eq!((refused.code(), refused.reason()), (Code::FailedPrecondition, Some("EDGE_NOT_CONNECTED")));
    let mut press = Store::new(&client, "press").await?;
    let mut link = press.connect(&cluster, 1).await?;
    press.follow(&mut link, newest).await?;
    let refused = verify(&client).await?.expect_err("it is too old");
    assert_eq!((refused.code(), refused.reason()), (Code::FailedPrecondition, Some("EDGE_TOO_OLD")), "{refused}");
    let newest = patch(&client, "oven", r#"{"speed":1}"#).await?;
    assert_eq!(press.follow(&mut link, newest).await?.len(), 1, "nothing was held back");

    let token = wire::token(&client, proto::Role::Viewer, NAMESPACE, "").await?.1;
    let channel = wire::anonymous(&cluster)?;
    let path = "/muster.v1.EdgeService/VerifyEdge";
    let refused = wire::call(&channel, path, Some(&token), Vec::new()).await.err().context("a viewer may not")?;
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "PERMISSION_DENIED"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_ends_in_between_ends_the_question_and_a_wrong_word_ends_the_link() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press"]).await?;
    let newest = device(&client, "oven", "press", "").await?;
    let mut press = Store::new(&client, "press").await?;
    press.verifies = true;
    let mut link = press.connect(&cluster, 1).await?;
    press.follow(&mut link, newest).await?;
    let asked = verify(&client);
    let (id, mark) = question(&mut press, &mut link).await?;
    ensure!(id > 0 && mark.revision >= newest, "{id} {mark:?}");
    // Word of the same mark that was under way already gives no leave to send newer things.
    link.received(mark.revision, true).await?;
    patch(&client, "oven", r#"{"speed":1}"#).await?;
    match link.next().await? {
        Some(Told::Items(items)) => ensure!(items.items.is_empty(), "nothing newer comes: {items:?}"),
        other => anyhow::bail!("unexpected: {other:?}"),
    }
    drop(link);
    let refused = asked.await?.expect_err("it went away");
    assert_eq!((refused.code(), refused.reason()), (Code::FailedPrecondition, Some("EDGE_NOT_CONNECTED")), "{refused}");

    let hash = || vec![0; 32].into();
    let endless = || Some(Box::new(proto::SyncItem { name: "x".repeat(1 << 20), ..Default::default() }));
    for (case, is_of_mark, verified, field) in [
        (
            "nobody asked",
            true,
            proto::SyncVerified { id: 9, content_hash: hash(), ..Default::default() },
            "verified.id",
        ),
        (
            "no mark",
            false,
            proto::SyncVerified { id: 1, content_hash: hash(), ..Default::default() },
            "verified.revision",
        ),
        ("no end", true, proto::SyncVerified { id: 1, first_held: endless(), ..Default::default() }, "first_held.name"),
    ] {
        let mut link = press.connect(&cluster, 1).await?;
        press.follow(&mut link, 1).await?;
        let asked = verify(&client);
        let mark = question(&mut press, &mut link).await?.1;
        let revision = if is_of_mark { mark.revision } else { 0 };
        link.say(Asked::Verified(proto::SyncVerified { revision, ..verified })).await?;
        let ended = link.end().await.context("a status")?;
        assert_eq!((ended.code(), reason(&ended).as_str()), (Code::InvalidArgument, "INVALID_FIELD"), "{case}");
        ensure!(ended.message().contains(field), "{case}: {ended}");
        asked.await?.expect_err("the link ended");
    }
    Ok(())
}
