//! Cursors to proto.

use muster_domain::{Body, Key, Record};
use muster_proto::v1;

use super::optional_timestamp;

/// The cursor of a record; `None` when the record is of another kind.
#[must_use]
pub fn to_proto(key: &Key, record: &Record) -> Option<v1::Cursor> {
    let Body::Cursor(cursor) = &record.body else { return None };
    Some(v1::Cursor {
        name: key.to_string(),
        description: cursor.description.clone(),
        acknowledged_revision: cursor.acknowledged,
        create_time: optional_timestamp(record.created_ms),
        update_time: optional_timestamp(record.updated_ms),
        etag: record.etag(),
    })
}
