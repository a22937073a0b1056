//! Functions of text. Places and lengths count Unicode scalar values.

use std::borrow::Cow;

use crate::evaluate::Datum;
use crate::plan::Function;
use crate::value::Value;

use super::whole;

/// `STARTSWITH`, `ENDSWITH`, `CONTAINS`
pub(super) fn holds(function: Function, text: &Datum<'_>, part: &Datum<'_>) -> Datum<'static> {
    let (Datum::Str(text), Datum::Str(part)) = (text, part) else { return Datum::Undefined };
    let part: &str = part;
    Datum::Bool(match function {
        Function::StartsWith => text.starts_with(part),
        Function::EndsWith => text.ends_with(part),
        _ => text.contains(part),
    })
}

/// `CONCAT`
pub(super) fn concat<'d>(parts: impl Iterator<Item = Datum<'d>>) -> Datum<'static> {
    let mut joined = String::new();
    for part in parts {
        let Datum::Str(part) = part else { return Datum::Undefined };
        joined.push_str(&part);
    }
    Datum::owned_text(joined)
}

/// `LOWER`
pub(super) fn lower(text: Datum<'_>) -> Datum<'_> {
    match text {
        Datum::Str(text) if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) => Datum::Str(text),
        Datum::Str(text) => Datum::owned_text(text.to_lowercase()),
        _ => Datum::Undefined,
    }
}

/// `UPPER`
pub(super) fn upper(text: Datum<'_>) -> Datum<'_> {
    match text {
        Datum::Str(text) if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_lowercase()) => Datum::Str(text),
        Datum::Str(text) => Datum::owned_text(text.to_uppercase()),
        _ => Datum::Undefined,
    }
}

/// `SUBSTRING`
pub(super) fn substring<'d>(text: Datum<'d>, start: &Datum<'_>, length: Option<&Datum<'_>>) -> Datum<'d> {
    let Datum::Str(text) = text else { return Datum::Undefined };
    let Some(start) = place(start) else { return Datum::Undefined };
    let from = byte_at(&text, start);
    let to = match length.map(place) {
        Some(None) => return Datum::Undefined,
        Some(Some(length)) => from + byte_at(&text[from..], length),
        None => text.len(),
    };
    Datum::Str(match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[from..to]),
        Cow::Owned(text) => Cow::Owned(text[from..to].to_owned()),
    })
}

/// A place or length; what does not fit is beyond every end.
fn place(datum: &Datum<'_>) -> Option<usize> {
    whole(datum).filter(|value| *value >= 0).map(|value| usize::try_from(value).unwrap_or(usize::MAX))
}

fn byte_at(text: &str, place: usize) -> usize {
    text.char_indices().nth(place).map_or(text.len(), |(at, _)| at)
}

/// `INDEX_OF`
pub(super) fn index_of(text: &Datum<'_>, part: &Datum<'_>) -> Datum<'static> {
    let (Datum::Str(text), Datum::Str(part)) = (text, part) else { return Datum::Undefined };
    text.find(part.as_ref()).map_or(Datum::Int(-1), |at| super::length(text[..at].chars().count()))
}

/// `AS_NUMBER`
pub(super) fn as_number(x: Datum<'_>) -> Datum<'_> {
    let Datum::Str(text) = &x else {
        return if matches!(x, Datum::Int(_) | Datum::Float(_)) { x } else { Datum::Undefined };
    };
    // The parser would take white space around it.
    if !(text.starts_with(|char: char| char == '-' || char.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit()))
    {
        return Datum::Undefined;
    }
    match serde_json::from_str::<serde_json::Number>(text).map(|number| Value::from(&number.into())) {
        Ok(Value::Int(value)) => Datum::Int(value),
        Ok(Value::Float(value)) => Datum::finite(value),
        _ => Datum::Undefined,
    }
}
