//! The cluster tells its limits of twins, and the agent judges by them from then on.

use muster_client::{CallError, Client, ClientConfig, Code, RetryPolicy, proto};
use muster_edge::config::TwinLimits;
use muster_edge::{Agent, Config};
use muster_proto::edge::v1::LinkState;
use tempfile::TempDir;

use super::cloud::Cloud;
use super::served::{Served, config, eventually};

fn told(reported_bytes_max: u64, depth_max: u64) -> Option<proto::SyncLimits> {
    Some(proto::SyncLimits { reported_bytes_max, value_bytes_max: 4_096, key_bytes_max: 1_024, depth_max })
}

async fn report(config: &Config, text: String, request_id: &str) -> Result<(), CallError> {
    let once = RetryPolicy { attempts_max: 1, ..RetryPolicy::default() };
    let socket = format!("unix:{}", config.local.socket.display());
    let client = Client::new(ClientConfig::new([socket]).retry(once)).expect("an endpoint");
    let name = "namespaces/plant1/devices/d01/twin".to_owned();
    let request_id = request_id.to_owned();
    let request = proto::ReportPropertiesRequest { name, reported_json: text, request_id, ..Default::default() };
    client.twins().report(request).await.map(drop)
}

async fn in_step(agent: &Agent, served: &Served) {
    eventually("in step", async || {
        let status = agent.handle().status().await?;
        let is_there = status.link() == LinkState::InStep && status.cursor == served.cloud().revision;
        (is_there && status.queued_operations == 0).then_some(())
    })
    .await;
}

fn of(bytes: usize) -> String {
    format!(r#"{{"text":"{}"}}"#, "x".repeat(bytes))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_those_that_the_cluster_told_last_also_without_a_link() {
    let folder = TempDir::new().expect("a folder");
    let mut cloud = Cloud::new();
    cloud.put_device("d01", "{}");
    cloud.limits = told(200, 2);
    let served = Served::new(cloud);
    let (address, server) = served.serve("127.0.0.1:0".parse().expect("an address")).await;
    // What the settings say counts only until the cluster has said something else.
    let limits = TwinLimits { reported_bytes_max: 100_000, ..TwinLimits::default() };
    let config = Config { limits, ..config(folder.path(), address) };
    let agent = Agent::start(&config).expect("started");
    in_step(&agent, &served).await;
    let error = report(&config, of(300), "a").await.expect_err("larger than the cluster takes");
    assert_eq!((error.code(), error.reason()), (Code::InvalidArgument, Some("TOO_LARGE")), "{error}");
    report(&config, r#"{"a":{"b":{"c":1}}}"#.to_owned(), "b").await.expect_err("deeper than the cluster takes");
    report(&config, of(100), "c").await.expect("within the limits");
    in_step(&agent, &served).await;
    agent.stop().await.expect("stopped");
    drop(server);

    let agent = Agent::start(&config).expect("started without a cluster");
    report(&config, of(300), "d").await.expect_err("it is remembered");
    agent.stop().await.expect("stopped");

    served.cloud().limits = told(1_000, 5);
    let agent = Agent::start(&config).expect("started");
    let (_, _server) = served.serve(address).await;
    in_step(&agent, &served).await;
    report(&config, of(300), "e").await.expect("the cluster takes more now");
    report(&config, r#"{"text":null,"a":{"b":{"c":1}}}"#.to_owned(), "f").await.expect("and deeper ones");
    agent.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_tells_no_limits_leaves_those_of_the_settings() {
    let folder = TempDir::new().expect("a folder");
    let mut cloud = Cloud::new();
    cloud.put_device("d01", "{}");
    let served = Served::new(cloud);
    let (address, _server) = served.serve("127.0.0.1:0".parse().expect("an address")).await;
    let limits = TwinLimits { reported_bytes_max: 200, ..TwinLimits::default() };
    let config = Config { limits, ..config(folder.path(), address) };
    let agent = Agent::start(&config).expect("started");
    in_step(&agent, &served).await;
    report(&config, of(300), "").await.expect_err("larger than the settings say");
    report(&config, of(100), "").await.expect("within them");
    agent.stop().await.expect("stopped");
}
