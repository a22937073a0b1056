//! What the broker retains is the scope: nothing more, nothing less, nothing twice.

use super::*;

async fn delete(client: &Client, id: &str) -> anyhow::Result<()> {
    let request = proto::DeleteDeviceRequest { name: names::device(NAMESPACE, id), ..Default::default() };
    client.devices().delete(request).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_left_the_scope_is_cleared_also_when_the_bridge_was_down() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut plant = Plant::new(6, "").await?;
    super::super::create(&plant.client, "odd+id#%:1", super::super::EDGE).await?;
    delete(&plant.client, &device(0)).await?;
    plant.agent.in_step(super::super::newest(&plant.client).await?).await?;
    let told = plant.bridged().await.context("while it is connected")?;
    assert!(told.contains_key("muster/devices/odd%2Bid%23%25:1/twin/desired"), "{told:?}");

    plant.agent.kill().await?;
    delete(&plant.client, &device(1)).await?;
    let elsewhere = proto::Device { name: names::device(NAMESPACE, &device(2)), ..Default::default() };
    let mask = prost_types::FieldMask { paths: vec!["edge".to_owned()] };
    let request = proto::UpdateDeviceRequest { device: Some(elsewhere), update_mask: Some(mask), ..Default::default() };
    plant.client.devices().update(request).await?;
    plant.want(&device(3), r#"{"fw":"2"}"#).await?;
    super::super::create(&plant.client, "new", super::super::EDGE).await?;
    let writer = plant.broker.client("writer", &[]).await?;
    writer.retain(&desired("ghost"), r#"{"$version":1}"#).await?;
    writer.retain("muster/other/things", "stay").await?;
    plant.agent.start().await?;
    plant.agent.in_step(super::super::newest(&plant.client).await?).await?;
    writer.retain("muster/other/things", "").await?;
    let told = plant.bridged().await?;
    assert_eq!(told.len(), 5, "{told:?}");
    // Cleared: two devices and the ghost. Published: one changed, one new. The others are as they were.
    let mqtt = plant.mqtt_that("told", |mqtt| mqtt["published"].as_u64() >= Some(5)).await?;
    assert_eq!(mqtt["published"].as_u64(), Some(5), "{mqtt}");

    plant.agent.kill().await?;
    plant.agent.start().await?;
    let listener = plant.listener().await?;
    plant.want(&device(4), r#"{"fw":"9"}"#).await?;
    listener.heard_that(&desired(&device(4)), |heard| heard.payload.contains("fw")).await?;
    let mqtt = plant.mqtt().await?;
    assert_eq!(mqtt["published"].as_u64(), Some(1), "a start tells nothing that is known: {mqtt}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_edges_do_not_share_their_topics() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let plant = Plant::new(2, "").await?;
    let request = proto::CreateEdgeRequest {
        parent: names::namespace(NAMESPACE),
        edge_id: "other".to_owned(),
        edge: Some(proto::Edge::default()),
        ..Default::default()
    };
    plant.client.edges().create(request).await?;
    super::super::create(&plant.client, "theirs", "other").await?;
    let mut other = Agent::prepare(&plant.cluster, "other", &plant.wire.endpoints()).await?;
    other.add_settings(&format!("[mqtt]\nbroker = \"mqtt://127.0.0.1:{}\"\n", plant.broker.port()))?;
    other.start().await?;
    eventually("it says whose topics these are", PATIENCE, async || {
        let mqtt = other.status().await.map_err(|error| error.to_string())?["mqtt"].clone();
        let told = mqtt["message"].as_str().unwrap_or_default().to_owned();
        if told.contains("those of namespaces/plant1/edges/press") { Ok(()) } else { Err(mqtt.to_string()) }
    })
    .await?;
    plant.bridged().await.context("and changes nothing there")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_claimed_by_a_retained_message_only() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let plant = Plant::new(1, "").await?;
    let (id, owner) = (device(0), "muster/bridge/owner");
    let app = plant.broker.client("app", &[&result(&id)]).await?;
    // As an answer of another bridge that somebody asked for here.
    app.publish(owner, r#"{"accepted":true}"#).await?;
    app.publish(&patch(&id), report(0)).await?;
    app.heard_that(&result(&id), is_accepted).await?;
    assert_eq!(plant.mqtt().await?["connections"], 1, "nothing was claimed");
    app.retain(owner, "namespaces/plant1/edges/other").await?;
    plant
        .mqtt_that("it says whose topics these are", |mqtt| {
            mqtt["message"].as_str().is_some_and(|message| message.contains("those of namespaces/plant1/edges/other"))
        })
        .await?;
    Ok(())
}
