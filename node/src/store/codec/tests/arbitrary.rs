//! Strategies for every value that is stored: any that the domain's types can hold and a destination's rules allow.
//!
//! They are boxed: by value, the trees that proptest makes of them are larger than the stack of a test's thread.

use muster_domain::asset::{
    ActionType, Asset, AssetDefinition, AssetEvent, AssetField, AssetPart, AssetStatus, AssetStream, DataPoint,
    Dataset, Destination, DeviceRef, EventGroup, ManagementAction, ManagementGroup, MessageSchemaReference, PartStatus,
    StatusError, StatusErrorDetail, Target,
};
use muster_domain::cluster::Cluster;
use muster_domain::device::{
    Authentication, Device, DeviceDefinition, DeviceField, DeviceStatus, EndpointAuthentication, Endpoints,
    InboundEndpoint, OutboundEndpoint, SealedKey,
};
use muster_domain::import::{ImportIdentity, ImportLine, ImportMode};
use muster_domain::json::Json;
use muster_domain::module::{Module, ModuleDefinition, ModuleField};
use muster_domain::namespace::{Namespace, NamespaceDefinition, NamespaceField};
use muster_domain::policy::{Principal, Role};
use muster_domain::token::Token;
use muster_domain::twin::{Node, Section, Twin, Value};
use muster_domain::{Body, Command, Event, EventKind, Key, Limits, Operation, Reason, Record, Rejection, Tombstone};
use proptest::array::{uniform2, uniform3, uniform4, uniform7, uniform16, uniform32};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::outcome::{Accepted, OperationResult, Outcome};
use crate::request::Request;
use crate::store::codec::RevisionEntry;
use crate::store::codec::enums::StoredEnum;

fn text() -> BoxedStrategy<String> {
    prop_oneof![Just(String::new()), "[a-z]{1,8}", vec(any::<char>(), 0..6).prop_map(String::from_iter)].boxed()
}

/// Numbers of every length as a varint.
fn number() -> impl Strategy<Value = u64> + Clone {
    (any::<u64>(), 0..64_u32).prop_map(|(value, shift)| value >> shift)
}

/// Any variant of an enum.
fn variant<E: StoredEnum + std::fmt::Debug + 'static>() -> impl Strategy<Value = E> + Clone {
    select((0..100).filter_map(|number| E::from_number(number).ok()).collect::<Vec<_>>())
}

fn sealed() -> impl Strategy<Value = Option<SealedKey>> + Clone {
    option::of(vec(any::<u8>(), 0..40).prop_map(SealedKey))
}

fn cluster() -> BoxedStrategy<Cluster> {
    (text(), uniform32(any::<u8>()), uniform7(number()), any::<u32>())
        .prop_map(|(cluster_id, page_key, limits, feature_level)| Cluster {
            cluster_id,
            page_key,
            limits: Limits {
                tags_bytes_max: limits[0],
                desired_bytes_max: limits[1],
                reported_bytes_max: limits[2],
                value_bytes_max: limits[3],
                key_bytes_max: limits[4],
                depth_max: limits[5],
            },
            feature_level,
        })
        .boxed()
}

fn token() -> BoxedStrategy<Token> {
    let texts = (text(), option::of(text()), option::of(text()));
    (uniform32(any::<u8>()), texts, variant(), option::of(number()))
        .prop_map(|(hash, (description, namespace, device), role, expires_ms)| Token {
            hash,
            description,
            role,
            namespace,
            device,
            expires_ms,
        })
        .boxed()
}

fn namespace_definition() -> BoxedStrategy<NamespaceDefinition> {
    (text(), text(), btree_map(text(), text(), 0..3))
        .prop_map(|(display_name, description, labels)| NamespaceDefinition { display_name, description, labels })
        .boxed()
}

fn authentication() -> BoxedStrategy<Authentication> {
    prop_oneof![
        (sealed(), sealed()).prop_map(|(primary, secondary)| Authentication::Sas { primary, secondary }),
        (text(), text()).prop_map(|(primary_thumbprint, secondary_thumbprint)| Authentication::SelfSigned {
            primary_thumbprint,
            secondary_thumbprint
        }),
        Just(Authentication::CertificateAuthority),
        Just(Authentication::None),
    ]
    .boxed()
}

fn endpoint_authentication() -> BoxedStrategy<EndpointAuthentication> {
    prop_oneof![
        Just(EndpointAuthentication::Anonymous),
        uniform3(text()).prop_map(|[certificate_secret, key_secret, intermediates_secret]| {
            EndpointAuthentication::Certificate { certificate_secret, key_secret, intermediates_secret }
        }),
        uniform2(text()).prop_map(|[username_secret, password_secret]| {
            EndpointAuthentication::UsernamePassword { username_secret, password_secret }
        }),
    ]
    .boxed()
}

fn endpoints() -> BoxedStrategy<Endpoints> {
    let inbound = (uniform4(text()), endpoint_authentication(), text()).prop_map(
        |([address, endpoint_type, version, additional_configuration], authentication, trust_list)| InboundEndpoint {
            address,
            endpoint_type,
            version,
            additional_configuration,
            authentication,
            trust_list,
        },
    );
    let outbound = || {
        let endpoint =
            uniform2(text()).prop_map(|[address, endpoint_type]| OutboundEndpoint { address, endpoint_type });
        btree_map(text(), endpoint, 0..3)
    };
    (btree_map(text(), inbound, 0..3), outbound(), outbound())
        .prop_map(|(inbound, outbound_assigned, outbound_unassigned)| Endpoints {
            inbound,
            outbound_assigned,
            outbound_unassigned,
        })
        .boxed()
}

fn device_definition() -> BoxedStrategy<DeviceDefinition> {
    let texts = uniform16(text());
    (variant(), authentication(), any::<bool>(), vec(text(), 0..3), texts, endpoints())
        .prop_map(|(status, authentication, iot_edge, parent_scopes, texts, endpoints)| {
            let [
                status_reason,
                device_scope,
                external_device_id,
                manufacturer,
                model,
                operating_system,
                operating_system_version,
                attributes,
                discovered_device_ref,
                uuid,
                ..,
            ] = texts;
            DeviceDefinition {
                status,
                status_reason,
                authentication,
                iot_edge,
                device_scope,
                parent_scopes,
                external_device_id,
                manufacturer,
                model,
                operating_system,
                operating_system_version,
                attributes,
                endpoints,
                discovered_device_ref,
                uuid,
            }
        })
        .boxed()
}

fn module_definition() -> BoxedStrategy<ModuleDefinition> {
    (text(), authentication())
        .prop_map(|(managed_by, authentication)| ModuleDefinition { managed_by, authentication })
        .boxed()
}

fn destinations() -> BoxedStrategy<Vec<Destination>> {
    let target = prop_oneof![
        (text(), option::of(0..2_u8), option::of(any::<bool>())).prop_map(|(topic, qos, retain)| Target::Mqtt {
            topic,
            qos,
            retain
        }),
        text().prop_map(|key| Target::BrokerStateStore { key }),
        text().prop_map(|path| Target::Storage { path }),
    ];
    vec((target, number()).prop_map(|(target, ttl_seconds)| Destination { target, ttl_seconds }), 0..3).boxed()
}

fn datasets() -> BoxedStrategy<Vec<Dataset>> {
    let point = uniform4(text()).prop_map(|[name, data_source, configuration, type_ref]| DataPoint {
        name,
        data_source,
        configuration,
        type_ref,
    });
    let dataset = (uniform4(text()), destinations(), vec(point, 0..3)).prop_map(
        |([name, data_source, configuration, type_ref], destinations, data_points)| Dataset {
            name,
            data_source,
            configuration,
            destinations,
            type_ref,
            data_points,
        },
    );
    vec(dataset, 0..3).boxed()
}

fn event_groups() -> BoxedStrategy<Vec<EventGroup>> {
    let event =
        (uniform4(text()), destinations()).prop_map(|([name, data_source, configuration, type_ref], destinations)| {
            AssetEvent { name, data_source, configuration, destinations, type_ref }
        });
    let group = (uniform4(text()), destinations(), vec(event, 0..3)).prop_map(
        |([name, data_source, configuration, type_ref], default_destinations, events)| EventGroup {
            name,
            data_source,
            configuration,
            type_ref,
            default_destinations,
            events,
        },
    );
    vec(group, 0..3).boxed()
}

fn streams() -> BoxedStrategy<Vec<AssetStream>> {
    let stream = (uniform3(text()), destinations()).prop_map(|([name, configuration, type_ref], destinations)| {
        AssetStream { name, configuration, destinations, type_ref }
    });
    vec(stream, 0..3).boxed()
}

fn management_groups() -> BoxedStrategy<Vec<ManagementGroup>> {
    let kind = select(vec![ActionType::Call, ActionType::Read, ActionType::Write]);
    let action = (uniform7(text()), kind, any::<u32>()).prop_map(|(texts, action_type, timeout_seconds)| {
        let [name, target_uri, topic, configuration, type_ref, ..] = texts;
        ManagementAction { name, target_uri, action_type, topic, timeout_seconds, configuration, type_ref }
    });
    let group =
        (uniform7(text()), any::<u32>(), vec(action, 0..3)).prop_map(|(texts, default_timeout_seconds, actions)| {
            let [name, default_topic, data_source, configuration, type_ref, ..] = texts;
            ManagementGroup {
                name,
                default_topic,
                default_timeout_seconds,
                actions,
                data_source,
                configuration,
                type_ref,
            }
        });
    vec(group, 0..3).boxed()
}

fn asset_definition() -> BoxedStrategy<AssetDefinition> {
    let lists = (vec(text(), 0..3), vec(text(), 0..3));
    let defaults = uniform3(destinations());
    let parts = (datasets(), event_groups(), streams(), management_groups());
    (uniform2(text()), uniform16(text()), lists, defaults, parts)
        .prop_map(|([device, endpoint], texts, lists, defaults, parts)| {
            let [
                external_asset_id,
                display_name,
                description,
                manufacturer,
                manufacturer_uri,
                model,
                product_code,
                serial_number,
                hardware_revision,
                software_revision,
                documentation_uri,
                attributes,
                default_datasets_configuration,
                default_events_configuration,
                default_streams_configuration,
                default_management_groups_configuration,
            ] = texts;
            let (asset_type_refs, discovered_asset_refs) = lists;
            let [default_datasets_destinations, default_events_destinations, default_streams_destinations] = defaults;
            let (datasets, event_groups, streams, management_groups) = parts;
            AssetDefinition {
                device_ref: DeviceRef { device, endpoint },
                external_asset_id,
                display_name,
                description,
                manufacturer,
                manufacturer_uri,
                model,
                product_code,
                serial_number,
                hardware_revision,
                software_revision,
                documentation_uri,
                asset_type_refs,
                attributes,
                discovered_asset_refs,
                default_datasets_configuration,
                default_events_configuration,
                default_streams_configuration,
                default_management_groups_configuration,
                default_datasets_destinations,
                default_events_destinations,
                default_streams_destinations,
                datasets,
                event_groups,
                streams,
                management_groups,
            }
        })
        .boxed()
}

fn status_error() -> BoxedStrategy<Option<StatusError>> {
    let detail = uniform4(text()).prop_map(|[code, correlation_id, info, message]| StatusErrorDetail {
        code,
        correlation_id,
        info,
        message,
    });
    let error =
        (text(), text(), vec(detail, 0..3)).prop_map(|(code, message, details)| StatusError { code, message, details });
    option::of(error).boxed()
}

fn asset_status() -> BoxedStrategy<AssetStatus> {
    let part = prop_oneof![
        text().prop_map(AssetPart::Dataset),
        (text(), text()).prop_map(|(group, name)| AssetPart::Event(group, name)),
        text().prop_map(AssetPart::Stream),
        (text(), text()).prop_map(|(group, name)| AssetPart::ManagementAction(group, name)),
    ];
    let schema = uniform3(text()).prop_map(|[schema_registry_namespace, schema_name, schema_version]| {
        MessageSchemaReference { schema_registry_namespace, schema_name, schema_version }
    });
    let status =
        (status_error(), option::of(schema)).prop_map(|(error, message_schema)| PartStatus { error, message_schema });
    (number(), number(), status_error(), btree_map(part, status, 0..4))
        .prop_map(|(config_version, config_last_transition_ms, config_error, parts)| AssetStatus {
            config_version,
            config_last_transition_ms,
            config_error,
            parts,
        })
        .boxed()
}

fn float() -> impl Strategy<Value = f64> + Clone {
    use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

fn json() -> BoxedStrategy<Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(Json::Int),
        float().prop_map(Json::Float),
        text().prop_map(Json::String),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::Array),
            btree_map(text(), inner, 0..4).prop_map(Json::Object),
        ]
    })
    .boxed()
}

/// When something was touched: few different times, so that some equal those of what they lie in.
fn touch() -> impl Strategy<Value = (u64, u64)> + Clone {
    let one = || prop_oneof![3 => 1_795_000_000_000_u64..1_795_000_000_003, 1 => number()];
    (one(), prop_oneof![3 => 0..3_u64, 1 => number()])
}

fn node() -> BoxedStrategy<Node> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        float().prop_map(Value::Float),
        text().prop_map(Value::String),
        vec(json(), 0..4).prop_map(Value::Array),
    ];
    let node = |(value, (updated_ms, updated_version))| Node { updated_ms, updated_version, value };
    (leaf, touch())
        .prop_map(node)
        .prop_recursive(4, 24, 4, move |inner| {
            (btree_map(text(), inner, 0..4).prop_map(Value::Object), touch()).prop_map(node)
        })
        .boxed()
}

fn section() -> BoxedStrategy<Section> {
    let some = (touch(), option::of(number()), btree_map(text(), node(), 0..4)).prop_map(
        |((updated_ms, version), updated_version, members)| Section {
            version,
            updated_ms,
            updated_version: updated_version.unwrap_or(version),
            members,
        },
    );
    prop_oneof![1 => Just(Section::default()), 9 => some].boxed()
}

/// A twin.
pub(super) fn twin() -> BoxedStrategy<Body> {
    (number(), section(), section(), section())
        .prop_map(|(version, tags, desired, reported)| Body::Twin(Twin { version, tags, desired, reported }))
        .boxed()
}

fn body() -> BoxedStrategy<Body> {
    let device = (device_definition(), number(), number())
        .prop_map(|(definition, status_updated_ms, version)| Device { definition, status_updated_ms, version });
    let module = (module_definition(), number()).prop_map(|(definition, version)| Module { definition, version });
    let asset = (asset_definition(), any::<bool>(), text(), uniform3(number()), asset_status()).prop_map(
        |(definition, enabled, uuid, [version, last_transition_ms, status_updated_ms], status)| Asset {
            definition,
            enabled,
            uuid,
            version,
            last_transition_ms,
            status,
            status_updated_ms,
        },
    );
    let tombstone = uniform4(number()).prop_map(|[version, tags_version, desired_version, reported_version]| {
        Tombstone { version, tags_version, desired_version, reported_version }
    });
    prop_oneof![
        cluster().prop_map(Body::Cluster),
        token().prop_map(Body::Token),
        (namespace_definition(), any::<bool>())
            .prop_map(|(definition, deleting)| Body::Namespace(Namespace { definition, deleting })),
        device.prop_map(|device| Body::Device(Box::new(device))),
        module.prop_map(Body::Module),
        twin(),
        asset.prop_map(|asset| Body::Asset(Box::new(asset))),
        tombstone.prop_map(Body::Deleted),
    ]
    .boxed()
}

/// A record of such a body.
pub(super) fn record_of(body: impl Strategy<Value = Body> + 'static) -> BoxedStrategy<Record> {
    (uniform4(number()), body)
        .prop_map(|([created_revision, created_ms, updated_revision, updated_ms], body)| Record {
            created_revision,
            created_ms,
            updated_revision,
            updated_ms,
            body,
        })
        .boxed()
}

/// Any record.
pub(super) fn record() -> BoxedStrategy<Record> {
    record_of(body())
}

fn key() -> BoxedStrategy<Key> {
    prop_oneof![
        Just(Key::Cluster),
        text().prop_map(Key::Token),
        text().prop_map(Key::Namespace),
        uniform2(text()).prop_map(|[ns, device]| Key::Device(ns, device)),
        uniform3(text()).prop_map(|[ns, device, module]| Key::Module(ns, device, module)),
        uniform2(text()).prop_map(|[ns, device]| Key::DeviceTwin(ns, device)),
        uniform3(text()).prop_map(|[ns, device, module]| Key::ModuleTwin(ns, device, module)),
        uniform2(text()).prop_map(|[ns, asset]| Key::Asset(ns, asset)),
    ]
    .boxed()
}

fn event_kind() -> BoxedStrategy<EventKind> {
    let maybe = || option::of(text());
    let about_devices = prop_oneof![
        device_definition().prop_map(|definition| EventKind::DeviceCreated(Box::new(definition))),
        device_definition().prop_map(|definition| EventKind::DeviceUpdated(Box::new(definition))),
        (variant(), text()).prop_map(|(status, reason)| EventKind::DeviceStatusChanged { status, reason }),
        (sealed(), sealed()).prop_map(|(primary, secondary)| EventKind::DeviceKeysRegenerated { primary, secondary }),
        Just(EventKind::DeviceDeleted),
        module_definition().prop_map(EventKind::ModuleCreated),
        module_definition().prop_map(EventKind::ModuleUpdated),
        (sealed(), sealed()).prop_map(|(primary, secondary)| EventKind::ModuleKeysRegenerated { primary, secondary }),
        Just(EventKind::ModuleDeleted),
    ];
    let about_twins = prop_oneof![
        Just(EventKind::TwinCreated),
        (maybe(), maybe()).prop_map(|(tags, desired)| EventKind::TwinPatched { tags, desired }),
        (maybe(), maybe(), maybe()).prop_map(|(tags, desired, reported)| EventKind::TwinReplaced {
            tags,
            desired,
            reported
        }),
        text().prop_map(EventKind::TwinReported),
        Just(EventKind::TwinDeleted),
    ];
    let about_assets = prop_oneof![
        (asset_definition(), any::<bool>(), text()).prop_map(|(definition, enabled, uuid)| {
            EventKind::AssetCreated { definition: Box::new(definition), enabled, uuid }
        }),
        (asset_definition(), any::<bool>())
            .prop_map(|(definition, enabled)| EventKind::AssetUpdated { definition: Box::new(definition), enabled }),
        asset_status().prop_map(|status| EventKind::AssetStatusUpdated(Box::new(status))),
        Just(EventKind::AssetDeleted),
    ];
    let about_the_rest = prop_oneof![
        cluster().prop_map(EventKind::ClusterInitialized),
        token().prop_map(EventKind::TokenCreated),
        Just(EventKind::TokenRevoked),
        namespace_definition().prop_map(EventKind::NamespaceCreated),
        namespace_definition().prop_map(EventKind::NamespaceUpdated),
        Just(EventKind::NamespaceDeleting),
        Just(EventKind::NamespaceDeleted),
    ];
    prop_oneof![about_devices, about_twins, about_assets, about_the_rest].boxed()
}

/// Any revision.
pub(super) fn revision() -> BoxedStrategy<RevisionEntry> {
    let event = (key(), event_kind()).prop_map(|(key, kind)| Event { key, kind });
    (number(), number(), uniform3(text()), vec(event, 0..4))
        .prop_map(|(revision, time_ms, [actor, origin, request_id], events)| RevisionEntry {
            revision,
            time_ms,
            actor,
            origin,
            request_id,
            events,
        })
        .boxed()
}

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
        (text(), token()).prop_map(|(id, token)| Operation::CreateToken { id, token }),
        text().prop_map(|id| Operation::RevokeToken { id }),
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

fn principal() -> BoxedStrategy<Principal> {
    let user = (text(), variant::<Role>(), option::of(text()), option::of(text()))
        .prop_map(|(name, role, namespace, token)| Principal::User { name, role, namespace, token });
    let device = (text(), text(), option::of(text())).prop_map(|(namespace, device, token)| Principal::Device {
        namespace,
        device,
        token,
    });
    prop_oneof![number().prop_map(Principal::Node), user, device].boxed()
}

/// Any request.
pub(super) fn request() -> BoxedStrategy<Request> {
    let operation =
        prop_oneof![operation_on_identities(), operation_on_twins(), operation_on_assets(), operation_on_the_rest(),];
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
pub(super) fn outcome() -> BoxedStrategy<Outcome> {
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
