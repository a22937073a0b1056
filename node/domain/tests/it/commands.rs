//! Random operations and commands, over few ids so that they meet, with flaws now and then. It knows no laws.

use muster_domain::asset::{AssetDefinition, AssetField, AssetPart, AssetStatus, PartStatus};
use muster_domain::device::{Authentication, DeviceDefinition, DeviceField, DeviceStatus, SealedKey};
use muster_domain::import::{ImportIdentity, ImportLine, ImportMode};
use muster_domain::module::{ModuleDefinition, ModuleField};
use muster_domain::namespace::{NamespaceDefinition, NamespaceField};
use muster_domain::policy::Role;
use muster_domain::saved_query::{SavedQueryDefinition, SavedQueryField};
use muster_domain::{Key, Operation};
use proptest::prelude::*;

use crate::asset::{asset_definition, full_definition};
use crate::memory::{device_definition, endpoint, sas};
use crate::token::token;

mod discovery;
mod edges;

/// One of the ids that the operations share, so that they meet; now and then any text.
fn id(known: &'static [&'static str]) -> BoxedStrategy<String> {
    prop_oneof![19 => prop::sample::select(known).prop_map(str::to_owned), 1 => any::<String>()].boxed()
}

fn namespace() -> BoxedStrategy<String> {
    id(&["plant", "plant", "depot"])
}

fn device() -> BoxedStrategy<String> {
    id(&["press", "drill"])
}

fn module() -> BoxedStrategy<String> {
    id(&["vision", "$edgeAgent"])
}

fn asset() -> BoxedStrategy<String> {
    id(&["oven", "kiln"])
}

/// Mostly none; else one that matches, never matches, or may match.
fn etag() -> BoxedStrategy<Option<String>> {
    prop_oneof![
        6 => Just(None),
        1 => Just(Some("*".to_owned())),
        2 => (1u64..40).prop_map(|revision| Some(revision.to_string())),
        1 => any::<String>().prop_map(Some),
    ]
    .boxed()
}

fn document() -> BoxedStrategy<String> {
    let known = prop::sample::select(vec![
        "{}",
        r#"{"a":1}"#,
        r#"{"a":{"b":[1,{"c":true}],"d":null}}"#,
        r#"{"a":{"b":{"c":{"d":1.5}}},"e":"x"}"#,
        r#"{"a":null,"e":null}"#,
        r#"{"$metadata":{"$lastUpdated":"x"},"$version":3,"a":{"$metadata":1,"f":false}}"#,
        r#"{"bad key":1}"#,
        r#"{"a":9007199254740993}"#,
        "[]",
        "{",
    ]);
    prop_oneof![9 => known.prop_map(str::to_owned), 1 => any::<String>()].boxed()
}

fn key_bytes() -> BoxedStrategy<Option<u8>> {
    prop::option::of(any::<u8>()).boxed()
}

fn authentication() -> BoxedStrategy<Authentication> {
    let self_signed = |digits: &str| Authentication::SelfSigned {
        primary_thumbprint: digits.repeat(20),
        secondary_thumbprint: String::new(),
    };
    prop_oneof![
        4 => (key_bytes(), key_bytes()).prop_map(|(primary, secondary)| sas(primary, secondary)),
        1 => Just(self_signed("a1")),
        1 => Just(self_signed("zz")),
        1 => Just(Authentication::CertificateAuthority),
        1 => Just(Authentication::None),
    ]
    .boxed()
}

fn device_body() -> BoxedStrategy<DeviceDefinition> {
    let endpoints = prop::collection::vec(prop::sample::select(vec!["opc", "opc", "onvif", ""]), 0..3);
    let scope = prop::sample::select(vec!["", "", "ms-azure-iot-edge://press-3", "other"]);
    let parents = prop::collection::vec(prop::sample::select(vec!["other", "top"]), 0..3);
    (authentication(), endpoints, any::<bool>(), any::<bool>(), scope, parents, document(), 0usize..300)
        .prop_map(|(authentication, endpoints, disabled, iot_edge, scope, parents, attributes, length)| {
            let mut definition = DeviceDefinition {
                status: if disabled { DeviceStatus::Disabled } else { DeviceStatus::Enabled },
                authentication,
                iot_edge,
                device_scope: scope.into(),
                parent_scopes: parents.into_iter().map(str::to_owned).collect(),
                attributes,
                model: "m".repeat(length),
                ..device_definition()
            };
            definition.endpoints.inbound = endpoints.into_iter().map(|name| (name.to_owned(), endpoint())).collect();
            definition
        })
        .boxed()
}

/// Mostly without flaw, so that runs get somewhere.
fn device_definitions() -> BoxedStrategy<DeviceDefinition> {
    let good = (any::<bool>(), authentication(), 0u8..4).prop_map(|(iot_edge, authentication, endpoints)| {
        let mut definition = DeviceDefinition { iot_edge, authentication, ..device_definition() };
        if endpoints > 0 {
            definition.endpoints.inbound.insert("opc".into(), endpoint());
        }
        definition
    });
    prop_oneof![2 => good, 1 => device_body()].boxed()
}

fn asset_body() -> BoxedStrategy<AssetDefinition> {
    let base = || {
        (device(), any::<bool>()).prop_map(
            |(device, full)| {
                if full { full_definition(&device) } else { asset_definition(&device) }
            },
        )
    };
    let names = prop::collection::vec(prop::sample::select(vec!["heat", "cold", "wet"]), 0..4);
    let varied = (base(), names, document()).prop_map(|(mut definition, datasets, attributes)| {
        for name in datasets {
            let mut dataset = full_definition("x").datasets.remove(0);
            dataset.name = name.into();
            definition.datasets.push(dataset);
        }
        definition.attributes = attributes;
        definition
    });
    prop_oneof![varied, base()].boxed()
}

fn asset_status() -> BoxedStrategy<AssetStatus> {
    let part = prop::sample::select(vec![
        AssetPart::Dataset("heat".into()),
        AssetPart::Dataset("cold".into()),
        AssetPart::Event("alarms".into(), "hot".into()),
        AssetPart::Stream("video".into()),
        AssetPart::ManagementAction("control".into(), "stop".into()),
    ]);
    (0u64..4, prop::collection::btree_map(part, Just(PartStatus::default()), 0..3))
        .prop_map(|(config_version, parts)| AssetStatus { config_version, parts, ..AssetStatus::default() })
        .boxed()
}

fn subset<T: Clone + std::fmt::Debug + 'static>(all: Vec<T>) -> BoxedStrategy<Vec<T>> {
    let count = all.len();
    prop_oneof![Just(all.clone()), prop::sample::subsequence(all, 0..=count)].boxed()
}

fn identity_key() -> BoxedStrategy<Key> {
    prop_oneof![
        (namespace(), device()).prop_map(|(ns, device)| Key::Device(ns, device)),
        (namespace(), device(), module()).prop_map(|(ns, device, module)| Key::Module(ns, device, module)),
        Just(Key::Cluster),
    ]
    .boxed()
}

fn twin_keys() -> BoxedStrategy<Key> {
    identity_key().prop_map(|key| key.twin().unwrap_or(key)).boxed()
}

fn on_namespaces() -> BoxedStrategy<Operation> {
    let definition = || {
        (0usize..300).prop_map(|length| NamespaceDefinition {
            display_name: "n".repeat(length),
            ..NamespaceDefinition::default()
        })
    };
    let fields = subset(NamespaceField::ALL.map(|(field, _)| field).to_vec());
    prop_oneof![
        3 => (namespace(), definition())
            .prop_map(|(namespace, definition)| Operation::CreateNamespace { namespace, definition }),
        1 => (namespace(), definition(), fields, etag()).prop_map(|(namespace, definition, fields, etag)| {
            Operation::UpdateNamespace { namespace, definition, fields, etag }
        }),
        1 => (namespace(), etag(), any::<bool>())
            .prop_map(|(namespace, etag, force)| Operation::DeleteNamespace { namespace, etag, force }),
    ]
    .boxed()
}

fn on_devices() -> BoxedStrategy<Operation> {
    let fields = subset(DeviceField::ALL.map(|(field, _)| field).to_vec());
    prop_oneof![
        3 => (namespace(), device(), device_definitions()).prop_map(|(namespace, device, definition)| {
            Operation::CreateDevice { namespace, device, definition: Box::new(definition) }
        }),
        2 => (namespace(), device(), device_definitions(), fields, etag()).prop_map(
            |(namespace, device, definition, fields, etag)| Operation::UpdateDevice {
                namespace,
                device,
                definition: Box::new(definition),
                fields,
                etag,
            }
        ),
        1 => (namespace(), device(), any::<bool>(), etag()).prop_map(|(namespace, device, disabled, etag)| {
            let status = if disabled { DeviceStatus::Disabled } else { DeviceStatus::Enabled };
            Operation::SetDeviceStatus { namespace, device, status, reason: String::new(), etag }
        }),
        1 => (namespace(), device(), etag())
            .prop_map(|(namespace, device, etag)| Operation::DeleteDevice { namespace, device, etag }),
        1 => (identity_key(), key_bytes(), key_bytes(), etag()).prop_map(|(key, primary, secondary, etag)| {
            let sealed = |byte: Option<u8>| byte.map(|byte| SealedKey(vec![byte]));
            Operation::RegenerateKeys { key, primary: sealed(primary), secondary: sealed(secondary), etag }
        }),
    ]
    .boxed()
}

fn on_modules() -> BoxedStrategy<Operation> {
    let definition = || {
        authentication().prop_map(|authentication| ModuleDefinition { managed_by: "IotEdge".into(), authentication })
    };
    let fields = subset(ModuleField::ALL.map(|(field, _)| field).to_vec());
    prop_oneof![
        3 => (namespace(), device(), module(), definition()).prop_map(
            |(namespace, device, module, definition)| Operation::CreateModule {
                namespace,
                device,
                module,
                definition,
            }
        ),
        1 => (namespace(), device(), module(), definition(), fields, etag()).prop_map(
            |(namespace, device, module, definition, fields, etag)| Operation::UpdateModule {
                namespace,
                device,
                module,
                definition,
                fields,
                etag,
            }
        ),
        1 => (namespace(), device(), module(), etag()).prop_map(|(namespace, device, module, etag)| {
            Operation::DeleteModule { namespace, device, module, etag }
        }),
    ]
    .boxed()
}

fn on_twins() -> BoxedStrategy<Operation> {
    let section = || prop::option::of(document());
    prop_oneof![
        (twin_keys(), section(), section(), etag()).prop_map(|(key, tags, desired, etag)| Operation::PatchTwin {
            key,
            tags,
            desired,
            etag
        }),
        (twin_keys(), section(), section(), etag()).prop_map(|(key, tags, desired, etag)| Operation::ReplaceTwin {
            key,
            tags,
            desired,
            etag
        }),
        (twin_keys(), document(), 0u64..4, any::<bool>()).prop_map(|(key, reported, expected_version, from_device)| {
            Operation::ReportProperties { key, reported, expected_version, from_device }
        }),
    ]
    .boxed()
}

fn imports() -> BoxedStrategy<Operation> {
    let mode = prop::sample::select(vec![
        ImportMode::CreateOrUpdate,
        ImportMode::Create,
        ImportMode::Update,
        ImportMode::UpdateIfMatchEtag,
        ImportMode::CreateOrUpdateIfMatchEtag,
        ImportMode::Delete,
        ImportMode::DeleteIfMatchEtag,
        ImportMode::UpdateTwin,
        ImportMode::UpdateTwinIfMatchEtag,
    ]);
    let identity = prop_oneof![
        device_definitions().prop_map(|definition| ImportIdentity::Device(Box::new(definition))),
        (module(), authentication()).prop_map(|(module, authentication)| ImportIdentity::Module {
            module,
            definition: ModuleDefinition { managed_by: String::new(), authentication },
        }),
    ];
    let section = || prop::option::of(document());
    let etags = (etag(), etag());
    (mode, namespace(), device(), identity, etags, section(), section(), section())
        .prop_map(|(mode, namespace, device, identity, (etag, twin_etag), tags, desired, reported)| {
            Operation::ImportDevice(Box::new(ImportLine {
                mode,
                namespace,
                device,
                identity,
                etag: etag.unwrap_or_default(),
                twin_etag: twin_etag.unwrap_or_default(),
                tags,
                desired,
                reported,
            }))
        })
        .boxed()
}

fn on_assets() -> BoxedStrategy<Operation> {
    let fields = subset(AssetField::ALL.map(|(field, _)| field).to_vec());
    prop_oneof![
        3 => (namespace(), asset(), asset_body(), any::<bool>()).prop_map(
            |(namespace, asset, definition, enabled)| Operation::CreateAsset {
                namespace,
                asset,
                definition: Box::new(definition),
                enabled,
                uuid: String::new(),
            }
        ),
        2 => (namespace(), asset(), asset_body(), prop::option::of(any::<bool>()), fields, etag()).prop_map(
            |(namespace, asset, definition, enabled, fields, etag)| Operation::UpdateAsset {
                namespace,
                asset,
                definition: Box::new(definition),
                enabled,
                fields,
                etag,
            }
        ),
        1 => (namespace(), asset(), etag())
            .prop_map(|(namespace, asset, etag)| Operation::DeleteAsset { namespace, asset, etag }),
        2 => (namespace(), asset(), asset_status()).prop_map(|(namespace, asset, status)| {
            Operation::UpdateAssetStatus { namespace, asset, status: Box::new(status) }
        }),
    ]
    .boxed()
}

/// Operations that meet on the asset `oven`, so that status and definition get out of step often.
pub(crate) fn on_one_asset() -> BoxedStrategy<Operation> {
    on_assets()
        .prop_map(|mut operation| {
            if let Operation::CreateAsset { namespace, asset, .. }
            | Operation::UpdateAsset { namespace, asset, .. }
            | Operation::DeleteAsset { namespace, asset, .. }
            | Operation::UpdateAssetStatus { namespace, asset, .. } = &mut operation
            {
                *namespace = "plant".into();
                *asset = "oven".into();
            }
            operation
        })
        .boxed()
}

fn on_tokens() -> BoxedStrategy<Operation> {
    let ids = || id(&["ci", "ops"]);
    prop_oneof![
        (ids(), prop::option::of(namespace())).prop_map(|(id, namespace)| Operation::CreateToken {
            id,
            token: token(Role::Viewer, namespace.as_deref(), None),
        }),
        ids().prop_map(|id| Operation::RevokeToken { id }),
    ]
    .boxed()
}

fn on_cursors() -> BoxedStrategy<Operation> {
    let ids = || id(&["feed", "audit"]);
    let place = || prop_oneof![Just(String::new()), namespace()];
    prop_oneof![
        (place(), ids(), prop::option::of(0..40_u64)).prop_map(|(namespace, cursor, acknowledged)| {
            Operation::CreateCursor { namespace, cursor, description: String::new(), acknowledged }
        }),
        (place(), ids(), 0..60_u64)
            .prop_map(|(namespace, cursor, revision)| { Operation::AcknowledgeCursor { namespace, cursor, revision } }),
        (place(), ids()).prop_map(|(namespace, cursor)| Operation::DeleteCursor { namespace, cursor, etag: None }),
    ]
    .boxed()
}

fn on_saved_queries() -> BoxedStrategy<Operation> {
    let ids = || id(&["low", "hot"]);
    let definition = || {
        prop_oneof![Just("SELECT * FROM devices"), Just("")]
            .prop_map(|text| SavedQueryDefinition { text: text.to_owned(), description: String::new() })
    };
    prop_oneof![
        3 => (namespace(), ids(), definition()).prop_map(|(namespace, query, definition)| {
            Operation::CreateSavedQuery { namespace, query, definition }
        }),
        2 => (namespace(), ids(), definition()).prop_map(|(namespace, query, definition)| {
            let fields = vec![SavedQueryField::Text];
            Operation::UpdateSavedQuery { namespace, query, definition, fields, etag: None }
        }),
        1 => (namespace(), ids()).prop_map(|(namespace, query)| {
            Operation::DeleteSavedQuery { namespace, query, etag: None }
        }),
    ]
    .boxed()
}

fn operation() -> BoxedStrategy<Operation> {
    prop_oneof![
        3 => on_namespaces(),
        8 => on_devices(),
        5 => on_modules(),
        5 => on_twins(),
        6 => imports(),
        8 => on_assets(),
        1 => on_tokens(),
        2 => on_cursors(),
        2 => on_saved_queries(),
        10 => edges::around_edges(),
        8 => discovery::around_discovery(),
    ]
    .boxed()
}

/// Commands of one to three operations, each with whether it is all or nothing.
pub(crate) fn commands() -> impl Strategy<Value = Vec<(Vec<Operation>, bool)>> {
    prop::collection::vec((prop::collection::vec(operation(), 1..4), any::<bool>()), 1..60)
}
