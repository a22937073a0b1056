//! What applications discover: judged, queued and merged at the edge, once the cluster is known to understand it.

use muster_client::{CallError, Client, Code, proto};

use super::local::{bench, bench_with};
use super::served::eventually;

const EDGE: &str = "namespaces/plant1/edges/press-hall";

fn plc(model: &str, endpoint: &str) -> proto::ReportDiscoveredDeviceRequest {
    let found = proto::DiscoveredEndpoint {
        address: "opc.tcp://plc".to_owned(),
        endpoint_type: "opc".to_owned(),
        ..Default::default()
    };
    let endpoints = proto::DiscoveredEndpoints { inbound: [(endpoint.to_owned(), found)].into(), ..Default::default() };
    let definition =
        proto::DiscoveredDeviceDefinition { model: model.to_owned(), endpoints: Some(endpoints), ..Default::default() };
    proto::ReportDiscoveredDeviceRequest {
        parent: EDGE.to_owned(),
        discovered_device_id: "plc".to_owned(),
        discovered_device: Some(proto::DiscoveredDevice {
            definition: Some(definition),
            discovery_id: "1".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn oven(topic: Option<&str>) -> proto::ReportDiscoveredAssetRequest {
    let device_ref = proto::DeviceRef { device_name: "plc".to_owned(), endpoint_name: "opc".to_owned() };
    let target =
        if topic.is_some() { proto::destination::Target::Mqtt } else { proto::destination::Target::Unspecified };
    let destination =
        proto::Destination { target: target.into(), topic: topic.unwrap_or("t").to_owned(), ..Default::default() };
    let dataset = proto::Dataset { name: "heat".to_owned(), destinations: vec![destination], ..Default::default() };
    let definition =
        proto::AssetDefinition { device_ref: Some(device_ref), datasets: vec![dataset], ..Default::default() };
    proto::ReportDiscoveredAssetRequest {
        parent: EDGE.to_owned(),
        discovered_asset_id: "oven".to_owned(),
        discovered_asset: Some(proto::DiscoveredAsset { definition: Some(definition), ..Default::default() }),
        ..Default::default()
    }
}

async fn said(client: &Client, request: proto::ReportDiscoveredDeviceRequest) -> proto::DiscoveredDevice {
    let answer = client.discovery().report_device(request).await.expect("queued");
    answer.discovered_device.expect("what waits")
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, CallError>) -> (Option<String>, Vec<String>) {
    let error = outcome.expect_err("refused");
    let fields = error.field_violations().iter().map(|violation| violation.field.clone()).collect();
    (error.reason().map(str::to_owned), fields)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_already_is_not_queued_again() {
    let bench = bench(|_| {}).await;
    bench.served.cloud().hold_results = true;
    let first = said(&bench.client, plc("X1", "opc")).await;
    assert_eq!(
        (first.name.as_str(), first.version, first.etag.as_str()),
        ("namespaces/plant1/edges/press-hall/discoveredDevices/plc", 0, "")
    );
    for _ in 0..200 {
        assert_eq!(said(&bench.client, plc("X1", "opc")).await, first);
    }
    let merged = said(&bench.client, plc("X1", "http")).await;
    let endpoints = merged.definition.and_then(|said| said.endpoints).expect("endpoints").inbound;
    assert_eq!(endpoints.into_keys().collect::<Vec<_>>(), ["http", "opc"], "with what waits");
    bench.client.discovery().report_asset(oven(Some("t"))).await.expect("queued");
    bench.client.discovery().report_asset(oven(Some("t"))).await.expect("queued");
    let status = bench.agent.handle().status().await.expect("alive");
    assert_eq!(status.newest_sequence, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_the_cluster_s_and_reads_are_its_own() {
    let bench = bench(|_| {}).await;
    let discovery = bench.client.discovery();
    let other =
        proto::ReportDiscoveredDeviceRequest { parent: "namespaces/plant1/edges/other".to_owned(), ..plc("X", "o") };
    let no_id = proto::ReportDiscoveredDeviceRequest { discovered_device_id: "a/b".to_owned(), ..plc("X", "o") };
    let mut mark = plc("X", "o");
    mark.discovered_device.as_mut().expect("given").discovery_id = "x".repeat(129);
    let mut edge = oven(Some("t"));
    let said = edge.discovered_asset.as_mut().expect("given").definition.as_mut().expect("given");
    said.edge = "press-hall".to_owned();
    for (outcome, reason, field) in [
        (refused(discovery.report_device(other).await), "INVALID_FIELD", "parent"),
        (refused(discovery.report_device(no_id).await), "INVALID_ID", "discovered_device_id"),
        (refused(discovery.report_device(mark).await), "TOO_LARGE", "discovered_device.discovery_id"),
        (refused(discovery.report_asset(edge).await), "INVALID_FIELD", "discovered_asset.definition.edge"),
        (
            refused(discovery.report_asset(oven(None)).await),
            "INVALID_FIELD",
            "discovered_asset.definition.datasets[0].destinations[0].topic",
        ),
    ] {
        assert_eq!(outcome, (Some(reason.to_owned()), vec![field.to_owned()]));
    }
    let dry = proto::ReportDiscoveredDeviceRequest { validate_only: true, ..plc("X1", "opc") };
    discovery.report_device(dry).await.expect("fine");
    assert_eq!(bench.agent.handle().status().await.expect("alive").newest_sequence, 0, "nothing was queued");
    let name = "namespaces/plant1/edges/press-hall/discoveredDevices/plc".to_owned();
    let read = discovery.get_device(proto::GetDiscoveredRequest { name: name.clone(), ..Default::default() }).await;
    let accept = proto::AcceptDiscoveredDeviceRequest { name, ..Default::default() };
    let accept = discovery.accept_device(accept).await;
    for error in [read.expect_err("not here"), accept.expect_err("not here")] {
        assert_eq!(error.code(), Code::Unimplemented);
        assert!(error.message().contains("is the cluster's"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_id_of_a_discovery_has_one_effect() {
    let bench = bench(|_| {}).await;
    let request = proto::ReportDiscoveredDeviceRequest { request_id: "r1".to_owned(), ..plc("X1", "opc") };
    let first = said(&bench.client, request.clone()).await;
    eventually("its effect", async || (bench.served.cloud().effects.len() == 1).then_some(())).await;
    bench.in_step().await;
    assert_eq!(said(&bench.client, request.clone()).await, first, "also when nothing waits any more");
    let other = proto::ReportDiscoveredDeviceRequest { discovered_device: None, ..request };
    let outcome = refused(bench.client.discovery().report_device(other).await);
    assert_eq!(outcome.0.as_deref(), Some("REQUEST_ID_REUSED"));
    assert_eq!(bench.agent.handle().status().await.expect("alive").newest_sequence, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_cluster_is_sent_no_discoveries() {
    for (level, told) in [(0, "has welcomed this edge yet"), (4, "the cluster is at 4")] {
        let bench = bench_with(|_| {}, |cloud| cloud.feature_level = level).await;
        let error = bench.client.discovery().report_device(plc("X1", "opc")).await.expect_err("not understood there");
        assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, Some("FEATURE_LEVEL_TOO_LOW")));
        assert!(error.message().contains(told), "{error}");
        assert_eq!(bench.agent.handle().status().await.expect("alive").newest_sequence, 0);
    }
}
