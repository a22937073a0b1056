//! Opening sessions: epochs rise, the newest one fences all others, and of two copies of a store one goes on.

use anyhow::Context;
use muster_client::Code;

use super::edge::Store;
use super::{cluster, device, reason};

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_session_fences_the_older_one_on_the_same_node_and_on_another() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(3, &["press"]).await?;
    device(&client, "oven", "press", "").await?;
    let mut press = Store::new(&client, "press").await?;
    let mut first = press.connect(&cluster, 1).await?;
    let mut second = press.connect(&cluster, 1).await?;
    let ended = first.end().await.context("the older one ends with a status")?;
    assert_eq!((ended.code(), reason(&ended).as_str()), (Code::Aborted, "EPOCH_FENCED"));
    assert!(second.welcome.epoch > first.welcome.epoch);

    let mut third = press.connect(&cluster, 2).await?;
    // It has not heard of the third, or it has: either way nothing of it takes effect.
    let late = [("oven", r#"{"late":true}"#.to_owned())];
    if second.report(1, &late).await.is_ok() {
        let ended = second.end().await.context("the older one ends with a status")?;
        assert_eq!(reason(&ended), "EPOCH_FENCED");
    }
    third.report(1, &[("oven", r#"{"third":true}"#.to_owned())]).await?;
    third.answered(1).await?;
    assert_eq!(super::reported(&client, "oven").await?, serde_json::json!({ "third": true }));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_copies_of_a_store_only_the_newer_goes_on() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press"]).await?;
    device(&client, "oven", "press", "").await?;
    let mut press = Store::new(&client, "press").await?;
    let link = press.connect(&cluster, 1).await?;
    drop(link);
    let mut copy = press.clone();
    press.sent_sequence = 2;
    let mut link = press.connect(&cluster, 1).await?;
    link.report(1, &[("oven", r#"{"n":1}"#.to_owned())]).await?;
    link.answered(1).await?;
    let refused = copy.connect(&cluster, 1).await.err().context("the copy is refused")?;
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "EDGE_REPLACED"));
    link.report(2, &[("oven", r#"{"n":2}"#.to_owned())]).await?;
    link.answered(2).await?;

    // A store that was made anew begins again, and fences the old one for good.
    let mut anew = Store::new(&client, "press").await?;
    let link = anew.connect(&cluster, 1).await?;
    assert_eq!(link.welcome.last_sequence, 0);
    let refused = press.connect(&cluster, 1).await.err().context("the old store is refused")?;
    assert_eq!(reason(&refused), "EDGE_REPLACED");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_welcome_was_lost_is_opened_again() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press"]).await?;
    let mut press = Store::new(&client, "press").await?;
    let before = press.clone();
    let lost = press.connect(&cluster, 1).await?;
    let mut again = before;
    let link = again.connect(&cluster, 1).await?;
    assert!(link.welcome.epoch > lost.welcome.epoch);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_welcome_tells_the_cluster_s_limits() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press"]).await?;
    let mut press = Store::new(&client, "press").await?;
    let link = press.connect(&cluster, 1).await?;
    let told = link.welcome.limits.context("limits")?;
    let own = muster_domain::Limits::default();
    assert_eq!(
        (told.reported_bytes_max, told.value_bytes_max, told.key_bytes_max, told.depth_max),
        (own.reported_bytes_max, own.value_bytes_max, own.key_bytes_max, own.depth_max)
    );
    Ok(())
}
