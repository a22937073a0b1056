//! Twins to proto. It knows no rule of documents; rendering is the domain's.

use muster_domain::twin::Section;
use muster_domain::{Body, Key, Record};
use muster_proto::v1;

use super::optional_timestamp;

/// Which parts of a twin an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// The back end's notes.
    pub tags: bool,
    /// What the back end wants.
    pub desired: bool,
    /// What the device says.
    pub reported: bool,
    /// `$metadata` of these sections.
    pub metadata: bool,
}

impl Parts {
    /// All sections with their metadata.
    pub const ALL: Self = Self { tags: true, desired: true, reported: true, metadata: true };
}

/// The twin of a record; `None` when the record is of another kind.
#[must_use]
pub fn to_proto(key: &Key, record: &Record, parts: Parts) -> Option<v1::Twin> {
    let Body::Twin(twin) = &record.body else { return None };
    Some(v1::Twin {
        name: key.to_string(),
        etag: record.etag(),
        version: twin.version,
        tags: parts.tags.then(|| section(&twin.tags, parts.metadata, false)),
        desired: parts.desired.then(|| section(&twin.desired, parts.metadata, true)),
        reported: parts.reported.then(|| section(&twin.reported, parts.metadata, false)),
        update_time: optional_timestamp(record.updated_ms),
    })
}

/// IoT Hub shows the version of a node's last change in `desired` only.
fn section(section: &Section, metadata: bool, versions: bool) -> v1::SectionDocument {
    let (mut json, mut metadata_json) = (String::new(), String::new());
    section.write_json(&mut json);
    if metadata {
        section.write_metadata(&mut metadata_json, versions);
    }
    v1::SectionDocument {
        json,
        version: section.version,
        metadata_json,
        update_time: optional_timestamp(section.updated_ms),
    }
}
