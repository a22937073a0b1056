//! One application, which knows the client library and the names of things, and not whether it talks to the cluster or to the
//! agent beside it: what it sees, does and is refused is the same.

use anyhow::{Context, bail};
use muster_client::{CallError, Client, names, proto};
use proto::watch_response::Content;

use super::{EDGE, NAMESPACE, PATIENCE, connected, device, report, want};

const ASSET: &str = "valve-1";
const PANEL: &str = "panel";

/// What controls the pumps of one site, with a note of everything it saw.
struct Application<'a> {
    client: &'a Client,
    saw: Vec<String>,
}

impl Application<'_> {
    fn see(&mut self, what: impl Into<String>) {
        self.saw.push(what.into());
    }

    /// What it is to be refused: by the same code, reason and field, wherever it asks.
    fn refused<T>(&mut self, what: &str, outcome: Result<T, CallError>) -> anyhow::Result<()> {
        let Err(error) = outcome else { bail!("{what} is not refused") };
        self.see(format!("{what}: {:?} {:?}", error.code(), error.reason()));
        Ok(())
    }

    /// Lists its devices in pages, and reads each.
    async fn look_around(&mut self) -> anyhow::Result<()> {
        let mut page_token = String::new();
        loop {
            let request = proto::ListDevicesRequest {
                parent: names::namespace(NAMESPACE),
                page_size: 2,
                page_token,
                edge: EDGE.to_owned(),
                ..Default::default()
            };
            let page = self.client.devices().list(request).await?;
            for listed in page.devices {
                let request = proto::GetDeviceRequest { name: listed.name.clone(), read: None };
                let device = self.client.devices().get(request).await?.device.context("a device")?;
                anyhow::ensure!(device == listed, "read and listed alike: {device:?}");
                self.see(format!("{} of {}: {:?}, etag {}", device.name, device.edge, device.status(), device.etag));
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(());
            }
        }
    }

    async fn sections(&mut self, id: &str, min_revision: u64) -> anyhow::Result<proto::Twin> {
        let read =
            proto::ReadOptions { consistency: proto::read_options::Consistency::MinRevision.into(), min_revision };
        let name = names::twin(NAMESPACE, id);
        let request = proto::GetTwinRequest { name, read: Some(read), ..Default::default() };
        let twin = self.client.twins().get(request).await?.twin.context("a twin")?;
        let json = |section: Option<&proto::SectionDocument>| section.map(|section| section.json.clone());
        self.see(format!("{id} wants {:?}, is {:?}", json(twin.desired.as_ref()), json(twin.reported.as_ref())));
        Ok(twin)
    }

    /// Follows what is wanted of a device until it wants mode `last`, and reports each mode it hears of.
    async fn obey(&mut self, id: &str, last: &str, begun: tokio::sync::oneshot::Sender<()>) -> anyhow::Result<()> {
        let spec = proto::WatchSpec {
            id: 7,
            resource: names::twin(NAMESPACE, id),
            sections: vec![proto::TwinSection::Desired.into()],
            after: true,
            ..Default::default()
        };
        let mut watcher = self.client.watch(proto::WatchRequest {
            watches: vec![spec],
            progress_interval_ms: 200,
            ..Default::default()
        });
        let mut begun = Some(begun);
        loop {
            let told = tokio::time::timeout(PATIENCE, watcher.next()).await.context("a watch is silent")??;
            match told.content {
                Some(Content::Started(_)) => drop(begun.take().map(|begun| begun.send(()))),
                Some(Content::Events(events)) => {
                    let after = events.events.last().and_then(|event| event.after.clone()).context("an image")?;
                    let Some(proto::resource::Resource::Twin(twin)) = after.resource else { bail!("no twin") };
                    let desired: serde_json::Value = serde_json::from_str(&twin.desired.context("desired")?.json)?;
                    let mode = desired["mode"].as_str().context("a mode")?.to_owned();
                    report(self.client, id, &format!(r#"{{"mode":"{mode}"}}"#)).await?;
                    self.sections(id, events.revision).await?;
                    if mode == last {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
    }

    /// Says how its asset is.
    async fn check_asset(&mut self) -> anyhow::Result<()> {
        let name = names::asset(NAMESPACE, ASSET);
        let request = proto::GetAssetRequest { name: name.clone(), read: None };
        let asset = self.client.assets().get(request).await?.asset.context("an asset")?;
        let definition = asset.definition.context("a definition")?;
        self.see(format!("{name}: {} at {:?}", definition.display_name, definition.device_ref));
        let status = proto::AssetStatus { config_version: asset.version, ..Default::default() };
        let request = proto::UpdateAssetStatusRequest { name, status: Some(status), ..Default::default() };
        let answer = self.client.assets().update_status(request).await?.asset.context("an asset")?;
        self.see(format!("about version {}", answer.status.context("a status")?.config_version));
        Ok(())
    }

    /// Makes mistakes.
    async fn err(&mut self) -> anyhow::Result<()> {
        let id = device(0);
        let outcome = report(self.client, &id, "{").await;
        self.refused("broken JSON", outcome)?;
        let outcome = report(self.client, &id, r#"{"a b":1}"#).await;
        self.refused("a blank in a key", outcome)?;
        let outcome =
            report(self.client, &id, r#"{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}}}}"#).await;
        self.refused("too deep", outcome)?;
        let outcome = report(self.client, "nobody", "{}").await;
        self.refused("an unknown device", outcome)?;
        let name = names::twin(NAMESPACE, &id);
        let request = proto::ReportPropertiesRequest {
            name: name.clone(),
            reported_json: r#"{"mode":"never"}"#.to_owned(),
            expected_version: 9_999,
            ..Default::default()
        };
        let outcome = self.client.twins().report(request).await;
        self.refused("another version", outcome)?;
        let outcome =
            self.client.twins().get(proto::GetTwinRequest { name: "pump".to_owned(), ..Default::default() }).await;
        self.refused("a name that is none", outcome)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_runs_unchanged_at_the_edge_and_against_the_cluster() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client, _wire, agent) = connected(1, 5).await?;
    let request = proto::CreateDeviceRequest {
        parent: names::namespace(NAMESPACE),
        device_id: PANEL.to_owned(),
        device: Some(panel()),
        ..Default::default()
    };
    client.devices().create(request).await?;
    let request = proto::CreateAssetRequest {
        parent: names::namespace(NAMESPACE),
        asset_id: ASSET.to_owned(),
        asset: Some(proto::Asset { definition: Some(valve()), ..Default::default() }),
        ..Default::default()
    };
    let made = client.assets().create(request).await?;
    agent.in_step(made.header.context("a header")?.revision).await?;
    let local = agent.client()?;
    let mut saw = Vec::new();
    for beside in [&local, &client] {
        agent.in_step(want(&client, &device(1), r#"{"mode":"off"}"#).await?).await?;
        let mut application = Application { client: beside, saw: Vec::new() };
        application.look_around().await?;
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let wanted = async {
            has_begun.await.context("the watch begins")?;
            // One after the other is seen: what changes quicker than an edge hears of it is told as its newest.
            for mode in ["slow", "fast"] {
                agent.in_step(want(&client, &device(1), &format!(r#"{{"mode":"{mode}"}}"#)).await?).await?;
            }
            anyhow::Ok(())
        };
        let id = device(1);
        tokio::try_join!(application.obey(&id, "fast", begun), wanted)?;
        application.check_asset().await?;
        application.err().await?;
        agent.in_step(super::newest(&client).await?).await?;
        application.sections(&id, 0).await?;
        saw.push(application.saw);
    }
    assert_eq!(saw[0], saw[1], "at the edge, and at the cluster");
    assert!(
        saw[0].iter().any(|line| line.contains(r#"wants Some("{\"mode\":\"fast\"}"), is Some("{\"mode\":\"fast\"}")"#)),
        "{saw:?}"
    );
    Ok(())
}

fn panel() -> proto::Device {
    let endpoint = proto::InboundEndpoint {
        address: "opc.tcp://panel".to_owned(),
        endpoint_type: "opc-ua".to_owned(),
        ..Default::default()
    };
    let endpoints = proto::Endpoints { inbound: [("opc".to_owned(), endpoint)].into(), ..Default::default() };
    proto::Device { edge: EDGE.to_owned(), endpoints: Some(endpoints), ..Default::default() }
}

fn valve() -> proto::AssetDefinition {
    let device_ref = proto::DeviceRef { device_name: PANEL.to_owned(), endpoint_name: "opc".to_owned() };
    proto::AssetDefinition { device_ref: Some(device_ref), display_name: "Valve".to_owned(), ..Default::default() }
}
