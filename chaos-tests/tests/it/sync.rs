//! Real edges and real nodes: what is wanted comes down, what is reported goes up once, whatever happens to links, nodes and
//! agents in between.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, ensure};
use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::edges::agent::{Agent, PATIENCE};
use muster_chaos::edges::{NAMESPACE, newest, twin, want};
use muster_chaos::eventually::eventually;
use muster_client::{Client, Code, names, proto};

mod chaos;
mod discovery;
mod disk;
mod folder;
mod link;
mod mqtt;
mod offline;
mod steps;
mod unchanged;
mod verify;

use link::Wire;

const EDGE: &str = "press";
/// Short, so that a dead link is found while a test waits.
const SETTINGS: &str = "[sync]\nheartbeat_ms = 1000\n";

/// A cluster with an edge that holds `devices` devices, a wire to it, and its agent in step.
async fn connected(nodes: u64, devices: usize) -> anyhow::Result<(Cluster, Client, Wire, Agent)> {
    let cluster = Cluster::start(Options { nodes, settings: SETTINGS.to_owned(), ..Options::default() }).await?;
    let client = cluster.client()?;
    let request = proto::CreateNamespaceRequest { namespace_id: NAMESPACE.to_owned(), ..Default::default() };
    client.namespaces().create(request).await?;
    let parent = names::namespace(NAMESPACE);
    let request = proto::CreateEdgeRequest {
        parent: parent.clone(),
        edge_id: EDGE.to_owned(),
        edge: Some(proto::Edge::default()),
        ..Default::default()
    };
    client.edges().create(request).await?;
    for number in 0..devices {
        create(&client, &device(number), EDGE).await?;
    }
    create(&client, "elsewhere", "").await?;
    let wire = Wire::to(cluster.ids().into_iter().map(|id| cluster.endpoint(id)).collect()).await?;
    let mut agent = Agent::prepare(&cluster, EDGE, &wire.endpoints()).await?;
    agent.start().await?;
    agent.in_step(1).await?;
    Ok((cluster, client, wire, agent))
}

fn device(number: usize) -> String {
    format!("pump-{number:03}")
}

async fn create(client: &Client, id: &str, edge: &str) -> anyhow::Result<()> {
    let device = proto::Device { edge: edge.to_owned(), ..Default::default() };
    let request = proto::CreateDeviceRequest {
        parent: names::namespace(NAMESPACE),
        device_id: id.to_owned(),
        device: Some(device),
        ..Default::default()
    };
    client.devices().create(request).await?;
    Ok(())
}

async fn report(
    client: &Client,
    id: &str,
    reported: &str,
) -> Result<proto::TwinChangeResponse, muster_client::CallError> {
    let request = proto::ReportPropertiesRequest {
        name: names::twin(NAMESPACE, id),
        reported_json: reported.to_owned(),
        ..Default::default()
    };
    client.twins().report(request).await
}

fn members(section: Option<&proto::SectionDocument>) -> anyhow::Result<serde_json::Map<String, serde_json::Value>> {
    Ok(serde_json::from_str(&section.context("a section")?.json)?)
}

/// Every report set a member of its own, so versions count effects: no more of them than members means that none came twice.
async fn check_once(client: &Client, id: &str, told: &[u64]) -> anyhow::Result<()> {
    let twin = twin(client, id).await?;
    let reported = members(twin.reported.as_ref())?;
    for number in told {
        ensure!(reported.contains_key(&format!("k{number}")), "report {number} was answered and has no effect on {id}");
    }
    let effects = twin.reported.context("reported")?.version - 1;
    ensure!(effects == reported.len() as u64, "{id}: {effects} effects of {} reports", reported.len());
    Ok(())
}

/// Applications that report at the edge until it goes away, each report to another device in turn.
struct Reporters {
    devices: u64,
    next: Arc<AtomicU64>,
    told: Arc<Mutex<Vec<u64>>>,
}

impl Reporters {
    fn new(devices: u64) -> Self {
        Self { devices, next: Arc::default(), told: Arc::default() }
    }

    /// The device that a report was about.
    fn device_of(&self, number: u64) -> String {
        device(usize::try_from(number % self.devices).expect("few devices"))
    }

    fn start(&self, client: &Client) -> tokio::task::JoinHandle<()> {
        let (client, devices) = (client.clone(), self.devices);
        let (next, told) = (Arc::clone(&self.next), Arc::clone(&self.told));
        tokio::spawn(async move {
            let reporters = Self { devices, next, told };
            loop {
                let number = reporters.next.fetch_add(1, Ordering::SeqCst);
                let text = format!(r#"{{"k{number}":1}}"#);
                if report(&client, &reporters.device_of(number), &text).await.is_err() {
                    return;
                }
                reporters.told.lock().expect("not poisoned").push(number);
            }
        })
    }

    fn told(&self) -> Vec<u64> {
        self.told.lock().expect("not poisoned").clone()
    }

    async fn wait_for(&self, more: usize) -> anyhow::Result<()> {
        let wanted = self.told().len() + more;
        eventually("reports are answered", PATIENCE, async || {
            let told = self.told().len();
            if told >= wanted { Ok(()) } else { Err(format!("{told} of {wanted}")) }
        })
        .await
    }
}

/// Epoch and newest answered operation, as the agent says.
async fn progress(agent: &Agent) -> anyhow::Result<(u64, u64)> {
    let status = agent.status().await?;
    let number = |member: &str| status[member].as_u64().context(member.to_owned());
    Ok((number("epoch")?, number("acknowledged_sequence")?))
}

/// Waits until operations flow in a session after `epoch`: the next fault shall hit a link that is in use.
async fn flowing(agent: &Agent, (epoch, acknowledged): (u64, u64)) -> anyhow::Result<(u64, u64)> {
    eventually("operations flow in a new session", PATIENCE, async || {
        let now = progress(agent).await.map_err(|error| error.to_string())?;
        if now.0 > epoch && now.1 > acknowledged + 40 { Ok(now) } else { Err(format!("{now:?}")) }
    })
    .await
}

/// The node that serves the agent's session: cluster and agent name the same epoch.
async fn serving(client: &Client, agent: &Agent) -> anyhow::Result<u64> {
    let agreed = async || -> anyhow::Result<u64> {
        let (epoch, _) = progress(agent).await?;
        let name = names::edge(NAMESPACE, EDGE);
        let status = client.edges().status(proto::GetEdgeStatusRequest { name, ..Default::default() }).await?;
        let session = status.status.and_then(|status| status.session).context("a session")?;
        ensure!(session.epoch == epoch, "the cluster says epoch {}, the agent {epoch}", session.epoch);
        Ok(session.node_id)
    };
    // After a silence of some seconds the agent opens a new one.
    eventually("both name one session", PATIENCE, async || agreed().await.map_err(|error| format!("{error:#}"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wanted_comes_down_and_what_is_reported_goes_up_over_an_outage() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let (_cluster, client, wire, agent) = connected(1, 40).await?;
    let local = agent.client()?;
    let request =
        proto::ListDevicesRequest { parent: names::namespace(NAMESPACE), page_size: 1_000, ..Default::default() };
    assert_eq!(local.devices().list(request).await?.devices.len(), 40, "what is not this edge's does not come");
    let error = twin(&local, "elsewhere").await.expect_err("not held").to_string();
    assert!(error.contains("not in the scope of this edge"), "{error}");

    agent.in_step(want(&client, &device(3), r#"{"fw":"2"}"#).await?).await?;
    assert_eq!(members(twin(&local, &device(3)).await?.desired.as_ref())?["fw"], "2");
    report(&local, &device(3), r#"{"k0":1}"#).await?;
    agent.in_step(0).await?;
    check_once(&client, &device(3), &[0]).await?;

    wire.cut();
    for number in 1..40 {
        report(&local, &device(3), &format!(r#"{{"k{number}":1}}"#)).await?;
    }
    assert_eq!(members(twin(&local, &device(3)).await?.reported.as_ref())?.len(), 40, "it reads its own writes");
    assert_eq!(twin(&client, &device(3)).await?.reported.context("reported")?.version, 2, "nothing gets through");
    want(&client, &device(3), r#"{"fw":"3"}"#).await?;
    create(&client, "new", EDGE).await?;
    let moved = proto::Device { name: names::device(NAMESPACE, &device(7)), ..Default::default() };
    report(&local, &device(7), r#"{"late":true}"#).await?;
    let mask = prost_types::FieldMask { paths: vec!["edge".to_owned()] };
    let request = proto::UpdateDeviceRequest { device: Some(moved), update_mask: Some(mask), ..Default::default() };
    client.devices().update(request).await?;

    wire.mend();
    let status = agent.in_step(newest(&client).await?).await?;
    check_once(&client, &device(3), &(0..40).collect::<Vec<_>>()).await?;
    assert_eq!(members(twin(&local, &device(3)).await?.desired.as_ref())?["fw"], "3");
    twin(&local, "new").await.context("it came into the scope")?;
    let request = proto::GetDeviceRequest { name: names::device(NAMESPACE, &device(7)), read: None };
    let error = local.devices().get(request).await.expect_err("it left the scope");
    assert_eq!(error.code(), Code::NotFound);
    assert_eq!(status["refusals"][0]["reason"], "OUTSIDE_SCOPE", "{status}");
    assert_eq!(members(twin(&client, &device(7)).await?.reported.as_ref())?.len(), 0, "an older word has no effect");
    assert_eq!((status["repairs"].as_u64(), status["defects"].as_u64()), (Some(1), Some(0)), "{status}");
    assert_eq!(status["repaired_items"].as_u64(), Some(2), "the device and its twin, and nothing else: {status}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_links_and_agents_die_and_every_answered_report_has_one_effect() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let devices = 64;
    let (mut cluster, client, wire, mut agent) = connected(3, devices).await?;
    let reporters = Reporters::new(devices as u64);
    let start = |client: &Client| (0..4).map(|_| reporters.start(client)).collect::<Vec<_>>();
    let running = start(&agent.client()?);
    let first = flowing(&agent, (0, 0)).await?;

    wire.cut();
    eventually("the agent sees that the link is gone", PATIENCE, async || {
        let status = agent.status().await.map_err(|error| error.to_string())?;
        if status["link"] == "offline" { Ok(()) } else { Err(status["link"].to_string()) }
    })
    .await?;
    reporters.wait_for(40).await?;
    let cut = progress(&agent).await?;
    wire.mend();
    let mended = flowing(&agent, cut).await?;

    let node = serving(&client, &agent).await?;
    cluster.kill(&[node]).await?;
    let answered = progress(&agent).await?.1;
    let elsewhere = flowing(&agent, (mended.0, answered)).await?;

    agent.kill().await?;
    for reporter in running {
        reporter.await?;
    }
    agent.start().await?;
    let running = start(&agent.client()?);
    let restarted = flowing(&agent, elsewhere).await?;
    assert!(first.0 < mended.0 && mended.0 < elsewhere.0 && elsewhere.0 < restarted.0, "each fault ended a session");
    cluster.start_node(node)?;
    cluster.wait_until_whole().await?;
    for reporter in running {
        reporter.abort();
        reporter.await.ok();
    }

    let before = agent.status().await?["newest_sequence"].as_u64().context("a number")?;
    // What the last results speak of may be newer than the mark that was reached when they came.
    agent.in_step(0).await?;
    let status = agent.in_step(newest(&client).await?).await?;
    assert!(status["acknowledged_sequence"].as_u64() >= Some(before), "{status}");
    assert_eq!((status["refused_operations"].as_u64(), status["defects"].as_u64()), (Some(0), Some(0)), "{status}");
    let told = reporters.told();
    for number in 0..devices {
        let id = device(number);
        let own: Vec<u64> = told.iter().copied().filter(|number| reporters.device_of(*number) == id).collect();
        check_once(&client, &id, &own).await?;
        let (here, there) = (twin(&agent.client()?, &id).await?, twin(&client, &id).await?);
        assert_eq!(here.reported, there.reported, "both sides hold the same of {id}");
    }
    Ok(())
}
