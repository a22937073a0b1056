//! Outcomes: what is kept by request id and sent back to the node that took the request.

use bytes::Bytes;
use muster_domain::{Reason, Rejection};
use muster_proto::stored::v1 as stored;
use muster_proto::stored::v1::operation_result::Result as Kind;
use prost::Message;

use super::CodecError;
use super::backwards::{self, Backwards};
use super::enums::StoredEnum;
use crate::outcome::{Accepted, OperationResult, Outcome};

/// The stored bytes of an outcome.
#[must_use]
pub fn encode_outcome(outcome: &Outcome) -> Bytes {
    let bytes = backwards::encode(|out| {
        for result in outcome.results.iter().rev() {
            write_result(out, 2, result);
        }
        out.number_if(1, outcome.revision);
    });
    bytes.into()
}

fn write_result(out: &mut Backwards, tag: u32, result: &OperationResult) {
    let result_end = out.end();
    let end = out.end();
    match result {
        OperationResult::Accepted(accepted) => {
            out.number_if(7, u64::from(accepted.finished));
            out.number_if(6, accepted.deleted);
            out.number_if(5, accepted.reported_version);
            out.number_if(4, accepted.desired_version);
            out.number_if(3, accepted.tags_version);
            out.number_if(2, accepted.version);
            out.text_if(1, &accepted.etag);
            out.begin(1, end);
        }
        OperationResult::Rejected(rejection) => {
            out.text_if(4, &rejection.current);
            out.text_if(3, &rejection.message);
            out.text_if(2, &rejection.field);
            out.number_if(1, u64::from(rejection.reason.number().cast_unsigned()));
            out.begin(2, end);
        }
    }
    out.begin(tag, result_end);
}

/// Reads the stored bytes of an outcome.
///
/// # Errors
/// When the bytes are malformed, or hold a reason that this version does not know.
pub fn decode_outcome(bytes: &[u8]) -> Result<Outcome, CodecError> {
    let outcome = stored::Outcome::decode(bytes).map_err(CodecError::decoding("an outcome"))?;
    let results = outcome.results.into_iter().map(result_from_stored).collect::<Result<_, _>>()?;
    Ok(Outcome { revision: outcome.revision, results })
}

fn result_from_stored(result: stored::OperationResult) -> Result<OperationResult, CodecError> {
    let kind = result.result.ok_or(CodecError::UnknownKind { what: "the result of an operation" })?;
    Ok(match kind {
        Kind::Accepted(stored::Accepted {
            etag,
            version,
            tags_version,
            desired_version,
            reported_version,
            deleted,
            finished,
        }) => OperationResult::Accepted(Accepted {
            etag,
            version,
            tags_version,
            desired_version,
            reported_version,
            deleted,
            finished,
        }),
        Kind::Rejected(stored::Rejection { reason, field, message, current }) => {
            OperationResult::Rejected(Rejection { reason: Reason::from_number(reason)?, field, message, current })
        }
    })
}
