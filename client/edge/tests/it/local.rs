//! The services on the socket: what they answer, and what they leave to the cluster.

use std::time::Duration;

use muster_client::{Client, ClientConfig, Code, RetryPolicy, proto};
use muster_edge::config::Queue;
use muster_edge::{Agent, Config};
use muster_proto::edge::v1::LinkState;
use proto::watch_response::Content;
use tempfile::TempDir;

use super::cloud::Cloud;
use super::served::{Served, Server1, config, eventually};

pub(crate) struct Bench {
    _folder: TempDir,
    pub(crate) served: Served,
    _server: Server1,
    pub(crate) agent: Agent,
    pub(crate) client: Client,
}

pub(crate) async fn bench(change: impl FnOnce(&mut Config)) -> Bench {
    bench_with(change, |_| {}).await
}

/// With another cluster than usual.
pub(crate) async fn bench_with(change: impl FnOnce(&mut Config), prepare: impl FnOnce(&mut Cloud)) -> Bench {
    let folder = TempDir::new().expect("a folder");
    let mut cloud = Cloud::new();
    for device in 0..5 {
        cloud.put_device(&format!("d{device:02}"), "{}");
    }
    prepare(&mut cloud);
    let served = Served::new(cloud);
    let (address, server) = served.serve("127.0.0.1:0".parse().expect("an address")).await;
    let mut config = config(folder.path(), address);
    change(&mut config);
    let agent = Agent::start(&config).expect("started");
    let socket = format!("unix:{}", config.local.socket.display());
    let once = RetryPolicy { attempts_max: 1, ..RetryPolicy::default() };
    let client = Client::new(ClientConfig::new([socket]).retry(once)).expect("a socket is an endpoint");
    let bench = Bench { _folder: folder, served, _server: server, agent, client };
    bench.in_step().await;
    bench
}

impl Bench {
    pub(crate) async fn in_step(&self) {
        eventually("in step", async || {
            let status = self.agent.handle().status().await?;
            (status.link() == LinkState::InStep && status.cursor == self.served.cloud().revision).then_some(())
        })
        .await;
    }
}

fn report(device: &str, text: &str) -> proto::ReportPropertiesRequest {
    let name = format!("namespaces/plant1/devices/{device}");
    proto::ReportPropertiesRequest { name, reported_json: text.to_owned(), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_come_in_pages() {
    let bench = bench(|_| {}).await;
    let mut request =
        proto::ListDevicesRequest { parent: "namespaces/plant1".to_owned(), page_size: 2, ..Default::default() };
    let mut names = Vec::new();
    loop {
        let page = bench.client.devices().list(request.clone()).await.expect("a page");
        names.extend(page.devices.into_iter().map(|device| device.name));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let expected: Vec<_> = (0..5).map(|device| format!("namespaces/plant1/devices/d{device:02}")).collect();
    assert_eq!(names, expected);
    let elsewhere = proto::ListDevicesRequest { parent: "namespaces/plant2".to_owned(), ..Default::default() };
    let error = bench.client.devices().list(elsewhere).await.expect_err("not this edge's");
    assert_eq!(error.code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_the_cluster_s_is_said_to_be_its() {
    let bench = bench(|_| {}).await;
    let patch = proto::PatchTwinRequest { name: "namespaces/plant1/devices/d01/twin".to_owned(), ..Default::default() };
    let known = bench.client.twins().patch(patch).await.expect_err("a service that is served");
    let unknown = bench.client.cluster().status(Default::default()).await.expect_err("a service that is not");
    for error in [known, unknown] {
        assert_eq!(error.code(), Code::Unimplemented);
        assert!(error.message().contains("is the cluster's"), "{error}");
    }
    let read = Some(proto::ReadOptions { consistency: 1, ..Default::default() });
    let request = proto::GetDeviceRequest { name: "namespaces/plant1/devices/d01".to_owned(), read };
    let error = bench.client.devices().get(request).await.expect_err("an edge cannot know what is newest");
    assert_eq!(error.code(), Code::Unimplemented);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_are_judged_before_they_are_queued() {
    let bench = bench(|config| config.queue = Queue { operations_max: 2, ..Queue::default() }).await;
    let refused = async |request| bench.client.twins().report(request).await.expect_err("refused");
    let error = refused(report("d01", "[1]")).await;
    assert_eq!((error.code(), error.reason()), (Code::InvalidArgument, Some("INVALID_JSON")));
    assert_eq!(error.field_violations()[0].field, "reported_json");
    let error = refused(report("d77", "{}")).await;
    assert_eq!((error.code(), error.reason()), (Code::NotFound, Some("NOT_FOUND")));
    let error = refused(proto::ReportPropertiesRequest { expected_version: 9, ..report("d01", "{}") }).await;
    assert_eq!((error.code(), error.reason()), (Code::Aborted, Some("ETAG_MISMATCH")));
    let dry = proto::ReportPropertiesRequest { validate_only: true, ..report("d01", r#"{"a":1}"#) };
    assert_eq!(bench.client.twins().report(dry).await.expect("fine").reported_version, 1);
    assert_eq!(bench.agent.handle().status().await.expect("alive").newest_sequence, 0, "nothing was queued");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_says_so() {
    let bench = bench(|config| config.queue = Queue { operations_max: 2, ..Queue::default() }).await;
    bench.served.cloud().hold_results = true;
    for number in 0..2 {
        bench.client.twins().report(report("d01", &format!(r#"{{"n":{number}}}"#))).await.expect("queued");
    }
    let error = bench.client.twins().report(report("d01", "{}")).await.expect_err("full");
    assert_eq!((error.code(), error.reason()), (Code::ResourceExhausted, Some("QUEUE_FULL")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_id_has_one_effect() {
    let bench = bench(|_| {}).await;
    let request = proto::ReportPropertiesRequest { request_id: "r1".to_owned(), ..report("d02", r#"{"n":1}"#) };
    let first = bench.client.twins().report(request.clone()).await.expect("queued");
    let again = bench.client.twins().report(request.clone()).await.expect("the first answer");
    assert_eq!(first.reported_version, again.reported_version);
    let other = proto::ReportPropertiesRequest { reported_json: "{}".to_owned(), ..request };
    let error = bench.client.twins().report(other).await.expect_err("another body");
    assert_eq!(error.reason(), Some("REQUEST_ID_REUSED"));
    eventually("one effect", async || (bench.served.cloud().effects.len() == 1).then_some(())).await;
    assert_eq!(bench.agent.handle().status().await.expect("alive").newest_sequence, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_lists_and_then_tells_changes_in_order() {
    let bench = bench(|_| {}).await;
    let spec = proto::WatchSpec {
        id: 3,
        list_first: true,
        types: vec![proto::ResourceType::Twin.into()],
        after: true,
        before: true,
        ..Default::default()
    };
    let request = proto::WatchRequest { watches: vec![spec], progress_interval_ms: 100, ..Default::default() };
    let mut watch = bench.client.watch(request);
    let (mut listed, mut complete) = (0, false);
    while !complete {
        match watch.next().await.expect("alive").content {
            Some(Content::Listed(part)) => {
                listed += part.resources.len();
                complete = part.complete;
            }
            Some(Content::Started(_)) => {}
            other => panic!("the list comes first, not {other:?}"),
        }
    }
    assert_eq!(listed, 5);
    bench.served.cloud().put_device("d03", r#"{"fw":"9"}"#);
    bench.served.cloud().move_away("d04");
    let mut told = Vec::new();
    while told.len() < 2 {
        if let Some(Content::Events(events)) = watch.next().await.expect("alive").content {
            told.extend(events.events);
        }
    }
    let kinds: Vec<_> = told.iter().map(|told| told.event.as_ref().expect("an event").kind.as_str()).collect();
    assert_eq!(kinds, ["twin.synced", "twin.removed"]);
    assert!(told[0].before.is_some() && told[0].after.is_some() && told[1].after.is_none());
    let past = proto::WatchSpec { from_revision: 1, ..Default::default() };
    let request = proto::WatchRequest { watches: vec![past], ..Default::default() };
    let error = bench.client.watch(request).next().await.expect_err("no past is kept");
    assert_eq!(error.reason(), Some("COMPACTED"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_may_wait_for_a_revision() {
    let bench = bench(|_| {}).await;
    bench.served.cloud().put_device("d01", r#"{"fw":"5"}"#);
    let min_revision = bench.served.cloud().revision;
    let read = Some(proto::ReadOptions { consistency: 2, min_revision });
    let request =
        proto::GetTwinRequest { name: "namespaces/plant1/devices/d01".to_owned(), read, ..Default::default() };
    let answer = tokio::time::timeout(Duration::from_secs(5), bench.client.twins().get(request)).await;
    let answer = answer.expect("in time").expect("as fresh as asked");
    assert_eq!(answer.twin.expect("a twin").desired.expect("desired").json, r#"{"fw":"5"}"#);
    assert!(answer.header.expect("a header").revision >= min_revision);
}
