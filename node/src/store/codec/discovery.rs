//! What edges discovered: records, events, and the operations on them.

use muster_domain::asset::AssetDefinition;
use muster_domain::discovery::{
    Acceptance, Discovered, DiscoveredAsset, DiscoveredDevice, DiscoveredDeviceDefinition, DiscoveryCount,
    DiscoveryState, Report,
};
use muster_domain::{EventKind, Operation};
use muster_proto::stored::v1 as stored;
use muster_proto::stored::v1::discovery_state::Kind as StoredState;
use muster_proto::stored::v1::event::Kind as StoredEvent;
use muster_proto::stored::v1::operation::Kind as StoredOperation;

use super::error::required;
use super::settings::asset_definition_from_stored;
use super::{CodecError, keys};
use crate::convert::asset::asset_definition_to_proto;
use crate::convert::discovery::{device_definition_to_proto, device_from_proto};

const DEVICE: &str = "a discovered device";
const ASSET: &str = "a discovered asset";
const OPERATION: &str = "an operation on what was discovered";

pub(super) fn device_report_to_stored(report: &Report<DiscoveredDeviceDefinition>) -> stored::DeviceReport {
    let definition = Some(device_definition_to_proto(&report.definition));
    stored::DeviceReport { discovery_id: report.discovery_id.clone(), definition }
}

pub(super) fn device_report_from_stored(
    report: Option<stored::DeviceReport>,
) -> Result<Report<DiscoveredDeviceDefinition>, CodecError> {
    let stored::DeviceReport { discovery_id, definition } = required(DEVICE, "report", report)?;
    let definition = required(DEVICE, "definition", definition)?;
    Ok(Report { discovery_id, definition: device_from_proto(definition).map_err(CodecError::invalid(DEVICE))? })
}

pub(super) fn asset_report_to_stored(report: &Report<AssetDefinition>) -> stored::AssetReport {
    let definition = Some(asset_definition_to_proto(&report.definition));
    stored::AssetReport { discovery_id: report.discovery_id.clone(), definition }
}

pub(super) fn asset_report_from_stored(
    report: Option<stored::AssetReport>,
) -> Result<Report<AssetDefinition>, CodecError> {
    let stored::AssetReport { discovery_id, definition } = required(ASSET, "report", report)?;
    Ok(Report { discovery_id, definition: asset_definition_from_stored(ASSET, definition)? })
}

fn state_to_stored(state: &DiscoveryState) -> Option<stored::DiscoveryState> {
    let kind = match state {
        DiscoveryState::New => return None,
        DiscoveryState::Accepted(Acceptance { resource, version, revision }) => {
            let resource = resource.clone();
            StoredState::Accepted(stored::Acceptance { resource, version: *version, revision: *revision })
        }
        DiscoveryState::Dismissed => StoredState::Dismissed(stored::Dismissal {}),
    };
    Some(stored::DiscoveryState { kind: Some(kind) })
}

fn state_from_stored(state: Option<stored::DiscoveryState>) -> Result<DiscoveryState, CodecError> {
    let Some(state) = state else { return Ok(DiscoveryState::New) };
    Ok(match state.kind.ok_or(CodecError::UnknownKind { what: "the state of something discovered" })? {
        StoredState::Accepted(stored::Acceptance { resource, version, revision }) => {
            DiscoveryState::Accepted(Acceptance { resource, version, revision })
        }
        StoredState::Dismissed(stored::Dismissal {}) => DiscoveryState::Dismissed,
    })
}

pub(super) fn device_to_stored(device: &DiscoveredDevice) -> stored::DiscoveredDevice {
    let Discovered { report, version, changed_ms, state } = device;
    stored::DiscoveredDevice {
        report: Some(device_report_to_stored(report)),
        version: *version,
        changed_ms: *changed_ms,
        state: state_to_stored(state),
    }
}

pub(super) fn device_from_stored(device: stored::DiscoveredDevice) -> Result<DiscoveredDevice, CodecError> {
    let stored::DiscoveredDevice { report, version, changed_ms, state } = device;
    let (report, state) = (device_report_from_stored(report)?, state_from_stored(state)?);
    Ok(Discovered { report, version, changed_ms, state })
}

pub(super) fn asset_to_stored(asset: &DiscoveredAsset) -> stored::DiscoveredAsset {
    let Discovered { report, version, changed_ms, state } = asset;
    stored::DiscoveredAsset {
        report: Some(asset_report_to_stored(report)),
        version: *version,
        changed_ms: *changed_ms,
        state: state_to_stored(state),
    }
}

pub(super) fn asset_from_stored(asset: stored::DiscoveredAsset) -> Result<DiscoveredAsset, CodecError> {
    let stored::DiscoveredAsset { report, version, changed_ms, state } = asset;
    let (report, state) = (asset_report_from_stored(report)?, state_from_stored(state)?);
    Ok(Discovered { report, version, changed_ms, state })
}

pub(super) fn count_to_stored(count: DiscoveryCount) -> stored::DiscoveryCount {
    stored::DiscoveryCount { things: count.things }
}

pub(super) fn count_from_stored(count: stored::DiscoveryCount) -> DiscoveryCount {
    DiscoveryCount { things: count.things }
}

/// An event of this file; `None` for all others.
pub(super) fn event_to_stored(kind: &EventKind) -> Option<StoredEvent> {
    Some(match kind {
        EventKind::DiscoveredDeviceReported(report) => {
            StoredEvent::DiscoveredDeviceReported(device_report_to_stored(report))
        }
        EventKind::DiscoveredAssetReported(report) => {
            StoredEvent::DiscoveredAssetReported(asset_report_to_stored(report))
        }
        EventKind::DiscoveredAccepted(resource) => {
            StoredEvent::DiscoveredAccepted(stored::DiscoveredAccepted { resource: resource.clone() })
        }
        EventKind::DiscoveredDismissed => StoredEvent::DiscoveredDismissed(stored::DiscoveredDismissed {}),
        EventKind::DiscoveredDeleted => StoredEvent::DiscoveredDeleted(stored::DiscoveredDeleted {}),
        EventKind::DiscoveryCounted(things) => {
            StoredEvent::DiscoveryCounted(stored::DiscoveryCount { things: *things })
        }
        EventKind::DiscoveryEnded => StoredEvent::DiscoveryEnded(stored::DiscoveryEnded {}),
        _ => return None,
    })
}

/// Reads an event of this file.
pub(super) fn event_from_stored(kind: StoredEvent) -> Result<EventKind, CodecError> {
    Ok(match kind {
        StoredEvent::DiscoveredDeviceReported(report) => {
            EventKind::DiscoveredDeviceReported(Box::new(device_report_from_stored(Some(report))?))
        }
        StoredEvent::DiscoveredAssetReported(report) => {
            EventKind::DiscoveredAssetReported(Box::new(asset_report_from_stored(Some(report))?))
        }
        StoredEvent::DiscoveredAccepted(stored::DiscoveredAccepted { resource }) => {
            EventKind::DiscoveredAccepted(resource)
        }
        StoredEvent::DiscoveredDismissed(stored::DiscoveredDismissed {}) => EventKind::DiscoveredDismissed,
        StoredEvent::DiscoveredDeleted(stored::DiscoveredDeleted {}) => EventKind::DiscoveredDeleted,
        StoredEvent::DiscoveryCounted(stored::DiscoveryCount { things }) => EventKind::DiscoveryCounted(things),
        StoredEvent::DiscoveryEnded(stored::DiscoveryEnded {}) => EventKind::DiscoveryEnded,
        _ => return Err(CodecError::UnknownKind { what: "an event of discovery" }),
    })
}

/// An operation of this file; `None` for all others.
pub(super) fn to_stored(operation: &Operation) -> Option<StoredOperation> {
    Some(match operation.clone() {
        Operation::ReportDiscoveredDevice { namespace, edge, device, report } => {
            let report = Some(device_report_to_stored(&report));
            let operation = stored::ReportDiscoveredDevice { namespace, edge, device, report };
            StoredOperation::ReportDiscoveredDevice(operation)
        }
        Operation::ReportDiscoveredAsset { namespace, edge, asset, report } => {
            let report = Some(asset_report_to_stored(&report));
            let operation = stored::ReportDiscoveredAsset { namespace, edge, asset, report };
            StoredOperation::ReportDiscoveredAsset(operation)
        }
        Operation::AcceptDiscovered { key, resource, uuid, etag } => {
            let key = Some(keys::to_stored(&key));
            StoredOperation::AcceptDiscovered(stored::AcceptDiscovered { key, resource, uuid, etag })
        }
        Operation::DismissDiscovered { key, etag } => {
            let key = Some(keys::to_stored(&key));
            StoredOperation::DismissDiscovered(stored::DismissDiscovered { key, etag })
        }
        Operation::DeleteDiscovered { key, etag } => {
            let key = Some(keys::to_stored(&key));
            StoredOperation::DeleteDiscovered(stored::DeleteDiscovered { key, etag })
        }
        _ => return None,
    })
}

/// Reads an operation of this file.
pub(super) fn from_stored(operation: StoredOperation) -> Result<Operation, CodecError> {
    let required_key = |key| keys::from_stored(required(OPERATION, "key", key)?);
    Ok(match operation {
        StoredOperation::ReportDiscoveredDevice(operation) => {
            let stored::ReportDiscoveredDevice { namespace, edge, device, report } = operation;
            let report = Box::new(device_report_from_stored(report)?);
            Operation::ReportDiscoveredDevice { namespace, edge, device, report }
        }
        StoredOperation::ReportDiscoveredAsset(operation) => {
            let stored::ReportDiscoveredAsset { namespace, edge, asset, report } = operation;
            let report = Box::new(asset_report_from_stored(report)?);
            Operation::ReportDiscoveredAsset { namespace, edge, asset, report }
        }
        StoredOperation::AcceptDiscovered(stored::AcceptDiscovered { key, resource, uuid, etag }) => {
            Operation::AcceptDiscovered { key: required_key(key)?, resource, uuid, etag }
        }
        StoredOperation::DismissDiscovered(stored::DismissDiscovered { key, etag }) => {
            Operation::DismissDiscovered { key: required_key(key)?, etag }
        }
        StoredOperation::DeleteDiscovered(stored::DeleteDiscovered { key, etag }) => {
            Operation::DeleteDiscovered { key: required_key(key)?, etag }
        }
        _ => return Err(CodecError::UnknownKind { what: OPERATION }),
    })
}
