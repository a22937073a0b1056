//! Watches and history tell of edges and sites, and list them.

use std::time::Duration;

use anyhow::Context;
use muster_client::{Watcher, names, proto};
use proto::resource::Resource;
use proto::watch_response::Content;

use super::{NAMESPACE, change_site, delete_edge, edge, revision, served_by, single, site};
use crate::table::Table;

/// How long the next message may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

async fn next(watcher: &mut Watcher) -> anyhow::Result<Content> {
    let message = tokio::time::timeout(PATIENCE, watcher.next()).await.context("a watch tells nothing")??;
    message.content.context("a message with content")
}

/// What it is, and for a site which edge serves it.
fn shown(resource: &proto::Resource) -> Option<(String, String)> {
    match resource.resource.as_ref()? {
        Resource::Edge(edge) => Some((edge.name.clone(), String::new())),
        Resource::Site(site) => Some((site.name.clone(), site.edge.clone())),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn edges_and_sites_are_listed_and_then_told() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    for id in ["press", "paint"] {
        edge(&client, id).await?;
    }
    site(&client, "plant", "", "press").await?;
    let spec = proto::WatchSpec {
        id: 1,
        resource: names::namespace(NAMESPACE),
        types: vec![proto::ResourceType::Site.into(), proto::ResourceType::Edge.into()],
        list_first: true,
        before: true,
        after: true,
        ..Default::default()
    };
    let mut watcher =
        client.watch(proto::WatchRequest { watches: vec![spec], progress_interval_ms: 200, ..Default::default() });
    let mut listed = Vec::new();
    loop {
        match next(&mut watcher).await? {
            Content::Started(_) => {}
            Content::Listed(part) => {
                listed.extend(part.resources.iter().filter_map(shown));
                if part.complete {
                    break;
                }
            }
            other => anyhow::bail!("{other:?} before the whole list"),
        }
    }
    let (plant, press, paint) =
        (names::site(NAMESPACE, "plant"), names::edge(NAMESPACE, "press"), names::edge(NAMESPACE, "paint"));
    let of = |name: &str, edge: &str| (name.to_owned(), edge.to_owned());
    let mut table = Table::default();
    table.same("listed", listed, vec![of(&plant, "press"), of(&paint, ""), of(&press, "")]);

    change_site(&client, "plant", served_by("paint"), &["edge"]).await?;
    let last = revision(delete_edge(&client, "press").await?.header.as_ref())?;
    let mut told = Vec::new();
    loop {
        let reached = match next(&mut watcher).await? {
            Content::Events(events) => {
                told.extend(events.events);
                events.revision
            }
            Content::Progress(progress) => progress.revision,
            other => anyhow::bail!("{other:?} after the list"),
        };
        if reached >= last {
            break;
        }
    }
    let kinds: Vec<_> = told.iter().filter_map(|told| told.event.as_ref()).map(|event| event.kind.as_str()).collect();
    table.same("kinds", kinds, vec!["site.updated", "edge.deleted"]);
    let images: Vec<_> =
        told.iter().map(|told| (told.before.as_ref().and_then(shown), told.after.as_ref().and_then(shown))).collect();
    let moved = (Some(of(&plant, "press")), Some(of(&plant, "paint")));
    table.same("before and after", images, vec![moved, (Some(of(&press, "")), None)]);

    let past = proto::GetAtRequest { name: press.clone(), revision: last - 1, ..Default::default() };
    let was = client.history().get_at(past).await?.resource;
    let was = matches!(&was, Some(proto::get_at_response::Resource::Edge(edge)) if edge.name == press);
    table.same("the deleted edge as it was", was, true);
    let request = proto::ListEventsRequest { resource: plant, ..Default::default() };
    let events = client.history().list_events(request).await?.events;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    table.same("the site's history", kinds, vec!["site.created", "site.updated"]);
    table.finish();
    Ok(())
}
