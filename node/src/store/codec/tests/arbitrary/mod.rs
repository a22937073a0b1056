//! Strategies for every value that is stored: any that the domain's types can hold and a destination's rules allow.
//!
//! They are boxed: by value, the trees that proptest makes of them are larger than the stack of a test's thread.

use muster_domain::Key;
use muster_domain::device::SealedKey;
use proptest::array::{uniform2, uniform3};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::store::codec::enums::StoredEnum;

mod assets;
mod discovery;
mod edges;
mod identities;
mod records;
mod requests;
mod revisions;
mod settings;

pub(super) use records::{record, record_of, twin};
pub(super) use requests::{outcome, request};
pub(super) use revisions::revision;

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

fn key() -> BoxedStrategy<Key> {
    prop_oneof![
        Just(Key::Cluster),
        text().prop_map(Key::Token),
        uniform2(text()).prop_map(|[ns, cursor]| Key::Cursor(ns, cursor)),
        text().prop_map(Key::Namespace),
        uniform2(text()).prop_map(|[ns, query]| Key::SavedQuery(ns, query)),
        uniform2(text()).prop_map(|[ns, site]| Key::Site(ns, site)),
        uniform2(text()).prop_map(|[ns, edge]| Key::Edge(ns, edge)),
        uniform2(text()).prop_map(|[ns, edge]| Key::EdgeSession(ns, edge)),
        uniform3(text()).prop_map(|[ns, edge, device]| Key::DiscoveredDevice(ns, edge, device)),
        uniform3(text()).prop_map(|[ns, edge, asset]| Key::DiscoveredAsset(ns, edge, asset)),
        uniform2(text()).prop_map(|[ns, edge]| Key::DiscoveryCount(ns, edge)),
        Just(Key::Retention),
        text().prop_map(Key::NamespaceRetention),
        uniform2(text()).prop_map(|[ns, device]| Key::Device(ns, device)),
        uniform3(text()).prop_map(|[ns, device, module]| Key::Module(ns, device, module)),
        uniform2(text()).prop_map(|[ns, device]| Key::DeviceTwin(ns, device)),
        uniform3(text()).prop_map(|[ns, device, module]| Key::ModuleTwin(ns, device, module)),
        uniform2(text()).prop_map(|[ns, asset]| Key::Asset(ns, asset)),
        number().prop_map(Key::Node),
    ]
    .boxed()
}
