//! Namespaces, proto to domain and back. It checks no rule; `decide` does.

use muster_domain::namespace::{Namespace, NamespaceDefinition};
use muster_domain::{Body, Key, Record};
use muster_proto::v1;

use super::optional_timestamp;

/// What a request says of a namespace.
#[must_use]
pub fn definition(namespace: v1::Namespace) -> NamespaceDefinition {
    NamespaceDefinition {
        display_name: namespace.display_name,
        description: namespace.description,
        labels: namespace.labels,
    }
}

/// The namespace of a record; `None` when the record is of another kind.
#[must_use]
pub fn to_proto(key: &Key, record: &Record) -> Option<v1::Namespace> {
    let Body::Namespace(Namespace { definition, deleting }) = &record.body else { return None };
    Some(v1::Namespace {
        name: key.to_string(),
        display_name: definition.display_name.clone(),
        description: definition.description.clone(),
        labels: definition.labels.clone(),
        etag: record.etag(),
        create_time: optional_timestamp(record.created_ms),
        update_time: optional_timestamp(record.updated_ms),
        deleting: *deleting,
    })
}
