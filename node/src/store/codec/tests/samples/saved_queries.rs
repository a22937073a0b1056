//! Saved queries and the operations on them.

use muster_domain::Operation;
use muster_domain::saved_query::{SavedQueryDefinition, SavedQueryField};

use super::{some, text};

pub(super) fn saved_query_definition() -> SavedQueryDefinition {
    SavedQueryDefinition {
        text: text("SELECT deviceId FROM devices WHERE properties.reported.battery < 20"),
        description: text("who needs a battery"),
    }
}

pub(super) fn operations() -> [(&'static str, Operation); 3] {
    let (namespace, query, definition) = (text("plant1"), text("low-battery"), saved_query_definition());
    let update = Operation::UpdateSavedQuery {
        namespace: namespace.clone(),
        query: query.clone(),
        definition: definition.clone(),
        fields: SavedQueryField::ALL.map(|(field, _)| field).to_vec(),
        etag: some("41"),
    };
    let delete = Operation::DeleteSavedQuery { namespace: namespace.clone(), query: query.clone(), etag: some("41") };
    [("", Operation::CreateSavedQuery { namespace, query, definition }), ("", update), ("", delete)]
}
