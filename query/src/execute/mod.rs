//! From a plan to an answer, over columns where they hold what is asked, over whole documents where not.
//!
//! ```text
//! Input ─ places (which path lies where) ─ filter (a condition over rows) ─ matched (its rows; of all, or of few by `access`)
//!                                             ├─▶ order ─▶ Selection: rows in order ─ project ─▶ JSON values
//!                                             └─▶ group ─▶ Selection: made rows
//! ```
//!
//! It knows no text, no store and no clock: documents and the time to stop come through [`Documents`] and [`Interrupt`].
//! Invariants:
//!
//! - The answer is that of `docs/language.md` for the rows as of one revision: rows named in [`Collected::changed`] are taken from
//!   documents, all others from columns.
//! - It is the same whatever lies in columns and whatever in documents.
//! - What runs long asks [`Interrupt`] about every thousand rows, and what grows is told to it.

use std::sync::Arc;

use crate::column::Snapshot;
use crate::evaluate::Context;
use crate::plan::{Output, Plan};
use crate::schema::Collection;
use crate::value::Value;

mod access;
mod explain;
mod filter;
mod group;
mod matched;
mod matches;
mod order;
mod places;
mod project;
mod rank;
mod rows;
mod seen;
mod walk;

pub use explain::{Explanation, explain};
pub use project::Row;
use rows::RowRef;

/// Rows that are asked between two questions to [`Interrupt`].
const ROWS_BETWEEN: usize = 1_024;
/// Groups of an answer.
const GROUPS_MAX: usize = 100_000;

/// Hands out whole documents as of the revision of the answer.
pub trait Documents {
    /// The document of a row.
    ///
    /// # Errors
    /// When it cannot be read.
    fn document(&self, collection: &'static str, id: &str) -> Result<Option<Value>, String>;
}

/// Ends what takes too much.
pub trait Interrupt {
    /// `rows` more rows were looked at, and `memory_bytes` are held in all.
    ///
    /// # Errors
    /// Why to stop, for the caller.
    fn check(&self, rows: usize, memory_bytes: usize) -> Result<(), Stop>;
}

/// Why a query did not get to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// It went over a budget, which is named with its limit.
    #[error("{0}")]
    Budget(String),
    /// A document could not be read.
    #[error("{0}")]
    Fault(String),
}

/// The rows of one collection as of the answer's revision.
pub struct Collected<'a> {
    /// The collection.
    pub collection: &'a Collection,
    /// Its columns, as of the answer's revision or later.
    pub snapshot: &'a Snapshot,
    /// Ids of rows that are not the same in the columns as at the answer's revision; ordered.
    pub changed: &'a [String],
}

/// What is needed to answer.
pub struct Input<'a> {
    /// What to answer.
    pub plan: &'a Plan,
    /// The collection in `FROM`.
    pub from: Collected<'a>,
    /// The one in `JOIN`.
    pub joined: Option<Collected<'a>>,
    /// For what columns do not hold.
    pub documents: &'a dyn Documents,
    /// Asked now and then.
    pub interrupt: &'a dyn Interrupt,
    /// What `NOW()` is, milliseconds since the epoch.
    pub now_ms: u64,
}

impl Input<'_> {
    fn context(&self) -> Context<'_> {
        Context::new(self.now_ms, &self.plan.matches)
    }
}

/// What an answer cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Rows of the collection.
    pub rows_total: usize,
    /// Rows that were found to fulfil the condition; when the first ones were asked for, there may be more.
    pub rows_matched: usize,
    /// Documents read.
    pub documents_read: usize,
    /// Bytes that orders and groups took.
    pub memory_bytes: usize,
}

/// An answer before it is written out: which rows, in their order.
pub struct Selection {
    found: Found,
    /// What it cost so far.
    pub cost: Cost,
}

enum Found {
    /// Rows of the collection; written out when asked for.
    Rows(Vec<RowRef>, Arc<rows::Sides>, Option<rank::Ranks>),
    /// Groups and distinct rows.
    Made(Vec<Value>),
}

impl Selection {
    /// How many rows the answer has.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.found {
            Found::Rows(rows, ..) => rows.len(),
            Found::Made(rows) => rows.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About how many bytes it holds.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        match &self.found {
            Found::Rows(rows, sides, _) => rows.len() * size_of::<RowRef>() + sides.memory_bytes(),
            Found::Made(rows) => rows.len() * 128,
        }
    }
}

/// Finds the rows of the answer.
///
/// # Errors
/// When a budget is used up or a document cannot be read.
pub fn select(input: &Input<'_>) -> Result<Selection, Stop> {
    let places = places::Places::new(input);
    let sides = rows::Sides::read(input)?;
    let reading = rows::Reading::new(input, &places, &sides);
    let mut cost = Cost { rows_total: input.from.snapshot.len(), ..Cost::default() };
    let ranks = rank::Ranks::of(&reading)?;
    if let Some(candidates) = walk::candidates(&reading) {
        reading.tell_asked(0)?;
        cost.rows_matched = candidates.len();
        let found = order::first_of(&reading, candidates, ranks.as_ref(), &mut cost)?;
        return finished(&reading, Found::Rows(found, Arc::new(sides.clone()), ranks), cost);
    }
    let matched = matched::matching(&reading)?;
    cost.rows_matched = matched.len();
    let found = match &input.plan.output {
        Output::Groups { .. } => Found::Made(group::groups(&reading, &matched, &mut cost)?),
        _ if input.plan.distinct => Found::Made(order::distinct(&reading, &matched, ranks.as_ref(), &mut cost)?),
        _ => {
            Found::Rows(order::ordered(&reading, &matched, ranks.as_ref(), &mut cost)?, Arc::new(sides.clone()), ranks)
        }
    };
    finished(&reading, found, cost)
}

fn finished(reading: &rows::Reading<'_>, found: Found, mut cost: Cost) -> Result<Selection, Stop> {
    reading.fault()?;
    cost.documents_read = reading.documents_read() + reading.sides.len();
    Ok(Selection { found, cost })
}

/// Writes out rows `from` up to `to` of an answer that `select` found with the same input.
///
/// # Errors
/// As [`select`].
pub fn rows(input: &Input<'_>, selection: &Selection, from: usize, to: usize) -> Result<Vec<Row>, Stop> {
    let to = to.min(selection.len());
    let from = from.min(to);
    match &selection.found {
        Found::Made(rows) => {
            Ok(rows[from..to].iter().map(|value| Row { id: String::new(), value: value.clone() }).collect())
        }
        Found::Rows(rows, sides, ranks) => {
            let places = places::Places::new(input);
            let reading = rows::Reading::new(input, &places, sides);
            let rows = project::project(&reading, &rows[from..to], ranks.as_ref())?;
            reading.fault()?;
            Ok(rows)
        }
    }
}

/// What some rows are in the answer now: each id with its row written out, or nothing when it is not in the answer. For plans of rows
/// without order.
///
/// # Errors
/// As [`select`].
pub fn among(input: &Input<'_>, ids: &[String]) -> Result<Vec<(String, Option<Value>)>, Stop> {
    let places = places::Places::new(input);
    let sides = rows::Sides::default();
    let reading = rows::Reading::new(input, &places, &sides);
    let mut out = Vec::with_capacity(ids.len());
    for id in ids {
        reading.looked_at(1, 0)?;
        let row = input.from.snapshot.row(id).map(RowRef::Column);
        let row = row.filter(|row| matched::fulfils(&reading, *row));
        out.push((id.clone(), row.and_then(|row| project::one(&reading, row, None))));
    }
    reading.fault()?;
    Ok(out)
}
