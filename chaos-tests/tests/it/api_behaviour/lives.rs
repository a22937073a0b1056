//! From creation to deletion and again: devices, modules, assets, namespaces, and the versions that count their lives.

use std::collections::BTreeMap;

use muster_client::{Code, names, proto};
use prost_types::FieldMask;

use super::{NAMESPACE, create_devices, delete, desired, device, present, revision, single, twin};
use crate::table::code;

fn mask(path: &str) -> Option<FieldMask> {
    Some(FieldMask { paths: vec![path.to_owned()] })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_life_of_an_id_is_told_apart_and_its_versions_go_on() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    let devices = client.devices();
    let first = present(devices.create(device("pump7")).await?.device)?;
    assert_eq!(first.version, 1);
    let new_twin = twin(&client, names::twin(NAMESPACE, "pump7")).await?;
    assert_eq!((present(new_twin.desired)?.version, present(new_twin.tags)?.json.as_str()), (1, "{}"));
    let answer = client.twins().patch(desired("pump7", "{\"a\":{\"b\":1},\"c\":2}")).await?;
    assert_eq!((answer.tags_version, answer.desired_version, answer.reported_version), (1, 2, 1));
    let answer = client.twins().patch(desired("pump7", "{\"a\":{\"b\":null},\"d\":[null]}")).await?;
    let merged = present(twin(&client, names::twin(NAMESPACE, "pump7")).await?.desired)?;
    assert_eq!((merged.json.as_str(), merged.version), ("{\"a\":{},\"c\":2,\"d\":[null]}", answer.desired_version));

    devices.delete(delete("pump7")).await?;
    let get = proto::GetDeviceRequest { name: names::device(NAMESPACE, "pump7"), ..Default::default() };
    assert_eq!(code(&devices.get(get).await), Code::NotFound);
    let answer = devices.create(device("pump7")).await?;
    let created = revision(answer.header.as_ref());
    let second = present(answer.device)?;
    assert_eq!(second.generation_id, created.to_string());
    assert_ne!(second.generation_id, first.generation_id);
    assert_ne!(second.uuid, first.uuid);
    assert!(second.version > first.version, "{second:?}");
    let new_twin = present(twin(&client, names::twin(NAMESPACE, "pump7")).await?.desired)?;
    assert_eq!(new_twin.json, "{}", "nothing of the first life shines through");
    assert!(new_twin.version > merged.version, "the version goes on: {new_twin:?} after {merged:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_have_a_life_of_their_own_and_end_with_their_device() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    client.devices().create(device("edge")).await?;
    let modules = client.modules();
    let create = |id: &str| proto::CreateModuleRequest {
        parent: names::device(NAMESPACE, "edge"),
        module_id: id.to_owned(),
        ..Default::default()
    };
    let name = |id: &str| names::module(NAMESPACE, "edge", id);
    let made = present(modules.create(create("logic")).await?.module)?;
    assert_eq!((made.name.as_str(), made.version), (name("logic").as_str(), 1));
    assert!(
        !present(present(made.authentication)?.symmetric_key)?.primary_key.is_empty(),
        "keys are made and shown once"
    );
    modules.create(create("camera")).await?;
    let list = || proto::ListModulesRequest { parent: names::device(NAMESPACE, "edge"), ..Default::default() };
    let listed = modules.list(list()).await?.modules;
    let ids: Vec<_> = listed.iter().map(|module| names::last(&module.name)).collect();
    assert_eq!(ids, ["camera", "logic"]);

    let changed = proto::Module { name: name("logic"), managed_by: "IotEdge".to_owned(), ..Default::default() };
    let request = proto::UpdateModuleRequest {
        module: Some(changed),
        update_mask: mask("managed_by"),
        etag: made.etag,
        ..Default::default()
    };
    let updated = present(modules.update(request).await?.module)?;
    assert_eq!((updated.managed_by.as_str(), updated.version), ("IotEdge", 2));
    let of_module = names::module_twin(NAMESPACE, "edge", "logic");
    let patch = proto::PatchTwinRequest { name: of_module.clone(), ..desired("", "{\"rate\":5}") };
    client.twins().patch(patch).await?;
    assert_eq!(present(twin(&client, of_module.clone()).await?.desired)?.json, "{\"rate\":5}");
    assert_eq!(
        present(twin(&client, names::twin(NAMESPACE, "edge")).await?.desired)?.json,
        "{}",
        "the device's is its own"
    );

    modules.delete(proto::DeleteModuleRequest { name: name("camera"), ..Default::default() }).await?;
    assert_eq!(modules.list(list()).await?.modules.len(), 1);
    client.devices().delete(delete("edge")).await?;
    let get = proto::GetModuleRequest { name: name("logic"), ..Default::default() };
    assert_eq!(code(&modules.get(get).await), Code::NotFound);
    let get = proto::GetTwinRequest { name: of_module, ..Default::default() };
    assert_eq!(code(&client.twins().get(get).await), Code::NotFound);
    client.devices().create(device("edge")).await?;
    assert!(modules.list(list()).await?.modules.is_empty(), "modules do not come back with the id");
    Ok(())
}

fn endpoint_device(id: &str) -> proto::CreateDeviceRequest {
    let main = proto::InboundEndpoint {
        address: "opc.tcp://oven".to_owned(),
        endpoint_type: "OpcUa".to_owned(),
        ..Default::default()
    };
    let inbound = BTreeMap::from([("main".to_owned(), main)]);
    let endpoints = Some(proto::Endpoints { inbound, ..Default::default() });
    proto::CreateDeviceRequest { device: Some(proto::Device { endpoints, ..Default::default() }), ..device(id) }
}

fn asset(device: &str, datasets: &[&str]) -> proto::AssetDefinition {
    let device_ref = proto::DeviceRef { device_name: device.to_owned(), endpoint_name: "main".to_owned() };
    let dataset = |name: &&str| proto::Dataset { name: (*name).to_owned(), ..Default::default() };
    proto::AssetDefinition {
        device_ref: Some(device_ref),
        datasets: datasets.iter().map(dataset).collect(),
        ..Default::default()
    }
}

fn create_asset(id: &str, definition: proto::AssetDefinition) -> proto::CreateAssetRequest {
    proto::CreateAssetRequest {
        parent: names::namespace(NAMESPACE),
        asset_id: id.to_owned(),
        asset: Some(proto::Asset { definition: Some(definition), ..Default::default() }),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cloud_changes_an_assets_version_and_the_edge_its_status() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    client.devices().create(endpoint_device("oven")).await?;
    let assets = client.assets();
    let name = || names::asset(NAMESPACE, "heating");
    let made = present(assets.create(create_asset("heating", asset("oven", &["heat", "cold"]))).await?.asset)?;
    assert_eq!((made.version, made.enabled, made.uuid.is_empty()), (1, Some(true), false));

    let report = async |dataset: &str, message: Option<&str>| {
        let error = message.map(|message| proto::StatusError { message: message.to_owned(), ..Default::default() });
        let kind = proto::AssetPartKind::Dataset.into();
        let part = proto::AssetPartStatus { kind, name: dataset.to_owned(), error, ..Default::default() };
        let status = Some(proto::AssetStatus { config_version: 1, parts: vec![part], ..Default::default() });
        let request = proto::UpdateAssetStatusRequest { name: name(), status, ..Default::default() };
        present(assets.update_status(request).await?.asset)
    };
    report("heat", Some("no contact")).await?;
    let told = report("cold", None).await?;
    assert_eq!(told.version, 1, "the edge does not change the version");
    assert_ne!(told.etag, made.etag, "but the etag");
    let status = present(told.status)?;
    let parts: Vec<_> = status.parts.iter().map(|part| (part.name.as_str(), part.error.is_some())).collect();
    assert_eq!(parts, [("cold", false), ("heat", true)], "parts that are not named stay as they were told");
    assert!(status.update_time.is_some() && status.config_version == 1, "{status:?}");

    let update = proto::UpdateAssetRequest {
        asset: Some(proto::Asset { name: name(), definition: Some(asset("oven", &["cold"])), ..Default::default() }),
        update_mask: mask("definition.datasets"),
        ..Default::default()
    };
    let updated = present(assets.update(update.clone()).await?.asset)?;
    assert_eq!(updated.version, 2);
    let parts: Vec<_> = present(updated.status)?.parts.into_iter().map(|part| part.name).collect();
    assert_eq!(parts, ["cold"], "the status of a part goes with the part");
    assert_eq!(present(assets.update(update).await?.asset)?.version, 2, "the same again is no new version");
    let set = || proto::SetAssetEnabledRequest { name: name(), ..Default::default() };
    let disabled = present(assets.disable(set()).await?.asset)?;
    assert_eq!((disabled.version, disabled.enabled), (3, Some(false)));
    assert_eq!(present(assets.enable(set()).await?.asset)?.version, 4);

    let of_device = proto::ListAssetsRequest {
        parent: names::namespace(NAMESPACE),
        device_id: "oven".to_owned(),
        ..Default::default()
    };
    assert_eq!(assets.list(of_device.clone()).await?.assets.len(), 1);
    assert_eq!(code(&client.devices().delete(delete("oven")).await), Code::FailedPrecondition);
    assets.delete(proto::DeleteAssetRequest { name: name(), ..Default::default() }).await?;
    assert!(assets.list(of_device).await?.assets.is_empty());
    client.devices().delete(delete("oven")).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_deletion_takes_all_of_a_large_namespace() -> anyhow::Result<()> {
    const DEVICES: usize = 1_300;
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    let ids: Vec<String> = (0..DEVICES).map(|at| format!("d{at:04}")).collect();
    for part in ids.chunks(1_000) {
        create_devices(&client, part.iter().cloned()).await?;
    }
    client.devices().create(endpoint_device("oven")).await?;
    client.assets().create(create_asset("heating", asset("oven", &["heat"]))).await?;
    let parent = names::device(NAMESPACE, "d0000");
    client
        .modules()
        .create(proto::CreateModuleRequest { parent, module_id: "logic".to_owned(), ..Default::default() })
        .await?;
    let other = proto::CreateNamespaceRequest { namespace_id: "plant10".to_owned(), ..Default::default() };
    client.namespaces().create(other).await?;

    let request = proto::DeleteNamespaceRequest { name: names::namespace(NAMESPACE), ..Default::default() };
    let refused = client.namespaces().delete(request.clone()).await;
    assert_eq!(code(&refused), Code::FailedPrecondition, "{refused:?}");
    let answer = client.namespaces().delete(proto::DeleteNamespaceRequest { force: true, ..request.clone() }).await?;
    assert_eq!(answer.resources_deleted, DEVICES as u64 + 3, "devices, a module and an asset");
    let get = proto::GetTwinRequest { name: names::twin(NAMESPACE, "d1299"), ..Default::default() };
    assert_eq!(code(&client.twins().get(get).await), Code::NotFound);
    let left = client.namespaces().list(proto::ListNamespacesRequest::default()).await?.namespaces;
    let left: Vec<_> = left.into_iter().map(|namespace| namespace.name).collect();
    assert_eq!(left, ["namespaces/plant10"], "a name that begins alike is another");

    let again = proto::CreateNamespaceRequest { namespace_id: NAMESPACE.to_owned(), ..Default::default() };
    client.namespaces().create(again).await?;
    let list = proto::ListDevicesRequest { parent: names::namespace(NAMESPACE), ..Default::default() };
    assert!(client.devices().list(list).await?.devices.is_empty());
    client.namespaces().delete(request).await?;
    Ok(())
}
