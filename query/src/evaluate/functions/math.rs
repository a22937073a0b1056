//! Functions of numbers.

use crate::evaluate::{Datum, number};
use crate::plan::Function;

/// Functions that leave an integer an integer.
pub(super) fn step(function: Function, x: &Datum<'_>) -> Datum<'static> {
    match x {
        Datum::Int(value) => match function {
            Function::Abs => value.checked_abs().map_or(Datum::Undefined, Datum::Int),
            Function::Sign => Datum::Int(value.signum()),
            _ => Datum::Int(*value),
        },
        Datum::Float(value) => Datum::finite(match function {
            Function::Abs => value.abs(),
            // Of zero it is zero, unlike `signum`.
            Function::Sign if *value == 0.0 => 0.0,
            Function::Sign => value.signum(),
            Function::Ceiling => value.ceil(),
            Function::Floor => value.floor(),
            _ => value.round(),
        }),
        _ => Datum::Undefined,
    }
}

/// Functions in doubles.
pub(super) fn curve(function: Function, x: &Datum<'_>) -> Datum<'static> {
    let Some(x) = number::as_double(x) else { return Datum::Undefined };
    Datum::finite(if function == Function::Sqrt { x.sqrt() } else { x.exp() })
}

/// `POWER(x, y)`
pub(super) fn power(x: &Datum<'_>, y: &Datum<'_>) -> Datum<'static> {
    match (number::as_double(x), number::as_double(y)) {
        (Some(x), Some(y)) => Datum::finite(x.powf(y)),
        _ => Datum::Undefined,
    }
}
