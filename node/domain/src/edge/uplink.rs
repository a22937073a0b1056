//! What an edge sends up: operations by number, each decided as the same call through the API (`sync.md` section 4).
//!
//! - Effects, the sequence and refusals are one change of one revision: all of it or nothing.
//! - An operation is decided over the effects of those before it; a refused one has none, and the next goes on.
//! - What was done before is skipped, so a repeated command without anything new changes nothing at all.

use muster_planted::{self as planted, Bug};

use super::overlay::Overlay;
use super::{Refusal, edge_of, session_key};
use crate::asset::{AssetDefinition, AssetStatus};
use crate::discovery::{DiscoveredDeviceDefinition, Report, report_asset, report_device};
use crate::feature::{ASSIGNMENT_LEVEL, DISCOVERY_LEVEL};
use crate::limits::UPLINK_CHANGES_MAX;
use crate::{At, Body, Change, EventKind, Key, Limits, Operation, Reason, Record, Rejection, States, asset, twin};

/// One operation of an edge.
#[derive(Debug, Clone, PartialEq)]
pub enum UplinkChange {
    /// As [`Operation::ReportProperties`].
    Report {
        /// [`Key::DeviceTwin`] or [`Key::ModuleTwin`].
        key: Key,
        /// Merge patch of reported as JSON text.
        patch: String,
    },
    /// As [`Operation::UpdateAssetStatus`].
    AssetStatus {
        /// The asset's id, in the edge's namespace.
        asset: String,
        /// The new status of the parts it names.
        status: Box<AssetStatus>,
    },
    /// One that could not be read where it came in: it keeps its number, and is refused.
    Refused {
        /// Why.
        reason: Reason,
        /// A sentence.
        message: String,
    },
    /// As [`Operation::ReportDiscoveredDevice`].
    DiscoveredDevice {
        /// The discovered device's id, below the edge.
        device: String,
        /// What the edge says of it.
        report: Box<Report<DiscoveredDeviceDefinition>>,
    },
    /// As [`Operation::ReportDiscoveredAsset`].
    DiscoveredAsset {
        /// The discovered asset's id, below the edge.
        asset: String,
        /// What the edge says of it.
        report: Box<Report<AssetDefinition>>,
    },
}

impl UplinkChange {
    /// The feature level from which on it may be in the log.
    pub(crate) fn feature_level(&self) -> u32 {
        match self {
            Self::Report { .. } | Self::AssetStatus { .. } => ASSIGNMENT_LEVEL,
            // It came with discovery: members from before do not know it.
            Self::Refused { .. } | Self::DiscoveredDevice { .. } | Self::DiscoveredAsset { .. } => DISCOVERY_LEVEL,
        }
    }
}

/// Who sends.
#[derive(Clone, Copy)]
pub(super) struct From<'a> {
    pub(super) namespace: &'a str,
    pub(super) edge: &'a str,
    /// The epoch it sends in.
    pub(super) epoch: u64,
}

/// Decides operations that an enabled edge sent, from number `first` on.
pub(super) fn decide(
    states: &dyn States,
    from: From<'_>,
    first: u64,
    changes: &[UplinkChange],
    at: At,
    limits: &Limits,
) -> Result<Vec<Change>, Rejection> {
    let last = check_form(first, changes)?;
    let key = session_key(from.namespace, from.edge);
    let record = states.get(&key);
    let session = match record.as_deref() {
        Some(Record { body: Body::EdgeSession(session), .. })
            if session.epoch == from.epoch || planted::is(Bug::EpochNotChecked) =>
        {
            session
        }
        other => return Err(fenced(&key, from.epoch, other.map_or(0, Record::version))),
    };
    let done = session.last_sequence;
    check_gap(done, first)?;
    if last <= done {
        return Ok(Vec::new());
    }
    let mut overlay = Overlay::new(states);
    let (mut effects, mut refusals) = (Vec::new(), Vec::new());
    for (sequence, change) in (first..=last).zip(changes).filter(|(sequence, _)| *sequence > done) {
        match decide_one(&overlay, from, change, at, limits) {
            Ok(changes) => {
                overlay.put(&changes);
                effects.extend(changes);
            }
            Err(rejection) => refusals.push(Refusal::new(sequence, &rejection)),
        }
    }
    let kind = EventKind::EdgeUplinkApplied { last_sequence: last, refusals };
    effects.push(Change::new(key, kind, record.as_deref(), at));
    Ok(effects)
}

/// The number of the last operation, if there are as many as there may be.
fn check_form(first: u64, changes: &[UplinkChange]) -> Result<u64, Rejection> {
    if !(1..=UPLINK_CHANGES_MAX).contains(&changes.len()) {
        let message = format!("operations must be 1 to {UPLINK_CHANGES_MAX}, are {}", changes.len());
        return Err(Rejection::new(Reason::TooMany, "operations", message));
    }
    let last = first.checked_add(changes.len() as u64 - 1).filter(|_| first > 0);
    last.ok_or_else(|| {
        let message = format!("first_sequence must be at least 1 and leave room for all operations, is {first}");
        Rejection::new(Reason::InvalidField, "first_sequence", message)
    })
}

fn check_gap(done: u64, first: u64) -> Result<(), Rejection> {
    if first - 1 <= done || planted::is(Bug::UplinkGap) {
        return Ok(());
    }
    let message =
        format!("operations up to {done} have come, so {} must be among the next; they begin with {first}", done + 1);
    Err(Rejection::new(Reason::SequenceGap, "first_sequence", message))
}

fn fenced(key: &Key, epoch: u64, newest: u64) -> Rejection {
    let message = format!("{key} is not of epoch {epoch} any more: the newest is {newest}");
    Rejection { current: newest.to_string(), ..Rejection::new(Reason::EpochFenced, "epoch", message) }
}

fn decide_one(
    states: &dyn States,
    from: From<'_>,
    change: &UplinkChange,
    at: At,
    limits: &Limits,
) -> Result<Vec<Change>, Rejection> {
    match change {
        UplinkChange::Report { key, patch } => {
            check_scope(states, from, key)?;
            let report = Operation::ReportProperties {
                key: key.clone(),
                reported: patch.clone(),
                expected_version: 0,
                from_device: false,
            };
            twin::decide(states, &report, at, limits)
        }
        UplinkChange::AssetStatus { asset, status } => {
            let namespace = from.namespace.to_owned();
            check_scope(states, from, &Key::Asset(namespace.clone(), asset.clone()))?;
            let update = Operation::UpdateAssetStatus { namespace, asset: asset.clone(), status: status.clone() };
            asset::decide(states, &update, at)
        }
        UplinkChange::Refused { reason, message } => Err(Rejection::new(*reason, "", message.clone())),
        // What an edge discovers lies below it: there is no scope to look at.
        UplinkChange::DiscoveredDevice { device, report } => {
            report_device(states, (from.namespace, from.edge), device, report, at)
        }
        UplinkChange::DiscoveredAsset { asset, report } => {
            report_asset(states, (from.namespace, from.edge), asset, report, at)
        }
    }
}

/// The resource must be the edge's now, whatever it was when the operation was queued.
fn check_scope(states: &dyn States, from: From<'_>, key: &Key) -> Result<(), Rejection> {
    if key.namespace() == Some(from.namespace) && edge_of(states, key).as_deref() == Some(from.edge) {
        return Ok(());
    }
    let message = format!("{key} is not in the scope of {}", super::key(from.namespace, from.edge));
    Err(Rejection::new(Reason::OutsideScope, "name", message))
}
