//! What a name means: section 1, and aliases of section 11.

use muster_query::syntax::ast::{Element, Name};
use serde_json::Value as Json;

use super::{Scope, V, value};

/// Members of the first level are found without regard to case.
const MEMBERS: [&str; 16] = [
    "deviceId",
    "moduleId",
    "assetName",
    "etag",
    "status",
    "version",
    "connectionState",
    "lastActivityTime",
    "capabilities",
    "configurations",
    "deviceRef",
    "tags",
    "properties",
    "device",
    "desired",
    "reported",
];

pub(super) fn member_name(written: &str) -> String {
    MEMBERS
        .iter()
        .find(|member| member.eq_ignore_ascii_case(written))
        .map_or(written.to_owned(), |member| (*member).to_owned())
}

/// The value at a path.
pub(super) fn path(names: &[Name], scope: &Scope<'_>) -> V {
    let first = &names[0].text;
    let through = |mut at: Json, rest: &[Name]| {
        for name in rest {
            let Json::Object(mut members) = at else { return None };
            at = members.remove(&name.text)?;
        }
        Some(at)
    };
    if let Some((_, element)) = scope.variables.iter().rev().find(|(name, _)| name == first) {
        return through(element.clone(), &names[1..]);
    }
    let is_named = |element: &&Element| element.alias.as_ref().is_some_and(|alias| alias.text == *first);
    if let Some(element) = scope.aliases.iter().find(is_named) {
        // Inside of what is selected, names are members again.
        let outside = Scope { aliases: &[], variables: Vec::new(), ..scope.clone() };
        return through(value(&element.expr, &outside)?, &names[1..]);
    }
    let row = scope.row.clone();
    match first.to_lowercase().as_str() {
        "desired" | "reported" => {
            let section = row.get("properties")?.get(first.to_lowercase())?.clone();
            through(section, &names[1..])
        }
        _ => through(row.get(member_name(first))?.clone(), &names[1..]),
    }
}
