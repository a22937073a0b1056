//! What was written, as text again: another text perhaps, but one that reads as the same.

use std::fmt::Write as _;

use super::ast::{AsOf, BinaryOp, Elements, Expr, ExprKind, Select};
use super::names::name_text;

/// A query as text.
#[must_use]
pub fn print(select: &Select) -> String {
    let mut out = String::from("SELECT ");
    if select.distinct {
        out.push_str("DISTINCT ");
    }
    if let Some(top) = select.top {
        put(&mut out, format_args!("TOP {top} "));
    }
    match &select.elements {
        Elements::All => out.push('*'),
        Elements::List(elements) => {
            for (index, element) in elements.iter().enumerate() {
                separate(&mut out, index);
                expression(&mut out, &element.expr);
                if let Some(alias) = &element.alias {
                    put(&mut out, format_args!(" AS {}", name_text(&alias.text)));
                }
            }
        }
    }
    put(&mut out, format_args!(" FROM {}", select.from.collection.text));
    if let Some(join) = &select.from.join {
        put(&mut out, format_args!(" JOIN {}", name_text(&join.text)));
    }
    match &select.from.as_of {
        Some(AsOf::Revision(revision)) => put(&mut out, format_args!(" AS OF REVISION {revision}")),
        Some(AsOf::Time(time, _)) => {
            out.push_str(" AS OF TIME ");
            string(&mut out, time);
        }
        None => {}
    }
    clause(&mut out, " WHERE ", select.filter.as_slice());
    clause(&mut out, " GROUP BY ", &select.group_by);
    clause(&mut out, " HAVING ", select.having.as_slice());
    for (index, key) in select.order_by.iter().enumerate() {
        out.push_str(if index == 0 { " ORDER BY " } else { ", " });
        expression(&mut out, &key.expr);
        if key.descending {
            out.push_str(" DESC");
        }
    }
    out
}

/// A condition as text.
#[must_use]
pub fn print_condition(condition: &Expr) -> String {
    let mut out = String::new();
    expression(&mut out, condition);
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String cannot fail");
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push_str(", ");
    }
}

fn clause(out: &mut String, word: &str, list: &[Expr]) {
    for (index, expr) in list.iter().enumerate() {
        out.push_str(if index == 0 { word } else { ", " });
        expression(out, expr);
    }
}

fn list(out: &mut String, list: &[Expr]) {
    for (index, expr) in list.iter().enumerate() {
        separate(out, index);
        expression(out, expr);
    }
}

/// With parentheses around everything that is made of parts.
fn operand(out: &mut String, expr: &Expr) {
    let is_whole = matches!(
        expr.kind,
        ExprKind::Undefined
            | ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::String(_)
            | ExprKind::Array(_)
            | ExprKind::Path(_)
            | ExprKind::Call { .. }
    );
    if is_whole {
        expression(out, expr);
    } else {
        out.push('(');
        expression(out, expr);
        out.push(')');
    }
}

fn expression(out: &mut String, expr: &Expr) {
    match &expr.kind {
        ExprKind::Undefined => out.push_str("undefined"),
        ExprKind::Null => out.push_str("null"),
        ExprKind::Bool(value) => put(out, format_args!("{value}")),
        ExprKind::Int(value) => put(out, format_args!("{value}")),
        ExprKind::Float(value) => put(out, format_args!("{value:?}")),
        ExprKind::String(text) => string(out, text),
        ExprKind::Array(elements) => {
            // Not `[[`, which begins a name.
            out.push_str("[ ");
            list(out, elements);
            out.push_str(" ]");
        }
        ExprKind::Path(names) => {
            for (index, name) in names.iter().enumerate() {
                if index > 0 {
                    out.push('.');
                }
                out.push_str(&name_text(&name.text));
            }
        }
        ExprKind::Not(inner) => {
            out.push_str("NOT ");
            operand(out, inner);
        }
        ExprKind::Negate(inner) => {
            // A minus before a number would be its sign.
            out.push_str("-(");
            expression(out, inner);
            out.push(')');
        }
        ExprKind::Binary(op, left, right) => {
            operand(out, left);
            put(out, format_args!(" {} ", operator(*op)));
            operand(out, right);
        }
        ExprKind::In(value, list) => {
            operand(out, value);
            out.push_str(" IN ");
            expression(out, list);
        }
        ExprKind::Between(value, low, high) => {
            operand(out, value);
            out.push_str(" BETWEEN ");
            operand(out, low);
            out.push_str(" AND ");
            operand(out, high);
        }
        ExprKind::Like { value, pattern, escape } => {
            operand(out, value);
            out.push_str(" LIKE ");
            string(out, pattern);
            if let Some(escape) = escape {
                out.push_str(" ESCAPE ");
                string(out, &escape.to_string());
            }
        }
        ExprKind::Quantified { all, variable, list, condition } => {
            out.push_str(if *all { "ALL " } else { "ANY " });
            put(out, format_args!("{} IN ", name_text(&variable.text)));
            expression(out, list);
            out.push_str(" SATISFIES ");
            expression(out, condition);
        }
        ExprKind::Call { name, distinct, star, arguments } => {
            put(out, format_args!("{}(", name.text));
            if *star {
                out.push('*');
            }
            if *distinct {
                out.push_str("DISTINCT ");
            }
            list(out, arguments);
            out.push(')');
        }
    }
}

fn operator(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Or => "OR",
        BinaryOp::And => "AND",
        BinaryOp::Equal => "=",
        BinaryOp::NotEqual => "!=",
        BinaryOp::Less => "<",
        BinaryOp::LessOrEqual => "<=",
        BinaryOp::Greater => ">",
        BinaryOp::GreaterOrEqual => ">=",
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::Remainder => "%",
    }
}

fn string(out: &mut String, text: &str) {
    out.push('\'');
    for char in text.chars() {
        match char {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() => put(out, format_args!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('\'');
}
