//! Nodes: admitted once under an id of their own, joined with a token that counts once, removed for good.

use muster_domain::cluster::Cluster;
use muster_domain::feature::FEATURE_LEVEL;
use muster_domain::node::{Node, NodeState, admitted_id};
use muster_domain::{Body, Event, Key, Limits, Operation, Reason};

use crate::memory::{Memory, STEP_MS};

pub(crate) fn founded(feature_level: u32) -> Memory {
    let mut memory = Memory::default();
    let cluster = Cluster {
        cluster_id: "c".into(),
        page_key: [0; 32],
        limits: Limits::default(),
        feature_level,
        last_node_id: 0,
    };
    memory.accept(Operation::InitializeCluster { cluster, token: None });
    memory
}

fn draft() -> Node {
    Node {
        name: "n4".into(),
        state: NodeState::Removed,
        voter: true,
        replaces: 0,
        token_hash: [7; 32],
        expires_ms: 1_000 * STEP_MS,
        nonce: [9; 16],
        peer_address: "ignored".into(),
        client_address: "ignored".into(),
    }
}

fn admit(node: Node, members_max: u64) -> Operation {
    Operation::AdmitNode { node: Box::new(node), members_max }
}

fn admitted(memory: &mut Memory, node: Node, members_max: u64) -> u64 {
    let changes = memory.carry_out(&admit(node, members_max)).expect("admitted");
    let events: Vec<Event> = changes.into_iter().map(|change| change.event).collect();
    admitted_id(&events).expect("an id")
}

fn join(node_id: u64, hash: u8, nonce: u8) -> Operation {
    Operation::UseJoinToken {
        node_id,
        token_hash: [hash; 32],
        nonce: [nonce; 16],
        peer_address: "n4.example:7421".into(),
        client_address: "n4.example:7420".into(),
    }
}

fn remove(node_id: u64) -> Operation {
    Operation::RemoveNode { node_id, name: "founder".into() }
}

fn state(memory: &Memory, id: u64) -> NodeState {
    match &memory.record(&Key::Node(id)).body {
        Body::Node(node) => node.state,
        other => panic!("node {id} is {other:?}"),
    }
}

#[test]
fn ids_rise_and_are_never_used_again() {
    let mut memory = founded(FEATURE_LEVEL);
    assert_eq!(admitted(&mut memory, draft(), 3), 4, "one above the founders");
    assert_eq!(admitted(&mut memory, draft(), 3), 5);
    memory.accept(remove(5));
    assert_eq!(admitted(&mut memory, draft(), 3), 6, "a removed node's id is not given again");
    memory.accept(remove(9));
    assert_eq!(admitted(&mut memory, draft(), 3), 10, "nor that of a founder that nobody remembers");
    let Body::Node(node) = memory.record(&Key::Node(4)).body.clone() else { panic!("a node") };
    assert_eq!((node.state, node.nonce, node.peer_address.as_str()), (NodeState::Admitted, [0; 16], ""));
}

#[test]
fn a_token_counts_once_and_only_its_own_joining_may_repeat_itself() {
    let mut memory = founded(FEATURE_LEVEL);
    let id = admitted(&mut memory, draft(), 3);
    memory.refuse(join(id, 8, 1), Reason::JoinTokenStale, "join_token");
    memory.refuse(join(id + 1, 7, 1), Reason::JoinTokenStale, "join_token");
    assert_eq!(memory.accept(join(id, 7, 1)), ["nodes/4 node.joined"]);
    assert_eq!(memory.accept(join(id, 7, 1)), [""; 0], "asked again after a crash");
    let told = memory.refuse(join(id, 7, 2), Reason::JoinTokenStale, "join_token");
    assert!(told.contains("muster cluster replace 4"), "{told}");
    memory.accept(remove(id));
    memory.refuse(join(id, 7, 1), Reason::NodeRemoved, "node_id");
    assert_eq!(state(&memory, id), NodeState::Removed);
}

#[test]
fn a_token_ends_by_log_time() {
    let mut memory = founded(FEATURE_LEVEL);
    let soon = memory.at().time_ms;
    memory.refuse(admit(Node { expires_ms: soon, ..draft() }, 3), Reason::InvalidField, "token_lifetime_seconds");
    let id = admitted(&mut memory, Node { expires_ms: soon + STEP_MS, ..draft() }, 3);
    memory.refuse(join(id, 7, 1), Reason::JoinTokenStale, "join_token");
}

#[test]
fn what_is_malformed_is_refused_with_its_field() {
    let mut memory = founded(FEATURE_LEVEL);
    for bad in ["", "a b", "n\u{e4}", &"x".repeat(65)] {
        memory.refuse(admit(Node { name: bad.into(), ..draft() }, 3), Reason::InvalidField, "name");
    }
    let id = admitted(&mut memory, draft(), 3);
    for bad in ["", "host", "host:", ":1", "host:0", "ho st:1", "host:99999"] {
        let mut operation = join(id, 7, 1);
        if let Operation::UseJoinToken { peer_address, .. } = &mut operation {
            *peer_address = bad.into();
        }
        memory.refuse(operation, Reason::InvalidField, "peer_address");
    }
    memory.refuse(remove(0), Reason::InvalidField, "node_id");
    memory.accept(remove(2));
    memory.refuse(admit(Node { replaces: 2, ..draft() }, 3), Reason::NodeRemoved, "replaces");
}

#[test]
fn a_learner_is_promoted_once() {
    let mut memory = founded(FEATURE_LEVEL);
    let id = admitted(&mut memory, Node { voter: false, ..draft() }, 3);
    assert_eq!(memory.accept(Operation::PromoteNode { node_id: id }), ["nodes/4 node.promoted"]);
    assert_eq!(memory.accept(Operation::PromoteNode { node_id: id }), [""; 0]);
    memory.refuse(Operation::PromoteNode { node_id: 99 }, Reason::NotFound, "node_id");
    memory.accept(remove(id));
    assert_eq!(memory.accept(remove(id)), [""; 0]);
    memory.refuse(Operation::PromoteNode { node_id: id }, Reason::NodeRemoved, "node_id");
}

#[test]
fn operations_above_the_feature_level_are_refused_until_it_rises() {
    let mut memory = founded(1);
    let told = memory.refuse(admit(draft(), 3), Reason::FeatureLevelTooLow, "");
    assert!(told.contains("level 2") && told.contains("at 1"), "{told}");
    memory.refuse(remove(2), Reason::FeatureLevelTooLow, "");
    assert_eq!(memory.accept(Operation::RaiseFeatureLevel { level: 2 }), ["cluster cluster.feature_level_raised"]);
    assert_eq!(memory.accept(Operation::RaiseFeatureLevel { level: 1 }), [""; 0], "it never sinks");
    assert_eq!(admitted(&mut memory, draft(), 3), 4);
}
