//! The table of who may call what, against the API's own description: an RPC without a row is refused to everybody, and
//! a row without an RPC is a rule that guards nothing.

use std::collections::BTreeSet;

use muster_node::authorize::table::{Access, ROWS};
use prost::Message;
use prost_types::FileDescriptorSet;

/// Full method names of everything in `package`.
fn methods(descriptors: &[u8], package: &str) -> BTreeSet<String> {
    let files = FileDescriptorSet::decode(descriptors).expect("a descriptor set").file;
    let files = files.into_iter().filter(|file| file.package() == package);
    let services = files.flat_map(|file| file.service);
    services
        .flat_map(|service| {
            let name = service.name().to_owned();
            service.method.into_iter().map(move |method| format!("{name}/{}", method.name()))
        })
        .map(|method| format!("/{package}.{method}"))
        .collect()
}

fn rows(prefix: &str) -> BTreeSet<String> {
    ROWS.iter().map(|(method, _)| (*method).to_owned()).filter(|method| method.starts_with(prefix)).collect()
}

#[test]
fn every_rpc_has_a_row_and_every_row_an_rpc() {
    let rpcs = methods(muster_proto::FILE_DESCRIPTOR_SET, "muster.v1");
    assert!(rpcs.len() > 40, "the descriptors were walked: {rpcs:?}");
    let rows = rows("/muster.v1.");
    let unguarded: Vec<_> = rpcs.difference(&rows).collect();
    assert!(unguarded.is_empty(), "no row in authorize::table::ROWS, so nobody may call: {unguarded:?}");
    let idle: Vec<_> = rows.difference(&rpcs).collect();
    assert!(idle.is_empty(), "rows in authorize::table::ROWS for what is no RPC: {idle:?}");
}

#[test]
fn the_peer_protocol_has_no_row() {
    let peers = methods(muster_proto::FILE_DESCRIPTOR_SET, "muster.peer.v1");
    assert!(!peers.is_empty(), "the descriptors were walked");
    let reachable: Vec<_> = ROWS.iter().filter(|(method, _)| peers.contains(*method)).collect();
    assert!(reachable.is_empty(), "clients must not reach what nodes say to each other: {reachable:?}");
}

#[test]
fn nothing_but_health_is_public() {
    let health = methods(tonic_health::pb::FILE_DESCRIPTOR_SET, "grpc.health.v1");
    assert_eq!(rows("/grpc.health.v1."), health);
    let reflection = methods(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET, "grpc.reflection.v1");
    assert_eq!(rows("/grpc.reflection."), reflection);
    let public: BTreeSet<_> =
        ROWS.iter().filter(|(_, access)| *access == Access::Public).map(|(method, _)| (*method).to_owned()).collect();
    assert_eq!(public, health);
}

#[test]
fn no_method_has_two_rows() {
    let methods: BTreeSet<_> = ROWS.iter().map(|(method, _)| method).collect();
    assert_eq!(methods.len(), ROWS.len());
}
