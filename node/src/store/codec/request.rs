//! Requests and the batches of them that Raft carries. What an operation looks like is [`super::operation`]'s business.

use bytes::{BufMut, Bytes, BytesMut};
use muster_domain::Command;
use muster_domain::policy::{Principal, Role};
use muster_proto::stored::v1 as stored;
use muster_proto::stored::v1::principal::Kind;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, uint64};

use super::backwards::{self, Backwards};
use super::enums::StoredEnum;
use super::error::{fixed, required};
use super::{CodecError, operation};
use crate::request::Request;

/// The bytes of a request: forwarded, logged and applied as they are.
#[must_use]
pub fn encode_request(request: &Request) -> Bytes {
    let bytes = backwards::encode(|out| {
        let end = out.end();
        out.number_if(2, u64::from(request.command.atomic));
        for operation in request.command.operations.iter().rev() {
            operation::write(out, 1, operation);
        }
        out.begin(5, end);
        out.text(4, request.body_hash);
        out.text_if(3, &request.request_id);
        out.text_if(2, &request.origin);
        write_principal(out, 1, &request.principal);
    });
    bytes.into()
}

/// Reads the bytes of a request.
///
/// # Errors
/// When the bytes are malformed, or hold an operation that this version does not know.
pub fn decode_request(bytes: &[u8]) -> Result<Request, CodecError> {
    let what = "a request";
    let request = stored::Request::decode(bytes).map_err(CodecError::decoding(what))?;
    let command = required(what, "command", request.command)?;
    Ok(Request {
        principal: principal_from_stored(required(what, "principal", request.principal)?)?,
        origin: request.origin,
        request_id: request.request_id,
        body_hash: fixed("the body hash of a request", &request.body_hash)?,
        command: Command {
            operations: command.operations.into_iter().map(operation::from_stored).collect::<Result<_, _>>()?,
            atomic: command.atomic,
        },
    })
}

/// The bytes of a batch, from the requests' times (milliseconds since the epoch) and bytes.
#[must_use]
pub fn encode_batch<'a>(items: impl Iterator<Item = (u64, &'a Bytes)>) -> Bytes {
    let mut out = BytesMut::with_capacity(4 * 1024);
    for (time_ms, request) in items {
        let time_bytes = if time_ms == 0 { 0 } else { uint64::encoded_len(1, &time_ms) };
        let request_bytes = match request.len() {
            0 => 0,
            length => 1 + encoded_len_varint(length as u64) + length,
        };
        encode_key(1, WireType::LengthDelimited, &mut out);
        encode_varint((time_bytes + request_bytes) as u64, &mut out);
        if time_ms != 0 {
            uint64::encode(1, &time_ms, &mut out);
        }
        if !request.is_empty() {
            encode_key(2, WireType::LengthDelimited, &mut out);
            encode_varint(request.len() as u64, &mut out);
            out.put_slice(request);
        }
    }
    out.freeze()
}

/// Reads the bytes of a batch; the requests share its memory.
///
/// # Errors
/// When the bytes are malformed.
pub fn decode_batch(bytes: Bytes) -> Result<Vec<(u64, Bytes)>, CodecError> {
    let batch = stored::Batch::decode(bytes).map_err(CodecError::decoding("a batch of requests"))?;
    Ok(batch.requests.into_iter().map(|stamped| (stamped.time_ms, stamped.request)).collect())
}

fn write_principal(out: &mut Backwards, tag: u32, principal: &Principal) {
    let principal_end = out.end();
    let end = out.end();
    match principal {
        Principal::Node(id) => out.number(1, *id),
        Principal::User { name, role, namespace, token } => {
            out.optional_text(4, token.as_ref());
            out.optional_text(3, namespace.as_ref());
            out.number_if(2, u64::from(role.number().cast_unsigned()));
            out.text_if(1, name);
            out.begin(2, end);
        }
        Principal::Device { namespace, device, token } => {
            out.optional_text(3, token.as_ref());
            out.text_if(2, device);
            out.text_if(1, namespace);
            out.begin(3, end);
        }
        Principal::Edge { namespace, edge, token } => {
            out.optional_text(3, token.as_ref());
            out.text_if(2, edge);
            out.text_if(1, namespace);
            out.begin(4, end);
        }
    }
    out.begin(tag, principal_end);
}

fn principal_from_stored(principal: stored::Principal) -> Result<Principal, CodecError> {
    Ok(match principal.kind.ok_or(CodecError::UnknownKind { what: "a principal" })? {
        Kind::Node(id) => Principal::Node(id),
        Kind::User(stored::UserPrincipal { name, role, namespace, token }) => {
            Principal::User { name, role: Role::from_number(role)?, namespace, token }
        }
        Kind::Device(stored::DevicePrincipal { namespace, device, token }) => {
            Principal::Device { namespace, device, token }
        }
        Kind::Edge(stored::EdgePrincipal { namespace, edge, token }) => Principal::Edge { namespace, edge, token },
    })
}
