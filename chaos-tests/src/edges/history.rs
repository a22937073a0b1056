//! What the cluster's history says of each edge: its operations by sequence, each with its effect or its refusal.
//!
//! Checked on the way: `E1-exactly-once` as far as the cluster knows (each operation of a revision has one event or one
//! refusal, and no event is without one), `E2-order` (no gap in the sequence), epochs that only grow in one incarnation, and
//! `E7-one-writer`.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use muster_client::{Client, names, proto};
use serde_json::Value;

use super::NAMESPACE;
use super::owners::Owners;

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It changed the twin of this device to this number.
    Effect { device: String, number: u64 },
    /// Refused, with the message.
    Refused { message: String },
}

/// The operations of one edge; the first one has sequence 1.
#[derive(Debug, Default)]
pub(crate) struct Uplink {
    pub(crate) fates: Vec<Fate>,
    pub(crate) epoch: u64,
    pub(crate) incarnation: String,
}

impl Uplink {
    pub(crate) fn refused(&self) -> u64 {
        self.fates.iter().filter(|fate| matches!(fate, Fate::Refused { .. })).count() as u64
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) uplinks: BTreeMap<String, Uplink>,
    pub(crate) owners: Owners,
}

impl History {
    pub(crate) async fn read(client: &Client) -> anyhow::Result<Self> {
        let (mut history, mut page_token) = (Self::default(), String::new());
        let mut reports = Vec::new();
        loop {
            let request = proto::ListEventsRequest {
                resource: names::namespace(NAMESPACE),
                page_size: 1_000,
                page_token,
                ..Default::default()
            };
            let page = client.history().list_events(request).await?;
            for event in page.events {
                history.take(&event, &mut reports).with_context(|| format!("at {event:?}"))?;
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                ensure!(reports.is_empty(), "E1-exactly-once: effects without an operation: {reports:?}");
                return Ok(history);
            }
        }
    }

    /// `reports`: those of the revision so far.
    fn take(&mut self, event: &proto::Event, reports: &mut Vec<proto::Event>) -> anyhow::Result<()> {
        let data: Value = serde_json::from_str(&event.data_json)?;
        let id = || event.resource.split('/').nth(3).context("an id").map(str::to_owned);
        match event.kind.as_str() {
            "twin.reported" => reports.push(event.clone()),
            "edge_session.opened" => self.uplinks.entry(id()?).or_default().open(&data)?,
            "edge_session.uplink_applied" => self.apply(id()?, event.revision, &data, std::mem::take(reports))?,
            "device.created" | "device.updated" => self.owners.device(id()?, &data),
            "site.created" | "site.updated" => self.owners.site(id()?, &data),
            _ => {}
        }
        Ok(())
    }

    fn apply(&mut self, edge: String, revision: u64, data: &Value, reports: Vec<proto::Event>) -> anyhow::Result<()> {
        let uplink = self.uplinks.entry(edge.clone()).or_default();
        let last = data["last_sequence"].as_u64().context("last_sequence")?;
        let mut refusals = BTreeMap::new();
        for refusal in data["refusals"].as_array().into_iter().flatten() {
            let message = refusal["message"].as_str().unwrap_or_default().to_owned();
            ensure!(refusal["reason"] == "OUTSIDE_SCOPE", "E1-exactly-once: refused for no move: {refusal}");
            let device = device_in(&message).context("a device")?;
            ensure!(self.owners.of(device) != edge, "refused, and {device} is in the scope of {edge}: {refusal}");
            refusals.insert(refusal["sequence"].as_u64().context("sequence")?, message);
        }
        let mut reports = reports.into_iter();
        for sequence in uplink.fates.len() as u64 + 1..=last {
            let fate = match refusals.remove(&sequence) {
                Some(message) => Fate::Refused { message },
                None => {
                    let report = reports.next();
                    let report = report.with_context(|| format!("E1-exactly-once: no effect of {edge} {sequence}"))?;
                    ensure!(report.revision == revision, "E1-exactly-once: an effect without an operation: {report:?}");
                    let (device, number) = effect(&edge, &report)?;
                    ensure!(self.owners.of(&device) == edge, "E7-one-writer: {edge} reported of {device}");
                    Fate::Effect { device, number }
                }
            };
            uplink.fates.push(fate);
        }
        let left: Vec<_> = reports.collect();
        ensure!(left.is_empty(), "E1-exactly-once: effects without an operation: {left:?}");
        ensure!(refusals.is_empty(), "E2-order: refusals of operations that were done before: {refusals:?}");
        Ok(())
    }
}

impl Uplink {
    fn open(&mut self, data: &Value) -> anyhow::Result<()> {
        let epoch = data["epoch"].as_u64().context("epoch")?;
        let incarnation = data["incarnation"].as_str().context("incarnation")?;
        ensure!(epoch > self.epoch, "epoch {epoch} was granted after {}", self.epoch);
        ensure!(
            self.incarnation.is_empty() || self.incarnation == incarnation,
            "another store: {incarnation} after {}",
            self.incarnation
        );
        self.epoch = epoch;
        incarnation.clone_into(&mut self.incarnation);
        Ok(())
    }
}

/// The device in `namespaces/{namespace}/devices/{device}...`, somewhere in a message.
pub(crate) fn device_in(message: &str) -> Option<&str> {
    message.split_once("/devices/")?.1.split(|end: char| !end.is_ascii_alphanumeric()).next()
}

fn effect(edge: &str, report: &proto::Event) -> anyhow::Result<(String, u64)> {
    let data: Value = serde_json::from_str(&report.data_json)?;
    let number = data["reported"][edge].as_u64();
    let number = number.with_context(|| format!("an effect that {edge} did not report: {report:?}"))?;
    Ok((device_in(&report.resource).context("a device")?.to_owned(), number))
}
