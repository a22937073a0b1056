//! Operations of an edge, from messages to what the log takes. It checks their form; what they may do is decided in the log.
//!
//! - A message that is malformed as a whole is refused, and its field is named.
//! - An operation that cannot be read (a name that is none, a kind that a later version brings) goes into the log as refused: it
//!   has its number there, so that the edge hears of its fate like that of any other, and those after it go on.

use muster_domain::edge::UplinkChange;
use muster_domain::limits::REFUSAL_CHARS_MAX;
use muster_domain::{Key, Reason, Rejection};
use muster_proto::v1;
use prost::Message;

use crate::convert::asset_status::asset_status_from_proto;
use crate::convert::discovery;

const DISCOVERED_DEVICE: &str = "namespaces/{namespace}/edges/{edge}/discoveredDevices/{device} below the edge itself";
const DISCOVERED_ASSET: &str = "namespaces/{namespace}/edges/{edge}/discoveredAssets/{asset} below the edge itself";

/// Operations of one message.
const OPERATIONS_MAX: usize = 256;
/// Their bytes.
const BYTES_MAX: usize = 1 << 20;

/// Operations of one message.
#[derive(Debug)]
pub(super) struct Operations {
    pub(super) epoch: u64,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) changes: Vec<UplinkChange>,
}

/// Reads the operations of an edge of `namespace`.
pub(super) fn read(namespace: &str, edge: &str, message: v1::SyncOperations) -> Result<Operations, Rejection> {
    let count = message.operations.len();
    if count == 0 || count > OPERATIONS_MAX {
        let message = format!("operations.operations must have 1 to {OPERATIONS_MAX} elements, and has {count}");
        return Err(Rejection::new(Reason::TooMany, "operations.operations", message));
    }
    let bytes = message.encoded_len();
    if bytes > BYTES_MAX {
        let message = format!("operations must take at most {BYTES_MAX} bytes in all, and take {bytes}");
        return Err(Rejection::new(Reason::TooLarge, "operations", message));
    }
    let (epoch, first) = (message.epoch, message.first_sequence);
    let last = first.checked_add(count as u64 - 1).filter(|_| first > 0).ok_or_else(|| {
        let field = "operations.first_sequence";
        Rejection::new(Reason::InvalidField, field, format!("{field} must be 1 or more, and is {first}"))
    })?;
    let mut changes = Vec::with_capacity(count);
    for operation in message.operations {
        changes.push(change((namespace, edge), operation).unwrap_or_else(refused));
    }
    Ok(Operations { epoch, first, last, changes })
}

fn change((namespace, edge): (&str, &str), operation: v1::SyncOperation) -> Result<UplinkChange, Rejection> {
    use v1::sync_operation::Operation;
    match operation.operation {
        Some(Operation::Report(report)) => {
            let key = Key::parse(&report.name).and_then(|key| key.twin());
            let pattern = "namespaces/{namespace}/devices/{device}[/modules/{module}]/twin";
            let key = key.ok_or_else(|| malformed("report.name", pattern))?;
            Ok(UplinkChange::Report { key, patch: report.reported_json })
        }
        Some(Operation::AssetStatus(update)) => {
            let pattern = "namespaces/{namespace}/assets/{asset} in the edge's own namespace";
            let Some(Key::Asset(own, asset)) = Key::parse(&update.name) else {
                return Err(malformed("asset_status.name", pattern));
            };
            if own != namespace {
                return Err(malformed("asset_status.name", pattern));
            }
            let status = update.status.ok_or_else(|| malformed("asset_status.status", "given"))?;
            let status = asset_status_from_proto(status).map_err(|refusal| refusal.within("asset_status"))?;
            Ok(UplinkChange::AssetStatus { asset, status: Box::new(status) })
        }
        Some(Operation::DiscoveredDevice(said)) => {
            let Some(Key::DiscoveredDevice(own, its, device)) = Key::parse(&said.name) else {
                return Err(malformed("discovered_device.name", DISCOVERED_DEVICE));
            };
            if (own.as_str(), its.as_str()) != (namespace, edge) {
                return Err(malformed("discovered_device.name", DISCOVERED_DEVICE));
            }
            let report = discovery::device_report(said.discovered_device.unwrap_or_default());
            let report = report.map_err(|refusal| refusal.within("discovered_device"))?;
            Ok(UplinkChange::DiscoveredDevice { device, report: Box::new(report) })
        }
        Some(Operation::DiscoveredAsset(said)) => {
            let Some(Key::DiscoveredAsset(own, its, asset)) = Key::parse(&said.name) else {
                return Err(malformed("discovered_asset.name", DISCOVERED_ASSET));
            };
            if (own.as_str(), its.as_str()) != (namespace, edge) {
                return Err(malformed("discovered_asset.name", DISCOVERED_ASSET));
            }
            let report = discovery::asset_report(said.discovered_asset.unwrap_or_default());
            let report = report.map_err(|refusal| refusal.within("discovered_asset"))?;
            Ok(UplinkChange::DiscoveredAsset { asset, report: Box::new(report) })
        }
        None => Err(malformed("operation", "one that this version knows")),
    }
}

/// As it is told to the edge: no field of a message that was, but the rule it breaks.
fn refused(rejection: Rejection) -> UplinkChange {
    // All that is kept of a refusal is its message, so the field has to be in it.
    let (field, message) = (rejection.field, rejection.message);
    let whole = if message.starts_with(&field) { message } else { format!("{field}: {}", message.trim_start()) };
    let message = whole.chars().take(REFUSAL_CHARS_MAX).collect();
    UplinkChange::Refused { reason: rejection.reason, message }
}

fn malformed(field: &str, rule: &str) -> Rejection {
    Rejection::new(Reason::InvalidField, field, format!("{field} must be {rule}"))
}

#[cfg(test)]
mod tests {
    use v1::sync_operation::Operation;

    use super::*;

    fn report(name: &str) -> v1::SyncOperation {
        let report = v1::SyncReport { name: name.to_owned(), reported_json: "{}".to_owned() };
        v1::SyncOperation { queued_ms: 1, operation: Some(Operation::Report(report)) }
    }

    fn status(name: &str, status: Option<v1::AssetStatus>) -> v1::SyncOperation {
        let update = v1::SyncAssetStatus { name: name.to_owned(), status };
        v1::SyncOperation { queued_ms: 1, operation: Some(Operation::AssetStatus(update)) }
    }

    fn found(name: &str, method: i32) -> v1::SyncOperation {
        let endpoint = v1::DiscoveredEndpoint {
            supported_authentication_methods: vec![method],
            ..v1::DiscoveredEndpoint::default()
        };
        let endpoints = v1::DiscoveredEndpoints {
            inbound: [("opc".to_owned(), endpoint)].into(),
            ..v1::DiscoveredEndpoints::default()
        };
        let definition =
            v1::DiscoveredDeviceDefinition { endpoints: Some(endpoints), ..v1::DiscoveredDeviceDefinition::default() };
        let discovered_device =
            Some(v1::DiscoveredDevice { definition: Some(definition), ..v1::DiscoveredDevice::default() });
        let said = v1::SyncDiscoveredDevice { name: name.to_owned(), discovered_device };
        v1::SyncOperation { queued_ms: 1, operation: Some(Operation::DiscoveredDevice(said)) }
    }

    fn message(first_sequence: u64, operations: Vec<v1::SyncOperation>) -> v1::SyncOperations {
        v1::SyncOperations { epoch: 1, first_sequence, operations }
    }

    #[test]
    fn a_device_stands_for_its_twin() {
        let good = report("namespaces/p/devices/d");
        let read = read("p", "e", message(4, vec![good.clone(), good])).expect("well formed");
        let key = Key::DeviceTwin("p".to_owned(), "d".to_owned());
        assert_eq!((read.first, read.last), (4, 5));
        assert_eq!(read.changes[0], UplinkChange::Report { key, patch: "{}".to_owned() });
    }

    #[test]
    fn what_an_edge_discovers_lies_below_it() {
        let read = read("p", "e", message(1, vec![found("namespaces/p/edges/e/discoveredDevices/plc", 1)]));
        let read = read.expect("well formed");
        let UplinkChange::DiscoveredDevice { device, report } = &read.changes[0] else { panic!("{:?}", read.changes) };
        assert_eq!((device.as_str(), report.definition.inbound.len()), ("plc", 1));
    }

    #[test]
    fn a_malformed_message_is_refused_by_name() {
        let good = || report("namespaces/p/devices/d/twin");
        let mut large = good();
        large.operation = Some(Operation::Report(v1::SyncReport {
            name: "namespaces/p/devices/d".to_owned(),
            reported_json: "x".repeat(BYTES_MAX),
        }));
        for (message, field) in [
            (message(1, vec![]), "operations.operations"),
            (message(1, vec![good(); 257]), "operations.operations"),
            (message(0, vec![good()]), "operations.first_sequence"),
            (message(u64::MAX, vec![good(); 2]), "operations.first_sequence"),
            (message(1, vec![large]), "operations"),
        ] {
            assert_eq!(read("p", "e", message).map(|_| ()).map_err(|refusal| refusal.field), Err(field.to_owned()));
        }
    }

    #[test]
    fn an_operation_that_cannot_be_read_keeps_its_place_and_says_why() {
        let whole = Some(v1::AssetStatus::default());
        let bad = [
            (report("pump"), "report.name must be"),
            (report("namespaces/p/assets/a"), "report.name must be"),
            (v1::SyncOperation::default(), "operation must be one that this version knows"),
            (status("namespaces/q/assets/a", whole.clone()), "asset_status.name must be"),
            (status("namespaces/p/devices/a", whole), "asset_status.name must be"),
            (status("namespaces/p/assets/a", None), "asset_status.status must be given"),
            (found("namespaces/p/edges/other/discoveredDevices/d", 1), "discovered_device.name must be"),
            (found("namespaces/p/edges/e/discoveredAssets/d", 1), "discovered_device.name must be"),
            (
                found("namespaces/p/edges/e/discoveredDevices/d", 9),
                "discovered_device.discovered_device.definition.endpoints.inbound[\"opc\"].supported_authentication_methods[0]",
            ),
        ];
        for (operation, said) in bad {
            let good = || report("namespaces/p/devices/d/twin");
            let read = read("p", "e", message(4, vec![good(), operation, good()])).expect("the message is well formed");
            assert_eq!((read.first, read.last, read.changes.len()), (4, 6, 3));
            let UplinkChange::Refused { reason, message } = &read.changes[1] else { panic!("{:?}", read.changes[1]) };
            assert_eq!(*reason, Reason::InvalidField);
            assert!(message.starts_with(said), "{message}");
            assert!(matches!(read.changes[2], UplinkChange::Report { .. }), "those after it go on");
        }
    }
}
