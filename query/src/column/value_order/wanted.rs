//! Which values are wanted: a range of one class of values.

use std::cmp::Ordering;

use super::super::top::double;
use super::run::Class;
use crate::evaluate::number::to_double;
use crate::syntax::ast::BinaryOp;
use crate::value::Value;

/// Some of the values that a column may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wanted<'v> {
    /// All of some classes, both included.
    Classes(Class, Class),
    Numbers(Numbers),
    Texts(Texts<'v>),
}

/// Keys of numbers, both included. Rounding keeps the order, so none is missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Numbers {
    pub(super) low: u64,
    pub(super) high: u64,
}

/// Texts; a bound is excluded when it says so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Texts<'v> {
    low: Option<(&'v str, bool)>,
    high: Option<(&'v str, bool)>,
    begins: &'v str,
}

impl Texts<'_> {
    /// Whether a text comes before all that are wanted.
    pub(super) fn is_before(&self, text: &[u8]) -> bool {
        text < self.begins.as_bytes()
            || self.low.is_some_and(|(low, excluded)| match text.cmp(low.as_bytes()) {
                Ordering::Less => true,
                Ordering::Equal => excluded,
                Ordering::Greater => false,
            })
    }

    /// Whether a text comes after all that are wanted.
    pub(super) fn is_behind(&self, text: &[u8]) -> bool {
        (text > self.begins.as_bytes() && !text.starts_with(self.begins.as_bytes()))
            || self.high.is_some_and(|(high, excluded)| match text.cmp(high.as_bytes()) {
                Ordering::Greater => true,
                Ordering::Equal => excluded,
                Ordering::Less => false,
            })
    }
}

impl<'v> Wanted<'v> {
    /// Values for which `value op constant` is true, and perhaps some that are next to them.
    pub(crate) fn compared(op: BinaryOp, constant: &'v Value) -> Option<Self> {
        let (has_low, has_high) = match op {
            BinaryOp::Equal => (true, true),
            BinaryOp::Less | BinaryOp::LessOrEqual => (false, true),
            BinaryOp::Greater | BinaryOp::GreaterOrEqual => (true, false),
            _ => return None,
        };
        let excluded = matches!(op, BinaryOp::Less | BinaryOp::Greater);
        let is_equal = has_low && has_high;
        Some(match constant {
            Value::Null if is_equal => Self::Classes(Class::Null, Class::Null),
            Value::Bool(true) if is_equal => Self::Classes(Class::True, Class::True),
            Value::Bool(false) if is_equal => Self::Classes(Class::False, Class::False),
            Value::Int(value) => Self::numbers(double(to_double(*value)), has_low, has_high),
            Value::Float(value) => Self::numbers(double(*value), has_low, has_high),
            Value::String(text) => {
                let bound = Some((text.as_str(), excluded));
                Self::Texts(Texts { low: bound.filter(|_| has_low), high: bound.filter(|_| has_high), begins: "" })
            }
            _ => return None,
        })
    }

    fn numbers(key: u64, has_low: bool, has_high: bool) -> Self {
        Self::Numbers(Numbers { low: if has_low { key } else { 0 }, high: if has_high { key } else { u64::MAX } })
    }

    /// Texts that begin so.
    pub(crate) fn beginning(begins: &'v str) -> Self {
        Self::Texts(Texts { low: None, high: None, begins })
    }

    /// What both want; `None` when that is not told simply.
    pub(crate) fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Numbers(a), Self::Numbers(b)) => {
                Some(Self::Numbers(Numbers { low: a.low.max(b.low), high: a.high.min(b.high) }))
            }
            (Self::Texts(a), Self::Texts(b)) => {
                let later = |a: (&'v str, bool), b: (&'v str, bool)| a.max(b);
                // Of two bounds with the same text the one that excludes it is nearer.
                let earlier = |a: (&'v str, bool), b: (&'v str, bool)| match a.0.cmp(b.0) {
                    Ordering::Less => a,
                    Ordering::Equal => (a.0, a.1 || b.1),
                    Ordering::Greater => b,
                };
                let both = |a: Option<_>, b: Option<_>, of: &dyn Fn(_, _) -> _| match (a, b) {
                    (Some(a), Some(b)) => Some(of(a, b)),
                    (a, b) => a.or(b),
                };
                let begins = match (a.begins, b.begins) {
                    (a, b) if a.starts_with(b) => a,
                    (a, b) if b.starts_with(a) => b,
                    _ => return None,
                };
                Some(Self::Texts(Texts {
                    low: both(a.low, b.low, &later),
                    high: both(a.high, b.high, &earlier),
                    begins,
                }))
            }
            _ => None,
        }
    }
}
