//! Reads a JSON object member by member, knowing the path for messages and noticing members that nobody asked for.
//!
//! Texts accept numbers and booleans too: YAML makes `version: 1.0` a number though a text is meant.

use serde_json::{Map, Value};

/// What is wrong with a document, with the path of the member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {rule}")]
pub(crate) struct ShapeError {
    /// Where.
    pub(crate) path: String,
    /// The rule.
    pub(crate) rule: String,
}

impl ShapeError {
    pub(crate) fn new(path: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { path: path.into(), rule: rule.into() }
    }
}

/// An object being read.
#[derive(Debug)]
pub(crate) struct Fields {
    path: String,
    members: Map<String, Value>,
}

impl Fields {
    /// Reads `value`, found at `path`, as an object; null is an empty one.
    pub(crate) fn new(path: impl Into<String>, value: Value) -> Result<Self, ShapeError> {
        let path = path.into();
        match value {
            Value::Object(members) => Ok(Self { path, members }),
            Value::Null => Ok(Self { path, members: Map::new() }),
            other => Err(ShapeError::new(path, format!("must be an object, not {}", kind(&other)))),
        }
    }

    /// The path of member `name`.
    pub(crate) fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Whether a member is there and not null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|value| !value.is_null())
    }

    /// Takes a member as it is; null counts as absent.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a text; absent is empty.
    pub(crate) fn text(&mut self, name: &str) -> Result<String, ShapeError> {
        match self.value(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(Value::Bool(bool)) => Ok(bool.to_string()),
            Some(other) => Err(ShapeError::new(self.at(name), format!("must be a text, not {}", kind(&other)))),
        }
    }

    /// Takes a text that must be there.
    pub(crate) fn required(&mut self, name: &str) -> Result<String, ShapeError> {
        let text = self.text(name)?;
        if text.is_empty() { Err(ShapeError::new(self.at(name), "is required")) } else { Ok(text) }
    }

    /// Takes a boolean.
    pub(crate) fn bool(&mut self, name: &str) -> Result<Option<bool>, ShapeError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(bool)) => Ok(Some(bool)),
            Some(other) => Err(ShapeError::new(self.at(name), format!("must be true or false, not {}", kind(&other)))),
        }
    }

    /// Takes a whole number from 0; absent is 0.
    pub(crate) fn number(&mut self, name: &str) -> Result<u64, ShapeError> {
        match self.value(name) {
            None => Ok(0),
            Some(Value::Number(number)) if number.is_u64() => Ok(number.as_u64().unwrap_or_default()),
            Some(other) => Err(ShapeError::new(self.at(name), format!("must be a whole number from 0, not {other}"))),
        }
    }

    /// Takes an object to read further; absent is an empty one.
    pub(crate) fn object(&mut self, name: &str) -> Result<Self, ShapeError> {
        let path = self.at(name);
        Self::new(path, self.value(name).unwrap_or(Value::Null))
    }

    /// Takes an object as JSON text; absent is empty text.
    pub(crate) fn object_text(&mut self, name: &str) -> Result<String, ShapeError> {
        match self.value(name) {
            None => Ok(String::new()),
            Some(value @ Value::Object(_)) => Ok(value.to_string()),
            Some(other) => Err(ShapeError::new(self.at(name), format!("must be an object, not {}", kind(&other)))),
        }
    }

    /// Takes a list; absent is an empty one. Each item comes with its path.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<(String, Value)>, ShapeError> {
        let path = self.at(name);
        match self.value(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                Ok(items.into_iter().enumerate().map(|(index, item)| (format!("{path}[{index}]"), item)).collect())
            }
            Some(other) => Err(ShapeError::new(path, format!("must be a list, not {}", kind(&other)))),
        }
    }

    /// Takes a list of objects and reads each.
    pub(crate) fn objects<T>(
        &mut self,
        name: &str,
        unread: &mut Vec<String>,
        read: impl Fn(&mut Self, &mut Vec<String>) -> Result<T, ShapeError>,
    ) -> Result<Vec<T>, ShapeError> {
        let item = |(path, value): (String, Value)| {
            let mut fields = Self::new(path, value)?;
            let item = read(&mut fields, unread)?;
            fields.finish(unread);
            Ok(item)
        };
        self.list(name)?.into_iter().map(item).collect()
    }

    /// Takes a list of texts.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>, ShapeError> {
        let item = |(path, value): (String, Value)| match value {
            Value::String(text) => Ok(text),
            other => Err(ShapeError::new(path, format!("must be a text, not {}", kind(&other)))),
        };
        self.list(name)?.into_iter().map(item).collect()
    }

    /// Takes an object of named objects.
    pub(crate) fn named(&mut self, name: &str) -> Result<Vec<(String, Self)>, ShapeError> {
        let object = self.object(name)?;
        let path = object.path;
        let member = |(name, value): (String, Value)| Ok((name.clone(), Self::new(format!("{path}.{name}"), value)?));
        object.members.into_iter().map(member).collect()
    }

    /// Drops members that are known and of no use here.
    pub(crate) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.members.remove(*name);
        }
    }

    /// Notes the paths of all members that were not read.
    pub(crate) fn finish(self, unread: &mut Vec<String>) {
        for name in self.members.keys() {
            unread.push(self.at(name));
        }
    }
}

/// What a value is, for messages.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_and_rules_are_named() {
        let mut fields = Fields::new("spec", json!({"a": [1], "b": "x", "list": [{"n": 1}]})).expect("is an object");
        assert_eq!(fields.text("a").expect_err("is a list").to_string(), "spec.a: must be a text, not a list");
        assert_eq!(fields.required("gone").expect_err("is absent").to_string(), "spec.gone: is required");
        let error = fields.objects("list", &mut Vec::new(), |item, _| item.texts("n")).expect_err("n is a number");
        assert_eq!(error.to_string(), "spec.list[0].n: must be a list, not a number");
    }

    #[test]
    fn members_nobody_asked_for_are_noticed() {
        let mut fields = Fields::new("", json!({"known": 1.5, "odd": 1, "old": 2})).expect("is an object");
        assert_eq!(fields.text("known"), Ok("1.5".to_owned()));
        fields.ignore(&["old"]);
        let mut unread = Vec::new();
        fields.finish(&mut unread);
        assert_eq!(unread, ["odd"]);
    }
}
