//! What an aggregation asks for: from the message to the tree of a query, and to its plan. It reads nothing.
//!
//! - The condition and the paths are parsed each alone, by the parser's own rules; no text is put together, so nothing in
//!   them can become a clause.
//! - Every refusal names its field: each part is bound alone before the whole is.

use muster_domain::{Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::aggregate::Function;
use muster_query::plan::Plan;
use muster_query::syntax::ast::{AsOf, Element, Elements, Expr, ExprKind, From, Name, OrderKey, Select, Span};
use muster_query::syntax::{self, Limits};
use muster_query::{QueryError, bind};

use super::query::invalid;
use super::status::Failure;
use crate::views::{SCHEMA, Which};

const ALIAS_CHARS_MAX: usize = 128;

/// An aggregation, checked.
#[derive(Debug)]
pub(super) struct Aggregation {
    pub(super) plan: Plan,
    /// Names of the keys, then of the aggregates.
    pub(super) columns: Vec<String>,
    /// How many of the columns are keys.
    pub(super) keys: usize,
}

/// Checks a request; `groups` are wanted at most.
pub(super) fn aggregation(request: &v1::AggregateRequest, groups: usize) -> Result<Aggregation, Failure> {
    let collection = collection(&request.collection)?;
    let limits = Limits::default();
    check_count("group_by", request.group_by.len(), 0, limits.keys)?;
    check_count("aggregates", request.aggregates.len(), 1, limits.elements - limits.keys)?;
    let as_of = (request.as_of_revision != 0).then_some(AsOf::Revision(request.as_of_revision));
    let parts = Parts { from: From { collection, join: None, as_of } };
    let filter = parts.filter(&request.filter)?;
    let keys = request.group_by.iter().enumerate().map(|(at, path)| parts.key(at, path));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let aggregates = request.aggregates.iter().enumerate().map(|(at, aggregate)| parts.aggregate(at, aggregate));
    let aggregates = aggregates.collect::<Result<Vec<_>, _>>()?;
    let columns = columns(request)?;
    let select = Select {
        top: u32::try_from(groups).ok(),
        elements: Elements::List(keys.iter().chain(&aggregates).enumerate().map(element).collect()),
        filter,
        order_by: keys.iter().map(|key| OrderKey { expr: key.clone(), descending: false }).collect(),
        group_by: keys,
        ..parts.empty()
    };
    let plan = bind::bind(&select, &SCHEMA).map_err(|error| invalid(&error, "aggregates", ""))?;
    Ok(Aggregation { plan, columns, keys: request.group_by.len() })
}

/// The name that the column at an index has in the plan. No member of a collection is called so.
pub(super) fn column_name(at: usize) -> String {
    format!("column {at}")
}

fn element((at, expr): (usize, &Expr)) -> Element {
    Element { expr: expr.clone(), alias: Some(name(column_name(at))) }
}

fn name(text: String) -> Name {
    Name { text, span: Span::default() }
}

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn call(function: &str, distinct: bool, arguments: Vec<Expr>) -> Expr {
    expr(ExprKind::Call { name: name(function.to_owned()), distinct, star: false, arguments })
}

fn refuse(field: String, rule: &str) -> Failure {
    let message = format!("{field} {rule}");
    Rejection::new(Reason::InvalidField, field, message).into()
}

fn check_count(field: &str, count: usize, least: usize, most: usize) -> Result<(), Rejection> {
    if (least..=most).contains(&count) {
        return Ok(());
    }
    let message = format!("{field} must have {least} to {most} elements, has {count}");
    Err(Rejection::new(Reason::TooMany, field, message))
}

fn collection(asked: &str) -> Result<Name, Failure> {
    let asked = asked.to_ascii_lowercase();
    match Which::named(&asked) {
        Some(_) => Ok(name(asked)),
        None => Err(refuse("collection".to_owned(), "must be devices, devices.modules or assets")),
    }
}

/// What all parts of a request are bound against.
struct Parts {
    from: From,
}

impl Parts {
    fn empty(&self) -> Select {
        Select {
            distinct: false,
            top: None,
            elements: Elements::List(vec![Element { expr: call("COUNT", false, Vec::new()), alias: None }]),
            from: self.from.clone(),
            filter: None,
            group_by: Vec::new(),
            having: None,
            order_by: Vec::new(),
        }
    }

    fn filter(&self, text: &str) -> Result<Option<Expr>, Failure> {
        if text.is_empty() {
            return Ok(None);
        }
        let refused = |error: QueryError| invalid(&error, "filter", text);
        let filter = syntax::parse_condition(text, &Limits::default()).map_err(refused)?;
        let select = Select { filter: Some(filter.clone()), ..self.empty() };
        bind::bind(&select, &SCHEMA).map_err(refused)?;
        Ok(Some(filter))
    }

    fn key(&self, at: usize, text: &str) -> Result<Expr, Failure> {
        let field = format!("group_by[{at}]");
        let key = path(&field, text)?;
        let select = Select { group_by: vec![key.clone()], ..self.empty() };
        bind::bind(&select, &SCHEMA).map_err(|error| invalid(&error, field, text))?;
        Ok(key)
    }

    fn aggregate(&self, at: usize, asked: &v1::Aggregate) -> Result<Expr, Failure> {
        let field = |member: &str| format!("aggregates[{at}].{member}");
        let function = Function::try_from(asked.function).unwrap_or_default();
        if asked.percentile.is_some() && function != Function::Percentile {
            return Err(refuse(field("percentile"), "is for PERCENTILE only"));
        }
        let on_path = || path(&field("path"), &asked.path);
        let aggregate = match function {
            Function::Unspecified => return Err(refuse(field("function"), "is required, and must be a known one")),
            Function::Count if asked.path.is_empty() => call("COUNT", false, Vec::new()),
            Function::Count => call("COUNT", false, vec![on_path()?]),
            Function::CountDistinct => call("COUNT", true, vec![on_path()?]),
            Function::Sum | Function::Avg | Function::Min | Function::Max => {
                call(function.as_str_name(), false, vec![on_path()?])
            }
            Function::Percentile => {
                let percent = asked.percentile.filter(|percent| (0.0..=100.0).contains(percent));
                let Some(percent) = percent else {
                    return Err(refuse(field("percentile"), "is required for PERCENTILE: a number from 0 to 100"));
                };
                call("PERCENTILE", false, vec![on_path()?, expr(ExprKind::Float(percent))])
            }
        };
        let elements = Elements::List(vec![Element { expr: aggregate.clone(), alias: None }]);
        let select = Select { elements, ..self.empty() };
        bind::bind(&select, &SCHEMA).map_err(|error| invalid(&error, field("path"), &asked.path))?;
        Ok(aggregate)
    }
}

/// A path and nothing else.
fn path(field: &str, text: &str) -> Result<Expr, Failure> {
    const RULE: &str = "must be a path, such as tags.site or properties.reported.battery";
    if text.is_empty() {
        return Err(refuse(field.to_owned(), RULE));
    }
    let parsed = syntax::parse_condition(text, &Limits::default()).map_err(|error| invalid(&error, field, text))?;
    match parsed.kind {
        ExprKind::Path(_) => Ok(parsed),
        _ => Err(refuse(field.to_owned(), RULE)),
    }
}

/// The names of the columns, no two alike.
fn columns(request: &v1::AggregateRequest) -> Result<Vec<String>, Failure> {
    let mut columns: Vec<String> = Vec::new();
    for (at, path) in request.group_by.iter().enumerate() {
        if columns.contains(path) {
            return Err(refuse(format!("group_by[{at}]"), "is the same as one before it"));
        }
        columns.push(path.clone());
    }
    for (at, aggregate) in request.aggregates.iter().enumerate() {
        let field = || format!("aggregates[{at}].alias");
        if aggregate.alias.chars().nth(ALIAS_CHARS_MAX).is_some() {
            return Err(refuse(field(), &format!("must have at most {ALIAS_CHARS_MAX} characters")));
        }
        let column = if aggregate.alias.is_empty() { made_name(aggregate) } else { aggregate.alias.clone() };
        if columns.contains(&column) {
            return Err(refuse(field(), &format!("is needed: another column is called `{column}` already")));
        }
        columns.push(column);
    }
    Ok(columns)
}

/// Such as `AVG(tags.age)` and `PERCENTILE(tags.age, 95)`.
fn made_name(aggregate: &v1::Aggregate) -> String {
    let function = Function::try_from(aggregate.function).unwrap_or_default().as_str_name();
    match aggregate.percentile {
        Some(percent) => format!("{function}({}, {percent})", aggregate.path),
        None => format!("{function}({})", aggregate.path),
    }
}

#[cfg(test)]
mod tests;
