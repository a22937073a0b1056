//! How a plan is carried out, for people.

use std::fmt::Write as _;

use super::filter::needs_rows;
use super::places::Places;
use super::rows::{Reading, Sides};
use super::{Input, access, walk};
use crate::plan::{Expr, Output, Path, Plan, Root, text};

/// How a plan is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// One step a line, indented, the last step first.
    pub plan: String,
    /// Paths that only whole documents tell.
    pub residual: Vec<String>,
}

/// Tells how a plan would be carried out; nothing is read but the columns' names.
#[must_use]
pub fn explain(input: &Input<'_>) -> Explanation {
    let places = Places::new(input);
    let sides = Sides::default();
    let reading = Reading::new(input, &places, &sides);
    let plan = input.plan;
    let mut out = String::new();
    let mut depth = 0;
    let mut step = |line: String| {
        writeln!(out, "{:indent$}{line}", "", indent = 2 * depth).expect("writing to a String cannot fail");
        depth += 1;
    };
    if let Some(top) = plan.top {
        step(format!("top {top}"));
    }
    step(output_step(plan));
    if let Some(condition) = &plan.filter {
        for part in parts(condition) {
            let way = match part {
                Expr::Match(index) if reading.matches.index(&reading, *index).is_some() => "by the index of words",
                _ if needs_rows(&reading, part) => "row by row",
                _ => "by columns",
            };
            step(format!("filter {way}: {}", text(part, plan)));
        }
    }
    if let Some(relation) = plan.relation {
        step(format!("join {} by {}", relation.name, relation.key.join(".")));
    }
    let snapshot = input.from.snapshot;
    let along = walk::text(&reading).map(|text| format!("look up {}: {text}", plan.collection));
    let found = || {
        let way = access::selective(&reading, plan.filter.as_ref()?)?;
        Some(format!("look up {}: {} of {} rows", plan.collection, way.text(&reading), snapshot.len()))
    };
    let scan = || format!("scan {}: {} rows", plan.collection, snapshot.len());
    step(along.or_else(found).unwrap_or_else(scan));
    let residual = places.in_documents().into_iter().map(path_text).collect();
    Explanation { plan: out, residual }
}

fn parts(condition: &Expr) -> Vec<&Expr> {
    match condition {
        Expr::And(parts) => parts.iter().collect(),
        other => vec![other],
    }
}

fn output_step(plan: &Plan) -> String {
    let order = match plan.order.len() {
        0 => String::new(),
        keys => format!(", ordered by {keys} key{}", if keys == 1 { "" } else { "s" }),
    };
    let distinct = if plan.distinct { "distinct " } else { "" };
    match &plan.output {
        Output::Documents => format!("{distinct}documents{order}"),
        Output::Rows(elements) => format!("{distinct}rows of {} elements{order}", elements.len()),
        Output::Groups { keys, aggregates, .. } if keys.is_empty() => {
            format!("{} aggregates over all rows{order}", aggregates.len())
        }
        Output::Groups { keys, aggregates, .. } => {
            format!("{distinct}groups by {} keys, {} aggregates{order}", keys.len(), aggregates.len())
        }
    }
}

fn path_text(path: &Path) -> String {
    let root = match path.root {
        Root::Row => None,
        Root::Joined => Some("(joined)".to_owned()),
        Root::Variable(index) => Some(format!("(variable {index})")),
    };
    root.into_iter().chain(path.names.iter().cloned()).collect::<Vec<_>>().join(".")
}
