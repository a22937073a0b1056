//! Functions of section 9. An argument of another type than wanted gives undefined, also when their number is wrong: the
//! binder lets no such call through.

mod date;
mod math;
mod text;

#[cfg(test)]
mod tests;

pub(crate) use date::parse_rfc3339;

use crate::plan::{Expr, Function};
use crate::value::Value;

use super::expression::{Scope, value};
use super::{Datum, Source, number};
use crate::syntax::ast::BinaryOp;

/// The value of a call.
pub(super) fn call<'e, S: Source + ?Sized>(
    function: Function,
    arguments: &'e [Expr],
    scope: Scope<'e, S>,
) -> Datum<'e> {
    match arguments {
        [] => nullary(function, scope),
        [x] => unary(function, value(x, scope)),
        _ if function == Function::Concat => text::concat(arguments.iter().map(|part| value(part, scope))),
        [x, y] => binary(function, value(x, scope), &value(y, scope)),
        [x, y, z] if function == Function::Substring => {
            text::substring(value(x, scope), &value(y, scope), Some(&value(z, scope)))
        }
        _ => Datum::Undefined,
    }
}

fn nullary<'e, S: ?Sized>(function: Function, scope: Scope<'e, S>) -> Datum<'e> {
    if function == Function::Now {
        return Datum::Int(i64::try_from(scope.context.now_ms).unwrap_or(i64::MAX));
    }
    Datum::Undefined
}

fn unary(function: Function, x: Datum<'_>) -> Datum<'_> {
    match function {
        Function::IsDefined => x.is_defined().into(),
        Function::IsNull => matches!(x, Datum::Null).into(),
        Function::IsBool => matches!(x, Datum::Bool(_)).into(),
        Function::IsNumber => matches!(x, Datum::Int(_) | Datum::Float(_)).into(),
        Function::IsString => matches!(x, Datum::Str(_)).into(),
        Function::IsArray => x.as_array().is_some().into(),
        Function::IsObject => matches!(x.as_json(), Some(Value::Object(_))).into(),
        Function::IsPrimitive => (!matches!(x, Datum::Undefined | Datum::Json(_))).into(),
        Function::ArrayLength => x.as_array().map_or(Datum::Undefined, |items| length(items.len())),
        Function::Length => x.as_text().map_or(Datum::Undefined, |text| length(text.chars().count())),
        Function::Lower => text::lower(x),
        Function::Upper => text::upper(x),
        Function::AsNumber => text::as_number(x),
        Function::Abs | Function::Sign | Function::Ceiling | Function::Floor | Function::Round => {
            math::step(function, &x)
        }
        Function::Square => number::arithmetic(BinaryOp::Multiply, &x, &x),
        Function::Sqrt | Function::Exp => math::curve(function, &x),
        Function::ToMillis => date::to_millis(&x),
        Function::FromMillis => date::from_millis(&x),
        Function::DatePart(unit) => date::part(unit, &x),
        Function::DateTrunc(unit) => date::truncate(unit, &x),
        _ => Datum::Undefined,
    }
}

fn binary<'d>(function: Function, x: Datum<'d>, y: &Datum<'_>) -> Datum<'d> {
    match function {
        Function::StartsWith | Function::EndsWith | Function::Contains => text::holds(function, &x, y),
        Function::IndexOf => text::index_of(&x, y),
        Function::Substring => text::substring(x, y, None),
        Function::Power => math::power(&x, y),
        Function::Bucket => number::bucket(&x, y),
        Function::DateAdd(unit) => date::add(unit, &x, y),
        Function::DateDiff(unit) => date::difference(unit, &x, y),
        _ => Datum::Undefined,
    }
}

fn length(length: usize) -> Datum<'static> {
    Datum::Int(i64::try_from(length).unwrap_or(i64::MAX))
}

/// A number that is whole, however it is held.
fn whole(datum: &Datum<'_>) -> Option<i64> {
    match datum {
        Datum::Int(value) => Some(*value),
        Datum::Float(value) => number::whole(*value),
        _ => None,
    }
}
