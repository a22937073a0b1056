//! Functions: section 9, and those of sections 6 and 8.

use muster_query::syntax::ast::{BinaryOp, Expr, ExprKind};
use serde_json::{Value as Json, json};

use super::numbers::{double, number};
use super::{Scope, V, dates, numbers, places, texts, value};

pub(super) fn call(name: &str, arguments: &[Expr], scope: &Scope<'_>) -> V {
    let of = |index: usize| arguments.get(index).and_then(|argument| value(argument, scope));
    let text = |index: usize| of(index).and_then(|value| value.as_str().map(str::to_owned));
    let whole = |index: usize| of(index).and_then(|value| numbers::whole(&value));
    let kind = |is: fn(&Json) -> bool| Some(json!(of(0).is_some_and(|value| is(&value))));
    let unit = || match arguments.first().map(|argument| &argument.kind) {
        Some(ExprKind::String(unit)) => unit.to_lowercase(),
        _ => String::new(),
    };
    let moment = |index: usize| of(index).and_then(|value| dates::moment(&value));
    match name {
        "IS_DEFINED" => Some(json!(of(0).is_some())),
        "IS_NULL" => kind(Json::is_null),
        "IS_BOOL" => kind(Json::is_boolean),
        "IS_NUMBER" => kind(Json::is_number),
        "IS_STRING" => kind(Json::is_string),
        "IS_ARRAY" => kind(Json::is_array),
        "IS_OBJECT" => kind(Json::is_object),
        "IS_PRIMITIVE" => kind(|value| !value.is_array() && !value.is_object()),
        "STARTSWITH" | "STARTS_WITH" => Some(json!(text(0)?.starts_with(&text(1)?))),
        "ENDSWITH" | "ENDS_WITH" => Some(json!(text(0)?.ends_with(&text(1)?))),
        "CONTAINS" => Some(json!(text(0)?.contains(&text(1)?))),
        "CONCAT" => {
            let parts: Option<Vec<String>> = (0..arguments.len()).map(text).collect();
            Some(json!(parts?.concat()))
        }
        "LENGTH" => Some(json!(text(0)?.chars().count())),
        "LOWER" => Some(json!(text(0)?.to_lowercase())),
        "UPPER" => Some(json!(text(0)?.to_uppercase())),
        "SUBSTRING" => {
            let start = usize::try_from(whole(1)?).ok()?;
            let length = if arguments.len() > 2 { usize::try_from(whole(2)?).ok()? } else { usize::MAX };
            Some(json!(text(0)?.chars().skip(start).take(length).collect::<String>()))
        }
        "INDEX_OF" => {
            let (text, wanted) = (text(0)?, text(1)?);
            Some(json!(text.find(&wanted).map_or(-1, |at| i64::try_from(text[..at].chars().count()).unwrap_or(-1))))
        }
        "ARRAY_LENGTH" => of(0)?.as_array().map(|items| json!(items.len())),
        "ARRAY_CONTAINS" => {
            let (items, wanted) = (of(0)?, of(1));
            let found =
                items.as_array()?.iter().map(|item| super::compare(BinaryOp::Equal, &wanted, &Some(item.clone())));
            found.fold(Some(false), super::or).map(Json::Bool)
        }
        "AS_NUMBER" => match of(0)? {
            number @ Json::Number(_) => Some(number),
            Json::String(text) => {
                serde_json::from_str::<Json>(&text).ok().filter(Json::is_number).filter(|_| text.trim() == text).map(
                    |number| {
                        if number.is_u64() && number.as_i64().is_none() { json!(number.as_f64()) } else { number }
                    },
                )
            }
            _ => None,
        },
        "NOW" => Some(json!(scope.fleet.now_ms)),
        "SCORE" => Some(json!(scope.score)),
        "TO_MILLIS" => text(0).and_then(|text| dates::moment(&json!(text))).and_then(dates::whole),
        "FROM_MILLIS" => whole(0).filter(|ms| dates::RANGE.contains(ms)).map(|ms| json!(dates::text(ms))),
        "DATE_ADD" => dates::add(&unit(), whole(1)?, moment(2)?).and_then(dates::time),
        "DATE_DIFF" => dates::whole(dates::difference(&unit(), moment(1)?, moment(2)?)),
        "DATE_PART" => dates::whole(dates::part(&unit(), moment(1)?)),
        "DATE_TRUNC" => dates::time(dates::truncated(&unit(), moment(1)?)),
        "MATCH" => match &arguments[1].kind {
            ExprKind::String(wanted) => Some(json!(texts::matches(&text(0)?, wanted))),
            _ => None,
        },
        "NEAR" => {
            let place = places::place(&of(0)?)?;
            let centre = (of(1)?.as_f64()?, of(2)?.as_f64()?);
            Some(json!(places::metres(centre, place) <= of(3)?.as_f64()?))
        }
        "WITHIN" => {
            let place = places::place(&of(0)?)?;
            let corners = of(1)?;
            let corner = |corner: &Json| Some((corner.get(0)?.as_f64()?, corner.get(1)?.as_f64()?));
            let corners: Option<Vec<_>> = corners.as_array()?.iter().map(corner).collect();
            Some(json!(places::is_within(place, &corners?)))
        }
        _ => numeric(name, &of(0), &of(1)),
    }
}

fn numeric(name: &str, a: &V, b: &V) -> V {
    let a = a.as_ref().filter(|value| value.is_number())?;
    let x = number(a)?;
    if let Some(whole) = a.as_i64() {
        match name {
            "ABS" => return whole.checked_abs().map(|whole| json!(whole)),
            "SIGN" => return Some(json!(whole.signum())),
            "CEILING" | "FLOOR" | "ROUND" => return Some(json!(whole)),
            _ => {}
        }
    }
    match name {
        "ABS" => double(x.abs()),
        "SIGN" => double(if x == 0.0 { 0.0 } else { x.signum() }),
        "CEILING" => double(x.ceil()),
        "FLOOR" => double(x.floor()),
        "ROUND" => double(x.round()),
        "SQRT" => double(x.sqrt()),
        "SQUARE" => numbers::arithmetic(BinaryOp::Multiply, &Some(a.clone()), &Some(a.clone())),
        "EXP" => double(x.exp()),
        "POWER" => double(x.powf(number(b.as_ref()?)?)),
        "BUCKET" => bucket(a, b.as_ref().filter(|value| value.is_number())?),
        _ => panic!("the tests use the unknown function {name}"),
    }
}

/// The greatest multiple of `width` that is not above.
pub(super) fn bucket(value: &Json, width: &Json) -> V {
    if let (Some(value), Some(width)) = (value.as_i64(), width.as_i64()) {
        if width <= 0 {
            return None;
        }
        return i64::try_from(i128::from(value).div_euclid(i128::from(width)) * i128::from(width))
            .ok()
            .map(|found| json!(found));
    }
    let (value, width) = (number(value)?, number(width)?);
    if width <= 0.0 { None } else { double((value / width).floor() * width) }
}
