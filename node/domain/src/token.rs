//! API tokens: role, scope and the hash of the secret. The secret itself never reaches this crate.

use crate::decide::living;
use crate::policy::Role;
use crate::{At, Change, EventKind, Key, Operation, Reason, Rejection, States};
use crate::{ids, limits, text};

/// Length of a token's id, characters.
const ID_CHARS_MAX: usize = 64;

/// An API token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// BLAKE3 of the secret.
    pub hash: [u8; 32],
    /// What it is for; at most 128 characters.
    pub description: String,
    /// What its bearer may do.
    pub role: Role,
    /// Only this namespace; for [`Role::Device`] and [`Role::Edge`] required.
    pub namespace: Option<String>,
    /// For [`Role::Device`] required.
    pub device: Option<String>,
    /// For [`Role::Edge`] required.
    pub edge: Option<String>,
    /// When it ends, milliseconds since the epoch.
    pub expires_ms: Option<u64>,
}

/// Decides operations on tokens.
pub(crate) fn decide(states: &dyn States, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
    match operation {
        Operation::CreateToken { id, token } => create(states, id, token, at),
        Operation::RevokeToken { id } => revoke(states, id, at),
        _ => Ok(Vec::new()),
    }
}

fn create(states: &dyn States, id: &str, token: &Token, at: At) -> Result<Vec<Change>, Rejection> {
    check_id(id)?;
    let key = Key::Token(id.to_owned());
    let before = states.get(&key);
    if before.as_ref().is_some_and(|record| record.is_alive()) {
        return Err(Rejection::already_exists("token_id", key));
    }
    token.check(at).map_err(|refusal| refusal.within("token"))?;
    Ok(vec![Change::new(key, EventKind::TokenCreated(token.clone()), before.as_deref(), at)])
}

fn revoke(states: &dyn States, id: &str, at: At) -> Result<Vec<Change>, Rejection> {
    let key = Key::Token(id.to_owned());
    let Some(record) = living(states, &key) else {
        let message = format!("{key} does not exist");
        return Err(Rejection::new(Reason::NotFound, "token_id", message));
    };
    Ok(vec![Change::new(key, EventKind::TokenRevoked, Some(&record), at)])
}

/// 1 to 64 of `a-z`, `0-9` and `-`.
fn check_id(id: &str) -> Result<(), Rejection> {
    let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(is_legal) {
        return Ok(());
    }
    let message = format!("token_id must have 1 to {ID_CHARS_MAX} characters of a-z, 0-9 and -");
    Err(Rejection::new(Reason::InvalidId, "token_id", message))
}

impl Token {
    fn check(&self, at: At) -> Result<(), Rejection> {
        text::check_chars("description", &self.description, limits::REASON_CHARS_MAX)?;
        let invalid = |field: &str, message: &str| Err(Rejection::new(Reason::InvalidField, field, message));
        if self.edge.is_some() && self.role != Role::Edge {
            return invalid("edge_id", "only the role edge has an edge_id");
        }
        if self.device.is_some() && self.role != Role::Device {
            return invalid("device_id", "only the role device has a device_id");
        }
        match (self.role, &self.namespace, self.device.as_ref().or(self.edge.as_ref())) {
            (Role::Device, None, _) => return invalid("namespace", "a token for a device needs its namespace"),
            (Role::Device, Some(_), None) => {
                return invalid("device_id", "a token for a device needs the device's id");
            }
            (Role::Edge, None, _) => return invalid("namespace", "a token for an edge needs its namespace"),
            (Role::Edge, Some(_), None) => return invalid("edge_id", "a token for an edge needs the edge's id"),
            (Role::Admin, Some(_), _) => return invalid("namespace", "an admin is not bound to a namespace"),
            (Role::Device, Some(namespace), Some(device)) => {
                ids::check_namespace("namespace", namespace)?;
                ids::check_device("device_id", device)?;
            }
            (Role::Edge, Some(namespace), Some(edge)) => {
                ids::check_namespace("namespace", namespace)?;
                ids::check_edge("edge_id", edge)?;
            }
            (Role::Viewer | Role::Operator, Some(namespace), _) => {
                ids::check_namespace("namespace", namespace)?;
            }
            (Role::Viewer | Role::Operator | Role::Admin, None, _) => {}
        }
        match self.expires_ms {
            Some(expires_ms) if expires_ms <= at.time_ms => {
                invalid("expire_time", "expire_time must lie in the future")
            }
            Some(_) | None => Ok(()),
        }
    }
}
