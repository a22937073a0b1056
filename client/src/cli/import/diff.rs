//! What a change would change: two JSON documents compared leaf by leaf, and the result printed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::args::Format;
use crate::output;

/// One leaf that differs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Difference {
    pub(crate) path: String,
    /// None: it is added.
    pub(crate) from: Option<Value>,
    /// None: it is removed.
    pub(crate) to: Option<Value>,
}

/// What would happen to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Update,
    Delete,
    Unchanged,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Compares two documents; objects member by member, everything else whole.
pub(crate) fn compare(from: &Value, to: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    walk("", Some(from), Some(to), &mut found);
    found
}

/// Absent counts as an empty object beside an object, so that what is added or removed is told leaf by leaf. An object
/// without members is a leaf. Lists of named objects, such as the datasets of an asset, are compared by name.
fn walk(path: &str, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<Difference>) {
    if from == to {
        return;
    }
    let root = path.is_empty();
    let before = found.len();
    if let (Some(old), Some(new)) = (members(from, root), members(to, root)) {
        for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let path = if root { name.clone() } else { format!("{path}.{name}") };
            walk(&path, old.get(name).copied(), new.get(name).copied(), found);
        }
    } else if let (Some(old), Some(new)) = (named(from), named(to)) {
        for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            walk(&format!("{path}[{name}]"), old.get(name).copied(), new.get(name).copied(), found);
        }
    }
    // A leaf, or a list in another order.
    if found.len() == before {
        found.push(Difference { path: path.to_owned(), from: from.cloned(), to: to.cloned() });
    }
}

fn members(value: Option<&Value>, root: bool) -> Option<BTreeMap<String, &Value>> {
    match value {
        None => Some(BTreeMap::new()),
        Some(Value::Object(members)) if root || !members.is_empty() => {
            Some(members.iter().map(|(name, value)| (name.clone(), value)).collect())
        }
        Some(_) => None,
    }
}

/// The items of a list by their member `name`, if each has one of its own.
fn named(value: Option<&Value>) -> Option<BTreeMap<String, &Value>> {
    match value {
        None => Some(BTreeMap::new()),
        Some(Value::Array(items)) if !items.is_empty() => {
            let name = |item: &'_ Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
            let by_name: BTreeMap<String, &Value> =
                items.iter().map(|item| Some((name(item)?, item))).collect::<Option<_>>()?;
            (by_name.len() == items.len()).then_some(by_name)
        }
        Some(_) => None,
    }
}

/// Prints what would happen: `+` added, `-` removed, `~` changed; or one JSON object.
pub(crate) fn print(format: Format, action: Action, id: &str, differences: &[Difference]) -> std::io::Result<()> {
    if format == Format::Json {
        let change = |difference: &Difference| {
            let mut object = Map::new();
            object.insert("path".to_owned(), json!(difference.path));
            object.extend(difference.from.clone().map(|value| ("from".to_owned(), value)));
            object.extend(difference.to.clone().map(|value| ("to".to_owned(), value)));
            Value::Object(object)
        };
        let changes: Vec<Value> = differences.iter().map(change).collect();
        return output::line(&json!({"action": action.word(), "id": id, "changes": changes}).to_string());
    }
    let mark = match action {
        Action::Create => '+',
        Action::Update => '~',
        Action::Delete => '-',
        Action::Unchanged => return Ok(()),
    };
    output::line(&format!("{mark} {id}"))?;
    for Difference { path, from, to } in differences {
        output::line(&match (from, to) {
            (Some(from), Some(to)) => format!("    ~ {path}: {from} -> {to}"),
            (None, Some(to)) => format!("    + {path}: {to}"),
            (Some(from), None) => format!("    - {path}: {from}"),
            (None, None) => continue,
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_compared_and_lists_are_whole() {
        let from = json!({"tags": {"site": "ams", "old": 1, "same": {}}, "list": [1, 2]});
        let to = json!({"tags": {"site": "sea", "new": {"a": {"b": true}}, "same": {}}, "list": [1, 3]});
        let found: Vec<(String, Option<Value>, Option<Value>)> = compare(&from, &to)
            .into_iter()
            .map(|difference| (difference.path, difference.from, difference.to))
            .collect();
        assert_eq!(
            found,
            [
                ("list".to_owned(), Some(json!([1, 2])), Some(json!([1, 3]))),
                ("tags.new.a.b".to_owned(), None, Some(json!(true))),
                ("tags.old".to_owned(), Some(json!(1)), None),
                ("tags.site".to_owned(), Some(json!("ams")), Some(json!("sea"))),
            ]
        );
    }

    #[test]
    fn lists_of_named_objects_are_compared_by_name() {
        let list = |items: Value| json!({"datasets": items});
        let paths = |from: Value, to: Value| -> Vec<String> {
            compare(&list(from), &list(to)).into_iter().map(|difference| difference.path).collect()
        };
        let (a, b) = (json!({"name": "a", "x": 1}), json!({"name": "b", "points": [{"name": "p", "y": 1}]}));
        let changed = json!({"name": "b", "points": [{"name": "p", "y": 2}]});
        assert_eq!(paths(json!([a, b]), json!([a, changed])), ["datasets[b].points[p].y"]);
        assert_eq!(
            paths(json!([a]), json!([a, b])),
            ["datasets[b].name", "datasets[b].points[p].name", "datasets[b].points[p].y"]
        );
        assert_eq!(paths(json!([a, b]), json!([b, a])), ["datasets"], "another order is a difference");
        assert_eq!(paths(json!([a, a]), json!([a])), ["datasets"]);
    }

    #[test]
    fn equal_documents_do_not_differ() {
        let same = json!({"a": {"b": [1]}, "c": {}});
        assert_eq!(compare(&same, &same), []);
    }

    #[test]
    fn an_object_in_place_of_a_leaf_is_one_difference() {
        assert_eq!(compare(&json!({"a": 1}), &json!({"a": {"b": 2}})).len(), 1);
        assert_eq!(compare(&json!({}), &json!({"a": {}})).len(), 1);
    }
}
