//! The cluster's settings, tokens, namespaces.

use muster_domain::Limits;
use muster_domain::cluster::Cluster;
use muster_domain::cursor::Cursor;
use muster_domain::namespace::NamespaceDefinition;
use muster_domain::node::Node;
use muster_domain::retention::RetentionPolicy;
use muster_domain::saved_query::SavedQueryDefinition;
use muster_domain::token::Token;
use proptest::array::{uniform2, uniform3, uniform7, uniform16, uniform32};
use proptest::collection::btree_map;
use proptest::option;
use proptest::prelude::*;

use super::{number, text, variant};

pub(super) fn cluster() -> BoxedStrategy<Cluster> {
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
            last_node_id: limits[6],
        })
        .boxed()
}

pub(super) fn cursor() -> BoxedStrategy<Cursor> {
    (text(), any::<u64>()).prop_map(|(description, acknowledged)| Cursor { description, acknowledged }).boxed()
}

pub(super) fn saved_query_definition() -> BoxedStrategy<SavedQueryDefinition> {
    (text(), text()).prop_map(|(text, description)| SavedQueryDefinition { text, description }).boxed()
}

pub(super) fn token() -> BoxedStrategy<Token> {
    let texts = (text(), option::of(text()), option::of(text()), option::of(text()));
    (uniform32(any::<u8>()), texts, variant(), option::of(number()))
        .prop_map(|(hash, (description, namespace, device, edge), role, expires_ms)| Token {
            hash,
            description,
            role,
            namespace,
            device,
            edge,
            expires_ms,
        })
        .boxed()
}

pub(super) fn retention_policy() -> BoxedStrategy<Option<RetentionPolicy>> {
    let policy = (option::of(number()), option::of(number()), option::of(number()));
    option::of(policy.prop_map(|(max_age_ms, max_bytes, max_revisions)| RetentionPolicy {
        max_age_ms,
        max_bytes,
        max_revisions,
    }))
    .boxed()
}

pub(super) fn namespace_definition() -> BoxedStrategy<NamespaceDefinition> {
    (text(), text(), btree_map(text(), text(), 0..3))
        .prop_map(|(display_name, description, labels)| NamespaceDefinition { display_name, description, labels })
        .boxed()
}

/// A node of the cluster.
pub(super) fn node() -> BoxedStrategy<Node> {
    let hashes = (uniform32(any::<u8>()), uniform16(any::<u8>()));
    (uniform3(text()), variant(), any::<bool>(), hashes, uniform2(number()))
        .prop_map(
            |([name, peer_address, client_address], state, voter, (token_hash, nonce), [replaces, expires_ms])| Node {
                name,
                state,
                voter,
                replaces,
                token_hash,
                expires_ms,
                nonce,
                peer_address,
                client_address,
            },
        )
        .boxed()
}
