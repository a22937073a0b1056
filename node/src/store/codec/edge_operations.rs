//! Operations on sites and edges, and what edges send up.

use muster_domain::edge::{EdgeField, UplinkChange};
use muster_domain::site::SiteField;
use muster_domain::{Operation, Reason};
use muster_proto::stored::v1 as stored;
use muster_proto::stored::v1::operation::Kind as StoredOperation;
use muster_proto::stored::v1::uplink_change::Kind as StoredChange;
use prost::bytes::Bytes;

use super::edges::{
    INCARNATION, SESSION, edge_definition_to_stored, required_edge, required_site, site_definition_to_stored,
};
use super::enums::StoredEnum;
use super::error::{fixed, required};
use super::settings::asset_status_from_stored;
use super::{CodecError, discovery, keys};
use crate::convert::asset_status::asset_status_to_proto;

const CHANGE: &str = "an operation of an edge";

fn change_to_stored(change: &UplinkChange) -> stored::UplinkChange {
    let kind = match change {
        UplinkChange::Report { key, patch } => {
            let key = Some(keys::to_stored(key));
            StoredChange::Report(stored::UplinkReport { key, reported_json: patch.clone() })
        }
        UplinkChange::AssetStatus { asset, status } => {
            let status = Some(asset_status_to_proto(status));
            StoredChange::AssetStatus(stored::UplinkAssetStatus { asset: asset.clone(), status })
        }
        UplinkChange::Refused { reason, message } => {
            StoredChange::Refused(stored::UplinkRefused { reason: reason.number(), message: message.clone() })
        }
        UplinkChange::DiscoveredDevice { device, report } => {
            let (device, report) = (device.clone(), Some(discovery::device_report_to_stored(report)));
            StoredChange::DiscoveredDevice(stored::UplinkDiscoveredDevice { device, report })
        }
        UplinkChange::DiscoveredAsset { asset, report } => {
            let (asset, report) = (asset.clone(), Some(discovery::asset_report_to_stored(report)));
            StoredChange::DiscoveredAsset(stored::UplinkDiscoveredAsset { asset, report })
        }
    };
    stored::UplinkChange { kind: Some(kind) }
}

fn change_from_stored(change: stored::UplinkChange) -> Result<UplinkChange, CodecError> {
    Ok(match change.kind.ok_or(CodecError::UnknownKind { what: CHANGE })? {
        StoredChange::Report(stored::UplinkReport { key, reported_json }) => {
            UplinkChange::Report { key: keys::from_stored(required(CHANGE, "key", key)?)?, patch: reported_json }
        }
        StoredChange::AssetStatus(stored::UplinkAssetStatus { asset, status }) => {
            let status = asset_status_from_stored(CHANGE, required(CHANGE, "status", status)?)?;
            UplinkChange::AssetStatus { asset, status: Box::new(status) }
        }
        StoredChange::Refused(stored::UplinkRefused { reason, message }) => {
            UplinkChange::Refused { reason: Reason::from_number(reason)?, message }
        }
        StoredChange::DiscoveredDevice(stored::UplinkDiscoveredDevice { device, report }) => {
            UplinkChange::DiscoveredDevice { device, report: Box::new(discovery::device_report_from_stored(report)?) }
        }
        StoredChange::DiscoveredAsset(stored::UplinkDiscoveredAsset { asset, report }) => {
            UplinkChange::DiscoveredAsset { asset, report: Box::new(discovery::asset_report_from_stored(report)?) }
        }
    })
}

/// An operation of this file; `None` for all others.
pub(super) fn to_stored(operation: &Operation) -> Option<StoredOperation> {
    Some(match operation.clone() {
        Operation::CreateSite { namespace, site, definition } => {
            let definition = Some(site_definition_to_stored(&definition));
            StoredOperation::CreateSite(stored::CreateSite { namespace, site, definition })
        }
        Operation::UpdateSite { namespace, site, definition, fields, etag } => {
            let (definition, fields) = (Some(site_definition_to_stored(&definition)), SiteField::numbers(&fields));
            StoredOperation::UpdateSite(stored::UpdateSite { namespace, site, definition, fields, etag })
        }
        Operation::DeleteSite { namespace, site, etag } => {
            StoredOperation::DeleteSite(stored::DeleteSite { namespace, site, etag })
        }
        Operation::CreateEdge { namespace, edge, definition } => {
            let definition = Some(edge_definition_to_stored(&definition));
            StoredOperation::CreateEdge(stored::CreateEdge { namespace, edge, definition })
        }
        Operation::UpdateEdge { namespace, edge, definition, fields, etag } => {
            let (definition, fields) = (Some(edge_definition_to_stored(&definition)), EdgeField::numbers(&fields));
            StoredOperation::UpdateEdge(stored::UpdateEdge { namespace, edge, definition, fields, etag })
        }
        Operation::DeleteEdge { namespace, edge, etag } => {
            StoredOperation::DeleteEdge(stored::DeleteEdge { namespace, edge, etag })
        }
        Operation::OpenEdgeSession { namespace, edge, incarnation, known_epoch, session, sent_sequence, node_id } => {
            StoredOperation::OpenEdgeSession(stored::OpenEdgeSession {
                namespace,
                edge,
                incarnation: Bytes::copy_from_slice(&incarnation),
                known_epoch,
                session: Bytes::copy_from_slice(&session),
                node_id,
                sent_sequence,
            })
        }
        Operation::ApplyUplink { namespace, edge, epoch, first_sequence, changes } => {
            let changes = changes.iter().map(change_to_stored).collect();
            StoredOperation::ApplyUplink(stored::ApplyUplink { namespace, edge, epoch, first_sequence, changes })
        }
        _ => return None,
    })
}

/// Reads an operation of this file.
pub(super) fn from_stored(operation: StoredOperation) -> Result<Operation, CodecError> {
    Ok(match operation {
        StoredOperation::CreateSite(stored::CreateSite { namespace, site, definition }) => {
            Operation::CreateSite { namespace, site, definition: required_site(definition)? }
        }
        StoredOperation::UpdateSite(stored::UpdateSite { namespace, site, definition, fields, etag }) => {
            let (definition, fields) = (required_site(definition)?, SiteField::from_numbers(&fields)?);
            Operation::UpdateSite { namespace, site, definition, fields, etag }
        }
        StoredOperation::DeleteSite(stored::DeleteSite { namespace, site, etag }) => {
            Operation::DeleteSite { namespace, site, etag }
        }
        StoredOperation::CreateEdge(stored::CreateEdge { namespace, edge, definition }) => {
            Operation::CreateEdge { namespace, edge, definition: required_edge(definition)? }
        }
        StoredOperation::UpdateEdge(stored::UpdateEdge { namespace, edge, definition, fields, etag }) => {
            let (definition, fields) = (required_edge(definition)?, EdgeField::from_numbers(&fields)?);
            Operation::UpdateEdge { namespace, edge, definition, fields, etag }
        }
        StoredOperation::DeleteEdge(stored::DeleteEdge { namespace, edge, etag }) => {
            Operation::DeleteEdge { namespace, edge, etag }
        }
        StoredOperation::OpenEdgeSession(stored::OpenEdgeSession {
            namespace,
            edge,
            incarnation,
            known_epoch,
            session,
            node_id,
            sent_sequence,
        }) => Operation::OpenEdgeSession {
            namespace,
            edge,
            incarnation: fixed(INCARNATION, &incarnation)?,
            known_epoch,
            session: fixed(SESSION, &session)?,
            sent_sequence,
            node_id,
        },
        StoredOperation::ApplyUplink(stored::ApplyUplink { namespace, edge, epoch, first_sequence, changes }) => {
            let changes = changes.into_iter().map(change_from_stored).collect::<Result<_, _>>()?;
            Operation::ApplyUplink { namespace, edge, epoch, first_sequence, changes }
        }
        _ => return Err(CodecError::UnknownKind { what: "an operation on a site or an edge" }),
    })
}
