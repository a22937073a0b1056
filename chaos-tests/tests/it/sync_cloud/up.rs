//! Up: operations of an edge take effect once, in order, whatever the links and the nodes do.

use anyhow::{Context, ensure};
use muster_client::{Client, names, proto};
use serde_json::json;

use super::edge::Store;
use super::{NAMESPACE, asset, cluster, device, move_device, reported};

/// Reports of the oven, each with its number.
fn numbered(from: u64, to: u64) -> Vec<(&'static str, String)> {
    (from..=to).map(|n| ("oven", format!(r#"{{"n":{n}}}"#))).collect()
}

/// The numbers that the oven has reported, in the order in which they took effect.
async fn effects(client: &Client) -> anyhow::Result<Vec<u64>> {
    let (mut numbers, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = proto::ListEventsRequest {
            resource: names::twin(NAMESPACE, "oven"),
            kinds: vec!["twin.reported".to_owned()],
            page_size: 1_000,
            page_token,
            ..Default::default()
        };
        let page = client.history().list_events(request).await?;
        for event in page.events {
            let data: serde_json::Value = serde_json::from_str(&event.data_json)?;
            let found = data.pointer("/reported/n").or_else(|| data.pointer("/patch/n")).or_else(|| data.pointer("/n"));
            numbers.push(found.and_then(serde_json::Value::as_u64).with_context(|| data.to_string())?);
            ensure!(event.actor.starts_with("edge:plant1/") || event.actor.starts_with("token:"), "{}", event.actor);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(numbers);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_take_effect_once_in_order_over_the_death_of_nodes() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (mut cluster, client) = cluster(3, &["press"]).await?;
    device(&client, "oven", "press", "").await?;
    let mut press = Store::new(&client, "press").await?;
    let last = 600;
    press.sent_sequence = last;
    let mut done = 0;
    // Each round the node that serves the edge is killed while operations are under way.
    for serving in [1, 2, 3] {
        let mut link = press.connect(&cluster, serving).await?;
        done = done.max(link.welcome.last_sequence);
        let (first, upto) = (link.welcome.last_sequence + 1, (link.welcome.last_sequence + 200).min(last));
        for from in (first..=upto).step_by(50) {
            link.report(from, &numbered(from, (from + 49).min(upto))).await?;
        }
        let answered = link.answered(first).await?;
        done = answered.last().map_or(done, |result| result.last_sequence);
        cluster.kill(&[serving]).await?;
        cluster.start_node(serving)?;
        cluster.wait_until_whole().await?;
    }
    let mut link = press.connect(&cluster, 1).await?;
    ensure!(link.welcome.last_sequence >= done, "what was answered is done: {done} > {:?}", link.welcome);
    let first = link.welcome.last_sequence + 1;
    if first <= last {
        for from in (first..=last).step_by(100) {
            link.report(from, &numbered(from, (from + 99).min(last))).await?;
            link.answered((from + 99).min(last)).await?;
        }
    }
    assert_eq!(effects(&client).await?, (1..=last).collect::<Vec<_>>());
    assert_eq!(reported(&client, "oven").await?, json!({ "n": last }));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_twice_has_one_effect_and_what_is_refused_is_told() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press", "paint"]).await?;
    device(&client, "oven", "press", "").await?;
    device(&client, "robot", "press", "").await?;
    asset(&client, "heat", "oven").await?;
    let mut press = Store::new(&client, "press").await?;
    press.sent_sequence = 9;
    let mut link = press.connect(&cluster, 1).await?;
    link.report(1, &numbered(1, 4)).await?;
    link.answered(4).await?;
    let again = numbered(3, 6);
    link.report(3, &again).await?;
    link.answered(6).await?;
    assert_eq!(effects(&client).await?, [1, 2, 3, 4, 5, 6]);

    move_device(&client, "robot", "paint").await?;
    let reports = [("oven", r#"{"n":7}"#.to_owned()), ("robot", r#"{"n":7}"#.to_owned()), ("oven", "[]".to_owned())];
    link.report(7, &reports).await?;
    let results = link.answered(9).await?;
    let result = results.last().context("a result")?;
    let told: Vec<_> = result.refusals.iter().map(|refused| (refused.sequence, refused.reason.as_str())).collect();
    assert_eq!(told.first(), Some(&(8, "OUTSIDE_SCOPE")), "{told:?}");
    assert_eq!(told.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), [8, 9]);
    assert_eq!(reported(&client, "robot").await?, json!({}));
    drop(link);
    let link = press.connect(&cluster, 1).await?;
    let told: Vec<_> = link.welcome.refusals.iter().map(|refused| refused.sequence).collect();
    assert_eq!((link.welcome.last_sequence, told), (9, vec![8, 9]), "also to who did not hear the result");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_an_asset_goes_up_and_comes_back_as_an_item() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press"]).await?;
    device(&client, "oven", "press", "").await?;
    let newest = asset(&client, "heat", "oven").await?;
    let mut press = Store::new(&client, "press").await?;
    let mut link = press.connect(&cluster, 1).await?;
    press.follow(&mut link, newest).await?;
    let status = proto::AssetStatus { config_version: 1, ..proto::AssetStatus::default() };
    let update = proto::SyncAssetStatus { name: names::asset(NAMESPACE, "heat"), status: Some(status) };
    let operation = proto::sync_operation::Operation::AssetStatus(update);
    let operations = vec![proto::SyncOperation { queued_ms: 1, operation: Some(operation) }];
    let epoch = press.epoch;
    let message = proto::SyncOperations { epoch, first_sequence: 1, operations, oldest_sequence: 0 };
    link.say(proto::sync_request::Message::Operations(message)).await?;
    let came = press.follow(&mut link, newest + 1).await?;
    let Some(proto::resource::Resource::Asset(asset)) =
        came.first().and_then(|item| item.resource.as_ref()?.resource.as_ref())
    else {
        anyhow::bail!("the asset comes: {came:?}")
    };
    assert_eq!(asset.status.as_ref().map(|status| status.config_version), Some(1));
    Ok(())
}
