//! From what was written to a plan: names resolved, constants computed, mistakes found and explained.
//!
//! ```text
//! bind ──▶ Binder::expr ── names (paths) ── calls (functions) ── aggregates ── polygon, words
//!                       └─ fold (constants, flat logic)            └─ output (names of members, DISTINCT)
//! ```
//!
//! It knows the schema and no data. Invariants: those of [`crate::plan`]; what was written costs at most a bounded multiple
//! of its length; every error points at the words that it is about.

mod aggregates;
mod binder;
mod calls;
mod fold;
mod names;
mod narrow;
mod output;
mod polygon;
mod words;

#[cfg(test)]
mod tests;

use crate::error::{Code, QueryError};
use crate::evaluate::parse_rfc3339;
use crate::plan::{AsOf, Expr, Order, Output, Path, Plan, Words};
use crate::schema::{Collection, Schema};
use crate::syntax::ast::{self, Span};

use binder::{Binder, Clause};

/// Most elements of `SELECT`.
const ELEMENTS_MAX: usize = 100;
/// Most keys of `GROUP BY`, and of `ORDER BY`.
const KEYS_MAX: usize = 16;
/// Most elements of an `IN` list, and corners of a polygon.
const LIST_MAX: usize = 1_000;
/// Most rows of `TOP`.
const TOP_MAX: u32 = i32::MAX.unsigned_abs();

/// A condition on the rows of a collection, apart from any query.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What a row must fulfil.
    pub filter: Expr,
    /// `MATCH` conditions in it, as [`Plan::matches`].
    pub matches: Vec<(Path, Words)>,
}

/// The plan of a query.
///
/// # Errors
/// When it breaks a rule of the language that its grammar does not hold.
pub fn bind(select: &ast::Select, schema: &Schema) -> Result<Plan, QueryError> {
    check_sizes(select)?;
    let collection = names::collection(&select.from.collection, schema)?;
    let relation = select.from.join.as_ref().map(|name| names::relation(name, collection)).transpose()?;
    let as_of = select.from.as_of.as_ref().map(as_of).transpose()?;
    let mut binder = Binder::new(collection, relation);
    let filter = select.filter.as_ref().map(|filter| binder.expr(filter)).transpose()?.map(narrow::narrow);
    let output = output(&mut binder, select)?;
    let order = order(&mut binder, select)?;
    if select.distinct {
        output::check_distinct(select, &output, &order)?;
    }
    Ok(Plan {
        collection: collection.name,
        relation: relation.copied(),
        as_of,
        filter,
        output: binder.with_aggregates(output),
        order,
        distinct: select.distinct,
        top: select.top,
        matches: binder.matches,
    })
}

/// A condition on the rows of `collection`, as behind `WHERE`.
///
/// # Errors
/// As [`bind`].
pub fn bind_condition(condition: &ast::Expr, collection: &Collection) -> Result<Condition, QueryError> {
    let mut binder = Binder::new(collection, None);
    let filter = binder.expr(condition)?;
    Ok(Condition { filter, matches: binder.matches })
}

fn output<'a>(binder: &mut Binder<'a>, select: &'a ast::Select) -> Result<Output, QueryError> {
    binder.clause = Clause::Keys;
    let keys = select.group_by.iter().map(|key| binder.expr(key)).collect::<Result<Vec<_>, _>>()?;
    let grouped = !keys.is_empty() || select.having.is_some() || aggregates::occur(select);
    binder.clause = Clause::Select;
    let written = match &select.elements {
        ast::Elements::All if grouped => return Err(all_of_groups(select)),
        ast::Elements::All => return Ok(Output::Documents),
        ast::Elements::List(elements) => elements,
    };
    if !grouped {
        return Ok(Output::Rows(output::elements(binder, written)?));
    }
    binder.group_by(keys.clone());
    let elements = output::elements(binder, written)?;
    binder.clause = Clause::Having;
    let having = select.having.as_ref().map(|having| binder.expr(having)).transpose()?;
    Ok(Output::Groups { keys, aggregates: Vec::new(), elements, having })
}

fn order<'a>(binder: &mut Binder<'a>, select: &'a ast::Select) -> Result<Vec<Order>, QueryError> {
    binder.clause = Clause::Order;
    if let ast::Elements::List(elements) = &select.elements {
        binder.aliases = elements;
    }
    let bound = |key: &'a ast::OrderKey| Ok(Order { expr: binder.expr(&key.expr)?, descending: key.descending });
    select.order_by.iter().map(bound).collect()
}

fn all_of_groups(select: &ast::Select) -> QueryError {
    let key = select.group_by.first().or(select.having.as_ref()).or(select.order_by.first().map(|key| &key.expr));
    let span = key.map_or(Span::default(), |key| key.span);
    QueryError::new(Code::Invalid, span, "SELECT * gives documents, and groups have none")
        .with_help("select keys of GROUP BY and aggregates, such as COUNT()")
}

fn as_of(as_of: &ast::AsOf) -> Result<AsOf, QueryError> {
    match as_of {
        ast::AsOf::Revision(revision) => Ok(AsOf::Revision(*revision)),
        ast::AsOf::Time(text, span) => match parse_rfc3339(text) {
            // Nothing was before the epoch.
            Some(ms) => Ok(AsOf::TimeMs(u64::try_from(ms).unwrap_or_default())),
            None => Err(QueryError::new(Code::Invalid, *span, format!("`{text}` is no time"))
                .with_help("times are written as in RFC 3339: '2026-11-26T22:05:21Z'")),
        },
    }
}

fn check_sizes(select: &ast::Select) -> Result<(), QueryError> {
    if let ast::Elements::List(elements) = &select.elements {
        check_size("SELECT", "elements", elements.iter().map(|element| element.expr.span), ELEMENTS_MAX)?;
    }
    check_size("GROUP BY", "keys", select.group_by.iter().map(|key| key.span), KEYS_MAX)?;
    check_size("ORDER BY", "keys", select.order_by.iter().map(|key| key.expr.span), KEYS_MAX)?;
    if select.top.is_some_and(|top| top == 0 || top > TOP_MAX) {
        return Err(QueryError::new(Code::TooLarge, Span::default(), format!("TOP takes 1 to {TOP_MAX}")));
    }
    Ok(())
}

/// The error points at the first one too many.
fn check_size(what: &str, of: &str, mut spans: impl Iterator<Item = Span>, max: usize) -> Result<(), QueryError> {
    match spans.nth(max) {
        Some(span) => Err(QueryError::new(Code::TooLarge, span, format!("{what} takes at most {max} {of}"))),
        None => Ok(()),
    }
}
