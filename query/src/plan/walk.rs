//! Walks over the parts of a plan.

use super::{Aggregate, Expr};

impl Expr {
    /// Calls `visit` with each expression directly inside, in the order of the text.
    pub fn each_child<'e>(&'e self, visit: &mut impl FnMut(&'e Self)) {
        match self {
            Self::Constant(_) | Self::Path(_) | Self::Key(_) | Self::Aggregate(_) | Self::Score | Self::Match(_) => {}
            Self::Not(inner) | Self::Negate(inner) | Self::In(inner, _) | Self::Like(inner, _) => visit(inner),
            Self::Near { place, .. } | Self::Within { place, .. } => place.each_child(visit),
            Self::And(parts) | Self::Or(parts) | Self::Call(_, parts) => parts.iter().for_each(visit),
            Self::Compare(_, a, b) | Self::Arithmetic(_, a, b) | Self::InArray(a, b) => {
                visit(a);
                visit(b);
            }
            Self::Quantified { list, condition, .. } => {
                visit(list);
                visit(condition);
            }
        }
    }
}

impl Aggregate {
    /// What it is made of; nothing for `COUNT()`.
    #[must_use]
    pub fn argument(&self) -> Option<&Expr> {
        match self {
            Self::Rows => None,
            Self::Count(argument)
            | Self::CountDistinct(argument)
            | Self::Sum(argument)
            | Self::Average(argument)
            | Self::Min(argument)
            | Self::Max(argument)
            | Self::Percentile(argument, _)
            | Self::Histogram(argument, _) => Some(argument),
        }
    }
}
