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

/// Keys of numbers. Rounding keeps the order, so none is missing when bounds are included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Numbers {
    low: u64,
    high: u64,
    /// Whether a bound itself is not wanted.
    excluded: (bool, bool),
    /// Whether the bounds are the very numbers that are wanted.
    pub(super) is_exact: bool,
}

impl Numbers {
    /// The first key and the last; of values that keys tell exactly, only wanted ones.
    pub(super) fn keys(&self, is_exact: bool) -> (u64, u64) {
        let is_exact = is_exact && self.is_exact;
        let step = |excluded: bool| u64::from(is_exact && excluded);
        (self.low.saturating_add(step(self.excluded.0)), self.high.saturating_sub(step(self.excluded.1)))
    }

    fn and(self, other: Self) -> Self {
        let low = (self.low, self.excluded.0).max((other.low, other.excluded.0));
        // Of two bounds at the same number the one that excludes it is nearer.
        let turned = |bound: (u64, bool)| (bound.0, !bound.1);
        let high = turned(turned((self.high, self.excluded.1)).min(turned((other.high, other.excluded.1))));
        let is_exact = self.is_exact && other.is_exact;
        Self { low: low.0, high: high.0, excluded: (low.1, high.1), is_exact }
    }
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
            Value::Int(_) | Value::Float(_) => {
                let (key, is_exact) = match constant {
                    Value::Int(value) => (double(to_double(*value)), value.unsigned_abs() <= 1 << 53),
                    Value::Float(value) => (double(*value), true),
                    _ => return None,
                };
                let (low, high) = (if has_low { key } else { 0 }, if has_high { key } else { u64::MAX });
                Self::Numbers(Numbers { low, high, excluded: (has_low && excluded, has_high && excluded), is_exact })
            }
            Value::String(text) => {
                let bound = Some((text.as_str(), excluded));
                Self::Texts(Texts { low: bound.filter(|_| has_low), high: bound.filter(|_| has_high), begins: "" })
            }
            _ => return None,
        })
    }

    /// Texts that begin so.
    pub(crate) fn beginning(begins: &'v str) -> Self {
        Self::Texts(Texts { low: None, high: None, begins })
    }

    /// What both want; `None` when that is not told simply.
    pub(crate) fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Numbers(a), Self::Numbers(b)) => Some(Self::Numbers(a.and(b))),
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
