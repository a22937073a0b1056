//! Saved queries from and to proto.

use muster_domain::saved_query::SavedQueryDefinition;
use muster_domain::{Body, Key, Record};
use muster_proto::v1;

use super::optional_timestamp;

/// What a message asks for.
#[must_use]
pub fn definition(query: v1::SavedQuery) -> SavedQueryDefinition {
    SavedQueryDefinition { text: query.text, description: query.description }
}

/// The saved query of a record; `None` when the record is of another kind.
#[must_use]
pub fn to_proto(key: &Key, record: &Record) -> Option<v1::SavedQuery> {
    let Body::SavedQuery(query) = &record.body else { return None };
    Some(v1::SavedQuery {
        name: key.to_string(),
        text: query.definition.text.clone(),
        description: query.definition.description.clone(),
        version: query.version,
        etag: record.etag(),
        create_time: optional_timestamp(record.created_ms),
        update_time: optional_timestamp(record.updated_ms),
    })
}
