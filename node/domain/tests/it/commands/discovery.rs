//! Random reports of discovered devices and assets, and what operators make of them.

use std::collections::BTreeMap;

use muster_domain::asset::{AssetDefinition, DeviceRef};
use muster_domain::discovery::{DiscoveredDeviceDefinition, DiscoveredEndpoint, Report};
use muster_domain::edge::UplinkChange;
use muster_domain::{Key, Operation};
use proptest::prelude::*;

use super::{etag, id, namespace};

fn edge() -> BoxedStrategy<String> {
    id(&["hall", "hall", "dock"])
}

fn found_device() -> BoxedStrategy<String> {
    id(&["press", "plc", "cam"])
}

fn found_asset() -> BoxedStrategy<String> {
    id(&["oven", "belt"])
}

fn mark() -> BoxedStrategy<String> {
    prop::sample::select(vec!["", "1", "2"]).prop_map(str::to_owned).boxed()
}

fn device_report() -> BoxedStrategy<Report<DiscoveredDeviceDefinition>> {
    let endpoint = (prop::sample::select(vec!["opc", "http", ""]), prop::sample::select(vec!["a", "b", ""]));
    (mark(), prop::sample::select(vec!["", "X1", "X2"]), prop::option::of(endpoint))
        .prop_map(|(discovery_id, model, endpoint)| {
            let inbound: BTreeMap<_, _> = endpoint
                .into_iter()
                .map(|(name, address)| {
                    let (address, endpoint_type) = (address.to_owned(), "Microsoft.OpcUa".to_owned());
                    (name.to_owned(), DiscoveredEndpoint { address, endpoint_type, ..DiscoveredEndpoint::default() })
                })
                .collect();
            let model = model.to_owned();
            Report { discovery_id, definition: DiscoveredDeviceDefinition { model, inbound, ..Default::default() } }
        })
        .boxed()
}

fn asset_report() -> BoxedStrategy<Report<AssetDefinition>> {
    (mark(), prop::sample::select(vec!["", "X1"]), id(&["press", "plc", "plc"]), prop::bool::weighted(0.1))
        .prop_map(|(discovery_id, model, device, is_assigned)| {
            let device_ref = DeviceRef { device, endpoint: "opc".to_owned() };
            let edge = if is_assigned { "hall".to_owned() } else { String::new() };
            let definition =
                AssetDefinition { device_ref, model: model.to_owned(), edge, ..AssetDefinition::default() };
            Report { discovery_id, definition }
        })
        .boxed()
}

fn key() -> BoxedStrategy<Key> {
    prop_oneof![
        3 => (namespace(), edge(), found_device()).prop_map(|(ns, edge, id)| Key::DiscoveredDevice(ns, edge, id)),
        2 => (namespace(), edge(), found_asset()).prop_map(|(ns, edge, id)| Key::DiscoveredAsset(ns, edge, id)),
        1 => namespace().prop_map(Key::Namespace),
    ]
    .boxed()
}

pub(super) fn change() -> BoxedStrategy<UplinkChange> {
    prop_oneof![
        (found_device(), device_report())
            .prop_map(|(device, report)| UplinkChange::DiscoveredDevice { device, report: Box::new(report) }),
        (found_asset(), asset_report())
            .prop_map(|(asset, report)| UplinkChange::DiscoveredAsset { asset, report: Box::new(report) }),
    ]
    .boxed()
}

pub(super) fn around_discovery() -> BoxedStrategy<Operation> {
    prop_oneof![
        4 => (namespace(), edge(), found_device(), device_report()).prop_map(|(namespace, edge, device, report)| {
            Operation::ReportDiscoveredDevice { namespace, edge, device, report: Box::new(report) }
        }),
        3 => (namespace(), edge(), found_asset(), asset_report()).prop_map(|(namespace, edge, asset, report)| {
            Operation::ReportDiscoveredAsset { namespace, edge, asset, report: Box::new(report) }
        }),
        3 => (key(), prop_oneof![3 => Just(String::new()), 1 => found_device()], etag()).prop_map(
            |(key, resource, etag)| Operation::AcceptDiscovered { key, resource, uuid: "u".to_owned(), etag }
        ),
        1 => (key(), etag()).prop_map(|(key, etag)| Operation::DismissDiscovered { key, etag }),
        1 => (key(), etag()).prop_map(|(key, etag)| Operation::DeleteDiscovered { key, etag }),
    ]
    .boxed()
}
