//! An asset as the API shows it: definition, status and the registry's own fields. Its parts have files of their own.

use muster_domain::asset::Asset;
use muster_domain::{Body, Key, Record};
use muster_proto::v1;

use super::asset::asset_definition_to_proto;
use super::asset_status::asset_status_to_proto;
use super::optional_timestamp;

/// The asset of a record; `None` when the record is of another kind.
#[must_use]
pub fn to_proto(key: &Key, record: &Record) -> Option<v1::Asset> {
    let Body::Asset(asset) = &record.body else { return None };
    let Asset { definition, enabled, uuid, version, last_transition_ms, status, status_updated_ms } = &**asset;
    Some(v1::Asset {
        name: key.to_string(),
        definition: Some(asset_definition_to_proto(definition)),
        enabled: Some(*enabled),
        status: Some(v1::AssetStatus {
            update_time: optional_timestamp(*status_updated_ms),
            ..asset_status_to_proto(status)
        }),
        uuid: uuid.clone(),
        version: *version,
        etag: record.etag(),
        generation_id: record.created_revision.to_string(),
        last_transition_time: optional_timestamp(*last_transition_ms),
        create_time: optional_timestamp(record.created_ms),
        update_time: optional_timestamp(record.updated_ms),
    })
}
