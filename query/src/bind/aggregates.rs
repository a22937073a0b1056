//! Aggregates: where they may stand, and what they take.

use crate::error::{Code, QueryError};
use crate::plan::{Aggregate, Constant, Expr};
use crate::syntax::ast::{self, ExprKind};
use crate::value::Value;

use super::binder::{Binder, Clause};
use super::calls::{Call, constant_number};

/// Names of aggregates.
pub(super) const NAMES: [&str; 7] = ["COUNT", "SUM", "AVG", "MIN", "MAX", "PERCENTILE", "HISTOGRAM"];

/// Whether a name is one of an aggregate.
pub(super) fn is_aggregate(name: &str) -> bool {
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether what is selected, or the order, has aggregates in it.
pub(super) fn occur(select: &ast::Select) -> bool {
    let selected = match &select.elements {
        ast::Elements::All => &[][..],
        ast::Elements::List(elements) => elements,
    };
    let mut open: Vec<&ast::Expr> = selected.iter().map(|element| &element.expr).collect();
    open.extend(select.order_by.iter().map(|key| &key.expr));
    while let Some(expr) = open.pop() {
        match &expr.kind {
            ExprKind::Call { name, .. } if is_aggregate(&name.text) => return true,
            ExprKind::Call { arguments: parts, .. } | ExprKind::Array(parts) => open.extend(parts),
            ExprKind::Not(x) | ExprKind::Negate(x) | ExprKind::Like { value: x, .. } => open.push(x),
            ExprKind::Binary(_, x, y) | ExprKind::In(x, y) => open.extend([&**x, &**y]),
            ExprKind::Between(x, y, z) => open.extend([&**x, &**y, &**z]),
            ExprKind::Quantified { list, condition, .. } => open.extend([&**list, &**condition]),
            ExprKind::Undefined
            | ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::String(_)
            | ExprKind::Path(_) => {}
        }
    }
    false
}

impl<'a> Binder<'a> {
    /// An aggregate, which becomes a value of the group; one that is there already is not computed twice.
    pub(super) fn aggregate(&mut self, call: &Call<'a>) -> Result<Expr, QueryError> {
        let invalid = |message: &str| Err(QueryError::new(Code::Invalid, call.span, message));
        if self.in_aggregate {
            return invalid("an aggregate cannot hold another one");
        }
        match self.clause {
            Clause::Where => {
                let message = "WHERE looks at single rows: it has no aggregates";
                return Err(QueryError::new(Code::Invalid, call.span, message)
                    .with_help("conditions on groups stand in HAVING, behind GROUP BY"));
            }
            Clause::Keys => return invalid("a key of GROUP BY cannot hold an aggregate"),
            Clause::Select | Clause::Having | Clause::Order => {}
        }
        // What it takes is over rows: variables around it mean nothing there.
        let variables = std::mem::take(&mut self.variables);
        self.in_aggregate = true;
        let aggregate = self.aggregate_of(call);
        self.in_aggregate = false;
        self.variables = variables;
        let aggregate = aggregate?;
        let index = self.aggregates.iter().position(|known| *known == aggregate).unwrap_or_else(|| {
            self.aggregates.push(aggregate);
            self.aggregates.len() - 1
        });
        Ok(Expr::Aggregate(index))
    }

    fn aggregate_of(&mut self, call: &Call<'a>) -> Result<Aggregate, QueryError> {
        let name = call.name.text.to_ascii_uppercase();
        match (name.as_str(), call.arguments) {
            ("COUNT", []) if call.distinct => Err(call.wrong_arguments("COUNT(DISTINCT x) takes an expression")),
            ("COUNT", []) => Ok(Aggregate::Rows),
            ("COUNT", [x]) if call.distinct => Ok(Aggregate::CountDistinct(self.expr(x)?)),
            ("COUNT", [x]) => Ok(Aggregate::Count(self.expr(x)?)),
            ("SUM", [x]) => Ok(Aggregate::Sum(self.expr(x)?)),
            ("AVG", [x]) => Ok(Aggregate::Average(self.expr(x)?)),
            ("MIN", [x]) => Ok(Aggregate::Min(self.expr(x)?)),
            ("MAX", [x]) => Ok(Aggregate::Max(self.expr(x)?)),
            ("PERCENTILE", [x, percent]) => {
                let x = self.expr(x)?;
                let percent = constant_number(self, percent, "a percentile is a number from 0 to 100", |p| {
                    (0.0..=100.0).contains(&p)
                })?;
                Ok(Aggregate::Percentile(x, percent))
            }
            ("HISTOGRAM", [x, width]) => {
                let x = self.expr(x)?;
                constant_number(self, width, "the width of a histogram is a number above 0", |width| width > 0.0)?;
                let width = match self.expr(width)? {
                    Expr::Constant(Constant(Some(width @ (Value::Int(_) | Value::Float(_))))) => Constant(Some(width)),
                    _ => Constant(None),
                };
                Ok(Aggregate::Histogram(x, width))
            }
            ("COUNT", _) => {
                Err(call.wrong_arguments("COUNT takes nothing, *, an expression, or DISTINCT and an expression"))
            }
            ("PERCENTILE", _) => Err(call.wrong_arguments("PERCENTILE takes an expression and a number from 0 to 100")),
            ("HISTOGRAM", _) => Err(call.wrong_arguments("HISTOGRAM takes an expression and a width")),
            _ => Err(call.wrong_arguments(&format!("{name} takes one expression"))),
        }
    }
}
