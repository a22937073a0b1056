//! What a request leaves behind: one effect under its id, who sent it, and all of it in one write or nothing of it.

use bytes::Bytes;
use muster_domain::namespace::NamespaceDefinition;
use muster_domain::policy::{Principal, Role};
use muster_domain::{Command, Key, Operation, Reason};

use super::node::{Node, START_MS};
use crate::outcome::{OperationResult, Outcome};
use crate::request::Request;
use crate::store::codec::encode_request;
use crate::store::event_log;
use crate::store::unlogged::WRITES;

const MINUTE_MS: u64 = 60_000;

fn create(namespace: &str) -> Operation {
    Operation::CreateNamespace { namespace: namespace.to_owned(), definition: NamespaceDefinition::default() }
}

fn key(namespace: &str) -> Key {
    Key::Namespace(namespace.to_owned())
}

/// A request of `actor` that asks for a namespace.
struct Asked<'a> {
    actor: &'a str,
    request_id: &'a str,
    namespace: &'a str,
    at_ms: u64,
}

impl Asked<'_> {
    fn encoded(&self) -> (u64, Bytes) {
        let mut body_hash = [0; 16];
        body_hash[..self.namespace.len()].copy_from_slice(self.namespace.as_bytes());
        let name = self.actor.to_owned();
        let request = Request {
            principal: Principal::User { name, role: Role::Admin, namespace: None, token: None },
            origin: "10.1.2.3:4567".to_owned(),
            request_id: self.request_id.to_owned(),
            body_hash,
            command: Command { operations: vec![create(self.namespace)], atomic: false },
        };
        (self.at_ms, encode_request(&request))
    }

    fn apply(&self, node: &mut Node) -> Outcome {
        node.apply(&[vec![self.encoded()]]).remove(0)
    }
}

fn reason(outcome: &Outcome) -> Option<Reason> {
    match &outcome.results[0] {
        OperationResult::Rejected(rejection) => Some(rejection.reason),
        OperationResult::Accepted(_) => None,
    }
}

const FIRST: Asked<'static> = Asked { actor: "alice", request_id: "r1", namespace: "plant", at_ms: START_MS };

#[test]
fn a_request_id_has_one_effect_over_restarts_and_installed_snapshots() {
    let mut node = Node::new();
    let first = FIRST.apply(&mut node);
    assert_eq!((first.revision, reason(&first)), (1, None));
    assert_eq!(FIRST.apply(&mut node), first, "sent again");
    node.reopen();
    assert_eq!(FIRST.apply(&mut node), first, "sent again after a restart");
    node.forget();
    assert_eq!(FIRST.apply(&mut node), first, "sent again after a snapshot was installed");
    assert_eq!(node.view().revision(), 1);
}

#[test]
fn a_request_id_is_its_senders_and_its_bodys() {
    let mut node = Node::new();
    FIRST.apply(&mut node);
    let other = Asked { namespace: "depot", ..FIRST }.apply(&mut node);
    assert_eq!(reason(&other), Some(Reason::RequestIdReused), "another body: {other:?}");
    assert!(node.view().get(&key("depot")).unwrap().is_none());
    let bob = Asked { actor: "bob", namespace: "depot", ..FIRST }.apply(&mut node);
    assert_eq!((bob.revision, reason(&bob)), (2, None), "somebody else's id is another one");
    let bob = Asked { actor: "bob", request_id: "r2", ..FIRST }.apply(&mut node);
    assert_eq!(reason(&bob), Some(Reason::AlreadyExists));
}

#[test]
fn what_is_forgotten_of_requests_follows_the_times_in_the_log() {
    let mut node = Node::new();
    let first = FIRST.apply(&mut node);
    let pass = |node: &mut Node, minutes: std::ops::Range<u64>| {
        for minute in minutes {
            let request_id = format!("filler-{minute}");
            let at_ms = START_MS + minute * MINUTE_MS;
            Asked { request_id: &request_id, at_ms, ..FIRST }.apply(node);
        }
    };
    pass(&mut node, 1..19);
    let again = Asked { at_ms: START_MS + 19 * MINUTE_MS, ..FIRST };
    assert_eq!(again.apply(&mut node), first, "known for twenty minutes");
    pass(&mut node, 20..30);
    let again = Asked { at_ms: START_MS + 30 * MINUTE_MS, ..FIRST }.apply(&mut node);
    assert_eq!(reason(&again), Some(Reason::AlreadyExists), "and then not any more: it is decided anew");
}

#[test]
fn the_log_says_who_asked_from_where_and_under_which_id() {
    let mut node = Node::new();
    FIRST.apply(&mut node);
    let entry = event_log::entry(&node.states().db(), 1).unwrap().expect("the revision is there");
    let told = (entry.actor.as_str(), entry.origin.as_str(), entry.request_id.as_str());
    assert_eq!(told, ("user:alice", "10.1.2.3:4567", "r1"));
}

#[test]
fn what_a_batch_of_all_or_nothing_did_before_it_was_refused_is_undone() {
    let mut node = Node::new();
    let principal = Principal::User { name: "t".to_owned(), role: Role::Admin, namespace: None, token: None };
    let request = Request {
        principal,
        origin: String::new(),
        request_id: String::new(),
        body_hash: [0; 16],
        command: Command { operations: vec![create("plant"), create("plant")], atomic: true },
    };
    // The next one of the same write looks at what the batch left behind.
    let outcomes = node.apply(&[vec![(START_MS, encode_request(&request)), FIRST.encoded()]]);
    assert_eq!(reason(&outcomes[0]), Some(Reason::BatchAborted));
    assert_eq!((outcomes[1].revision, reason(&outcomes[1])), (1, None), "nothing was there: {outcomes:?}");
    node.apply(&[vec![(START_MS, encode_request(&request))]]);
    assert_eq!(node.view().revision(), 1);
}

#[test]
fn a_change_and_the_position_that_counts_it_are_one_write() {
    let mut node = Node::new();
    for namespace in ["plant", "depot"] {
        let before = WRITES.get();
        Asked { namespace, request_id: namespace, ..FIRST }.apply(&mut node);
        let writes = WRITES.get() - before;
        assert_eq!(writes, 1, "a flush and a crash between two writes would count a change twice, or not at all");
    }
}
