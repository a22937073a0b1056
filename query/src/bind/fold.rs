//! What follows from constants alone is computed here, with the same code that evaluates rows.

use crate::error::{Code, QueryError};
use crate::evaluate::{Context, Datum, Source, evaluate};
use crate::plan::{Constant, Expr, Function, Path, Root};
use crate::syntax::ast::Span;
use crate::value::Value;

/// No row: constants need none.
struct Nothing;

impl Source for Nothing {
    fn at(&self, _path: &Path) -> Datum<'_> {
        Datum::Undefined
    }
}

/// The constant that an expression is, or the expression.
pub(super) fn fold(expr: Expr) -> Expr {
    if matches!(expr, Expr::Constant(_)) || !is_constant(&expr) {
        return expr;
    }
    Expr::Constant(Constant(evaluate(&expr, &Nothing, &Context::default()).into_value()))
}

/// As [`fold`]; a constant that no number holds is an error.
pub(super) fn arithmetic(expr: Expr, span: Span) -> Result<Expr, QueryError> {
    match fold(expr) {
        Expr::Constant(Constant(None)) => {
            let message = "this constant expression is undefined: it divides by zero, leaves the range of numbers, or has \
                           an operand that is no number";
            Err(QueryError::new(Code::Invalid, span, message))
        }
        folded => Ok(folded),
    }
}

/// `OR` of all parts when `decides` is true, else `AND`: flat, without parts that change nothing.
pub(super) fn junction(decides: bool, parts: Vec<Expr>) -> Expr {
    let truth = |value| Expr::Constant(Constant(Some(Value::Bool(value))));
    let mut flat = Vec::with_capacity(parts.len());
    for part in parts {
        match (part, decides) {
            (Expr::Or(inner), true) | (Expr::And(inner), false) => flat.extend(inner),
            (part, _) => flat.push(part),
        }
    }
    if flat.contains(&truth(decides)) {
        return truth(decides);
    }
    flat.retain(|part| *part != truth(!decides));
    let before = flat.len();
    flat.retain(|part| !matches!(part, Expr::Constant(_)));
    if flat.len() < before {
        // A constant that is neither true nor false counts as undefined.
        flat.push(Expr::Constant(Constant(None)));
    }
    match flat.pop() {
        None => truth(!decides),
        Some(only) if flat.is_empty() && is_boolean(&only) => only,
        // What is perhaps no boolean stays an operand, so that it becomes undefined.
        Some(only) if flat.is_empty() => joined(decides, vec![truth(!decides), only]),
        Some(last) => {
            flat.push(last);
            joined(decides, flat)
        }
    }
}

fn joined(decides: bool, parts: Vec<Expr>) -> Expr {
    if decides { Expr::Or(parts) } else { Expr::And(parts) }
}

/// Whether the value is always a boolean or undefined.
fn is_boolean(expr: &Expr) -> bool {
    match expr {
        Expr::Constant(Constant(value)) => matches!(value, None | Some(Value::Bool(_))),
        Expr::Path(_)
        | Expr::Key(_)
        | Expr::Aggregate(_)
        | Expr::Score
        | Expr::Arithmetic(..)
        | Expr::Negate(_)
        | Expr::Call(..) => false,
        _ => true,
    }
}

/// Parts have been folded before: what is not a constant by now has something of a row in it.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Quantified { list, condition, .. } => {
            matches!(**list, Expr::Constant(_)) && reads_variables_only(condition)
        }
        _ => is_computed(expr) && children(expr).into_iter().all(|child| matches!(child, Expr::Constant(_))),
    }
}

fn reads_variables_only(expr: &Expr) -> bool {
    let own = match expr {
        Expr::Path(path) => matches!(path.root, Root::Variable(_)),
        Expr::Constant(_) => true,
        _ => is_computed(expr),
    };
    own && children(expr).into_iter().all(reads_variables_only)
}

/// Whether the value follows from the parts.
fn is_computed(expr: &Expr) -> bool {
    !matches!(
        expr,
        Expr::Path(_) | Expr::Key(_) | Expr::Aggregate(_) | Expr::Score | Expr::Match(_) | Expr::Call(Function::Now, _)
    )
}

/// How many parts an expression has, itself among them.
pub(super) fn size(expr: &Expr) -> usize {
    let constants = if let Expr::In(_, constants) = expr { constants.len() } else { 0 };
    1 + constants + children(expr).into_iter().map(size).sum::<usize>()
}

/// The expressions right below an expression.
pub(super) fn children(expr: &Expr) -> Vec<&Expr> {
    let mut children = Vec::new();
    expr.each_child(&mut |child| children.push(child));
    children
}
