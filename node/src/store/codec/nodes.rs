//! Nodes of the cluster, and the operations and events about them and about the feature level.

use muster_domain::node::{Node, NodeState};
use muster_domain::{EventKind, Operation};
use muster_proto::stored::v1 as stored;
use muster_proto::stored::v1::event::Kind as StoredEvent;
use muster_proto::stored::v1::operation::Kind as StoredOperation;
use prost::bytes::Bytes;

use super::CodecError;
use super::enums::StoredEnum;
use super::error::{fixed, required};

const TOKEN_HASH: &str = "the hash of a join token";
const NONCE: &str = "the nonce of a joining";

pub(super) fn node_to_stored(node: &Node) -> stored::Node {
    let Node { name, state, voter, replaces, token_hash, expires_ms, nonce, peer_address, client_address } =
        node.clone();
    stored::Node {
        name,
        state: state.number(),
        voter,
        replaces,
        token_hash: Bytes::copy_from_slice(&token_hash),
        expires_ms,
        nonce: Bytes::copy_from_slice(&nonce),
        peer_address,
        client_address,
    }
}

pub(super) fn node_from_stored(node: stored::Node) -> Result<Node, CodecError> {
    let stored::Node { name, state, voter, replaces, token_hash, expires_ms, nonce, peer_address, client_address } =
        node;
    Ok(Node {
        name,
        state: NodeState::from_number(state)?,
        voter,
        replaces,
        token_hash: fixed(TOKEN_HASH, &token_hash)?,
        expires_ms,
        nonce: fixed(NONCE, &nonce)?,
        peer_address,
        client_address,
    })
}

/// An operation of this file; `None` for all others.
pub(super) fn operation_to_stored(operation: &Operation) -> Option<StoredOperation> {
    Some(match operation {
        Operation::AdmitNode { node, members_max } => StoredOperation::AdmitNode(stored::AdmitNode {
            node: Some(node_to_stored(node)),
            members_max: *members_max,
        }),
        Operation::UseJoinToken { node_id, token_hash, nonce, peer_address, client_address } => {
            StoredOperation::UseJoinToken(stored::UseJoinToken {
                node_id: *node_id,
                token_hash: Bytes::copy_from_slice(token_hash),
                nonce: Bytes::copy_from_slice(nonce),
                peer_address: peer_address.clone(),
                client_address: client_address.clone(),
            })
        }
        Operation::PromoteNode { node_id } => StoredOperation::PromoteNode(stored::PromoteNode { node_id: *node_id }),
        Operation::RemoveNode { node_id, name } => {
            StoredOperation::RemoveNode(stored::RemoveNode { node_id: *node_id, name: name.clone() })
        }
        Operation::RaiseFeatureLevel { level } => {
            StoredOperation::RaiseFeatureLevel(stored::RaiseFeatureLevel { level: *level })
        }
        _ => return None,
    })
}

pub(super) fn admit_node(operation: stored::AdmitNode) -> Result<Operation, CodecError> {
    let node = required("an operation", "node", operation.node)?;
    Ok(Operation::AdmitNode { node: Box::new(node_from_stored(node)?), members_max: operation.members_max })
}

pub(super) fn use_join_token(operation: stored::UseJoinToken) -> Result<Operation, CodecError> {
    let stored::UseJoinToken { node_id, token_hash, nonce, peer_address, client_address } = operation;
    let (token_hash, nonce) = (fixed(TOKEN_HASH, &token_hash)?, fixed(NONCE, &nonce)?);
    Ok(Operation::UseJoinToken { node_id, token_hash, nonce, peer_address, client_address })
}

/// An event of this file; `None` for all others.
pub(super) fn event_to_stored(kind: &EventKind) -> Option<StoredEvent> {
    Some(match kind {
        EventKind::NodeIdTaken(node_id) => StoredEvent::NodeIdTaken(stored::NodeIdTaken { node_id: *node_id }),
        EventKind::FeatureLevelRaised(level) => {
            StoredEvent::FeatureLevelRaised(stored::FeatureLevelRaised { level: *level })
        }
        EventKind::NodeAdmitted(node) => StoredEvent::NodeAdmitted(node_to_stored(node)),
        EventKind::NodeJoined { nonce, peer_address, client_address } => StoredEvent::NodeJoined(stored::NodeJoined {
            nonce: Bytes::copy_from_slice(nonce),
            peer_address: peer_address.clone(),
            client_address: client_address.clone(),
        }),
        EventKind::NodePromoted => StoredEvent::NodePromoted(stored::NodePromoted {}),
        EventKind::NodeRemoved { name } => StoredEvent::NodeRemoved(stored::NodeRemoved { name: name.clone() }),
        _ => return None,
    })
}

pub(super) fn node_joined(event: stored::NodeJoined) -> Result<EventKind, CodecError> {
    let stored::NodeJoined { nonce, peer_address, client_address } = event;
    Ok(EventKind::NodeJoined { nonce: fixed(NONCE, &nonce)?, peer_address, client_address })
}
