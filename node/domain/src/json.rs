//! JSON values with exact integers, ordered members and no duplicates. It knows no twin and no limit.
//!
//! - An integer stays an integer, a number with a fraction or exponent is a double; integers outside `i64` are refused.
//! - Members are ordered by name, so that equal values have equal text.
//! - Text is parsed with correct rounding and written in the shortest form that reads back the same.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::{Reason, Rejection};

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number without fraction and exponent.
    Int(i64),
    /// Any other number; always finite.
    Float(f64),
    /// Text.
    String(String),
    /// A list.
    Array(Vec<Json>),
    /// Members by name.
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// Parses `text`, found at `field`.
    ///
    /// # Errors
    /// [`Reason::InvalidJson`] with line and column: not JSON, a duplicate member, an integer outside `i64`, or nesting
    /// beyond 127 levels.
    pub fn parse(field: &str, text: &str) -> Result<Self, Rejection> {
        let invalid =
            |why: String| Rejection::new(Reason::InvalidJson, field, format!("{field} is not valid JSON: {why}"));
        let value = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
        match integer_out_of_range(text) {
            None => Ok(value),
            Some(digits) => Err(invalid(format!("integer {digits} is out of range"))),
        }
    }

    /// Parses `text`, which must be a JSON object.
    ///
    /// # Errors
    /// As [`Json::parse`], and when it is something else than an object.
    pub fn parse_object(field: &str, text: &str) -> Result<BTreeMap<String, Self>, Rejection> {
        match Self::parse(field, text)? {
            Self::Object(members) => Ok(members),
            other => Err(Rejection::new(
                Reason::InvalidJson,
                field,
                format!("{field} must be a JSON object, not {}", other.type_name()),
            )),
        }
    }

    /// What it is, with its article, for messages.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// Appends the value as JSON text without white space.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Int(value) => write_int(out, *value),
            Self::Float(value) => write_float(out, *value),
            Self::String(value) => write_string(out, value),
            Self::Array(items) => write_list(out, '[', ']', items.iter(), |out, item| item.write(out)),
            Self::Object(members) => write_list(out, '{', '}', members.iter(), |out, (name, value)| {
                write_string(out, name);
                out.push(':');
                value.write(out);
            }),
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

/// The first integer in valid JSON that is none of `i64`: the parser would make a double of it and lose its digits.
pub(crate) fn integer_out_of_range(text: &str) -> Option<&str> {
    // Shorter ones are within `i64`.
    const DIGITS_MIN: usize = 19;
    let bytes = text.as_bytes();
    let (mut at, mut in_string) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => in_string = !in_string,
            b'\\' if in_string => at += 1,
            b'-' | b'0'..=b'9' if !in_string => {
                let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let length = bytes[at..].iter().take_while(is_part).count();
                let number = &text[at..at + length];
                let is_integer = !number.contains(['.', 'e', 'E']);
                if length >= DIGITS_MIN && is_integer && number.parse::<i64>().is_err() {
                    return Some(number);
                }
                at += length - 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Appends `items` between `open` and `close`, separated by commas.
pub fn write_list<T>(
    out: &mut String,
    open: char,
    close: char,
    items: impl Iterator<Item = T>,
    mut write_item: impl FnMut(&mut String, T),
) {
    out.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_item(out, item);
    }
    out.push(close);
}

/// Appends an integer.
pub fn write_int(out: &mut String, value: i64) {
    use fmt::Write as _;
    write!(out, "{value}").expect("writing to a String cannot fail");
}

/// Appends a finite double in the shortest form that reads back the same, always with a fraction or an exponent.
pub fn write_float(out: &mut String, value: f64) {
    match serde_json::Number::from_f64(value) {
        Some(number) => out.push_str(&number.to_string()),
        None => out.push_str("null"),
    }
}

/// Appends a JSON string with its quotes.
pub fn write_string(out: &mut String, value: &str) {
    use fmt::Write as _;
    out.push('"');
    let mut plain_from = 0;
    for (at, byte) in value.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x00..=0x1f => "",
            _ => continue,
        };
        out.push_str(&value[plain_from..at]);
        plain_from = at + 1;
        if escape.is_empty() {
            write!(out, "\\u{byte:04x}").expect("writing to a String cannot fail");
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&value[plain_from..]);
    out.push('"');
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Int(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Json, E> {
        i64::try_from(value).map(Json::Int).map_err(|_| E::custom(format!("integer {value} is out of range")))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        if value.is_finite() { Ok(Json::Float(value)) } else { Err(E::custom("number is out of range")) }
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Json>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(format!("member {name:?} appears twice")));
            }
            members.insert(name, value);
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_round_trip() {
        for text in [
            "null",
            "true",
            "-9007199254740993",
            "0.1",
            "1.0",
            "1e300",
            r#""a\"b\\c\n\u0001ü€""#,
            r#"[1,null,{"a":[]}]"#,
            r#"{"a":1,"b":{"c":"d"}}"#,
        ] {
            let value = Json::parse("json", text).expect(text);
            assert_eq!(Json::parse("json", &value.to_string()), Ok(value.clone()), "{text}");
        }
        assert_eq!(Json::parse("json", r#"{"b":1,"a":2}"#).expect("valid").to_string(), r#"{"a":2,"b":1}"#);
    }

    #[test]
    fn what_is_not_exact_json_is_refused() {
        for text in ["", "{", "{'a':1}", r#"{"a":1,"a":2}"#, "18446744073709551615", "1e999", "[1,]", "nul", "1 2"] {
            assert_eq!(Json::parse("json", text).expect_err(text).reason, Reason::InvalidJson);
        }
        for text in ["9223372036854775808", "-9223372036854775809", r#"{"\"":[1,99999999999999999999]}"#] {
            let refusal = Json::parse("json", text).expect_err(text);
            assert!(refusal.message.contains("is out of range"), "{}", refusal.message);
        }
        for text in
            ["9223372036854775807", "-9223372036854775808", "99999999999999999999.0", r#""\"99999999999999999999""#]
        {
            assert!(Json::parse("json", text).is_ok(), "{text}");
        }
        assert!(Json::parse("json", &"[".repeat(100_000)).is_err());
        assert!(Json::parse_object("json", "[]").is_err());
    }
}
