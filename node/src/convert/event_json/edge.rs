//! Sites, edges and the sessions of edges, as JSON for the history.
//!
//! Ids of sessions are left out: whoever knows the newest may speak for the edge until it has sent something.

use muster_domain::edge::{EdgeDefinition, Refusal};
use muster_domain::site::SiteDefinition;
use serde_json::Value;

use super::{document, list, object, text};

pub(crate) fn site(definition: &SiteDefinition) -> Value {
    object([
        ("display_name", text(&definition.display_name)),
        ("description", text(&definition.description)),
        ("parent", text(&definition.parent)),
        ("edge", text(&definition.edge)),
        ("attributes", attributes(&definition.attributes)),
    ])
}

pub(crate) fn edge(definition: &EdgeDefinition) -> Value {
    object([
        ("enabled", definition.enabled.into()),
        ("display_name", text(&definition.display_name)),
        ("description", text(&definition.description)),
        ("attributes", attributes(&definition.attributes)),
    ])
}

pub(crate) fn opened(incarnation: &[u8; 16], epoch: u64, node_id: u64) -> Value {
    let hexadecimal: Vec<String> = incarnation.iter().map(|byte| format!("{byte:02x}")).collect();
    object([("incarnation", Value::String(hexadecimal.concat())), ("epoch", epoch.into()), ("node_id", node_id.into())])
}

pub(crate) fn applied(last_sequence: u64, refusals: &[Refusal]) -> Value {
    object([("last_sequence", last_sequence.into()), ("refusals", list(refusals, refusal))])
}

fn refusal(refusal: &Refusal) -> Value {
    object([
        ("sequence", refusal.sequence.into()),
        ("reason", text(refusal.reason.code())),
        ("message", text(&refusal.message)),
    ])
}

fn attributes(attributes: &str) -> Value {
    if attributes.is_empty() { Value::Null } else { document(attributes) }
}
