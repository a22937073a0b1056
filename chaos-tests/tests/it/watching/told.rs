//! What a watch tells: filters, images, lists, several watches on one stream, large revisions.

use anyhow::Context;
use muster_chaos::cluster::{Cluster, Options};
use muster_client::{Client, names, proto};
use proto::resource::Resource;
use proto::watch_response::Content;

use super::{everything, kinds, next, of, places, started, until, watch};
use crate::table::Table;

const NAMESPACE: &str = "plant1";

async fn single() -> anyhow::Result<(Cluster, Client)> {
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    for namespace_id in [NAMESPACE, "plant10"] {
        let request = proto::CreateNamespaceRequest { namespace_id: namespace_id.to_owned(), ..Default::default() };
        client.namespaces().create(request).await?;
        for device_id in ["pump1", "pump2", "valve1"] {
            let parent = names::namespace(namespace_id);
            let request = proto::CreateDeviceRequest { parent, device_id: device_id.to_owned(), ..Default::default() };
            client.devices().create(request).await?;
        }
    }
    Ok((cluster, client))
}

async fn patch(client: &Client, device: &str, tags: &str, desired: &str) -> anyhow::Result<u64> {
    let json = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let request = proto::PatchTwinRequest {
        name: names::twin(NAMESPACE, device),
        tags_json: json(tags),
        desired_json: json(desired),
        ..Default::default()
    };
    Ok(client.twins().patch(request).await?.header.context("a header")?.revision)
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_let_through_what_they_name_live_and_from_the_log() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    let specs = vec![
        of(1, "namespaces/plant1/devices/pump1/twin"),
        proto::WatchSpec { resource_is_prefix: true, ..of(2, "namespaces/plant1/devices/pump") },
        proto::WatchSpec { sections: vec![proto::TwinSection::Tags.into()], ..of(3, "namespaces/plant1") },
        proto::WatchSpec { path: "desired.fw.version".to_owned(), ..everything(4) },
        proto::WatchSpec { kinds: vec!["device.*".to_owned()], ..everything(5) },
        proto::WatchSpec { types: vec![proto::ResourceType::Device.into()], ..everything(6) },
        proto::WatchSpec { actor: "user:nobody".to_owned(), ..everything(7) },
    ];
    let mut live = Vec::new();
    let mut first = 0;
    for spec in &specs {
        let mut watcher = client.watch(watch(vec![spec.clone()]));
        first = started(&mut watcher).await?.from_revision;
        live.push(watcher);
    }
    let fw = patch(&client, "pump1", "", r#"{"fw":{"version":2}}"#).await?;
    let tags = patch(&client, "pump2", r#"{"site":"a"}"#, "").await?;
    let other = patch(&client, "valve1", r#"{"site":"b"}"#, r#"{"fw":{"build":7}}"#).await?;
    let above = patch(&client, "pump2", "", r#"{"fw":null}"#).await?;
    let name = names::device(NAMESPACE, "pump1");
    let disabled = client.devices().disable(proto::SetDeviceStatusRequest { name, ..Default::default() }).await?;
    let disabled = disabled.header.context("a header")?.revision;
    let expected = [
        vec![fw],
        vec![fw, tags, above, disabled],
        vec![tags, other],
        vec![fw, above],
        vec![disabled],
        vec![disabled],
        vec![],
    ];
    let mut table = Table::default();
    for ((spec, mut watcher), expected) in specs.into_iter().zip(live).zip(expected) {
        let revisions = |told: &[proto::WatchEvent]| {
            anyhow::Ok(places(told)?.into_iter().map(|(revision, _)| revision).collect::<Vec<_>>())
        };
        let told = until(&mut watcher, disabled).await?;
        table.same(&format!("watch {}, live", spec.id), revisions(&told)?, expected.clone());
        let id = spec.id;
        let mut again = client.watch(watch(vec![proto::WatchSpec { from_revision: first, ..spec }]));
        let told = until(&mut again, disabled).await?;
        table.same(&format!("watch {id}, from the log"), revisions(&told)?, expected);
    }
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn images_show_the_resource_before_and_after() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    patch(&client, "pump1", "", r#"{"speed":1}"#).await?;
    let spec = proto::WatchSpec { before: true, after: true, ..of(1, "namespaces/plant1/devices/pump1/twin") };
    let mut watcher = client.watch(watch(vec![spec]));
    let first = started(&mut watcher).await?.from_revision;
    patch(&client, "pump1", "", r#"{"speed":2}"#).await?;
    let name = names::device(NAMESPACE, "pump1");
    let deleted = client.devices().delete(proto::DeleteDeviceRequest { name, ..Default::default() }).await?;
    let deleted = deleted.header.context("a header")?.revision;
    let desired = |image: &Option<proto::Resource>| match image.as_ref()?.resource.as_ref()? {
        Resource::Twin(twin) => twin.desired.as_ref().map(|section| section.json.clone()),
        _ => None,
    };
    let json = |speed: u32| Some(format!("{{\"speed\":{speed}}}"));
    let mut table = Table::default();
    let told = until(&mut watcher, deleted).await?;
    table.same("events", kinds(&told), vec!["twin.patched", "twin.deleted"]);
    let images: Vec<_> = told.iter().map(|told| (desired(&told.before), desired(&told.after))).collect();
    table.same("images", images.clone(), vec![(json(1), json(2)), (json(2), None)]);
    let spec = proto::WatchSpec {
        from_revision: first,
        before: true,
        after: true,
        ..of(1, "namespaces/plant1/devices/pump1/twin")
    };
    let told = until(&mut client.watch(watch(vec![spec])), deleted).await?;
    let later: Vec<_> = told.iter().map(|told| (desired(&told.before), desired(&told.after))).collect();
    table.same("images from the log", later, images);
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_followed_by_every_change_after_it() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    let parent = names::device(NAMESPACE, "pump1");
    client
        .modules()
        .create(proto::CreateModuleRequest { parent, module_id: "logic".to_owned(), ..Default::default() })
        .await?;
    let mut table = Table::default();
    for (case, spec, expected) in [
        (
            "a namespace",
            of(1, "namespaces/plant1"),
            vec!["plant1", "pump1", "pump2", "valve1", "logic", "twin", "twin", "twin", "twin"],
        ),
        (
            "a prefix",
            proto::WatchSpec { resource_is_prefix: true, ..of(1, "namespaces/plant1/devices/pump") },
            vec!["pump1", "pump2", "logic", "twin", "twin", "twin"],
        ),
        ("one twin", of(1, "namespaces/plant1/devices/pump2/twin"), vec!["twin"]),
        (
            "devices of all namespaces",
            proto::WatchSpec { types: vec![proto::ResourceType::Device.into()], ..everything(1) },
            vec!["pump1", "pump2", "valve1", "pump1", "pump2", "valve1"],
        ),
        ("nothing", of(1, "namespaces/plant1/devices/nobody"), vec![]),
    ] {
        let mut watcher = client.watch(watch(vec![proto::WatchSpec { list_first: true, ..spec }]));
        let begins = started(&mut watcher).await?.from_revision;
        let mut listed = Vec::new();
        let as_of = loop {
            let Content::Listed(part) = next(&mut watcher).await?.1 else { anyhow::bail!("{case}: no list") };
            listed.extend(part.resources);
            if part.complete {
                break part.revision;
            }
        };
        table.same(&format!("{case}: the first revision told"), begins, as_of + 1);
        let names: Vec<_> = listed.iter().filter_map(name).collect();
        let last: Vec<_> = names.iter().map(|name| names::last(name)).collect();
        table.same(case, last, expected);
        let changed = patch(&client, "pump2", "", &format!("{{\"at\":{as_of}}}")).await?;
        let told = places(&until(&mut watcher, changed).await?)?;
        let wanted = names.iter().any(|name| name.ends_with("plant1/devices/pump2/twin"));
        table.same(&format!("{case}: the change after it"), told, if wanted { vec![(changed, 0)] } else { vec![] });
    }
    table.finish();
    Ok(())
}

fn name(resource: &proto::Resource) -> Option<String> {
    Some(match resource.resource.as_ref()? {
        Resource::Namespace(namespace) => namespace.name.clone(),
        Resource::Device(device) => device.name.clone(),
        Resource::Module(module) => module.name.clone(),
        Resource::Twin(twin) => twin.name.clone(),
        Resource::Asset(asset) => asset.name.clone(),
        Resource::SavedQuery(query) => query.name.clone(),
        Resource::Edge(edge) => edge.name.clone(),
        Resource::Site(site) => site.name.clone(),
        Resource::DiscoveredDevice(device) => device.name.clone(),
        Resource::DiscoveredAsset(asset) => asset.name.clone(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn several_watches_share_a_stream_and_large_revisions_come_in_parts() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    let mut watcher = client.watch(watch(vec![everything(7), of(9, "namespaces/plant1/devices/d5")]));
    let mut begun = Vec::new();
    for _ in 0..2 {
        begun.push(next(&mut watcher).await?.0);
    }
    begun.sort_unstable();
    let requests =
        (0..1_000).map(|at| proto::CreateDeviceRequest { device_id: format!("d{at}"), ..Default::default() }).collect();
    let parent = names::namespace(NAMESPACE);
    let batch = proto::BatchCreateDevicesRequest { parent, requests, atomic: true, ..Default::default() };
    let revision = client.devices().batch_create(batch).await?.header.context("a header")?.revision;
    let (mut all, mut one, mut parts) = (Vec::new(), Vec::new(), 0);
    let mut reached = [0_u64; 2];
    while reached.iter().any(|reached| *reached < revision) {
        let (id, content) = next(&mut watcher).await?;
        let at = usize::from(id == 9);
        match content {
            Content::Events(events) => {
                parts += usize::from(events.continues);
                reached[at] = if events.continues { events.revision - 1 } else { events.revision };
                if id == 7 { all.extend(events.events) } else { one.extend(events.events) }
            }
            Content::Progress(progress) => reached[at] = progress.revision,
            other => anyhow::bail!("{other:?}"),
        }
    }
    let mut table = Table::default();
    table.same("both begin", begun, vec![7, 9]);
    // A device comes with its twin: two events each.
    table.same("all events of the batch", places(&all)?, (0..2_000).map(|index| (revision, index)).collect());
    table.check("the revision came in parts", parts > 0, || parts.to_string());
    table.same("the one device", kinds(&one), vec!["device.created"]);
    table.finish();
    Ok(())
}
