//! A value on its way through an expression: borrowed from a row where possible.

use std::borrow::Cow;

use crate::value::Value;

/// A value, or that there is none.
#[derive(Debug, Clone)]
pub enum Datum<'a> {
    /// There is none.
    Undefined,
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number held as an integer.
    Int(i64),
    /// A number held as a double; finite.
    Float(f64),
    /// Text.
    Str(Cow<'a, str>),
    /// An array or object; never another kind of value.
    Json(Cow<'a, Value>),
}

impl<'a> Datum<'a> {
    /// Borrowed text.
    #[must_use]
    pub fn text(text: &'a str) -> Self {
        Self::Str(Cow::Borrowed(text))
    }

    /// Text of its own.
    #[must_use]
    pub fn owned_text(text: String) -> Self {
        Self::Str(Cow::Owned(text))
    }

    /// A value of its own.
    #[must_use]
    pub fn from_value(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Int(value) => Self::Int(value),
            Value::Float(value) => Self::Float(value),
            Value::String(text) => Self::owned_text(text),
            Value::Array(_) | Value::Object(_) => Self::Json(Cow::Owned(value)),
        }
    }

    /// A double that came out of arithmetic: undefined when it is not finite.
    #[must_use]
    pub fn finite(value: f64) -> Self {
        if value.is_finite() { Self::Float(value) } else { Self::Undefined }
    }

    /// Three-valued truth: what is no boolean is `None`.
    #[must_use]
    pub fn truth(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// Whether there is a value; `null` is one.
    #[must_use]
    pub fn is_defined(&self) -> bool {
        !matches!(self, Self::Undefined)
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Str(text) = self { Some(text) } else { None }
    }

    /// The elements, if it is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value]> {
        let Self::Json(value) = self else { return None };
        if let Value::Array(items) = value.as_ref() { Some(items) } else { None }
    }

    /// The array or object.
    #[must_use]
    pub fn as_json(&self) -> Option<&Value> {
        if let Self::Json(value) = self { Some(value) } else { None }
    }

    /// Borrows from this one.
    #[must_use]
    pub fn as_borrowed(&self) -> Datum<'_> {
        match self {
            Self::Undefined => Datum::Undefined,
            Self::Null => Datum::Null,
            Self::Bool(value) => Datum::Bool(*value),
            Self::Int(value) => Datum::Int(*value),
            Self::Float(value) => Datum::Float(*value),
            Self::Str(text) => Datum::Str(Cow::Borrowed(text)),
            Self::Json(value) => Datum::Json(Cow::Borrowed(value)),
        }
    }

    /// As a value of its own; `None` is undefined.
    #[must_use]
    pub fn into_value(self) -> Option<Value> {
        Some(match self {
            Self::Undefined => return None,
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Float(value) => Value::Float(value),
            Self::Str(text) => Value::String(text.into_owned()),
            Self::Json(value) => value.into_owned(),
        })
    }
}

impl<'a> From<&'a Value> for Datum<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::Float(value) => Self::Float(*value),
            Value::String(text) => Self::text(text),
            Value::Array(_) | Value::Object(_) => Self::Json(Cow::Borrowed(value)),
        }
    }
}

impl<'a> From<Option<&'a Value>> for Datum<'a> {
    fn from(value: Option<&'a Value>) -> Self {
        value.map_or(Self::Undefined, Self::from)
    }
}

impl From<Option<bool>> for Datum<'_> {
    fn from(truth: Option<bool>) -> Self {
        truth.map_or(Self::Undefined, Self::Bool)
    }
}

impl From<bool> for Datum<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
