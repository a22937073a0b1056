//! API tokens and roles, proto to domain and back. It never sees a secret, only its hash.

use muster_domain::policy::Role;
use muster_domain::token::Token;
use muster_domain::{Body, Key, Record, Rejection};
use muster_proto::v1;

use super::{choice, invalid, millis, optional_timestamp};

/// What a request says of a token to make; `hash` is of the secret made for it.
///
/// # Errors
/// When the role is missing or unknown, or `expire_time` is not after `now_ms`.
pub fn token(token: v1::Token, hash: [u8; 32], now_ms: u64) -> Result<Token, Rejection> {
    let role = match choice::<v1::Role>("token.role", token.role)? {
        v1::Role::Viewer => Role::Viewer,
        v1::Role::Operator => Role::Operator,
        v1::Role::Admin => Role::Admin,
        v1::Role::Device => Role::Device,
        v1::Role::Edge => Role::Edge,
        v1::Role::Unspecified => {
            return Err(invalid("token.role", "token.role is required: viewer, operator, admin, device or edge"));
        }
    };
    let expires_ms = token.expire_time.as_ref().map(|moment| millis("token.expire_time", moment)).transpose()?;
    if expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms) {
        return Err(invalid("token.expire_time", "token.expire_time must lie in the future"));
    }
    let given = |text: String| (!text.is_empty()).then_some(text);
    Ok(Token {
        hash,
        description: token.description,
        role,
        namespace: given(token.namespace),
        device: given(token.device_id),
        edge: given(token.edge_id),
        expires_ms,
    })
}

/// The token of a record; `None` when the record is of another kind.
#[must_use]
pub fn to_proto(key: &Key, record: &Record) -> Option<v1::Token> {
    let (Key::Token(id), Body::Token(token)) = (key, &record.body) else { return None };
    Some(v1::Token {
        token_id: id.clone(),
        description: token.description.clone(),
        role: role(token.role).into(),
        namespace: token.namespace.clone().unwrap_or_default(),
        device_id: token.device.clone().unwrap_or_default(),
        create_time: optional_timestamp(record.created_ms),
        expire_time: token.expires_ms.and_then(optional_timestamp),
        edge_id: token.edge.clone().unwrap_or_default(),
    })
}

/// A role for an answer.
#[must_use]
pub fn role(role: Role) -> v1::Role {
    match role {
        Role::Viewer => v1::Role::Viewer,
        Role::Operator => v1::Role::Operator,
        Role::Admin => v1::Role::Admin,
        Role::Device => v1::Role::Device,
        Role::Edge => v1::Role::Edge,
    }
}
