//! A discovered thing and how events change it, whether it is a device or an asset.
//!
//! - The version counts changes of what was reported, not of what operators made of it.

use super::DiscoveredDeviceDefinition;
use crate::asset::AssetDefinition;
use crate::{At, Body, EventKind};

/// What an edge says of a thing that it found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report<D> {
    /// The reporter's change marker; opaque, at most 128 characters. A thing that was dismissed comes back with another one.
    pub discovery_id: String,
    /// What it is.
    pub definition: D,
}

/// What operators made of a discovered thing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum DiscoveryState {
    /// Nothing yet.
    #[default]
    New,
    /// A real resource was made from it.
    Accepted(Acceptance),
    /// Not wanted.
    Dismissed,
}

/// How a discovered thing was accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acceptance {
    /// Id of the real device or asset, in the same namespace.
    pub resource: String,
    /// The version that was accepted.
    pub version: u64,
    /// The revision of the acceptance, at which that life of the real resource began.
    pub revision: u64,
}

/// A discovered device or asset.
#[derive(Debug, Clone, PartialEq)]
pub struct Discovered<D> {
    /// The newest word of the edge; of a device with the endpoints of earlier words.
    pub report: Report<D>,
    /// 1 at the first report (or where an earlier life left off), +1 with each report that changed something.
    pub version: u64,
    /// When the version last rose, milliseconds since the epoch.
    pub changed_ms: u64,
    /// What operators made of it.
    pub state: DiscoveryState,
}

/// A discovered device.
pub type DiscoveredDevice = Discovered<DiscoveredDeviceDefinition>;
/// A discovered asset.
pub type DiscoveredAsset = Discovered<AssetDefinition>;

impl<D: Clone> Discovered<D> {
    /// The thing after a report; `before` is what it was, if it lived.
    fn reported(before: Option<&Self>, report: &Report<D>, version: u64, at: At) -> Self {
        let state = match before {
            // Whoever dismissed it dismissed what this mark stands for.
            Some(before) if before.state == DiscoveryState::Dismissed => {
                let is_same = before.report.discovery_id == report.discovery_id;
                if is_same { DiscoveryState::Dismissed } else { DiscoveryState::New }
            }
            Some(before) => before.state.clone(),
            None => DiscoveryState::New,
        };
        Self { report: report.clone(), version, changed_ms: at.time_ms, state }
    }

    /// The thing after an event that is no report.
    fn evolve(&self, event: &EventKind, at: At) -> Self {
        let state = match event {
            EventKind::DiscoveredAccepted(resource) => DiscoveryState::Accepted(Acceptance {
                resource: resource.clone(),
                version: self.version,
                revision: at.revision,
            }),
            EventKind::DiscoveredDismissed => DiscoveryState::Dismissed,
            _ => self.state.clone(),
        };
        Self { state, ..self.clone() }
    }

    /// Whether it was reported otherwise since it was accepted.
    #[must_use]
    pub fn changed_since_accepted(&self) -> bool {
        matches!(&self.state, DiscoveryState::Accepted(acceptance) if acceptance.version != self.version)
    }
}

/// The body after an event of discovery; `version` is that of the record before. `None` for an event that does not fit.
pub(crate) fn evolve(body: Option<&Body>, event: &EventKind, version: u64, at: At) -> Option<Body> {
    Some(match (event, body) {
        (EventKind::DiscoveredDeviceReported(report), body) => {
            let before = match body {
                Some(Body::DiscoveredDevice(before)) => Some(&**before),
                _ => None,
            };
            Body::DiscoveredDevice(Box::new(Discovered::reported(before, report, version + 1, at)))
        }
        (EventKind::DiscoveredAssetReported(report), body) => {
            let before = match body {
                Some(Body::DiscoveredAsset(before)) => Some(&**before),
                _ => None,
            };
            Body::DiscoveredAsset(Box::new(Discovered::reported(before, report, version + 1, at)))
        }
        (_, Some(Body::DiscoveredDevice(before))) => Body::DiscoveredDevice(Box::new(before.evolve(event, at))),
        (_, Some(Body::DiscoveredAsset(before))) => Body::DiscoveredAsset(Box::new(before.evolve(event, at))),
        _ => return None,
    })
}
