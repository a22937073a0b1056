//! Nodes of the cluster: admitted under an id that is never used again, joined once with a token, removed for good.
//!
//! It knows no membership and no network: who votes is Raft's business. What is kept here is who may join, who has, and
//! who must not come back. Invariants:
//!
//! - An id is one above the highest ever given, founders included; the record of a removed node stays.
//! - A join token counts once: only the joining that used it, known by its nonce, may say so again.
//! - Whether a token has expired is decided by log time.

use muster_planted::{self as planted, Bug};

use crate::{At, Body, Change, Event, EventKind, Key, Operation, Reason, Record, Rejection, States};

/// Length of a node's name, characters.
const NAME_CHARS_MAX: usize = 64;
/// Length of an address, characters.
const ADDRESS_CHARS_MAX: usize = 261;

/// How far a node has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeState {
    /// It may join with its token.
    Admitted,
    /// It has joined.
    Joined,
    /// It was removed, and stays so.
    Removed,
}

/// A node that was admitted to the cluster, or removed from it. Founders have no record until they are removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// For people; not unique.
    pub name: String,
    /// How far it has come.
    pub state: NodeState,
    /// Whether it is to vote once it has caught up.
    pub voter: bool,
    /// The member that leaves when this one begins to vote; 0 for none.
    pub replaces: u64,
    /// BLAKE3 of the join token's secret.
    pub token_hash: [u8; 32],
    /// When the token ends, milliseconds since the epoch.
    pub expires_ms: u64,
    /// Made by the node that joined; all zero before.
    pub nonce: [u8; 16],
    /// host:port where members reach it; empty before it joined.
    pub peer_address: String,
    /// host:port where clients reach it; empty before it joined.
    pub client_address: String,
}

/// Decides operations on nodes.
pub(crate) fn decide(states: &dyn States, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
    match operation {
        Operation::AdmitNode { node, members_max } => admit(states, node, *members_max, at),
        Operation::UseJoinToken { node_id, token_hash, nonce, peer_address, client_address } => {
            let key = Key::Node(*node_id);
            let record = states.get(&key);
            if !check_token(*node_id, record.as_deref(), token_hash, nonce, at)? {
                return Ok(Vec::new());
            }
            check_address("peer_address", peer_address)?;
            check_address("client_address", client_address)?;
            let joined = EventKind::NodeJoined {
                nonce: *nonce,
                peer_address: peer_address.clone(),
                client_address: client_address.clone(),
            };
            Ok(vec![Change::new(key, joined, record.as_deref(), at)])
        }
        Operation::PromoteNode { node_id } => promote(states, *node_id, at),
        Operation::RemoveNode { node_id, name } => remove(states, *node_id, name, at),
        _ => Ok(Vec::new()),
    }
}

fn admit(states: &dyn States, node: &Node, members_max: u64, at: At) -> Result<Vec<Change>, Rejection> {
    check_name(&node.name)?;
    if node.expires_ms <= at.time_ms {
        return Err(Rejection::new(
            Reason::InvalidField,
            "token_lifetime_seconds",
            "the join token has expired already",
        ));
    }
    if node.replaces > 0
        && let Some(Body::Node(replaced)) = states.get(&Key::Node(node.replaces)).as_deref().map(|record| &record.body)
        && replaced.state == NodeState::Removed
    {
        return Err(removed(node.replaces, "replaces"));
    }
    let cluster = states.get(&Key::Cluster);
    let Some(Body::Cluster(settings)) = cluster.as_deref().map(|record| &record.body) else {
        return Err(Rejection::not_found(Key::Cluster));
    };
    let id = settings.last_node_id.max(members_max).saturating_add(1);
    let key = Key::Node(id);
    let admitted = EventKind::NodeAdmitted(Box::new(Node {
        state: NodeState::Admitted,
        nonce: [0; 16],
        peer_address: String::new(),
        client_address: String::new(),
        ..node.clone()
    }));
    let before = states.get(&key);
    Ok(vec![
        Change::new(key, admitted, before.as_deref(), at),
        Change::new(Key::Cluster, EventKind::NodeIdTaken(id), cluster.as_deref(), at),
    ])
}

/// Whether the token is used with this command; false when the same joining has used it before.
fn check_token(
    id: u64,
    record: Option<&Record>,
    token_hash: &[u8; 32],
    nonce: &[u8; 16],
    at: At,
) -> Result<bool, Rejection> {
    let stale = |message: String| Err(Rejection::new(Reason::JoinTokenStale, "join_token", message));
    let Some(Body::Node(node)) = record.map(|record| &record.body) else {
        return stale(format!("node {id} was never admitted: `muster cluster join` admits one and prints its token"));
    };
    match node.state {
        NodeState::Removed => Err(removed(id, "node_id")),
        _ if node.token_hash != *token_hash => stale(format!("this is not the join token of node {id}")),
        NodeState::Joined if node.nonce == *nonce || planted::is(Bug::JoinedTwice) => Ok(false),
        NodeState::Joined => stale(format!(
            "the join token of node {id} was used before. If its data is lost, replace it under a new id: \
             `muster cluster replace {id}`"
        )),
        NodeState::Admitted if node.expires_ms <= at.time_ms => {
            stale(format!("the join token of node {id} has expired: remove the node and admit another"))
        }
        NodeState::Admitted => Ok(true),
    }
}

fn promote(states: &dyn States, id: u64, at: At) -> Result<Vec<Change>, Rejection> {
    let key = Key::Node(id);
    let record = states.get(&key);
    match record.as_deref().map(|record| &record.body) {
        Some(Body::Node(node)) if node.state == NodeState::Removed => Err(removed(id, "node_id")),
        Some(Body::Node(node)) if node.voter => Ok(Vec::new()),
        Some(Body::Node(_)) => Ok(vec![Change::new(key, EventKind::NodePromoted, record.as_deref(), at)]),
        _ => Err(Rejection::new(Reason::NotFound, "node_id", format!("node {id} was never admitted"))),
    }
}

fn remove(states: &dyn States, id: u64, name: &str, at: At) -> Result<Vec<Change>, Rejection> {
    if id == 0 {
        return Err(Rejection::new(Reason::InvalidField, "node_id", "node_id must be at least 1"));
    }
    let key = Key::Node(id);
    let record = states.get(&key);
    if let Some(Body::Node(node)) = record.as_deref().map(|record| &record.body)
        && node.state == NodeState::Removed
    {
        return Ok(Vec::new());
    }
    let kind = EventKind::NodeRemoved { name: name.to_owned() };
    let mut changes = vec![Change::new(key, kind, record.as_deref(), at)];
    // A founder's id is not counted before; once it is gone, only this remembers it.
    let cluster = states.get(&Key::Cluster);
    if let Some(Body::Cluster(settings)) = cluster.as_deref().map(|record| &record.body)
        && settings.last_node_id < id
    {
        changes.push(Change::new(Key::Cluster, EventKind::NodeIdTaken(id), cluster.as_deref(), at));
    }
    Ok(changes)
}

/// The body after an event on a node; `None` when the event is about something else.
pub(crate) fn evolve(body: Option<&Body>, event: &EventKind) -> Option<Node> {
    let node = match body {
        Some(Body::Node(node)) => Some(&**node),
        _ => None,
    };
    match (event, node) {
        (EventKind::NodeAdmitted(admitted), _) => Some((**admitted).clone()),
        (EventKind::NodeJoined { nonce, peer_address, client_address }, Some(node)) => Some(Node {
            state: NodeState::Joined,
            nonce: *nonce,
            peer_address: peer_address.clone(),
            client_address: client_address.clone(),
            ..node.clone()
        }),
        (EventKind::NodePromoted, Some(node)) => Some(Node { voter: true, ..node.clone() }),
        (EventKind::NodeRemoved { .. }, Some(node)) => {
            Some(Node { state: NodeState::Removed, token_hash: [0; 32], ..node.clone() })
        }
        (EventKind::NodeRemoved { name }, None) => Some(Node {
            name: name.clone(),
            state: NodeState::Removed,
            voter: true,
            replaces: 0,
            token_hash: [0; 32],
            expires_ms: 0,
            nonce: [0; 16],
            peer_address: String::new(),
            client_address: String::new(),
        }),
        _ => None,
    }
}

/// The id that an [`Operation::AdmitNode`] gave, from its events.
#[must_use]
pub fn admitted_id(events: &[Event]) -> Option<u64> {
    events.iter().find_map(|event| match (&event.key, &event.kind) {
        (Key::Node(id), EventKind::NodeAdmitted(_)) => Some(*id),
        _ => None,
    })
}

fn removed(id: u64, field: &str) -> Rejection {
    let message = format!("node {id} was removed from the cluster; its id is never used again, so admit another node");
    Rejection::new(Reason::NodeRemoved, field, message)
}

fn check_name(name: &str) -> Result<(), Rejection> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(is_legal) {
        return Ok(());
    }
    let rule = format!("name must have 1 to {NAME_CHARS_MAX} of A-Z a-z 0-9 - _ .");
    Err(Rejection::new(Reason::InvalidField, "name", rule))
}

fn check_address(field: &str, address: &str) -> Result<(), Rejection> {
    let has_port = address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
    if has_port && address.len() <= ADDRESS_CHARS_MAX && address.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Rejection::new(Reason::InvalidField, field, format!("{field} must be HOST:PORT")))
}
