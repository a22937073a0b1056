//! Sites from and to proto.

use muster_domain::site::SiteDefinition;
use muster_domain::{Body, Key, Record};
use muster_proto::v1;

use super::optional_timestamp;

/// What a message asks for.
#[must_use]
pub fn definition(site: v1::Site) -> SiteDefinition {
    SiteDefinition {
        display_name: site.display_name,
        description: site.description,
        parent: site.parent,
        edge: site.edge,
        attributes: site.attributes_json,
    }
}

/// The site of a record; `None` when the record is of another kind.
#[must_use]
pub fn to_proto(key: &Key, record: &Record) -> Option<v1::Site> {
    let Body::Site(site) = &record.body else { return None };
    Some(v1::Site {
        name: key.to_string(),
        display_name: site.definition.display_name.clone(),
        description: site.definition.description.clone(),
        parent: site.definition.parent.clone(),
        edge: site.definition.edge.clone(),
        attributes_json: site.definition.attributes.clone(),
        version: site.version,
        etag: record.etag(),
        create_time: optional_timestamp(record.created_ms),
        update_time: optional_timestamp(record.updated_ms),
    })
}
