//! Attributes of devices and assets: one JSON object as text. It knows neither devices nor assets.
//!
//! - Accepted attributes are kept in one form, members in the order of their names and `{}` as the empty text, so that
//!   equal attributes are equal texts.

use std::collections::BTreeMap;

use crate::json::Json;
use crate::{Reason, Rejection, limits, text};

/// Length of an attribute's name, bytes.
const NAME_BYTES_MAX: usize = 1024;

/// Any JSON object of at most [`limits::ATTRIBUTES_BYTES_MAX`] bytes; returns it in its one form.
pub(crate) fn normalized(field: &str, attributes: &str) -> Result<String, Rejection> {
    Ok(write(parse(field, attributes)?))
}

/// As [`normalized`], with IoT Hub's rules for a device's attributes: names without control characters, `.`, `$` and
/// space; values are strings, booleans, integers and arrays of them.
pub(crate) fn normalized_for_device(field: &str, attributes: &str) -> Result<String, Rejection> {
    let members = parse(field, attributes)?;
    for (name, value) in &members {
        check_name(name).and_then(|()| check_value(name, value)).map_err(|refusal| refusal.within(field))?;
    }
    Ok(write(members))
}

fn parse(field: &str, attributes: &str) -> Result<BTreeMap<String, Json>, Rejection> {
    text::check_bytes(field, attributes, limits::ATTRIBUTES_BYTES_MAX)?;
    if attributes.is_empty() { Ok(BTreeMap::new()) } else { Json::parse_object(field, attributes) }
}

fn write(members: BTreeMap<String, Json>) -> String {
    if members.is_empty() { String::new() } else { Json::Object(members).to_string() }
}

fn check_name(name: &str) -> Result<(), Rejection> {
    let invalid = |message: String| Err(Rejection::new(Reason::InvalidField, name, message));
    if name.is_empty() {
        return invalid("the name of an attribute must not be empty".to_owned());
    }
    text::check_bytes(name, name, NAME_BYTES_MAX)?;
    match name.chars().find(|c| c.is_control() || matches!(c, '.' | '$' | ' ')) {
        None => Ok(()),
        Some(c) => invalid(format!(
            "the name of an attribute must hold no control character, `.`, `$` or space, but holds {c:?}"
        )),
    }
}

fn check_value(path: &str, value: &Json) -> Result<(), Rejection> {
    match value {
        Json::String(_) | Json::Bool(_) | Json::Int(_) => Ok(()),
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_value("", item).map_err(|refusal| refusal.within(&format!("[{index}]")).within(path))?;
            }
            Ok(())
        }
        Json::Null => Err(Rejection::new(Reason::NullNotAllowed, path, "an attribute must not be null")),
        Json::Float(_) | Json::Object(_) => {
            let found = if matches!(value, Json::Float(_)) { "a number with a fraction" } else { value.type_name() };
            let message =
                format!("an attribute must be a string, a boolean, an integer or an array of these, not {found}");
            Err(Rejection::new(Reason::InvalidField, path, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_attributes_are_equal_texts() {
        assert_eq!(normalized("a", r#"{ "b": 1, "a": {"x": 1.5} }"#).expect("valid"), r#"{"a":{"x":1.5},"b":1}"#);
        assert_eq!(normalized("a", " {} ").expect("valid"), "");
        assert_eq!(normalized("a", "").expect("valid"), "");
    }

    #[test]
    fn a_refusal_names_the_attribute() {
        for (attributes, reason, field) in [
            ("[]", Reason::InvalidJson, "a"),
            ("{", Reason::InvalidJson, "a"),
            (r#"{"x":null}"#, Reason::NullNotAllowed, "a.x"),
            (r#"{"x":1.5}"#, Reason::InvalidField, "a.x"),
            (r#"{"x":{}}"#, Reason::InvalidField, "a.x"),
            (r#"{"x":[1,[true,null]]}"#, Reason::NullNotAllowed, "a.x[1][1]"),
            (r#"{"x y":1}"#, Reason::InvalidField, "a.x y"),
            (r#"{"$x":1}"#, Reason::InvalidField, "a.$x"),
            (r#"{"":1}"#, Reason::InvalidField, "a"),
        ] {
            let refusal = normalized_for_device("a", attributes).expect_err(attributes);
            assert_eq!((refusal.reason, refusal.field.as_str()), (reason, field), "{attributes}");
        }
        let large = format!(r#"{{"x":"{}"}}"#, "y".repeat(limits::ATTRIBUTES_BYTES_MAX));
        assert_eq!(normalized("a", &large).expect_err("large").reason, Reason::TooLarge);
    }
}
