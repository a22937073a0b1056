//! What a change would change: two JSON documents compared leaf by leaf, and the result printed.

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
/// without members is a leaf.
fn walk(path: &str, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<Difference>) {
    let inner =
        |value: Option<&Value>| value.is_none_or(|value| value.as_object().is_some_and(|members| !members.is_empty()));
    let root = path.is_empty();
    if from == to {
        return;
    }
    if root || (inner(from) && inner(to)) {
        let members = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
        let (old, new) = (members(from), members(to));
        let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let path = if root { name.clone() } else { format!("{path}.{name}") };
            walk(&path, old.get(name), new.get(name), found);
        }
        return;
    }
    found.push(Difference { path: path.to_owned(), from: from.cloned(), to: to.cloned() });
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
