//! Watches of real nodes: what they tell, to whom, what they refuse, and that nothing is missed or told twice.

use std::time::Duration;

use anyhow::{Context, ensure};
use muster_client::{Watcher, proto};
use proto::watch_response::Content;

mod audience;
mod cursors;
mod refused;
mod survives;
mod told;

/// How long the next message of a watch may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

fn watch(watches: Vec<proto::WatchSpec>) -> proto::WatchRequest {
    proto::WatchRequest { watches, progress_interval_ms: 200, ..proto::WatchRequest::default() }
}

fn everything(id: u64) -> proto::WatchSpec {
    proto::WatchSpec { id, ..proto::WatchSpec::default() }
}

fn of(id: u64, resource: &str) -> proto::WatchSpec {
    proto::WatchSpec { resource: resource.to_owned(), ..everything(id) }
}

async fn next(watcher: &mut Watcher) -> anyhow::Result<(u64, Content)> {
    let message = tokio::time::timeout(PATIENCE, watcher.next()).await.context("a watch tells nothing")??;
    Ok((message.watch_id, message.content.context("a message with content")?))
}

/// Waits until the watch has begun.
async fn started(watcher: &mut Watcher) -> anyhow::Result<proto::WatchStarted> {
    match next(watcher).await? {
        (_, Content::Started(started)) => Ok(started),
        other => anyhow::bail!("the first message is {other:?}"),
    }
}

/// Everything one watch tells up to `revision`.
async fn until(watcher: &mut Watcher, revision: u64) -> anyhow::Result<Vec<proto::WatchEvent>> {
    let mut told = Vec::new();
    loop {
        let reached = match next(watcher).await?.1 {
            Content::Events(events) => {
                told.extend(events.events);
                if events.continues { events.revision - 1 } else { events.revision }
            }
            Content::Progress(progress) => progress.revision,
            Content::Started(_) | Content::Listed(_) => 0,
        };
        if reached >= revision {
            return Ok(told);
        }
    }
}

fn kinds(told: &[proto::WatchEvent]) -> Vec<&str> {
    told.iter().filter_map(|told| told.event.as_ref()).map(|event| event.kind.as_str()).collect()
}

/// Revision and number of each event; refuses what is out of order or comes twice.
fn places(told: &[proto::WatchEvent]) -> anyhow::Result<Vec<(u64, u32)>> {
    let places: Vec<_> =
        told.iter().filter_map(|told| told.event.as_ref()).map(|event| (event.revision, event.index)).collect();
    for pair in places.windows(2) {
        ensure!(pair[0] < pair[1], "{:?} was told before {:?}", pair[0], pair[1]);
    }
    Ok(places)
}
