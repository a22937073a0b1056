//! The bridge to a broker: real nodes, a real agent, a real mosquitto, and clients that know nothing but MQTT.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use muster_chaos::broker::{Broker, Heard, MqttClient};
use muster_chaos::cluster::Cluster;
use muster_chaos::eventually::eventually;
use muster_client::{Client, names, proto};
use serde_json::{Value, json};

use super::link::Wire;
use super::{NAMESPACE, connected, device};
use muster_chaos::edges::agent::{Agent, PATIENCE};

mod broker_faults;
mod messages;
mod outages;
mod retained;

/// Everything between a registry and a device on MQTT.
struct Plant {
    cluster: Cluster,
    client: Client,
    wire: Wire,
    agent: Agent,
    broker: Broker,
}

impl Plant {
    /// A cluster, an edge with `devices` devices and its agent, a broker, and the bridge connected.
    async fn new(devices: usize, settings: &str) -> anyhow::Result<Self> {
        Self::beside(devices, settings, "").await
    }

    /// The same, with a broker that has these settings too.
    async fn beside(devices: usize, settings: &str, of_broker: &str) -> anyhow::Result<Self> {
        let (cluster, client, wire, mut agent) = connected(1, devices).await?;
        let of_broker = format!("allow_anonymous true\n{of_broker}");
        let broker = Broker::start_with(cluster.scratch().join("broker"), &of_broker).await?;
        agent.kill().await?;
        agent.add_settings(&format!("[mqtt]\nbroker = \"mqtt://127.0.0.1:{}\"\n{settings}", broker.port()))?;
        agent.start().await?;
        let plant = Self { cluster, client, wire, agent, broker };
        plant.bridged().await?;
        Ok(plant)
    }

    /// A client that hears everything below the prefix.
    async fn listener(&self) -> anyhow::Result<MqttClient> {
        self.broker.client("listener", &["muster/#"]).await
    }

    /// What status says of the bridge.
    async fn mqtt(&self) -> anyhow::Result<Value> {
        Ok(self.agent.status().await?["mqtt"].clone())
    }

    /// Waits until status says of the bridge what pleases.
    async fn mqtt_that(&self, what: &str, pleases: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let waited = eventually(what, PATIENCE, async || {
            let mqtt = self.mqtt().await.map_err(|error| error.to_string())?;
            if pleases(&mqtt) { Ok(mqtt) } else { Err(mqtt.to_string()) }
        });
        waited.await.with_context(|| format!("{}\n{}", self.agent.log(), self.broker.log()))
    }

    /// Waits until what the broker retains is what the edge holds.
    async fn bridged(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let waited = eventually("the broker retains the scope", PATIENCE, async || {
            let wanted = wanted(&self.agent.client().map_err(|error| error.to_string())?).await;
            let wanted = wanted.map_err(|error| error.to_string())?;
            let mut retained = self.broker.retained("muster").await.map_err(|error| error.to_string())?;
            let owner = retained.remove("muster/bridge/owner");
            let versions: anyhow::Result<BTreeMap<_, _>> =
                retained.iter().map(|(topic, payload)| Ok((topic.clone(), version(payload)?))).collect();
            let versions = versions.map_err(|error| error.to_string())?;
            if versions == wanted && owner.as_deref() == Some("namespaces/plant1/edges/press") {
                Ok(retained)
            } else {
                Err(format!("{retained:?} of {wanted:?}"))
            }
        });
        waited.await.with_context(|| format!("{}\n{}", self.agent.log(), self.broker.log()))
    }

    /// Sets a desired property in the cluster.
    async fn want(&self, id: &str, desired: &str) -> anyhow::Result<u64> {
        super::want(&self.client, id, desired).await
    }

    async fn offline(&self) -> anyhow::Result<()> {
        eventually("the agent sees that the link is gone", PATIENCE, async || {
            let status = self.agent.status().await.map_err(|error| error.to_string())?;
            if status["link"] == "offline" { Ok(()) } else { Err(status["link"].to_string()) }
        })
        .await
    }

    /// Waits until these reports of a device have one effect each: what is still on its way comes, what came twice stays twice.
    async fn check_once(&self, id: &str, told: &[u64]) -> anyhow::Result<()> {
        let waited = eventually("each report has one effect", PATIENCE, async || {
            let newest = super::newest(&self.client).await.map_err(|error| error.to_string())?;
            let status = self.agent.in_step(newest).await.map_err(|error| format!("{error:#}"))?;
            if status["refused_operations"] != 0 {
                return Err(status.to_string());
            }
            super::check_once(&self.client, id, told).await.map_err(|error| format!("{error:#}"))
        });
        waited.await.with_context(|| self.agent.log())
    }
}

/// Version by topic, as the agent's socket says.
async fn wanted(local: &Client) -> anyhow::Result<BTreeMap<String, u64>> {
    let parent = names::namespace(NAMESPACE);
    let request = proto::ListDevicesRequest { parent: parent.clone(), page_size: 1_000, ..Default::default() };
    let mut wanted = BTreeMap::new();
    for device in local.devices().list(request).await?.devices {
        let id = names::last(&device.name);
        let desired = super::twin(local, id).await?.desired.context("desired")?;
        // What may not stand in a topic.
        let level = id.replace('%', "%25").replace('+', "%2B").replace('#', "%23");
        wanted.insert(self::desired(&level), desired.version);
    }
    let request = proto::ListAssetsRequest { parent, page_size: 1_000, ..Default::default() };
    for asset in local.assets().list(request).await?.assets {
        wanted.insert(format!("muster/assets/{}/definition", names::last(&asset.name)), asset.version);
    }
    Ok(wanted)
}

fn version(payload: &str) -> anyhow::Result<u64> {
    let value: Value = serde_json::from_str(payload)?;
    value.get("$version").or(value.get("version")).and_then(Value::as_u64).with_context(|| payload.to_owned())
}

fn desired(id: &str) -> String {
    format!("muster/devices/{id}/twin/desired")
}

fn patch(id: &str) -> String {
    format!("muster/devices/{id}/twin/reported/patch")
}

fn result(id: &str) -> String {
    format!("muster/devices/{id}/twin/reported/result")
}

/// A report with a member of its own, so that versions count effects.
fn report(number: u64) -> String {
    json!({format!("k{number}"): 1}).to_string()
}

fn is_accepted(heard: &Heard) -> bool {
    heard.json().is_ok_and(|answer| answer["accepted"] == true)
}
