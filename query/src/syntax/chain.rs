//! `AND` and `OR` between many operands as a tree as low as it can be. Both are associative, so a condition with a
//! thousand of them costs ten levels of depth rather than a thousand.
//!
//! Invariant: the shape depends on the number of operands alone, so that what was printed without parentheses is read
//! back as the same tree.

use super::ast::{BinaryOp, Expr, ExprKind, Span};

/// The operands of a chain of `op`, in order; of anything else, itself.
pub(super) fn flatten(op: BinaryOp, expr: Expr, out: &mut Vec<Expr>) {
    match expr.kind {
        ExprKind::Binary(own, left, right) if own == op => {
            flatten(op, *left, out);
            flatten(op, *right, out);
        }
        _ => out.push(expr),
    }
}

/// Levels that a chain of `count` operands adds.
pub(super) fn height(count: usize) -> usize {
    count.next_power_of_two().trailing_zeros() as usize
}

/// The tree of a chain of one or more operands.
pub(super) fn balance(op: BinaryOp, operands: Vec<Expr>) -> Expr {
    let mut level = operands;
    while level.len() > 1 {
        let mut next = Vec::with_capacity(level.len().div_ceil(2));
        let mut items = level.into_iter();
        while let Some(left) = items.next() {
            next.push(match items.next() {
                Some(right) => pair(op, left, right),
                None => left,
            });
        }
        level = next;
    }
    level.pop().unwrap_or(Expr { kind: ExprKind::Undefined, span: Span::default() })
}

fn pair(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    let span = Span { start: left.span.start, end: right.span.end };
    Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), span }
}
