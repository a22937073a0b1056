//! Records, twins above all.

use muster_domain::asset::Asset;
use muster_domain::device::Device;
use std::sync::Arc;

use muster_domain::json::Json;
use muster_domain::module::Module;
use muster_domain::namespace::Namespace;
use muster_domain::retention::Retention;
use muster_domain::saved_query::SavedQuery;
use muster_domain::twin::{Builder, Section, Touch, Twin};
use muster_domain::{Body, Record, Tombstone};
use proptest::array::{uniform3, uniform4};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::assets::{asset_definition, asset_status};
use super::identities::{device_definition, module_definition};
use super::settings::{cluster, cursor, namespace_definition, node, retention_policy, saved_query_definition, token};
use super::{number, text};

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
fn touch() -> impl Strategy<Value = Touch> + Clone {
    let one = || prop_oneof![3 => 1_795_000_000_000_u64..1_795_000_000_003, 1 => number()];
    (one(), prop_oneof![3 => 0..3_u64, 1 => number()]).prop_map(|(time_ms, version)| Touch { time_ms, version })
}

/// A member to be built: a plain value, or an object whose members have traces of their own.
#[derive(Debug, Clone)]
enum Tree {
    Plain(Json),
    Object(Vec<(String, Touch, Tree)>),
}

fn plain(out: &mut Builder, name: &str, touch: Touch, value: &Json) {
    let inner = Touch::default();
    match value {
        Json::Null => out.null(name, touch),
        Json::Bool(value) => out.bool(name, touch, *value),
        Json::Int(value) => out.int(name, touch, *value),
        Json::Float(value) => out.float(name, touch, *value),
        Json::String(value) => out.string(name, touch, value),
        Json::Array(items) => {
            out.open_array(name, touch);
            items.iter().for_each(|item| plain(out, "", inner, item));
            out.close().expect("no names");
        }
        Json::Object(members) => {
            out.open_object(name, touch);
            members.iter().for_each(|(name, value)| plain(out, name, inner, value));
            out.close().expect("ordered names");
        }
    }
}

fn build(out: &mut Builder, members: &[(String, Touch, Tree)]) {
    for (name, touch, value) in members {
        match value {
            Tree::Plain(value) => plain(out, name, *touch, value),
            Tree::Object(members) => {
                out.open_object(name, *touch);
                build(out, members);
                out.close().expect("ordered names");
            }
        }
    }
}

fn tree() -> BoxedStrategy<Tree> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(Json::Int),
        float().prop_map(Json::Float),
        text().prop_map(Json::String),
        vec(json(), 0..4).prop_map(Json::Array),
    ];
    leaf.prop_map(Tree::Plain)
        .prop_recursive(4, 24, 4, move |inner| {
            btree_map(text(), (touch(), inner), 0..4).prop_map(members).prop_map(Tree::Object)
        })
        .boxed()
}

fn members(members: std::collections::BTreeMap<String, (Touch, Tree)>) -> Vec<(String, Touch, Tree)> {
    members.into_iter().map(|(name, (touch, value))| (name, touch, value)).collect()
}

fn section() -> BoxedStrategy<Section> {
    let some = (touch(), option::of(number()), btree_map(text(), (touch(), tree()), 0..4).prop_map(members)).prop_map(
        |(touch, updated_version, members)| {
            let mut document = Builder::default();
            build(&mut document, &members);
            Section {
                version: touch.version,
                updated_ms: touch.time_ms,
                updated_version: updated_version.unwrap_or(touch.version),
                document: document.finish().expect("ordered names"),
            }
        },
    );
    prop_oneof![1 => Just(Section::default()), 9 => some].boxed()
}

/// A twin.
pub(in crate::store::codec::tests) fn twin() -> BoxedStrategy<Body> {
    (number(), section().prop_map(Arc::new), section().prop_map(Arc::new), section().prop_map(Arc::new))
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
        cursor().prop_map(Body::Cursor),
        (saved_query_definition(), number())
            .prop_map(|(definition, version)| Body::SavedQuery(SavedQuery { definition, version })),
        (namespace_definition(), any::<bool>())
            .prop_map(|(definition, deleting)| Body::Namespace(Namespace { definition, deleting })),
        device.prop_map(|device| Body::Device(Box::new(device))),
        module.prop_map(Body::Module),
        twin(),
        asset.prop_map(|asset| Body::Asset(Box::new(asset))),
        node().prop_map(|node| Body::Node(Box::new(node))),
        super::edges::body(),
        super::discovery::body(),
        tombstone.prop_map(Body::Deleted),
        (retention_policy(), number()).prop_map(|(policy, floor)| Body::Retention(Retention { policy, floor })),
    ]
    .boxed()
}

/// A record of such a body.
pub(in crate::store::codec::tests) fn record_of(body: impl Strategy<Value = Body> + 'static) -> BoxedStrategy<Record> {
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
pub(in crate::store::codec::tests) fn record() -> BoxedStrategy<Record> {
    record_of(body())
}
