//! Expressions of a plan as text, for people: near to how they are written, with what binding made of them.

use std::fmt::Write as _;

use super::{Constant, Expr, Path, PlaceAt, Plan, Root, Words};
use crate::syntax::ast::BinaryOp;
use crate::value::Value;

/// Text longer than this is cut.
const CHARS_MAX: usize = 200;

/// An expression of `plan`, at most about 200 characters.
#[must_use]
pub fn text(expr: &Expr, plan: &Plan) -> String {
    let mut out = String::new();
    write_expr(&mut out, expr, plan);
    if out.chars().count() > CHARS_MAX {
        out = out.chars().take(CHARS_MAX).chain("…".chars()).collect();
    }
    out
}

fn write_expr(out: &mut String, expr: &Expr, plan: &Plan) {
    match expr {
        Expr::Constant(constant) => write_constant(out, constant),
        Expr::Path(path) => write_path(out, path),
        Expr::Key(index) => write_part(out, format_args!("key {index}")),
        Expr::Aggregate(index) => write_part(out, format_args!("aggregate {index}")),
        Expr::Score => out.push_str("SCORE()"),
        Expr::Not(inner) => {
            out.push_str("NOT ");
            write_expr(out, inner, plan);
        }
        Expr::Negate(inner) => {
            out.push('-');
            write_expr(out, inner, plan);
        }
        Expr::And(parts) => write_list(out, parts, " AND ", plan),
        Expr::Or(parts) => write_list(out, parts, " OR ", plan),
        Expr::Compare(op, a, b) | Expr::Arithmetic(op, a, b) => {
            write_expr(out, a, plan);
            write_part(out, format_args!(" {} ", operator(*op)));
            write_expr(out, b, plan);
        }
        Expr::In(value, list) => {
            write_expr(out, value, plan);
            write_part(out, format_args!(" IN [{} values]", list.len()));
        }
        Expr::InArray(value, list) => {
            write_expr(out, value, plan);
            out.push_str(" IN ");
            write_expr(out, list, plan);
        }
        Expr::Like(value, _) => {
            write_expr(out, value, plan);
            out.push_str(" LIKE pattern");
        }
        Expr::Quantified { all, list, condition } => {
            out.push_str(if *all { "ALL IN " } else { "ANY IN " });
            write_expr(out, list, plan);
            out.push_str(" SATISFIES ");
            write_expr(out, condition, plan);
        }
        Expr::Match(index) => match plan.matches.get(*index) {
            Some((path, words)) => {
                out.push_str("MATCH(");
                write_path(out, path);
                write_part(out, format_args!(", {} terms)", terms(words)));
            }
            None => out.push_str("MATCH"),
        },
        Expr::Near { place, lat, lon, metres } => {
            out.push_str("NEAR(");
            write_place(out, place, plan);
            write_part(out, format_args!(", {lat}, {lon}, {metres})"));
        }
        Expr::Within { place, corners } => {
            out.push_str("WITHIN(");
            write_place(out, place, plan);
            write_part(out, format_args!(", {} corners)", corners.len()));
        }
        Expr::Call(function, arguments) => {
            write_part(out, format_args!("{function:?}"));
            out.push('(');
            for (index, argument) in arguments.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_expr(out, argument, plan);
            }
            out.push(')');
        }
    }
}

fn write_list(out: &mut String, parts: &[Expr], between: &str, plan: &Plan) {
    out.push('(');
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.push_str(between);
        }
        write_expr(out, part, plan);
    }
    out.push(')');
}

fn write_constant(out: &mut String, constant: &Constant) {
    match &constant.0 {
        None => out.push_str("undefined"),
        Some(Value::String(text)) => write_part(out, format_args!("{text:?}")),
        Some(value) => value.write(out),
    }
}

fn write_place(out: &mut String, place: &PlaceAt, plan: &Plan) {
    match place {
        PlaceAt::Value(expr) => write_expr(out, expr, plan),
        PlaceAt::Members(path, _) => write_path(out, path),
    }
}

fn write_path(out: &mut String, path: &Path) {
    let root = match path.root {
        Root::Row => String::new(),
        Root::Joined => "joined.".to_owned(),
        Root::Variable(index) => format!("element{index}."),
    };
    out.push_str(&root);
    out.push_str(&path.names.join("."));
}

fn write_part(out: &mut String, part: std::fmt::Arguments<'_>) {
    out.write_fmt(part).expect("writing to a String cannot fail");
}

fn terms(words: &Words) -> usize {
    words.words.len() + words.beginnings.len() + words.phrases.len() + words.absent.len()
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
