//! JSON text to a [`Document`] without traces, in one pass and without a tree in between. Null is kept: a patch means
//! something by it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::builder::{Builder, NameTwice};
use super::document::{Document, Touch};
use crate::json::{Json, integer_out_of_range};
use crate::{Reason, Rejection};

impl Document {
    /// Reads a JSON object found at `field`.
    ///
    /// # Errors
    /// As [`Json::parse_object`].
    pub fn parse(field: &str, text: &str) -> Result<Self, Rejection> {
        if !text.trim_ascii_start().starts_with('{') {
            // It is something else than an object, and the answer says what.
            Json::parse_object(field, text)?;
        }
        let invalid =
            |why: String| Rejection::new(Reason::InvalidJson, field, format!("{field} is not valid JSON: {why}"));
        let mut reading = Reading { builder: Builder::with_room(text.len()), has_large_number: false };
        let mut source = serde_json::Deserializer::from_str(text);
        let read = Place { reading: &mut reading, name: None }.deserialize(&mut source).and_then(|()| source.end());
        read.map_err(|error| invalid(error.to_string()))?;
        if reading.has_large_number
            && let Some(digits) = integer_out_of_range(text)
        {
            return Err(invalid(format!("integer {digits} is out of range")));
        }
        reading.builder.finish().map_err(|twice| invalid(said(&twice)))
    }
}

fn said(twice: &NameTwice) -> String {
    format!("member {:?} appears twice", twice.0)
}

struct Reading {
    builder: Builder,
    /// An integer beyond 64 bits arrives as a double: only then is it worth looking for one.
    has_large_number: bool,
}

/// Where the next value goes: to the member of that name, or to the outermost object.
struct Place<'a, 'n> {
    reading: &'a mut Reading,
    name: Option<&'n str>,
}

/// Doubles from here on may be integers that did not fit.
const LARGE: f64 = 9.0e18;
/// What was read from text was not touched yet.
const UNTOUCHED: Touch = Touch { time_ms: 0, version: 0 };

impl<'de> DeserializeSeed<'de> for Place<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'n> Place<'_, 'n> {
    fn leaf<E: Error>(self, add: impl FnOnce(&mut Builder, &'n str)) -> Result<(), E> {
        match self.name {
            Some(name) => add(&mut self.reading.builder, name),
            None => return Err(E::custom("not an object")),
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Place<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.leaf(|builder, name| builder.null(name, UNTOUCHED))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.leaf(|builder, name| builder.bool(name, UNTOUCHED, value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.leaf(|builder, name| builder.int(name, UNTOUCHED, value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => Err(E::custom(format!("integer {value} is out of range"))),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        if !value.is_finite() {
            return Err(E::custom("number is out of range"));
        }
        self.reading.has_large_number |= value.abs() >= LARGE;
        self.leaf(|builder, name| builder.float(name, UNTOUCHED, value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.leaf(|builder, name| builder.string(name, UNTOUCHED, value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let reading = self.reading;
        let Some(name) = self.name else { return Err(A::Error::custom("not an object")) };
        reading.builder.open_array(name, UNTOUCHED);
        while list.next_element_seed(Place { reading: &mut *reading, name: Some("") })?.is_some() {}
        reading.builder.close().map_err(|twice| A::Error::custom(said(&twice)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reading = self.reading;
        if let Some(name) = self.name {
            reading.builder.open_object(name, UNTOUCHED);
        }
        // Names are nearly always without escapes and then borrowed from the text.
        while let Some(name) = map.next_key_seed(Name)? {
            map.next_value_seed(Place { reading: &mut *reading, name: Some(&name) })?;
        }
        // The outermost object is closed when the document is finished.
        if self.name.is_some() {
            reading.builder.close().map_err(|twice| A::Error::custom(said(&twice)))?;
        }
        Ok(())
    }
}

struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = std::borrow::Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = std::borrow::Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(name.into())
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(name.to_owned().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_the_tree_reads_it() {
        for text in [
            "{}",
            " { } ",
            r#"{"b":1,"a":[null,{"z":{},"y":[]},"x"],"c":{"n":null,"m":-0.0,"l":1e300}}"#,
            r#"{"a\"b":"\u00fc\n","\u0061":true}"#,
            r#"{"a":9223372036854775807,"b":-9223372036854775808,"c":99999999999999999999.0}"#,
        ] {
            let tree = Json::Object(Json::parse_object("json", text).expect(text));
            assert_eq!(Document::parse("json", text).expect(text).to_json(), tree, "{text}");
        }
    }

    #[test]
    fn what_the_tree_refuses_is_refused_in_the_same_words() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
        for text in [
            "",
            "{",
            "null",
            "[]",
            "7",
            "\"x\"",
            "{'a':1}",
            r#"{"a":1,}"#,
            "{} x",
            r#"{"a":1e999}"#,
            r#"{"a":9223372036854775808}"#,
            r#"{"a":-9223372036854775809}"#,
            r#"{"a":[99999999999999999999]}"#,
            r#"{"a":18446744073709551615}"#,
            &deep,
        ] {
            let expected = Json::parse_object("json", text).expect_err(text);
            assert_eq!(Document::parse("json", text).expect_err(text), expected, "{text}");
        }
        for text in [r#"{"a":1,"a":2}"#, r#"{"a":{"b":1,"c":2,"b":{}}}"#, r#"{"a":[{"b":1,"b":1}]}"#] {
            let refusal = Document::parse("json", text).expect_err(text);
            assert!(refusal.reason == Reason::InvalidJson && refusal.message.contains("appears twice"), "{refusal}");
        }
    }
}
