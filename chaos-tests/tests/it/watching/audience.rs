//! Who may watch what, and that a caller who may not go on is cut off.

use std::time::Duration;

use anyhow::Context;
use muster_chaos::cluster::{Cluster, Options};
use muster_client::{Client, Code, names, proto};
use proto::Role;
use proto::watch_response::Content;

use super::{everything, next, of, started, until, watch};
use crate::table::{Table, code};
use crate::wire;

async fn single() -> anyhow::Result<(Cluster, Client)> {
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let admin = cluster.client()?;
    for namespace_id in ["plant1", "plant2"] {
        let request = proto::CreateNamespaceRequest { namespace_id: namespace_id.to_owned(), ..Default::default() };
        admin.namespaces().create(request).await?;
        for device_id in ["pump7", "pump8"] {
            let parent = names::namespace(namespace_id);
            let request = proto::CreateDeviceRequest { parent, device_id: device_id.to_owned(), ..Default::default() };
            admin.devices().create(request).await?;
        }
    }
    Ok((cluster, admin))
}

fn with_token(cluster: &Cluster, token: &str) -> anyhow::Result<Client> {
    Ok(Client::new(wire::once(cluster)?.token(token))?)
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_watch_no_more_than_they_may_read() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, admin) = single().await?;
    let viewer = with_token(&cluster, &wire::token(&admin, Role::Viewer, "plant1", "").await?.1)?;
    let device = with_token(&cluster, &wire::token(&admin, Role::Device, "plant1", "pump7").await?.1)?;
    let prefix = |prefix: &str| proto::WatchSpec { resource_is_prefix: true, ..of(1, prefix) };
    let own = "namespaces/plant1/devices/pump7/twin";
    let tags = proto::WatchSpec { sections: vec![proto::TwinSection::Tags.into()], ..of(1, own) };
    let tags_path = proto::WatchSpec { path: "tags.owner".to_owned(), ..of(1, own) };
    let desired_path = proto::WatchSpec { path: "desired.fw".to_owned(), ..of(1, own) };
    let cursor = proto::WatchSpec { cursor: "cursors/c".to_owned(), ..of(1, "namespaces/plant1") };
    let mut table = Table::default();
    for (case, client, spec, expected) in [
        ("a viewer: its namespace", &viewer, of(1, "namespaces/plant1"), Code::Ok),
        ("a viewer: a twin of it", &viewer, of(1, own), Code::Ok),
        ("a viewer: a prefix within it", &viewer, prefix("namespaces/plant1/devices/p"), Code::Ok),
        ("a viewer: everything", &viewer, everything(1), Code::PermissionDenied),
        ("a viewer: another namespace", &viewer, of(1, "namespaces/plant2"), Code::PermissionDenied),
        ("a viewer: a prefix that others share", &viewer, prefix("namespaces/plant1"), Code::PermissionDenied),
        ("a viewer: a cursor of the cluster", &viewer, cursor, Code::PermissionDenied),
        ("a device: its twin", &device, of(1, own), Code::Ok),
        ("a device: a path of its twin", &device, desired_path, Code::Ok),
        ("a device: its tags", &device, tags, Code::PermissionDenied),
        ("a device: a path in its tags", &device, tags_path, Code::PermissionDenied),
        ("a device: another's twin", &device, of(1, "namespaces/plant1/devices/pump8/twin"), Code::PermissionDenied),
        ("a device: its identity", &device, of(1, "namespaces/plant1/devices/pump7"), Code::PermissionDenied),
        ("a device: its namespace", &device, of(1, "namespaces/plant1"), Code::PermissionDenied),
        ("a device: everything", &device, everything(1), Code::PermissionDenied),
    ] {
        let outcome = client.watch(watch(vec![spec])).next().await;
        table.same(case, code(&outcome), expected);
    }
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_sees_its_twin_without_tags_and_without_who_changed_it() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, admin) = single().await?;
    let device = with_token(&cluster, &wire::token(&admin, Role::Device, "plant1", "pump7").await?.1)?;
    let spec = proto::WatchSpec {
        list_first: true,
        before: true,
        after: true,
        ..of(1, "namespaces/plant1/devices/pump7/twin")
    };
    let mut watcher = device.watch(watch(vec![spec]));
    started(&mut watcher).await?;
    let listed = next(&mut watcher).await?.1;
    let patch = |tags: Option<&str>, desired: Option<&str>| proto::PatchTwinRequest {
        name: names::twin("plant1", "pump7"),
        tags_json: tags.map(str::to_owned),
        desired_json: desired.map(str::to_owned),
        ..Default::default()
    };
    admin.twins().patch(patch(Some(r#"{"owner":"secret"}"#), None)).await?;
    let both = admin.twins().patch(patch(Some(r#"{"owner":"secret2"}"#), Some(r#"{"fw":2}"#))).await?;
    let revision = both.header.context("a header")?.revision;
    let told = until(&mut watcher, revision).await?;
    let mut table = Table::default();
    table.check("the list", matches!(&listed, Content::Listed(part) if part.resources.len() == 1), || {
        format!("{listed:?}")
    });
    table.same("the change of tags alone is not told", told.len(), 1);
    let event = told[0].event.clone().context("an event")?;
    table.same("the other without tags", event.data_json.as_str(), r#"{"desired":{"fw":2}}"#);
    table.same("without who and whence", (event.actor.as_str(), event.origin.as_str()), ("", ""));
    let all = format!("{listed:?}{told:?}");
    table.check("no tag anywhere", !all.contains("secret"), || all);
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_ends_its_watches() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, admin) = single().await?;
    let (id, secret) = wire::token(&admin, Role::Viewer, "", "").await?;
    let viewer = with_token(&cluster, &secret)?;
    // One that is told of each change, and one that hears nothing at all.
    let quiet = of(1, "namespaces/plant2/devices/pump7/twin");
    let mut watchers = [viewer.watch(watch(vec![everything(1)])), viewer.watch(watch(vec![quiet]))];
    for watcher in &mut watchers {
        started(watcher).await?;
    }
    let request = proto::RevokeTokenRequest { token_id: id, ..Default::default() };
    let revoked = admin.cluster().revoke_token(request).await?.header.context("a header")?.revision;
    let request = proto::SetDeviceStatusRequest { name: names::device("plant1", "pump7"), ..Default::default() };
    admin.devices().disable(request).await?;
    let mut table = Table::default();
    for (at, watcher) in watchers.iter_mut().enumerate() {
        let ended = tokio::time::timeout(Duration::from_secs(15), async {
            loop {
                match watcher.next().await {
                    Err(error) => return Ok(error.code()),
                    Ok(message) => {
                        if let Some(Content::Events(events)) = message.content
                            && events.revision > revoked
                        {
                            return Err(format!("told of revision {} after {revoked}", events.revision));
                        }
                    }
                }
            }
        })
        .await;
        table.same(&format!("watch {at}"), ended, Ok(Ok(Code::PermissionDenied)));
    }
    table.finish();
    Ok(())
}
