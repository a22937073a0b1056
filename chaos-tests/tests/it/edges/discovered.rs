//! What edges discover: reports are merged, operators list, accept and dismiss, and nobody reports for another edge.

use anyhow::Context;
use futures::{StreamExt, TryStreamExt};
use muster_client::{CallError, Client, Code, names, proto};
use proto::{DiscoveryState, Role};

use super::{NAMESPACE, delete_edge, device, edge, move_device, single};
use crate::table::{Table, code};
use crate::wire;

pub(super) fn plc(model: &str, endpoint: &str) -> proto::DiscoveredDeviceDefinition {
    let found = proto::DiscoveredEndpoint {
        address: "opc.tcp://plc:4840".to_owned(),
        endpoint_type: "Microsoft.OpcUa".to_owned(),
        ..Default::default()
    };
    let endpoints = proto::DiscoveredEndpoints { inbound: [(endpoint.to_owned(), found)].into(), ..Default::default() };
    proto::DiscoveredDeviceDefinition { model: model.to_owned(), endpoints: Some(endpoints), ..Default::default() }
}

pub(super) async fn report(
    client: &Client,
    edge: &str,
    id: &str,
    mark: &str,
    definition: proto::DiscoveredDeviceDefinition,
) -> Result<proto::DiscoveredDeviceResponse, CallError> {
    let said =
        proto::DiscoveredDevice { definition: Some(definition), discovery_id: mark.to_owned(), ..Default::default() };
    let request = proto::ReportDiscoveredDeviceRequest {
        parent: names::edge(NAMESPACE, edge),
        discovered_device_id: id.to_owned(),
        discovered_device: Some(said),
        ..Default::default()
    };
    client.discovery().report_device(request).await
}

pub(super) async fn report_asset(
    client: &Client,
    edge: &str,
    id: &str,
    device: &str,
) -> Result<proto::DiscoveredAssetResponse, CallError> {
    let device_ref = proto::DeviceRef { device_name: device.to_owned(), endpoint_name: "opc".to_owned() };
    let dataset = proto::Dataset { name: "heat".to_owned(), ..Default::default() };
    let definition =
        proto::AssetDefinition { device_ref: Some(device_ref), datasets: vec![dataset], ..Default::default() };
    let said =
        proto::DiscoveredAsset { definition: Some(definition), discovery_id: "1".to_owned(), ..Default::default() };
    let request = proto::ReportDiscoveredAssetRequest {
        parent: names::edge(NAMESPACE, edge),
        discovered_asset_id: id.to_owned(),
        discovered_asset: Some(said),
        ..Default::default()
    };
    client.discovery().report_asset(request).await
}

fn of_device(edge: &str, id: &str) -> String {
    names::discovered_device(NAMESPACE, edge, id)
}

fn accept(name: String, device_id: &str) -> proto::AcceptDiscoveredDeviceRequest {
    proto::AcceptDiscoveredDeviceRequest { name, device_id: device_id.to_owned(), ..Default::default() }
}

fn dismiss(name: String) -> proto::DismissDiscoveredRequest {
    proto::DismissDiscoveredRequest { name, ..Default::default() }
}

/// Ids of what a list tells, page after page of two.
async fn listed(client: &Client, parent: String, state: DiscoveryState) -> Result<Vec<String>, CallError> {
    let request =
        proto::ListDiscoveredDevicesRequest { parent, page_size: 2, state: state.into(), ..Default::default() };
    let short = |device: proto::DiscoveredDevice| {
        let edge = names::part(&device.name, "edges").unwrap_or_default().to_owned();
        format!("{edge}/{}", names::last(&device.name))
    };
    client.discovery().list_devices_all(request).map_ok(short).try_collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_are_merged_and_what_is_dismissed_stays_so() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    edge(&client, "press").await?;
    let mut table = Table::default();
    let first = report(&client, "press", "plc", "1", plc("X1", "opc")).await?;
    let (first_at, first) = (first.header.context("a header")?.revision, first.discovered_device.context("a device")?);
    table.same("new", (first.version, first.state(), first.discovery_id.as_str()), (1, DiscoveryState::New, "1"));
    let repeats = futures::stream::iter(0..1_000).map(|_| report(&client, "press", "plc", "1", plc("X1", "opc")));
    let repeats: Vec<_> = repeats.buffer_unordered(32).try_collect().await?;
    let same = repeats.iter().filter(|repeat| repeat.discovered_device.as_ref() == Some(&first)).count();
    let newest = repeats.iter().filter_map(|repeat| repeat.header.as_ref()).map(|header| header.revision).max();
    table.same(
        "a thousand repeats: the same one, and no revision of their own",
        (same, newest),
        (1_000, Some(first_at)),
    );

    let name = of_device("press", "plc");
    let dismissed = client.discovery().dismiss_device(dismiss(name.clone())).await?.discovered_device;
    table.same("dismissed", dismissed.map(|device| device.state()), Some(DiscoveryState::Dismissed));
    let merged =
        report(&client, "press", "plc", "1", plc("X1", "http")).await?.discovered_device.context("a device")?;
    let endpoints = merged.definition.clone().and_then(|said| said.endpoints).unwrap_or_default().inbound.len();
    table.same("merged", (merged.version, endpoints, merged.state()), (2, 2, DiscoveryState::Dismissed));
    let again = report(&client, "press", "plc", "2", plc("X1", "opc")).await?.discovered_device.context("a device")?;
    table.same("with another mark it is back", (again.version, again.state()), (3, DiscoveryState::New));

    for (case, outcome, expected) in [
        (
            "an id",
            report(&client, "press", "a b", "", plc("X1", "opc")).await,
            (Code::InvalidArgument, "INVALID_ID", "discovered_device_id"),
        ),
        (
            "no such edge",
            report(&client, "paint", "plc", "", plc("X1", "opc")).await,
            (Code::NotFound, "PARENT_NOT_FOUND", "parent"),
        ),
        (
            "an endpoint without an address",
            {
                let mut bad = plc("X1", "opc");
                bad.endpoints.get_or_insert_default().inbound.values_mut().for_each(|found| found.address.clear());
                report(&client, "press", "plc", "", bad).await
            },
            (Code::InvalidArgument, "INVALID_FIELD", "discovered_device.definition.endpoints.inbound.opc.address"),
        ),
    ] {
        table.refused(case, &outcome, expected);
    }
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_is_a_device_of_the_edge_and_its_asset_follows() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    edge(&client, "press").await?;
    device(&client, "taken", "", "").await?;
    let mut table = Table::default();
    let found = report(&client, "press", "plc", "1", plc("X1", "opc")).await?.discovered_device.context("a device")?;
    report_asset(&client, "press", "oven", "plc").await?;
    let discovery = client.discovery();
    let (name, oven) = (of_device("press", "plc"), names::discovered_asset(NAMESPACE, "press", "oven"));
    let asset = |id: &str| proto::AcceptDiscoveredAssetRequest {
        name: oven.clone(),
        asset_id: id.to_owned(),
        ..Default::default()
    };
    let no_device = (Code::NotFound, "PARENT_NOT_FOUND", "name");
    table.refused("an asset before its device", &discovery.accept_asset(asset("")).await, no_device);
    let taken = (Code::AlreadyExists, "ALREADY_EXISTS", "device_id");
    table.refused("a taken id", &discovery.accept_device(accept(name.clone(), "taken")).await, taken);
    let stale = proto::AcceptDiscoveredDeviceRequest { etag: "1".to_owned(), ..accept(name.clone(), "") };
    table.refused("another word", &discovery.accept_device(stale).await, (Code::Aborted, "ETAG_MISMATCH", "etag"));
    let dry = proto::AcceptDiscoveredDeviceRequest { validate_only: true, ..accept(name.clone(), "press-plc") };
    let tried = discovery.accept_device(dry).await?;
    table.same("tried", (tried.device, tried.discovered_device), (None, Some(found.clone())));

    let once = proto::AcceptDiscoveredDeviceRequest {
        etag: found.etag,
        request_id: "accept-1".to_owned(),
        ..accept(name.clone(), "press-plc")
    };
    let accepted = discovery.accept_device(once.clone()).await?;
    let made = accepted.device.clone().context("a device")?;
    let told = (made.edge.as_str(), made.model.as_str(), made.discovered_device_ref.as_str());
    table.same("made", told, ("press", "X1", name.as_str()));
    let marked = accepted.discovered_device.clone().context("what was discovered")?;
    let told = (marked.state(), marked.accepted_as.as_str(), marked.accepted_version, marked.changed_since_accepted);
    let real = names::device(NAMESPACE, "press-plc");
    table.same("marked in the same revision", told, (DiscoveryState::Accepted, real.as_str(), 1, false));
    table.same("one revision", (made.etag.as_str(), marked.etag.as_str()), (marked.etag.as_str(), made.etag.as_str()));
    table.same("a retry", discovery.accept_device(once).await?, accepted);
    let again = (Code::FailedPrecondition, "ALREADY_ACCEPTED", "name");
    table.refused("again", &discovery.accept_device(accept(name.clone(), "plc-2")).await, again);
    table.refused("dismissed", &discovery.dismiss_device(dismiss(name.clone())).await, again);

    let made = discovery.accept_asset(asset("")).await?.asset.context("an asset")?;
    let definition = made.definition.context("a definition")?;
    let device_of = definition.device_ref.map(|to| to.device_name);
    table.same("of the device that was made", device_of.as_deref(), Some("press-plc"));
    table.same("from what was discovered", definition.discovered_asset_refs, vec![oven.clone()]);
    let changed =
        report(&client, "press", "plc", "2", plc("X2", "opc")).await?.discovered_device.context("a device")?;
    let told = (changed.state(), changed.changed_since_accepted, changed.version, changed.accepted_version);
    table.same("changed since", told, (DiscoveryState::Accepted, true, 2, 1));
    move_device(&client, "press-plc", ("", ""), &["edge"]).await?;
    table.refused("accepted again elsewhere", &discovery.accept_device(accept(name.clone(), "x")).await, again);

    let forget = proto::DeleteDiscoveredRequest { name: oven.clone(), ..Default::default() };
    discovery.delete_asset(forget.clone()).await?;
    let gone = (Code::NotFound, "NOT_FOUND", "name");
    table.refused("forgotten twice", &discovery.delete_asset(forget).await, gone);
    let get = proto::GetAssetRequest { name: names::asset(NAMESPACE, "oven"), ..Default::default() };
    table.same("what was made stays", code(&client.assets().get(get).await), Code::Ok);
    delete_edge(&client, "press").await?;
    let get = proto::GetDiscoveredRequest { name, ..Default::default() };
    table.refused("gone with its edge", &discovery.get_device(get.clone()).await, gone);
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_by_edge_and_state_and_history_and_watches_tell() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    for id in ["press", "paint"] {
        edge(&client, id).await?;
        for n in 0..3 {
            report(&client, id, &format!("plc-{n}"), "", plc("X1", "opc")).await?;
        }
    }
    let press = names::edge(NAMESPACE, "press");
    let whole = names::namespace(NAMESPACE);
    client.discovery().dismiss_device(dismiss(of_device("press", "plc-1"))).await?;
    let mut table = Table::default();
    let all = ["paint/plc-0", "paint/plc-1", "paint/plc-2", "press/plc-0", "press/plc-1", "press/plc-2"];
    let none = DiscoveryState::Unspecified;
    table.same("all", listed(&client, whole.clone(), none).await?, all.map(str::to_owned).to_vec());
    table.same(
        "of an edge",
        listed(&client, press.clone(), none).await?,
        all[3..].iter().map(|id| (*id).to_owned()).collect(),
    );
    let new = listed(&client, press.clone(), DiscoveryState::New).await?;
    table.same("new ones", new, vec!["press/plc-0".to_owned(), "press/plc-2".to_owned()]);
    let dismissed = listed(&client, whole, DiscoveryState::Dismissed).await?;
    table.same("dismissed ones", dismissed, vec!["press/plc-1".to_owned()]);
    let nowhere = listed(&client, names::edge(NAMESPACE, "nowhere"), none).await;
    table.refused("of no edge", &nowhere, (Code::NotFound, "NOT_FOUND", "parent"));

    let name = of_device("press", "plc-1");
    let events = proto::ListEventsRequest { resource: name.clone(), ..Default::default() };
    let events = client.history().list_events(events).await?.events;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    table.same("its history", kinds, vec!["discovered_device.reported", "discovered.dismissed"]);
    let before = events.first().context("an event")?.revision;
    let was = client.history().get_at(proto::GetAtRequest { name: name.clone(), revision: before, read: None }).await?;
    let was = match was.resource {
        Some(proto::get_at_response::Resource::DiscoveredDevice(device)) => Some(device.state()),
        _ => None,
    };
    table.same("as it was", was, Some(DiscoveryState::New));

    let spec = proto::WatchSpec {
        id: 1,
        resource: press,
        resource_is_prefix: true,
        types: vec![proto::ResourceType::DiscoveredDevice.into()],
        list_first: true,
        after: true,
        ..Default::default()
    };
    let mut watcher =
        client.watch(proto::WatchRequest { watches: vec![spec], progress_interval_ms: 200, ..Default::default() });
    let mut seen = Vec::new();
    report(&client, "press", "cam", "7", plc("C1", "opc")).await?;
    while !seen.contains(&of_device("press", "cam")) {
        let message = tokio::time::timeout(std::time::Duration::from_secs(20), watcher.next()).await??;
        match message.content {
            Some(proto::watch_response::Content::Listed(part)) => seen.extend(part.resources.iter().filter_map(named)),
            Some(proto::watch_response::Content::Events(part)) => {
                seen.extend(part.events.iter().filter_map(|event| named(event.after.as_ref()?)));
            }
            _ => {}
        }
    }
    let expected: Vec<_> = ["plc-0", "plc-1", "plc-2", "cam"].map(|id| of_device("press", id)).to_vec();
    seen.sort_by_key(|name| expected.iter().position(|known| known == name));
    table.same("listed, then told", seen, expected);
    table.finish();
    Ok(())
}

fn named(resource: &proto::Resource) -> Option<String> {
    match resource.resource.as_ref()? {
        proto::resource::Resource::DiscoveredDevice(device) => Some(device.name.clone()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_reports_for_itself_and_operators_decide() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, admin) = single().await?;
    for id in ["press", "paint"] {
        edge(&admin, id).await?;
        report(&admin, id, "old", "", plc("X1", "opc")).await?;
    }
    device(&admin, "oven", "press", "").await?;
    let (ok, denied) = (Code::Ok, Code::PermissionDenied);
    let mut table = Table::default();
    for (who, role, namespace, of, expected) in [
        ("the edge", Role::Edge, NAMESPACE, "press", [ok, denied, ok, denied, ok, denied, denied, denied]),
        ("its namesake elsewhere", Role::Edge, "plant2", "press", [denied; 8]),
        ("a device", Role::Device, NAMESPACE, "oven", [denied; 8]),
        ("a viewer", Role::Viewer, "", "", [denied, denied, ok, ok, ok, ok, denied, denied]),
        ("a viewer of elsewhere", Role::Viewer, "plant2", "", [denied; 8]),
        ("an operator of elsewhere", Role::Operator, "plant2", "", [denied; 8]),
        ("an operator", Role::Operator, NAMESPACE, "", [ok; 8]),
    ] {
        let token = wire::token(&admin, role, namespace, of).await?.1;
        let client = Client::new(wire::once(&cluster)?.token(&token))?;
        let get = |edge: &str| proto::GetDiscoveredRequest { name: of_device(edge, "old"), ..Default::default() };
        let discovery = client.discovery();
        let found = [
            code(&report(&client, "press", "plc", "", plc("X1", "opc")).await),
            code(&report(&client, "paint", "plc", "", plc("X1", "opc")).await),
            code(&discovery.get_device(get("press")).await),
            code(&discovery.get_device(get("paint")).await),
            code(&listed(&client, names::edge(NAMESPACE, "press"), DiscoveryState::Unspecified).await),
            code(&listed(&client, names::namespace(NAMESPACE), DiscoveryState::Unspecified).await),
            code(&discovery.dismiss_device(dismiss(of_device("press", "old"))).await),
            code(&discovery.accept_device(accept(of_device("press", "old"), "")).await),
        ];
        table.same(&format!("{who}: report, for another; get, another's; list, all; dismiss, accept"), found, expected);
    }
    table.finish();
    Ok(())
}
