//! One expression after the other: what it may refer to depends on the clause that it stands in.

use crate::error::{Code, QueryError};
use crate::plan::{Aggregate, Constant, Expr, Output, Path, Pattern, Words};
use crate::schema::{Collection, Relation};
use crate::syntax::ast::{self, BinaryOp, ExprKind, Span};
use crate::value::Value;

use super::{LIST_MAX, check_size, fold};

/// Levels of expressions. The parser allows 64 levels of parentheses and calls, between which operators add a few each.
const DEPTH_MAX: usize = 512;
/// Parts of a plan that one expression may be copied into, where `BETWEEN` and `IN` need it more than once.
const COPIES_MAX: usize = 10_000;

/// Where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clause {
    Where,
    Keys,
    Select,
    Having,
    Order,
}

/// What is known while a query is bound.
pub(super) struct Binder<'a> {
    pub(super) collection: &'a Collection,
    pub(super) relation: Option<&'a Relation>,
    pub(super) clause: Clause,
    /// Elements whose aliases can be named.
    pub(super) aliases: &'a [ast::Element],
    /// Of the `ANY` and `ALL` around, outermost first.
    pub(super) variables: Vec<&'a str>,
    /// Inside of an aggregate expressions are over rows, and there can be no other one.
    pub(super) in_aggregate: bool,
    pub(super) matches: Vec<(Path, Words)>,
    pub(super) aggregates: Vec<Aggregate>,
    /// Present when expressions are over groups.
    keys: Option<Vec<Expr>>,
    depth: usize,
}

impl<'a> Binder<'a> {
    pub(super) fn new(collection: &'a Collection, relation: Option<&'a Relation>) -> Self {
        Self {
            collection,
            relation,
            clause: Clause::Where,
            aliases: &[],
            variables: Vec::new(),
            in_aggregate: false,
            matches: Vec::new(),
            aggregates: Vec::new(),
            keys: None,
            depth: 0,
        }
    }

    /// From here on expressions are over groups with these keys.
    pub(super) fn group_by(&mut self, keys: Vec<Expr>) {
        self.keys = Some(keys);
    }

    /// Whether an expression here is over groups rather than rows.
    pub(super) fn is_grouped(&self) -> bool {
        self.keys.is_some() && !self.in_aggregate
    }

    /// Puts the aggregates that occurred into the output.
    pub(super) fn with_aggregates(&mut self, mut output: Output) -> Output {
        if let Output::Groups { aggregates, .. } = &mut output {
            *aggregates = std::mem::take(&mut self.aggregates);
        }
        output
    }

    /// Binds one expression.
    pub(super) fn expr(&mut self, expr: &'a ast::Expr) -> Result<Expr, QueryError> {
        if self.depth == DEPTH_MAX {
            return Err(QueryError::new(Code::TooLarge, expr.span, "this expression is nested too deeply"));
        }
        self.depth += 1;
        let bound = match self.key_of(expr) {
            Some(key) => Ok(Expr::Key(key)),
            None => self.kind(expr),
        };
        self.depth -= 1;
        bound
    }

    /// Which key of the group an expression is, if it is one.
    fn key_of(&mut self, expr: &'a ast::Expr) -> Option<usize> {
        if !self.is_grouped() || self.keys.as_ref().is_none_or(Vec::is_empty) {
            return None;
        }
        // As if in an aggregate: over rows. A mistake is found again by those who look at the parts.
        let (depth, variables) = (self.depth, self.variables.len());
        self.in_aggregate = true;
        let bound = self.kind(expr).ok();
        self.in_aggregate = false;
        self.depth = depth;
        self.variables.truncate(variables);
        let bound = bound?;
        self.keys.as_ref()?.iter().position(|key| *key == bound)
    }

    fn kind(&mut self, expr: &'a ast::Expr) -> Result<Expr, QueryError> {
        let constant = |value| Ok(Expr::Constant(Constant(Some(value))));
        match &expr.kind {
            ExprKind::Undefined => Ok(Expr::Constant(Constant(None))),
            ExprKind::Null => constant(Value::Null),
            ExprKind::Bool(value) => constant(Value::Bool(*value)),
            ExprKind::Int(value) => constant(Value::Int(*value)),
            ExprKind::Float(value) => constant(Value::Float(*value)),
            ExprKind::String(text) => constant(Value::String(text.clone())),
            ExprKind::Array(items) => self.array(items),
            ExprKind::Path(names) => self.path(names, expr.span),
            ExprKind::Not(operand) => Ok(fold::fold(Expr::Not(Box::new(self.expr(operand)?)))),
            ExprKind::Negate(operand) => {
                let operand = Box::new(self.expr(operand)?);
                fold::arithmetic(Expr::Negate(operand), expr.span)
            }
            ExprKind::Binary(op @ (BinaryOp::And | BinaryOp::Or), ..) => self.logic(*op, expr),
            ExprKind::Binary(op, left, right) => self.binary(*op, left, right, expr.span),
            ExprKind::In(operand, list) => self.within_list(operand, list),
            ExprKind::Between(operand, low, high) => self.between(operand, low, high),
            ExprKind::Like { value, pattern, escape } => {
                let value = Box::new(self.expr(value)?);
                Ok(fold::fold(Expr::Like(value, Pattern::new(pattern, *escape))))
            }
            ExprKind::Quantified { all, variable, list, condition } => {
                let list = Box::new(self.expr(list)?);
                self.variables.push(&variable.text);
                let condition = Box::new(self.expr(condition)?);
                self.variables.pop();
                let bound = Expr::Quantified { all: *all, list, condition };
                // Inside of another one its variable would be counted wrongly; the outer one is computed as a whole.
                Ok(if self.variables.is_empty() { fold::fold(bound) } else { bound })
            }
            ExprKind::Call { name, distinct, star, arguments } => {
                self.call(&super::calls::Call { name, distinct: *distinct, star: *star, arguments, span: expr.span })
            }
        }
    }

    /// A list of constants is a constant.
    fn array(&mut self, items: &'a [ast::Expr]) -> Result<Expr, QueryError> {
        check_size("a list", "elements", items.iter().map(|item| item.span), LIST_MAX)?;
        let value = |item: &'a ast::Expr| match self.expr(item)? {
            Expr::Constant(Constant(Some(value))) => Ok(value),
            _ => Err(QueryError::new(Code::Invalid, item.span, "a list that is not behind IN is made of constants")),
        };
        let values = items.iter().map(value).collect::<Result<_, _>>()?;
        Ok(Expr::Constant(Constant(Some(Value::Array(values)))))
    }

    /// Chains are taken apart without going deeper: they may be as long as the text.
    fn logic(&mut self, op: BinaryOp, expr: &'a ast::Expr) -> Result<Expr, QueryError> {
        // A part of the chain may be a key of the group.
        let keys = self.keys.iter().flatten().any(|key| matches!(key, Expr::And(_) | Expr::Or(_)));
        let mut parts = Vec::new();
        let mut open = vec![expr];
        while let Some(next) = open.pop() {
            match &next.kind {
                ExprKind::Binary(own, left, right) if *own == op && !(keys && self.key_of(next).is_some()) => {
                    open.extend([&**right, &**left]);
                }
                _ => parts.push(self.expr(next)?),
            }
        }
        Ok(fold::junction(op == BinaryOp::Or, parts))
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        left: &'a ast::Expr,
        right: &'a ast::Expr,
        span: Span,
    ) -> Result<Expr, QueryError> {
        let (left, right) = (Box::new(self.expr(left)?), Box::new(self.expr(right)?));
        match op {
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Remainder => {
                fold::arithmetic(Expr::Arithmetic(op, left, right), span)
            }
            _ => Ok(fold::fold(Expr::Compare(op, left, right))),
        }
    }

    fn between(&mut self, operand: &'a ast::Expr, low: &'a ast::Expr, high: &'a ast::Expr) -> Result<Expr, QueryError> {
        let bound = self.expr(operand)?;
        check_copies(&bound, 2, operand.span)?;
        let (low, high) = (self.expr(low)?, self.expr(high)?);
        let compare = |op, operand, limit| fold::fold(Expr::Compare(op, Box::new(operand), Box::new(limit)));
        let at_least = compare(BinaryOp::GreaterOrEqual, bound.clone(), low);
        Ok(fold::junction(false, vec![at_least, compare(BinaryOp::LessOrEqual, bound, high)]))
    }

    fn within_list(&mut self, operand: &'a ast::Expr, list: &'a ast::Expr) -> Result<Expr, QueryError> {
        let bound = self.expr(operand)?;
        let ExprKind::Array(items) = &list.kind else {
            return Ok(fold::fold(Expr::InArray(Box::new(bound), Box::new(self.expr(list)?))));
        };
        check_size("IN", "elements", items.iter().map(|item| item.span), LIST_MAX)?;
        let (mut constants, mut others) = (Vec::new(), Vec::new());
        for item in items {
            match self.expr(item)? {
                Expr::Constant(constant) => constants.push(constant),
                other => others.push(other),
            }
        }
        check_copies(&bound, others.len() + 1, operand.span)?;
        let equal = |other| fold::fold(Expr::Compare(BinaryOp::Equal, Box::new(bound.clone()), Box::new(other)));
        let mut parts: Vec<Expr> = others.into_iter().map(equal).collect();
        if !constants.is_empty() {
            parts.insert(0, fold::fold(Expr::In(Box::new(bound), constants)));
        }
        Ok(fold::junction(true, parts))
    }
}

fn check_copies(expr: &Expr, times: usize, span: Span) -> Result<(), QueryError> {
    if times > 1 && fold::size(expr).saturating_mul(times) > COPIES_MAX {
        return Err(QueryError::new(Code::TooLarge, span, "this expression is too large for BETWEEN or IN"));
    }
    Ok(())
}
