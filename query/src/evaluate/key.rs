//! Values as bytes: the order of the bytes is the order of the values ([`super::order::compare`]), equal bytes are the
//! same value. No key is the beginning of another one, so keys of several values are written one after the other.
//!
//! ```text
//! tag 1 ‖ nothing                            undefined, null, false, true
//! tag 1 ‖ double 8 ‖ rest 2                  a number: the greatest double that is not above it, and what is missing
//! tag 1 ‖ text, 0 as 0 255 ‖ 0 0             a string; an array or object as JSON text
//! ```

use crate::value::Value;

use super::order::canonical_text;
use super::{Datum, number};

const UNDEFINED: u8 = 1;
const NULL: u8 = 2;
const FALSE: u8 = 3;
const TRUE: u8 = 4;
const NUMBER: u8 = 5;
const STRING: u8 = 6;
const JSON: u8 = 7;

/// Appends the key of a value.
pub fn encode(datum: &Datum<'_>, out: &mut Vec<u8>) {
    match datum {
        Datum::Undefined => out.push(UNDEFINED),
        Datum::Null => out.push(NULL),
        Datum::Bool(false) => out.push(FALSE),
        Datum::Bool(true) => out.push(TRUE),
        Datum::Int(value) => {
            let (double, rest) = number::floor_double(*value);
            encode_number(double, rest, out);
        }
        Datum::Float(value) => encode_number(*value, 0, out),
        Datum::Str(text) => encode_text(STRING, text, out),
        Datum::Json(value) => encode_text(JSON, &canonical_text(value), out),
    }
}

/// Appends the key of a value so that greater values come first.
pub fn encode_descending(datum: &Datum<'_>, out: &mut Vec<u8>) {
    let from = out.len();
    encode(datum, out);
    for byte in &mut out[from..] {
        *byte = !*byte;
    }
}

/// The key of a value of a document; `None` is undefined.
pub fn encode_value(value: Option<&Value>, out: &mut Vec<u8>) {
    encode(&Datum::from(value), out);
}

fn encode_number(double: f64, rest: u16, out: &mut Vec<u8>) {
    // -0.0 and 0.0 are the same; negative doubles turn around, positive ones get the top bit.
    let bits = if double == 0.0 { 0 } else { double.to_bits() };
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    out.push(NUMBER);
    out.extend(ordered.to_be_bytes());
    out.extend(rest.to_be_bytes());
}

fn encode_text(tag: u8, text: &str, out: &mut Vec<u8>) {
    out.push(tag);
    let mut parts = text.as_bytes().split(|byte| *byte == 0);
    if let Some(first) = parts.next() {
        out.extend_from_slice(first);
    }
    for part in parts {
        out.extend_from_slice(&[0, 255]);
        out.extend_from_slice(part);
    }
    out.extend_from_slice(&[0, 0]);
}
