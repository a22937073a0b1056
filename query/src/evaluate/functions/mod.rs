//! Functions of section 9.

use crate::plan::{Expr, Function};

use super::expression::{Scope, value};
use super::{Datum, Source};

/// The value of a call.
pub(super) fn call<'e, S: Source + ?Sized>(function: Function, arguments: &'e [Expr], scope: Scope<'e, S>) -> Datum<'e> {
    match (function, arguments) {
        (Function::IsDefined, [x]) => value(x, scope).is_defined().into(),
        _ => Datum::Undefined,
    }
}
