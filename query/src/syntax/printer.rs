//! The tree as text, in one way of writing, with no more parentheses than needed: what is parsed from it is the same
//! tree but for the places. It holds for every tree that the parser makes.

use std::fmt::Write as _;

use super::ast::{AsOf, BinaryOp, Element, Elements, Expr, ExprKind, Select};
use super::keyword::{begins_name, continues_name, is_keyword};
use crate::Value;

/// How strongly something binds, the loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Or,
    And,
    Not,
    Comparison,
    Sum,
    Product,
    Sign,
    Operand,
}

/// A path as it would be written.
#[must_use]
pub fn path_text(path: &[String]) -> String {
    let mut out = String::new();
    path_into(&mut out, path.iter().map(String::as_str));
    out
}

/// A whole query.
#[must_use]
pub fn print(select: &Select) -> String {
    let mut out = String::from("SELECT ");
    if select.distinct {
        out.push_str("DISTINCT ");
    }
    if let Some(top) = select.top {
        append(&mut out, format_args!("TOP {top} "));
    }
    match &select.elements {
        Elements::All => out.push('*'),
        Elements::List(list) => joined(&mut out, list, element),
    }
    append(&mut out, format_args!(" FROM {}", select.from.collection.text));
    if let Some(join) = &select.from.join {
        out.push_str(" JOIN ");
        name(&mut out, &join.text);
    }
    match &select.from.as_of {
        None => {}
        Some(AsOf::Revision(revision)) => append(&mut out, format_args!(" AS OF REVISION {revision}")),
        Some(AsOf::Time(text, _)) => {
            out.push_str(" AS OF TIME ");
            string(&mut out, text);
        }
    }
    clauses(&mut out, select);
    out
}

/// A condition alone.
#[must_use]
pub fn print_condition(condition: &Expr) -> String {
    let mut out = String::new();
    whole(&mut out, condition);
    out
}

fn clauses(out: &mut String, select: &Select) {
    if let Some(filter) = &select.filter {
        out.push_str(" WHERE ");
        whole(out, filter);
    }
    if !select.group_by.is_empty() {
        out.push_str(" GROUP BY ");
        joined(out, &select.group_by, whole);
    }
    if let Some(having) = &select.having {
        out.push_str(" HAVING ");
        whole(out, having);
    }
    if !select.order_by.is_empty() {
        out.push_str(" ORDER BY ");
        joined(out, &select.order_by, |out, key| {
            whole(out, &key.expr);
            out.push_str(if key.descending { " DESC" } else { "" });
        });
    }
}

fn append(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String cannot fail");
}

fn joined<T>(out: &mut String, items: &[T], mut item: impl FnMut(&mut String, &T)) {
    for (index, each) in items.iter().enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        item(out, each);
    }
}

fn element(out: &mut String, element: &Element) {
    whole(out, &element.expr);
    if let Some(alias) = &element.alias {
        out.push_str(" AS ");
        name(out, &alias.text);
    }
}

fn path_into<'a>(out: &mut String, names: impl Iterator<Item = &'a str>) {
    for (index, each) in names.enumerate() {
        out.push_str(if index > 0 { "." } else { "" });
        name(out, each);
    }
}

fn name(out: &mut String, text: &str) {
    let plain = text.starts_with(begins_name) && text.chars().all(continues_name) && !is_keyword(text);
    if plain {
        out.push_str(text);
    } else {
        append(out, format_args!("[[{text}]]"));
    }
}

/// As JSON, but between single quotes.
fn string(out: &mut String, text: &str) {
    out.push('\'');
    for char in text.chars() {
        match char {
            '\'' | '\\' => out.extend(['\\', char]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if char.is_control() => append(out, format_args!("\\u{:04x}", u32::from(char))),
            _ => out.push(char),
        }
    }
    out.push('\'');
}

/// What stands between delimiters.
fn whole(out: &mut String, expr: &Expr) {
    operand(out, expr, Level::Or, true);
}

/// `expr` where at least `level` is needed. `last`: nothing follows up to a delimiter, so that `SATISFIES` may take
/// everything to its right.
fn operand(out: &mut String, expr: &Expr, level: Level, last: bool) {
    let own = own_level(&expr.kind);
    let quantified = matches!(expr.kind, ExprKind::Quantified { .. });
    if own < level || (quantified && !last) {
        out.push('(');
        bare(out, &expr.kind, true);
        out.push(')');
    } else {
        bare(out, &expr.kind, last);
    }
}

fn own_level(kind: &ExprKind) -> Level {
    match kind {
        ExprKind::Binary(op, ..) => sign(*op).1,
        ExprKind::Not(inner) => match inner.kind {
            ExprKind::In(..) | ExprKind::Between(..) | ExprKind::Like { .. } => Level::Comparison,
            _ => Level::Not,
        },
        ExprKind::In(..) | ExprKind::Between(..) | ExprKind::Like { .. } => Level::Comparison,
        ExprKind::Quantified { .. } => Level::Not,
        ExprKind::Negate(_) => Level::Sign,
        _ => Level::Operand,
    }
}

fn sign(op: BinaryOp) -> (&'static str, Level) {
    match op {
        BinaryOp::Or => ("OR", Level::Or),
        BinaryOp::And => ("AND", Level::And),
        BinaryOp::Equal => ("=", Level::Comparison),
        BinaryOp::NotEqual => ("!=", Level::Comparison),
        BinaryOp::Less => ("<", Level::Comparison),
        BinaryOp::LessOrEqual => ("<=", Level::Comparison),
        BinaryOp::Greater => (">", Level::Comparison),
        BinaryOp::GreaterOrEqual => (">=", Level::Comparison),
        BinaryOp::Add => ("+", Level::Sum),
        BinaryOp::Subtract => ("-", Level::Sum),
        BinaryOp::Multiply => ("*", Level::Product),
        BinaryOp::Divide => ("/", Level::Product),
        BinaryOp::Remainder => ("%", Level::Product),
    }
}

fn bare(out: &mut String, kind: &ExprKind, last: bool) {
    match kind {
        ExprKind::Undefined => out.push_str("undefined"),
        ExprKind::Null => out.push_str("null"),
        ExprKind::Bool(value) => append(out, format_args!("{value}")),
        ExprKind::Int(value) => append(out, format_args!("{value}")),
        ExprKind::Float(value) => Value::Float(*value).write(out),
        ExprKind::String(text) => string(out, text),
        ExprKind::Array(items) => array(out, items),
        ExprKind::Path(names) => path_into(out, names.iter().map(|name| name.text.as_str())),
        ExprKind::Not(inner) => negated(out, inner, last),
        ExprKind::Negate(inner) => negative(out, inner),
        ExprKind::Binary(op, left, right) => binary(out, *op, left, right, last),
        ExprKind::In(..) | ExprKind::Between(..) | ExprKind::Like { .. } => compared(out, kind, ""),
        ExprKind::Quantified { all, variable, list, condition } => {
            out.push_str(if *all { "ALL " } else { "ANY " });
            name(out, &variable.text);
            out.push_str(" IN ");
            operand(out, list, Level::Sum, false);
            out.push_str(" SATISFIES ");
            whole(out, condition);
        }
        ExprKind::Call { name, distinct, star, arguments } => {
            append(out, format_args!("{}(", name.text));
            out.push_str(if *distinct { "DISTINCT " } else { "" });
            out.push_str(if *star { "*" } else { "" });
            joined(out, arguments, whole);
            out.push(')');
        }
    }
}

/// A blank tells an array in an array from a name in brackets.
fn array(out: &mut String, items: &[Expr]) {
    out.push('[');
    let start = out.len();
    joined(out, items, whole);
    if out[start..].starts_with('[') {
        out.insert(start, ' ');
    }
    out.push(']');
}

fn negated(out: &mut String, inner: &Expr, last: bool) {
    if matches!(inner.kind, ExprKind::In(..) | ExprKind::Between(..) | ExprKind::Like { .. }) {
        return compared(out, &inner.kind, "NOT ");
    }
    out.push_str("NOT ");
    operand(out, inner, Level::Not, last);
}

fn negative(out: &mut String, inner: &Expr) {
    // `-5` would be a literal, and `--` begins a comment.
    match inner.kind {
        ExprKind::Int(value) if value >= 0 => append(out, format_args!("-({value})")),
        ExprKind::Float(value) if value.is_sign_positive() => {
            out.push_str("-(");
            bare(out, &inner.kind, false);
            out.push(')');
        }
        _ => {
            out.push_str("- ");
            operand(out, inner, Level::Sign, false);
        }
    }
}

fn binary(out: &mut String, op: BinaryOp, left: &Expr, right: &Expr, last: bool) {
    let (sign, level) = sign(op);
    // Chains of logic have one shape whatever the parentheses; arithmetic leans to the left; comparisons do not chain.
    let (left_level, right_level) = match level {
        Level::Or => (Level::Or, Level::Or),
        Level::And => (Level::And, Level::And),
        Level::Comparison => (Level::Sum, Level::Sum),
        Level::Sum => (Level::Sum, Level::Product),
        _ => (Level::Product, Level::Sign),
    };
    operand(out, left, left_level, false);
    append(out, format_args!(" {sign} "));
    operand(out, right, right_level, last);
}

/// `IN`, `BETWEEN`, `LIKE`, with `not` in front of the word.
fn compared(out: &mut String, kind: &ExprKind, not: &str) {
    match kind {
        ExprKind::In(value, list) => {
            operand(out, value, Level::Sum, false);
            append(out, format_args!(" {not}IN "));
            operand(out, list, Level::Sum, false);
        }
        ExprKind::Between(value, low, high) => {
            operand(out, value, Level::Sum, false);
            append(out, format_args!(" {not}BETWEEN "));
            operand(out, low, Level::Sum, false);
            out.push_str(" AND ");
            operand(out, high, Level::Sum, false);
        }
        ExprKind::Like { value, pattern, escape } => {
            operand(out, value, Level::Sum, false);
            append(out, format_args!(" {not}LIKE "));
            string(out, pattern);
            if let Some(escape) = escape {
                out.push_str(" ESCAPE ");
                string(out, escape.encode_utf8(&mut [0; 4]));
            }
        }
        _ => bare(out, kind, false),
    }
}
