//! Whole agents with real stores, sockets and streams, beside the model of the cluster.

use muster_client::{Client, ClientConfig, proto};
use muster_edge::{Agent, Config};
use muster_proto::edge::v1::LinkState;
use tempfile::TempDir;

use super::cloud::Cloud;
use super::served::{Served, config, eventually};

const TWIN: &str = "namespaces/plant1/devices/d01/twin";

fn cloud() -> Served {
    let mut cloud = Cloud::new();
    for device in 0..5 {
        cloud.put_device(&format!("d{device:02}"), r#"{"fw":"1"}"#);
    }
    Served::new(cloud)
}

fn client(config: &Config) -> Client {
    let socket = format!("unix:{}", config.local.socket.display());
    Client::new(ClientConfig::new([socket])).expect("a socket is an endpoint")
}

async fn in_step(agent: &Agent, served: &Served) {
    eventually("in step", async || {
        let status = agent.handle().status().await?;
        (status.link() == LinkState::InStep
            && status.cursor == served.cloud().revision
            && status.queued_operations == 0)
            .then_some(())
    })
    .await;
}

async fn twin(client: &Client) -> proto::Twin {
    let request = proto::GetTwinRequest { name: TWIN.to_owned(), ..Default::default() };
    client.twins().get(request).await.expect("held").twin.expect("a twin")
}

async fn report(client: &Client, text: &str) -> proto::TwinChangeResponse {
    let request =
        proto::ReportPropertiesRequest { name: TWIN.to_owned(), reported_json: text.to_owned(), ..Default::default() };
    client.twins().report(request).await.expect("queued")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_works_on_through_an_outage() {
    let folder = TempDir::new().expect("a folder");
    let served = cloud();
    let (address, server) = served.serve("127.0.0.1:0".parse().expect("an address")).await;
    let config = config(folder.path(), address);
    let agent = Agent::start(&config).expect("started");
    let client = client(&config);
    in_step(&agent, &served).await;
    assert_eq!(twin(&client).await.desired.expect("desired").json, r#"{"fw":"1"}"#);

    let answer = report(&client, r#"{"t":20}"#).await;
    assert_eq!(answer.reported_version, 1);
    in_step(&agent, &served).await;
    served.cloud().put_device("d01", r#"{"fw":"2"}"#);
    in_step(&agent, &served).await;
    let seen = twin(&client).await;
    assert_eq!(
        (seen.desired.expect("desired").json.as_str(), seen.reported.expect("reported").json.as_str()),
        (r#"{"fw":"2"}"#, r#"{"t":20}"#)
    );

    drop(server);
    eventually("offline", async || (agent.handle().status().await?.link() == LinkState::Offline).then_some(())).await;
    for number in 21..25 {
        report(&client, &format!(r#"{{"t":{number}}}"#)).await;
    }
    assert_eq!(twin(&client).await.reported.expect("reported").json, r#"{"t":24}"#, "it reads its own writes");
    agent.stop().await.expect("stopped");

    let agent = Agent::start(&config).expect("started offline");
    assert_eq!(twin(&self::client(&config)).await.reported.expect("reported").json, r#"{"t":24}"#);
    let (_, _server) = served.serve(address).await;
    in_step(&agent, &served).await;
    let texts: Vec<_> = served.cloud().effects.iter().map(|effect| effect.text.clone()).collect();
    assert_eq!(texts, [20, 21, 22, 23, 24].map(|number| format!(r#"{{"t":{number}}}"#)));
    agent.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_was_replaced_says_so_and_takes_no_more_reports() {
    let folder = TempDir::new().expect("a folder");
    let served = cloud();
    let (address, _server) = served.serve("127.0.0.1:0".parse().expect("an address")).await;
    let first = config(folder.path(), address);
    let agent = Agent::start(&first).expect("started");
    in_step(&agent, &served).await;
    agent.stop().await.expect("stopped");
    let copy = TempDir::new().expect("a folder");
    std::fs::create_dir(copy.path().join("store")).expect("a folder");
    for file in ["edge.redb", "STORE"] {
        std::fs::copy(folder.path().join("store").join(file), copy.path().join("store").join(file)).expect("copied");
    }
    let agent = Agent::start(&first).expect("started");
    in_step(&agent, &served).await;
    report(&client(&first), r#"{"t":1}"#).await;
    in_step(&agent, &served).await;

    let second = config(copy.path(), address);
    let cloned = Agent::start(&second).expect("started");
    let status = eventually("stopped", async || {
        cloned.handle().status().await.filter(|status| status.link() == LinkState::Stopped)
    })
    .await;
    assert_eq!(status.stopped_reason, "EDGE_REPLACED");
    let request =
        proto::ReportPropertiesRequest { name: TWIN.to_owned(), reported_json: "{}".to_owned(), ..Default::default() };
    let error = client(&second).twins().report(request).await.expect_err("would never be sent");
    assert_eq!((error.code(), error.reason()), (muster_client::Code::FailedPrecondition, Some("EDGE_REPLACED")));
    assert_eq!(twin(&client(&second)).await.name, TWIN, "what it holds can still be read");
    in_step(&agent, &served).await;
    for agent in [agent, cloned] {
        agent.stop().await.expect("stopped");
    }
}
