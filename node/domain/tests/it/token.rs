//! API tokens.

use muster_domain::policy::Role;
use muster_domain::token::Token;
use muster_domain::{Key, Operation, Reason};

use crate::memory::{Memory, STEP_MS};

pub(crate) fn token(role: Role, namespace: Option<&str>, device: Option<&str>) -> Token {
    Token {
        hash: [7; 32],
        description: "for the tests".into(),
        role,
        namespace: namespace.map(str::to_owned),
        device: device.map(str::to_owned),
        edge: None,
        expires_ms: None,
    }
}

fn edge_token(namespace: Option<&str>, edge: Option<&str>) -> Token {
    Token { edge: edge.map(str::to_owned), ..token(Role::Edge, namespace, None) }
}

pub(crate) fn create(id: &str, token: Token) -> Operation {
    Operation::CreateToken { id: id.into(), token }
}

#[test]
fn each_role_has_its_scope() {
    let mut memory = Memory::new();
    for (n, good) in [
        token(Role::Viewer, None, None),
        token(Role::Viewer, Some("plant"), None),
        token(Role::Operator, None, None),
        token(Role::Operator, Some("plant"), None),
        token(Role::Admin, None, None),
        token(Role::Device, Some("plant"), Some("press")),
        edge_token(Some("plant"), Some("hall")),
    ]
    .into_iter()
    .enumerate()
    {
        memory.accept(create(&format!("t{n}"), good));
    }
    for (bad, reason, field) in [
        (token(Role::Admin, Some("plant"), None), Reason::InvalidField, "token.namespace"),
        (token(Role::Operator, Some("plant"), Some("press")), Reason::InvalidField, "token.device_id"),
        (token(Role::Viewer, None, Some("press")), Reason::InvalidField, "token.device_id"),
        (token(Role::Device, None, Some("press")), Reason::InvalidField, "token.namespace"),
        (token(Role::Device, Some("plant"), None), Reason::InvalidField, "token.device_id"),
        (edge_token(None, Some("hall")), Reason::InvalidField, "token.namespace"),
        (edge_token(Some("plant"), None), Reason::InvalidField, "token.edge_id"),
        (edge_token(Some("plant"), Some("A")), Reason::InvalidId, "token.edge_id"),
        (
            Token { role: Role::Viewer, ..edge_token(Some("plant"), Some("hall")) },
            Reason::InvalidField,
            "token.edge_id",
        ),
        (
            Token { device: Some("press".into()), ..edge_token(Some("plant"), Some("hall")) },
            Reason::InvalidField,
            "token.device_id",
        ),
        (token(Role::Viewer, Some("Not A Namespace"), None), Reason::InvalidId, "token.namespace"),
        (token(Role::Device, Some("plant"), Some("a b")), Reason::InvalidId, "token.device_id"),
        (
            Token { description: "x".repeat(129), ..token(Role::Admin, None, None) },
            Reason::TooLarge,
            "token.description",
        ),
        (Token { expires_ms: Some(0), ..token(Role::Admin, None, None) }, Reason::InvalidField, "token.expire_time"),
    ] {
        memory.refuse(create("bad", bad), reason, field);
    }
}

#[test]
fn an_id_is_short_and_plain() {
    let mut memory = Memory::new();
    for bad in ["", "A", "a_b", "a b", "ä", &"x".repeat(65)] {
        memory.refuse(create(bad, token(Role::Admin, None, None)), Reason::InvalidId, "token_id");
    }
    memory.accept(create(&"x".repeat(64), token(Role::Admin, None, None)));
}

#[test]
fn a_token_ends_once() {
    let mut memory = Memory::new();
    let revoke = || Operation::RevokeToken { id: "ci".into() };
    let expires_ms = Some(memory.at().time_ms + STEP_MS);
    memory.accept(create("ci", Token { expires_ms, ..token(Role::Admin, None, None) }));
    memory.refuse(create("ci", token(Role::Admin, None, None)), Reason::AlreadyExists, "token_id");
    assert_eq!(memory.accept(revoke()), ["tokens/ci token.revoked"]);
    assert!(!memory.is_alive(&Key::Token("ci".into())));
    memory.refuse(revoke(), Reason::NotFound, "token_id");
    memory.accept(create("ci", token(Role::Viewer, None, None)));
}
