//! Promise 1, acknowledged means durable: each acknowledged write is in the event log of every node at the revision it was
//! acknowledged with, and the twin holds it or a later one.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use muster_client::{Client, names, proto};

use crate::workload::{Acked, NAMESPACE};

/// Checks one node, reading what it holds itself at `revision` or later.
///
/// # Errors
/// Names the first write that is missing.
pub async fn check(node: &Client, acked: &[Acked], revision: u64) -> anyhow::Result<()> {
    let read = proto::ReadOptions {
        consistency: proto::read_options::Consistency::MinRevision as i32,
        min_revision: revision,
    };
    let found = events_by_revision(node, read).await?;
    let mut last = BTreeMap::new();
    for write in acked {
        let expected = (names::twin(NAMESPACE, &write.device), write.sequence);
        let at = found.get(&write.revision);
        ensure!(
            at == Some(&expected),
            "write {} of {} was acknowledged at revision {}, but this node has {at:?} there",
            write.sequence,
            write.device,
            write.revision
        );
        let newest = last.entry(write.device.clone()).or_insert(0);
        *newest = write.sequence.max(*newest);
    }
    for (device, sequence) in last {
        let request =
            proto::GetTwinRequest { name: names::twin(NAMESPACE, &device), read: Some(read), ..Default::default() };
        let twin = node.twins().get(request).await?.twin.context("a twin")?;
        let held = sequence_of(&twin.desired.context("desired")?.json)?;
        ensure!(held >= sequence, "{device} holds {held}, but {sequence} was acknowledged");
    }
    Ok(())
}

async fn events_by_revision(node: &Client, read: proto::ReadOptions) -> anyhow::Result<BTreeMap<u64, (String, u64)>> {
    let mut found = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request = proto::ListEventsRequest {
            resource: names::namespace(NAMESPACE),
            kinds: vec!["twin.patched".to_owned()],
            page_size: 1_000,
            page_token: page_token.clone(),
            read: Some(read),
            ..Default::default()
        };
        let page = node.history().list_events(request).await?;
        for event in page.events {
            let data: serde_json::Value = serde_json::from_str(&event.data_json)?;
            let before = found.insert(event.revision, (event.resource, sequence_in(&data)?));
            ensure!(before.is_none(), "revision {} was listed twice", event.revision);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

fn sequence_in(data: &serde_json::Value) -> anyhow::Result<u64> {
    data.pointer("/desired/sequence").and_then(serde_json::Value::as_u64).context("an event without desired.sequence")
}

fn sequence_of(json: &str) -> anyhow::Result<u64> {
    let document: serde_json::Value = serde_json::from_str(json)?;
    Ok(document.get("sequence").and_then(serde_json::Value::as_u64).unwrap_or_default())
}
