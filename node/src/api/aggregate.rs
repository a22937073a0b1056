//! `QueryService.Aggregate`: groups with typed values. What may be asked is `aggregate_request`'s to know, how it is
//! answered [`crate::queries`]'s.

use muster_proto::v1;
use muster_proto::v1::aggregate_value::Kind;
use muster_query::Value;
use prost::Message;

use super::aggregate_request::{aggregation, column_name};
use super::query::{PAGE_BYTES_MAX, bounded, namespace, view_of};
use super::read::Read;
use super::status::{Failure, Transport};
use crate::queries::AnswerError;

/// Groups of one answer.
const GROUPS_MAX: i32 = 10_000;
const GROUPS_DEFAULT: usize = 1_000;

/// The groups that are asked for.
pub(super) async fn groups(read: &Read, request: v1::AggregateRequest) -> Result<v1::AggregateResponse, Failure> {
    let namespace = namespace(read, &request.parent)?;
    let limit = bounded("limit", request.limit, GROUPS_MAX, GROUPS_DEFAULT)?;
    // One more than wanted tells whether there are more.
    let asked = aggregation(&request, limit + 1)?;
    let view = view_of(read, &namespace, request.read).await?;
    let queries = &read.services.queries;
    let question = queries.question(&namespace, asked.plan, None);
    let answered = queries.answer(&view, question, None).await.map_err(at_field)?;
    let rows = queries.rows(&answered, 0, limit).await.map_err(at_field)?;
    let names: Vec<String> = (0..asked.columns.len()).map(column_name).collect();
    let (mut groups, mut bytes) = (Vec::with_capacity(rows.len()), 0);
    for row in &rows {
        let mut keys: Vec<_> = names.iter().map(|name| typed(row.value.member(name))).collect();
        let values = keys.split_off(asked.keys);
        let group = v1::AggregateGroup { keys, values };
        bytes += group.encoded_len();
        if bytes > PAGE_BYTES_MAX && !groups.is_empty() {
            break;
        }
        groups.push(group);
    }
    let truncated = groups.len() < answered.selection.len();
    let header = read.header(answered.taken.revision);
    Ok(v1::AggregateResponse { header, columns: asked.columns, groups, truncated })
}

/// A value with its type; nothing for what is undefined.
fn typed(value: Option<&Value>) -> v1::AggregateValue {
    let kind = value.map(|value| match value {
        Value::Null => Kind::NullValue(true),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Int(value) => Kind::IntValue(*value),
        Value::Float(value) => Kind::DoubleValue(*value),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(_) | Value::Object(_) => Kind::JsonValue(value.to_text()),
    });
    v1::AggregateValue { kind }
}

/// There is no text here that could be at fault.
fn at_field(error: AnswerError) -> Failure {
    let message = error.to_string();
    let at = |transport: Transport, field: &str| Failure::At { transport, field: field.to_owned(), message };
    match error {
        AnswerError::Budget(_) => at(Transport::QueryBudget, ""),
        AnswerError::Future { .. } => at(Transport::RevisionInFuture, "as_of_revision"),
        AnswerError::Compacted { revision, floor } => {
            Failure::Compacted { field: "as_of_revision".to_owned(), revision, floor }
        }
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_type_and_all_their_digits() {
        let kind = |value: &Value| typed(Some(value)).kind;
        assert_eq!(typed(None).kind, None);
        assert_eq!(kind(&Value::Null), Some(Kind::NullValue(true)));
        for int in [i64::MIN, -(1 << 53) - 1, 0, (1 << 53) + 1, i64::MAX] {
            assert_eq!(kind(&Value::Int(int)), Some(Kind::IntValue(int)));
        }
        assert_eq!(kind(&Value::Float(2.0)), Some(Kind::DoubleValue(2.0)));
        assert_eq!(kind(&Value::Array(vec![Value::Int(1)])), Some(Kind::JsonValue("[1]".to_owned())));
    }
}
