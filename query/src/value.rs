//! JSON values as queries see them: exact numbers, members in the order of their names.
//!
//! Undefined is not a value but the absence of one: `Option<Value>`, or `None` of a look-up.
//! Rules are those of `docs/language.md`; comparison and order live in [`crate::evaluate`].

use std::fmt::Write as _;

/// A JSON value.
#[derive(Debug, Clone)]
pub enum Value {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number that was written as an integer.
    Int(i64),
    /// Any other number; finite.
    Float(f64),
    /// Text.
    String(String),
    /// A list.
    Array(Vec<Value>),
    /// Members, ordered by name, no name twice.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// An object of `members` in any order; of two with one name the last one stays.
    #[must_use]
    pub fn object(mut members: Vec<(String, Self)>) -> Self {
        members.reverse();
        members.sort_by(|a, b| a.0.cmp(&b.0));
        members.dedup_by(|a, b| a.0 == b.0);
        Self::Object(members)
    }

    /// The member of an object.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        let at = members.binary_search_by(|(own, _)| own.as_str().cmp(name)).ok()?;
        Some(&members[at].1)
    }

    /// What lies at a path; `None` is undefined.
    #[must_use]
    pub fn at<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Self> {
        path.into_iter().try_fold(self, |value, name| value.member(name))
    }

    /// Appends the value as JSON text without white space. A double always has a fraction or an exponent.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Int(value) => write!(out, "{value}").expect("writing to a String cannot fail"),
            Self::Float(value) => {
                out.push_str(&serde_json::Number::from_f64(*value).map_or("null".to_owned(), |n| n.to_string()));
            }
            Self::String(value) => write_string(out, value),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_string(out, name);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) => 0,
                Self::String(text) => text.len(),
                Self::Array(items) => items.iter().map(Self::memory_bytes).sum(),
                Self::Object(members) => {
                    members.iter().map(|(name, value)| size_of::<String>() + name.len() + value.memory_bytes()).sum()
                }
            }
    }

    /// The value as JSON text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }
}

fn write_string(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

impl From<&serde_json::Value> for Value {
    /// Integers outside 64 bits with sign become doubles; documents have none.
    fn from(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => {
                number.as_i64().map_or_else(|| Self::Float(number.as_f64().unwrap_or_default()), Self::Int)
            }
            serde_json::Value::String(text) => Self::String(text.clone()),
            serde_json::Value::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            serde_json::Value::Object(members) => {
                Self::object(members.iter().map(|(name, value)| (name.clone(), Self::from(value))).collect())
            }
        }
    }
}
