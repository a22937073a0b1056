//! What an application beside the edge discovers goes up, also what it said while the link was down, and what operators make
//! of it comes down.

use anyhow::Context;
use muster_chaos::eventually::eventually;
use muster_client::{CallError, Client, Code, names, proto};
use proto::DiscoveryState;

use super::{EDGE, NAMESPACE, PATIENCE, connected, newest, twin};

fn plc(model: &str) -> proto::DiscoveredDevice {
    let endpoint = proto::DiscoveredEndpoint {
        address: "opc.tcp://plc:4840".to_owned(),
        endpoint_type: "Microsoft.OpcUa".to_owned(),
        ..Default::default()
    };
    let endpoints = proto::DiscoveredEndpoints { inbound: [("opc".to_owned(), endpoint)].into(), ..Default::default() };
    let definition =
        proto::DiscoveredDeviceDefinition { model: model.to_owned(), endpoints: Some(endpoints), ..Default::default() };
    proto::DiscoveredDevice { definition: Some(definition), discovery_id: "1".to_owned(), ..Default::default() }
}

async fn report(
    local: &Client,
    edge: &str,
    id: &str,
    said: proto::DiscoveredDevice,
) -> Result<proto::DiscoveredDeviceResponse, CallError> {
    let request = proto::ReportDiscoveredDeviceRequest {
        parent: names::edge(NAMESPACE, edge),
        discovered_device_id: id.to_owned(),
        discovered_device: Some(said),
        ..Default::default()
    };
    local.discovery().report_device(request).await
}

async fn report_asset(local: &Client, id: &str) -> Result<proto::DiscoveredAssetResponse, CallError> {
    let device_ref = proto::DeviceRef { device_name: "plc".to_owned(), endpoint_name: "opc".to_owned() };
    let dataset = proto::Dataset { name: "heat".to_owned(), ..Default::default() };
    let definition =
        proto::AssetDefinition { device_ref: Some(device_ref), datasets: vec![dataset], ..Default::default() };
    let request = proto::ReportDiscoveredAssetRequest {
        parent: names::edge(NAMESPACE, EDGE),
        discovered_asset_id: id.to_owned(),
        discovered_asset: Some(proto::DiscoveredAsset { definition: Some(definition), ..Default::default() }),
        ..Default::default()
    };
    local.discovery().report_asset(request).await
}

async fn found(client: &Client, id: &str) -> anyhow::Result<proto::DiscoveredDevice> {
    let name = names::discovered_device(NAMESPACE, EDGE, id);
    let request = proto::GetDiscoveredRequest { name, ..Default::default() };
    client.discovery().get_device(request).await?.discovered_device.context("a device")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_discovered_offline_goes_up_and_what_is_accepted_comes_down() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client, wire, mut agent) = connected(1, 2).await?;
    let local = agent.client()?;
    wire.cut();
    let said = report(&local, EDGE, "plc", plc("X1")).await?.discovered_device.context("a device")?;
    assert_eq!(
        (said.version, said.state()),
        (0, DiscoveryState::Unspecified),
        "what the cluster knows is not known here"
    );
    assert_eq!(said.name, names::discovered_device(NAMESPACE, EDGE, "plc"));
    for _ in 0..1_000 {
        report(&local, EDGE, "plc", plc("X1")).await?;
    }
    report_asset(&local, "oven").await?;
    assert_eq!(agent.status().await?["queued_operations"], 2, "repeats are merged, not piled up");
    for (error, reason, field) in [
        (report(&local, "paint", "plc", plc("X1")).await.expect_err("not this edge"), "INVALID_FIELD", "parent"),
        (report(&local, EDGE, "p c", plc("X1")).await.expect_err("no id"), "INVALID_ID", "discovered_device_id"),
        (
            report(&local, EDGE, "plc", plc(&"x".repeat(257))).await.expect_err("too long"),
            "TOO_LARGE",
            "discovered_device.definition.model",
        ),
    ] {
        let fields: Vec<_> = error.field_violations().iter().map(|violation| violation.field.clone()).collect();
        assert_eq!((error.reason(), fields), (Some(reason), vec![field.to_owned()]), "{error}");
    }
    let request = proto::ListDiscoveredDevicesRequest { parent: names::edge(NAMESPACE, EDGE), ..Default::default() };
    let error = local.discovery().list_devices(request).await.expect_err("the cluster's");
    assert_eq!(error.code(), Code::Unimplemented);

    // What was answered is durable: the agent dies before the link is back.
    agent.kill().await?;
    agent.start().await?;
    let local = agent.client()?;
    report(&local, EDGE, "plc", plc("X1")).await?;
    assert_eq!(agent.status().await?["queued_operations"], 2);
    wire.mend();
    agent.in_step(newest(&client).await?).await?;
    let known = found(&client, "plc").await?;
    assert_eq!((known.version, known.state()), (1, DiscoveryState::New));
    report(&local, EDGE, "plc", plc("X1")).await?;
    agent.in_step(newest(&client).await?).await?;
    assert_eq!(found(&client, "plc").await?, known, "said again over the link it changes nothing");

    let accept = proto::AcceptDiscoveredDeviceRequest {
        name: known.name,
        device_id: "press-plc".to_owned(),
        etag: known.etag,
        ..Default::default()
    };
    client.discovery().accept_device(accept).await?;
    let name = names::discovered_asset(NAMESPACE, EDGE, "oven");
    let accept = proto::AcceptDiscoveredAssetRequest { name, ..Default::default() };
    let made = client.discovery().accept_asset(accept).await?;
    agent.in_step(made.header.context("a header")?.revision).await?;
    let request = proto::GetDeviceRequest { name: names::device(NAMESPACE, "press-plc"), read: None };
    let device = local.devices().get(request).await?.device.context("a device")?;
    assert_eq!(device.discovered_device_ref, names::discovered_device(NAMESPACE, EDGE, "plc"));
    let request = proto::GetAssetRequest { name: names::asset(NAMESPACE, "oven"), ..Default::default() };
    let asset = local.assets().get(request).await?.asset.context("an asset")?;
    let device_ref = asset.definition.and_then(|definition| definition.device_ref).context("a device")?;
    assert_eq!(device_ref.device_name, "press-plc", "the asset goes with the device under its new id");
    twin(&local, "press-plc").await.context("the device has a twin here")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dismissed_stays_so_and_changes_queue_in_order() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client, wire, agent) = connected(1, 1).await?;
    let local = agent.client()?;
    report(&local, EDGE, "cam", plc("C1")).await?;
    agent.in_step(newest(&client).await?).await?;
    let known = found(&client, "cam").await?;
    let dismiss = proto::DismissDiscoveredRequest { name: known.name, ..Default::default() };
    client.discovery().dismiss_device(dismiss).await?;
    wire.cut();
    for model in ["C2", "C3", "C3", "C2"] {
        report(&local, EDGE, "cam", plc(model)).await?;
    }
    wire.mend();
    agent.in_step(newest(&client).await?).await?;
    let known = found(&client, "cam").await?;
    let model = known.definition.clone().map(|said| said.model);
    assert_eq!((model.as_deref(), known.version, known.state()), (Some("C2"), 4, DiscoveryState::Dismissed));
    let other = proto::DiscoveredDevice { discovery_id: "2".to_owned(), ..plc("C2") };
    report(&local, EDGE, "cam", other).await?;
    eventually("another mark brings it back", PATIENCE, async || {
        let state = found(&client, "cam").await.map_err(|error| error.to_string())?.state();
        if state == DiscoveryState::New { Ok(()) } else { Err(format!("{state:?}")) }
    })
    .await
}
