//! Operations, as they lie in the log. Those on twins are written directly; the rare ones go through prost.

use muster_domain::Operation;
use muster_domain::asset::AssetField;
use muster_domain::device::{DeviceField, DeviceStatus};
use muster_domain::module::ModuleField;
use muster_domain::namespace::NamespaceField;
use muster_domain::saved_query::SavedQueryField;
use muster_proto::stored::v1 as stored;
use muster_proto::stored::v1::operation::Kind;
use prost::bytes::Bytes;

use super::backwards::Backwards;
use super::enums::StoredEnum;
use super::error::{fixed, required};
use super::identities::{
    device_definition_from_stored, device_definition_to_stored, module_definition_from_stored,
    module_definition_to_stored, optional_key_from_stored, optional_key_to_stored,
};
use super::settings::{
    asset_definition_from_stored, asset_status_from_stored, cluster_from_stored, cluster_to_stored,
    namespace_definition_from_stored, namespace_definition_to_stored, saved_query_definition_from_stored,
    saved_query_definition_to_stored, token_from_stored, token_to_stored,
};
use super::{CodecError, discovery, edge_operations, import, keys, nodes, retention};
use crate::convert::asset::asset_definition_to_proto;
use crate::convert::asset_status::asset_status_to_proto;

/// Writes an operation as field `tag`.
pub(super) fn write(out: &mut Backwards, tag: u32, operation: &Operation) {
    let operation_end = out.end();
    let end = out.end();
    match operation {
        Operation::PatchTwin { key, tags, desired, etag } => {
            out.optional_text(4, etag.as_ref());
            out.optional_text(3, desired.as_ref());
            out.optional_text(2, tags.as_ref());
            keys::write(out, 1, key);
            out.begin(15, end);
        }
        Operation::ReportProperties { key, reported, expected_version, from_device } => {
            out.number_if(4, u64::from(*from_device));
            out.number_if(3, *expected_version);
            out.text_if(2, reported);
            keys::write(out, 1, key);
            out.begin(17, end);
        }
        other => {
            let kind = to_stored(other);
            out.prost(kind.encoded_len(), |mut room| kind.encode(&mut room));
        }
    }
    out.begin(tag, operation_end);
}

#[allow(clippy::too_many_lines, reason = "one arm for each operation")]
pub(super) fn to_stored(operation: &Operation) -> Kind {
    match operation.clone() {
        Operation::AdmitNode { .. }
        | Operation::UseJoinToken { .. }
        | Operation::PromoteNode { .. }
        | Operation::RemoveNode { .. }
        | Operation::RaiseFeatureLevel { .. } => {
            nodes::operation_to_stored(operation).expect("all operations of this arm are there")
        }
        Operation::CreateSite { .. }
        | Operation::UpdateSite { .. }
        | Operation::DeleteSite { .. }
        | Operation::CreateEdge { .. }
        | Operation::UpdateEdge { .. }
        | Operation::DeleteEdge { .. }
        | Operation::OpenEdgeSession { .. }
        | Operation::ApplyUplink { .. } => {
            edge_operations::to_stored(operation).expect("all operations of this arm are there")
        }
        Operation::ReportDiscoveredDevice { .. }
        | Operation::ReportDiscoveredAsset { .. }
        | Operation::AcceptDiscovered { .. }
        | Operation::DismissDiscovered { .. }
        | Operation::DeleteDiscovered { .. } => {
            discovery::to_stored(operation).expect("all operations of this arm are there")
        }
        Operation::InitializeCluster { cluster, token } => Kind::InitializeCluster(stored::InitializeCluster {
            cluster: Some(cluster_to_stored(&cluster)),
            token: token.map(|(id, token)| stored::CreateToken { id, token: Some(token_to_stored(&token)) }),
        }),
        Operation::RestoreCluster { cluster_id, page_key, token } => Kind::RestoreCluster(stored::RestoreCluster {
            cluster_id,
            page_key: Bytes::copy_from_slice(&page_key),
            token: token.map(|(id, token)| stored::CreateToken { id, token: Some(token_to_stored(&token)) }),
        }),
        Operation::CreateToken { id, token } => {
            Kind::CreateToken(stored::CreateToken { id, token: Some(token_to_stored(&token)) })
        }
        Operation::RevokeToken { id } => Kind::RevokeToken(stored::RevokeToken { id }),
        Operation::CreateCursor { namespace, cursor, description, acknowledged } => {
            Kind::CreateCursor(stored::CreateCursor { namespace, cursor, description, acknowledged })
        }
        Operation::AcknowledgeCursor { namespace, cursor, revision } => {
            Kind::AcknowledgeCursor(stored::AcknowledgeCursor { namespace, cursor, revision })
        }
        Operation::DeleteCursor { namespace, cursor, etag } => {
            Kind::DeleteCursor(stored::DeleteCursor { namespace, cursor, etag })
        }
        Operation::CreateSavedQuery { namespace, query, definition } => {
            let definition = Some(saved_query_definition_to_stored(&definition));
            Kind::CreateSavedQuery(stored::CreateSavedQuery { namespace, query, definition })
        }
        Operation::UpdateSavedQuery { namespace, query, definition, fields, etag } => {
            let definition = Some(saved_query_definition_to_stored(&definition));
            let fields = SavedQueryField::numbers(&fields);
            Kind::UpdateSavedQuery(stored::UpdateSavedQuery { namespace, query, definition, fields, etag })
        }
        Operation::DeleteSavedQuery { namespace, query, etag } => {
            Kind::DeleteSavedQuery(stored::DeleteSavedQuery { namespace, query, etag })
        }
        Operation::CreateNamespace { namespace, definition } => Kind::CreateNamespace(stored::CreateNamespace {
            namespace,
            definition: Some(namespace_definition_to_stored(&definition)),
        }),
        Operation::UpdateNamespace { namespace, definition, fields, etag } => {
            Kind::UpdateNamespace(stored::UpdateNamespace {
                namespace,
                definition: Some(namespace_definition_to_stored(&definition)),
                fields: NamespaceField::numbers(&fields),
                etag,
            })
        }
        Operation::DeleteNamespace { namespace, etag, force } => {
            Kind::DeleteNamespace(stored::DeleteNamespace { namespace, etag, force })
        }
        Operation::CreateDevice { namespace, device, definition } => Kind::CreateDevice(stored::CreateDevice {
            namespace,
            device,
            definition: Some(device_definition_to_stored(&definition)),
        }),
        Operation::UpdateDevice { namespace, device, definition, fields, etag } => {
            Kind::UpdateDevice(stored::UpdateDevice {
                namespace,
                device,
                definition: Some(device_definition_to_stored(&definition)),
                fields: DeviceField::numbers(&fields),
                etag,
            })
        }
        Operation::SetDeviceStatus { namespace, device, status, reason, etag } => {
            Kind::SetDeviceStatus(stored::SetDeviceStatus { namespace, device, status: status.number(), reason, etag })
        }
        Operation::DeleteDevice { namespace, device, etag } => {
            Kind::DeleteDevice(stored::DeleteDevice { namespace, device, etag })
        }
        Operation::RegenerateKeys { key, primary, secondary, etag } => Kind::RegenerateKeys(stored::RegenerateKeys {
            key: Some(keys::to_stored(&key)),
            primary: optional_key_to_stored(&primary),
            secondary: optional_key_to_stored(&secondary),
            etag,
        }),
        Operation::CreateModule { namespace, device, module, definition } => Kind::CreateModule(stored::CreateModule {
            namespace,
            device,
            module,
            definition: Some(module_definition_to_stored(&definition)),
        }),
        Operation::UpdateModule { namespace, device, module, definition, fields, etag } => {
            Kind::UpdateModule(stored::UpdateModule {
                namespace,
                device,
                module,
                definition: Some(module_definition_to_stored(&definition)),
                fields: ModuleField::numbers(&fields),
                etag,
            })
        }
        Operation::DeleteModule { namespace, device, module, etag } => {
            Kind::DeleteModule(stored::DeleteModule { namespace, device, module, etag })
        }
        Operation::PatchTwin { key, tags, desired, etag } => Kind::PatchTwin(stored::PatchTwin {
            key: Some(keys::to_stored(&key)),
            tags_json: tags,
            desired_json: desired,
            etag,
        }),
        Operation::ReplaceTwin { key, tags, desired, etag } => Kind::ReplaceTwin(stored::ReplaceTwin {
            key: Some(keys::to_stored(&key)),
            tags_json: tags,
            desired_json: desired,
            etag,
        }),
        Operation::ReportProperties { key, reported, expected_version, from_device } => {
            Kind::ReportProperties(stored::ReportProperties {
                key: Some(keys::to_stored(&key)),
                reported_json: reported,
                expected_version,
                from_device,
            })
        }
        Operation::ImportDevice(line) => Kind::ImportDevice(import::to_stored(*line)),
        Operation::CreateAsset { namespace, asset, definition, enabled, uuid } => {
            Kind::CreateAsset(stored::CreateAsset {
                namespace,
                asset,
                definition: Some(asset_definition_to_proto(&definition)),
                enabled,
                uuid,
            })
        }
        Operation::UpdateAsset { namespace, asset, definition, enabled, fields, etag } => {
            Kind::UpdateAsset(stored::UpdateAsset {
                namespace,
                asset,
                definition: Some(asset_definition_to_proto(&definition)),
                enabled,
                fields: AssetField::numbers(&fields),
                etag,
            })
        }
        Operation::DeleteAsset { namespace, asset, etag } => {
            Kind::DeleteAsset(stored::DeleteAsset { namespace, asset, etag })
        }
        Operation::UpdateAssetStatus { namespace, asset, status } => {
            Kind::UpdateAssetStatus(stored::UpdateAssetStatus {
                namespace,
                asset,
                status: Some(asset_status_to_proto(&status)),
            })
        }
        Operation::SetRetention { namespace, policy, etag } => {
            let policy = policy.map(retention::policy_to_stored);
            Kind::SetRetention(stored::SetRetention { namespace, policy, etag })
        }
        Operation::CompactEvents { namespace, floor } => {
            Kind::CompactEvents(stored::CompactEvents { namespace, floor })
        }
    }
}

#[allow(clippy::too_many_lines, reason = "one arm for each operation")]
pub(super) fn from_stored(operation: stored::Operation) -> Result<Operation, CodecError> {
    const WHAT: &str = "an operation";
    let key = |key| keys::from_stored(required(WHAT, "key", key)?);
    let token = |token| token_from_stored(required(WHAT, "token", token)?);
    let namespace_definition =
        |definition| required(WHAT, "definition", definition).map(namespace_definition_from_stored);
    let device_definition =
        |definition| device_definition_from_stored(required(WHAT, "definition", definition)?).map(Box::new);
    let module_definition = |definition| module_definition_from_stored(required(WHAT, "definition", definition)?);
    let asset_definition = |definition| asset_definition_from_stored(WHAT, definition).map(Box::new);
    Ok(match operation.kind.ok_or(CodecError::UnknownKind { what: WHAT })? {
        Kind::InitializeCluster(stored::InitializeCluster { cluster, token: first }) => Operation::InitializeCluster {
            cluster: cluster_from_stored(required(WHAT, "cluster", cluster)?)?,
            token: match first {
                Some(first) => Some((first.id, token(first.token)?)),
                None => None,
            },
        },
        kind @ (Kind::CreateSite(_)
        | Kind::UpdateSite(_)
        | Kind::DeleteSite(_)
        | Kind::CreateEdge(_)
        | Kind::UpdateEdge(_)
        | Kind::DeleteEdge(_)
        | Kind::OpenEdgeSession(_)
        | Kind::ApplyUplink(_)) => edge_operations::from_stored(kind)?,
        kind @ (Kind::ReportDiscoveredDevice(_)
        | Kind::ReportDiscoveredAsset(_)
        | Kind::AcceptDiscovered(_)
        | Kind::DismissDiscovered(_)
        | Kind::DeleteDiscovered(_)) => discovery::from_stored(kind)?,
        Kind::AdmitNode(operation) => nodes::admit_node(operation)?,
        Kind::UseJoinToken(operation) => nodes::use_join_token(operation)?,
        Kind::PromoteNode(stored::PromoteNode { node_id }) => Operation::PromoteNode { node_id },
        Kind::RemoveNode(stored::RemoveNode { node_id, name }) => Operation::RemoveNode { node_id, name },
        Kind::RaiseFeatureLevel(stored::RaiseFeatureLevel { level }) => Operation::RaiseFeatureLevel { level },
        Kind::RestoreCluster(stored::RestoreCluster { cluster_id, page_key, token: first }) => {
            Operation::RestoreCluster {
                cluster_id,
                page_key: fixed("the key of page tokens", &page_key)?,
                token: match first {
                    Some(first) => Some((first.id, token(first.token)?)),
                    None => None,
                },
            }
        }
        Kind::CreateToken(stored::CreateToken { id, token: content }) => {
            Operation::CreateToken { id, token: token(content)? }
        }
        Kind::RevokeToken(stored::RevokeToken { id }) => Operation::RevokeToken { id },
        Kind::CreateCursor(stored::CreateCursor { namespace, cursor, description, acknowledged }) => {
            Operation::CreateCursor { namespace, cursor, description, acknowledged }
        }
        Kind::AcknowledgeCursor(stored::AcknowledgeCursor { namespace, cursor, revision }) => {
            Operation::AcknowledgeCursor { namespace, cursor, revision }
        }
        Kind::DeleteCursor(stored::DeleteCursor { namespace, cursor, etag }) => {
            Operation::DeleteCursor { namespace, cursor, etag }
        }
        Kind::CreateNamespace(stored::CreateNamespace { namespace, definition }) => {
            Operation::CreateNamespace { namespace, definition: namespace_definition(definition)? }
        }
        Kind::CreateSavedQuery(stored::CreateSavedQuery { namespace, query, definition }) => {
            let definition = required("an operation on a saved query", "definition", definition)?;
            let definition = saved_query_definition_from_stored(definition);
            Operation::CreateSavedQuery { namespace, query, definition }
        }
        Kind::UpdateSavedQuery(stored::UpdateSavedQuery { namespace, query, definition, fields, etag }) => {
            let definition = required("an operation on a saved query", "definition", definition)?;
            let definition = saved_query_definition_from_stored(definition);
            let fields = SavedQueryField::from_numbers(&fields)?;
            Operation::UpdateSavedQuery { namespace, query, definition, fields, etag }
        }
        Kind::DeleteSavedQuery(stored::DeleteSavedQuery { namespace, query, etag }) => {
            Operation::DeleteSavedQuery { namespace, query, etag }
        }
        Kind::UpdateNamespace(stored::UpdateNamespace { namespace, definition, fields, etag }) => {
            Operation::UpdateNamespace {
                namespace,
                definition: namespace_definition(definition)?,
                fields: NamespaceField::from_numbers(&fields)?,
                etag,
            }
        }
        Kind::DeleteNamespace(stored::DeleteNamespace { namespace, etag, force }) => {
            Operation::DeleteNamespace { namespace, etag, force }
        }
        Kind::CreateDevice(stored::CreateDevice { namespace, device, definition }) => {
            Operation::CreateDevice { namespace, device, definition: device_definition(definition)? }
        }
        Kind::UpdateDevice(stored::UpdateDevice { namespace, device, definition, fields, etag }) => {
            Operation::UpdateDevice {
                namespace,
                device,
                definition: device_definition(definition)?,
                fields: DeviceField::from_numbers(&fields)?,
                etag,
            }
        }
        Kind::SetDeviceStatus(stored::SetDeviceStatus { namespace, device, status, reason, etag }) => {
            let status = DeviceStatus::from_number(status)?;
            Operation::SetDeviceStatus { namespace, device, status, reason, etag }
        }
        Kind::DeleteDevice(stored::DeleteDevice { namespace, device, etag }) => {
            Operation::DeleteDevice { namespace, device, etag }
        }
        Kind::RegenerateKeys(stored::RegenerateKeys { key: of, primary, secondary, etag }) => {
            Operation::RegenerateKeys {
                key: key(of)?,
                primary: optional_key_from_stored(primary),
                secondary: optional_key_from_stored(secondary),
                etag,
            }
        }
        Kind::CreateModule(stored::CreateModule { namespace, device, module, definition }) => {
            Operation::CreateModule { namespace, device, module, definition: module_definition(definition)? }
        }
        Kind::UpdateModule(stored::UpdateModule { namespace, device, module, definition, fields, etag }) => {
            Operation::UpdateModule {
                namespace,
                device,
                module,
                definition: module_definition(definition)?,
                fields: ModuleField::from_numbers(&fields)?,
                etag,
            }
        }
        Kind::DeleteModule(stored::DeleteModule { namespace, device, module, etag }) => {
            Operation::DeleteModule { namespace, device, module, etag }
        }
        Kind::PatchTwin(stored::PatchTwin { key: of, tags_json, desired_json, etag }) => {
            Operation::PatchTwin { key: key(of)?, tags: tags_json, desired: desired_json, etag }
        }
        Kind::ReplaceTwin(stored::ReplaceTwin { key: of, tags_json, desired_json, etag }) => {
            Operation::ReplaceTwin { key: key(of)?, tags: tags_json, desired: desired_json, etag }
        }
        Kind::ReportProperties(stored::ReportProperties { key: of, reported_json, expected_version, from_device }) => {
            Operation::ReportProperties { key: key(of)?, reported: reported_json, expected_version, from_device }
        }
        Kind::ImportDevice(line) => Operation::ImportDevice(Box::new(import::from_stored(line)?)),
        Kind::CreateAsset(stored::CreateAsset { namespace, asset, definition, enabled, uuid }) => {
            Operation::CreateAsset { namespace, asset, definition: asset_definition(definition)?, enabled, uuid }
        }
        Kind::UpdateAsset(stored::UpdateAsset { namespace, asset, definition, enabled, fields, etag }) => {
            Operation::UpdateAsset {
                namespace,
                asset,
                definition: asset_definition(definition)?,
                enabled,
                fields: AssetField::from_numbers(&fields)?,
                etag,
            }
        }
        Kind::DeleteAsset(stored::DeleteAsset { namespace, asset, etag }) => {
            Operation::DeleteAsset { namespace, asset, etag }
        }
        Kind::UpdateAssetStatus(stored::UpdateAssetStatus { namespace, asset, status }) => {
            let status = asset_status_from_stored(WHAT, required(WHAT, "status", status)?)?;
            Operation::UpdateAssetStatus { namespace, asset, status: Box::new(status) }
        }
        Kind::SetRetention(stored::SetRetention { namespace, policy, etag }) => {
            let policy = policy.as_ref().map(retention::policy_from_stored);
            Operation::SetRetention { namespace, policy, etag }
        }
        Kind::CompactEvents(stored::CompactEvents { namespace, floor }) => {
            Operation::CompactEvents { namespace, floor }
        }
    })
}
