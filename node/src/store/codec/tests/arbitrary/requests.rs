//! Requests with every operation, and outcomes.

use muster_domain::asset::AssetField;
use muster_domain::device::{DeviceField, DeviceStatus};
use muster_domain::import::{ImportIdentity, ImportLine, ImportMode};
use muster_domain::module::ModuleField;
use muster_domain::namespace::NamespaceField;
use muster_domain::policy::{Principal, Role};
use muster_domain::saved_query::SavedQueryField;
use muster_domain::{Command, Operation, Reason, Rejection};
use proptest::array::{uniform2, uniform3, uniform4, uniform7, uniform16};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::assets::{asset_definition, asset_status};
use super::identities::{device_definition, module_definition};
use super::settings::{cluster, namespace_definition, node, retention_policy, saved_query_definition, token};
use super::{key, number, sealed, text, variant};
use crate::outcome::{Accepted, OperationResult, Outcome};
use crate::request::Request;

fn import_line() -> BoxedStrategy<ImportLine> {
    let identity = prop_oneof![
        device_definition().prop_map(|definition| ImportIdentity::Device(Box::new(definition))),
        (text(), module_definition()).prop_map(|(module, definition)| ImportIdentity::Module { module, definition }),
    ];
    (variant::<ImportMode>(), uniform4(text()), identity, uniform3(option::of(text())))
        .prop_map(|(mode, [namespace, device, etag, twin_etag], identity, [tags, desired, reported])| ImportLine {
            mode,
            namespace,
            device,
            identity,
            etag,
            twin_etag,
            tags,
            desired,
            reported,
        })
        .boxed()
}

fn operation_on_identities() -> BoxedStrategy<Operation> {
    let etag = || option::of(text());
    prop_oneof![
        (text(), text(), device_definition()).prop_map(|(namespace, device, definition)| {
            Operation::CreateDevice { namespace, device, definition: Box::new(definition) }
        }),
        (text(), text(), device_definition(), vec(variant::<DeviceField>(), 0..4), etag()).prop_map(
            |(namespace, device, definition, fields, etag)| Operation::UpdateDevice {
                namespace,
                device,
                definition: Box::new(definition),
                fields,
                etag,
            }
        ),
        (text(), text(), variant::<DeviceStatus>(), text(), etag()).prop_map(
            |(namespace, device, status, reason, etag)| Operation::SetDeviceStatus {
                namespace,
                device,
                status,
                reason,
                etag,
            }
        ),
        (text(), text(), etag()).prop_map(|(namespace, device, etag)| Operation::DeleteDevice {
            namespace,
            device,
            etag
        }),
        (key(), sealed(), sealed(), etag()).prop_map(|(key, primary, secondary, etag)| {
            Operation::RegenerateKeys { key, primary, secondary, etag }
        }),
        (uniform3(text()), module_definition()).prop_map(|([namespace, device, module], definition)| {
            Operation::CreateModule { namespace, device, module, definition }
        }),
        (uniform3(text()), module_definition(), vec(variant::<ModuleField>(), 0..3), etag()).prop_map(
            |([namespace, device, module], definition, fields, etag)| Operation::UpdateModule {
                namespace,
                device,
                module,
                definition,
                fields,
                etag,
            }
        ),
        (uniform3(text()), etag()).prop_map(|([namespace, device, module], etag)| Operation::DeleteModule {
            namespace,
            device,
            module,
            etag
        }),
        import_line().prop_map(|line| Operation::ImportDevice(Box::new(line))),
    ]
    .boxed()
}

fn operation_on_twins() -> BoxedStrategy<Operation> {
    let maybe = || option::of(text());
    prop_oneof![
        (key(), maybe(), maybe(), maybe()).prop_map(|(key, tags, desired, etag)| Operation::PatchTwin {
            key,
            tags,
            desired,
            etag
        }),
        (key(), maybe(), maybe(), maybe()).prop_map(|(key, tags, desired, etag)| Operation::ReplaceTwin {
            key,
            tags,
            desired,
            etag
        }),
        (key(), text(), number(), any::<bool>()).prop_map(|(key, reported, expected_version, from_device)| {
            Operation::ReportProperties { key, reported, expected_version, from_device }
        }),
    ]
    .boxed()
}

fn operation_on_assets() -> BoxedStrategy<Operation> {
    let fields = || vec(variant::<AssetField>(), 0..4);
    prop_oneof![
        (uniform3(text()), asset_definition(), any::<bool>()).prop_map(
            |([namespace, asset, uuid], definition, enabled)| Operation::CreateAsset {
                namespace,
                asset,
                definition: Box::new(definition),
                enabled,
                uuid,
            }
        ),
        (uniform2(text()), asset_definition(), option::of(any::<bool>()), fields(), option::of(text())).prop_map(
            |([namespace, asset], definition, enabled, fields, etag)| Operation::UpdateAsset {
                namespace,
                asset,
                definition: Box::new(definition),
                enabled,
                fields,
                etag,
            }
        ),
        (uniform2(text()), option::of(text())).prop_map(|([namespace, asset], etag)| Operation::DeleteAsset {
            namespace,
            asset,
            etag
        }),
        (uniform2(text()), asset_status()).prop_map(|([namespace, asset], status)| {
            Operation::UpdateAssetStatus { namespace, asset, status: Box::new(status) }
        }),
    ]
    .boxed()
}

fn operation_on_the_rest() -> BoxedStrategy<Operation> {
    let etag = || option::of(text());
    prop_oneof![
        (cluster(), option::of((text(), token())))
            .prop_map(|(cluster, token)| Operation::InitializeCluster { cluster, token }),
        (text(), any::<[u8; 32]>(), option::of((text(), token())))
            .prop_map(|(cluster_id, page_key, token)| { Operation::RestoreCluster { cluster_id, page_key, token } }),
        (text(), token()).prop_map(|(id, token)| Operation::CreateToken { id, token }),
        text().prop_map(|id| Operation::RevokeToken { id }),
        (uniform3(text()), option::of(any::<u64>())).prop_map(|([namespace, cursor, description], acknowledged)| {
            Operation::CreateCursor { namespace, cursor, description, acknowledged }
        }),
        (uniform2(text()), any::<u64>()).prop_map(|([namespace, cursor], revision)| {
            Operation::AcknowledgeCursor { namespace, cursor, revision }
        }),
        (uniform2(text()), option::of(text()))
            .prop_map(|([namespace, cursor], etag)| { Operation::DeleteCursor { namespace, cursor, etag } }),
        (uniform2(text()), saved_query_definition()).prop_map(|([namespace, query], definition)| {
            Operation::CreateSavedQuery { namespace, query, definition }
        }),
        (uniform2(text()), saved_query_definition(), vec(variant::<SavedQueryField>(), 0..3), etag()).prop_map(
            |([namespace, query], definition, fields, etag)| Operation::UpdateSavedQuery {
                namespace,
                query,
                definition,
                fields,
                etag,
            }
        ),
        (uniform2(text()), etag()).prop_map(|([namespace, query], etag)| Operation::DeleteSavedQuery {
            namespace,
            query,
            etag
        }),
        (option::of(text()), retention_policy(), etag())
            .prop_map(|(namespace, policy, etag)| Operation::SetRetention { namespace, policy, etag }),
        (option::of(text()), number()).prop_map(|(namespace, floor)| Operation::CompactEvents { namespace, floor }),
        (text(), namespace_definition())
            .prop_map(|(namespace, definition)| Operation::CreateNamespace { namespace, definition }),
        (text(), namespace_definition(), vec(variant::<NamespaceField>(), 0..4), etag()).prop_map(
            |(namespace, definition, fields, etag)| Operation::UpdateNamespace { namespace, definition, fields, etag }
        ),
        (text(), etag(), any::<bool>()).prop_map(|(namespace, etag, force)| Operation::DeleteNamespace {
            namespace,
            etag,
            force
        }),
    ]
    .boxed()
}

fn operation_on_nodes() -> BoxedStrategy<Operation> {
    prop_oneof![
        (node(), number()).prop_map(|(node, members_max)| Operation::AdmitNode { node: Box::new(node), members_max }),
        (number(), node()).prop_map(|(node_id, node)| Operation::UseJoinToken {
            node_id,
            token_hash: node.token_hash,
            nonce: node.nonce,
            peer_address: node.peer_address,
            client_address: node.client_address,
        }),
        number().prop_map(|node_id| Operation::PromoteNode { node_id }),
        (number(), text()).prop_map(|(node_id, name)| Operation::RemoveNode { node_id, name }),
        any::<u32>().prop_map(|level| Operation::RaiseFeatureLevel { level }),
    ]
    .boxed()
}

fn principal() -> BoxedStrategy<Principal> {
    let user = (text(), variant::<Role>(), option::of(text()), option::of(text()))
        .prop_map(|(name, role, namespace, token)| Principal::User { name, role, namespace, token });
    let device = (text(), text(), option::of(text())).prop_map(|(namespace, device, token)| Principal::Device {
        namespace,
        device,
        token,
    });
    let edge = (text(), text(), option::of(text())).prop_map(|(namespace, edge, token)| Principal::Edge {
        namespace,
        edge,
        token,
    });
    prop_oneof![number().prop_map(Principal::Node), user, device, edge].boxed()
}

/// Any request.
pub(in crate::store::codec::tests) fn request() -> BoxedStrategy<Request> {
    let operation = prop_oneof![
        operation_on_identities(),
        operation_on_twins(),
        operation_on_assets(),
        operation_on_the_rest(),
        operation_on_nodes(),
        super::edges::operation(),
        super::discovery::operation(),
    ];
    let command = (vec(operation, 0..4), any::<bool>()).prop_map(|(operations, atomic)| Command { operations, atomic });
    (principal(), text(), text(), uniform16(any::<u8>()), command)
        .prop_map(|(principal, origin, request_id, body_hash, command)| Request {
            principal,
            origin,
            request_id,
            body_hash,
            command,
        })
        .boxed()
}

/// Any outcome.
pub(in crate::store::codec::tests) fn outcome() -> BoxedStrategy<Outcome> {
    let accepted = (text(), uniform7(number()), any::<bool>()).prop_map(|(etag, numbers, finished)| {
        let [version, tags_version, desired_version, reported_version, deleted, ..] = numbers;
        OperationResult::Accepted(Accepted {
            etag,
            version,
            tags_version,
            desired_version,
            reported_version,
            deleted,
            finished,
        })
    });
    let rejected = (variant::<Reason>(), uniform3(text())).prop_map(|(reason, [field, message, current])| {
        OperationResult::Rejected(Rejection { reason, field, message, current })
    });
    (number(), vec(prop_oneof![accepted, rejected], 0..4))
        .prop_map(|(revision, results)| Outcome { revision, results })
        .boxed()
}
