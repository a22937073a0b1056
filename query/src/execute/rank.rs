//! `SCORE()`: the rank of each row, with statistics over all rows of the collection as of the answer's revision.

use super::matched::{Matched, Rows};
use super::places::Place;
use super::rows::{Reading, RowRef};
use super::{ROWS_BETWEEN, Stop};
use crate::column::Cell;
use crate::evaluate::Source;
use crate::evaluate::words::with_words;
use crate::plan::{Expr, Order, Output, Path, Plan, Root};
use crate::rank::{Statistics, score};

/// The statistics of each `MATCH` of the plan.
#[derive(Debug, Clone)]
pub(super) struct Ranks {
    statistics: Vec<Statistics>,
}

impl Ranks {
    /// Of a plan that asks for ranks; none otherwise.
    pub(super) fn of(reading: &Reading<'_>) -> Result<Option<Self>, Stop> {
        if !asks_for_rank(reading.input.plan) {
            return Ok(None);
        }
        let all = Matched::all(reading);
        let sides = Matched { columns: Rows::Few(Vec::new()), sides: all.sides.clone() };
        let mut statistics = Vec::new();
        for (index, (path, wanted)) in reading.input.plan.matches.iter().enumerate() {
            let known = reading.matches.statistics(reading, index);
            let rows = if known.is_some() { &sides } else { &all };
            let mut of_path = known.unwrap_or_else(|| Statistics::new(wanted));
            let mut unasked = 0;
            for row in rows.rows() {
                with_tokens(reading, row, path, |tokens| of_path.add(wanted, tokens));
                unasked += 1;
                if unasked == ROWS_BETWEEN {
                    reading.looked_at(unasked, 0)?;
                    unasked = 0;
                }
            }
            statistics.push(of_path);
        }
        reading.looked_at(0, reading.matches.memory_bytes())?;
        Ok(Some(Self { statistics }))
    }

    /// The rank of a row, summed over all `MATCH`.
    pub(super) fn score(&self, reading: &Reading<'_>, row: RowRef) -> f64 {
        let matches = reading.input.plan.matches.iter().zip(&self.statistics).enumerate();
        let scores = matches.map(|(index, ((path, wanted), statistics))| {
            if let RowRef::Column(row) = row
                && let Some(score) = reading.matches.score(index, row, statistics)
            {
                return score;
            }
            with_tokens(reading, row, path, |tokens| score(wanted, tokens, statistics)).unwrap_or(0.0)
        });
        scores.sum()
    }
}

/// For a few rows by rank alone: a superset of the first `top` of those that match. `None` when that way is not open.
pub(super) fn first_by_rank(
    reading: &Reading<'_>,
    ranks: &Ranks,
    matched: &Matched,
    top: usize,
) -> Result<Option<Vec<RowRef>>, Stop> {
    let [Order { expr: Expr::Score, descending }] = reading.input.plan.order.as_slice() else { return Ok(None) };
    if top == 0 || matched.len() <= top {
        return Ok(None);
    }
    let mut ranked: Vec<(f64, RowRef)> = Vec::new();
    for row in matched.rows() {
        ranked.push((ranks.score(reading, row), row));
        if ranked.len().is_multiple_of(ROWS_BETWEEN) {
            reading.looked_at(ROWS_BETWEEN, size_of_val(ranked.as_slice()) + reading.matches.memory_bytes())?;
        }
    }
    // What is not finite is no rank.
    if ranked.iter().any(|(rank, _)| !rank.is_finite()) {
        return Ok(None);
    }
    let order = |a: &f64, b: &f64| if *descending { b.total_cmp(a) } else { a.total_cmp(b) };
    let mut by_rank: Vec<f64> = ranked.iter().map(|(rank, _)| *rank).collect();
    let (_, last, _) = by_rank.select_nth_unstable_by(top - 1, order);
    let first = ranked.into_iter().filter(|(rank, _)| order(rank, last).is_le());
    Ok(Some(first.map(|(_, row)| row).collect()))
}

/// Hands the words of the text at a path to `then`, when it is one.
fn with_tokens<T>(reading: &Reading<'_>, row: RowRef, path: &Path, then: impl FnOnce(&[&str]) -> T) -> Option<T> {
    // A column of the joined row is not one of this row's.
    if let (RowRef::Column(row), Place::Column(column), Root::Row) = (row, reading.places.of(path), path.root) {
        return match reading.snapshot().cell(column, row) {
            Cell::String(text) => Some(with_words(text, then)),
            _ => None,
        };
    }
    let source = reading.source(row, None);
    source.at(path).as_text().map(|text| with_words(text, then))
}

pub(super) fn asks_for_rank(plan: &Plan) -> bool {
    let elements = match &plan.output {
        Output::Documents => &[],
        Output::Rows(elements) | Output::Groups { elements, .. } => elements.as_slice(),
    };
    elements.iter().map(|element| &element.expr).chain(plan.order.iter().map(|key| &key.expr)).any(holds_rank)
}

fn holds_rank(expr: &Expr) -> bool {
    let mut found = matches!(expr, Expr::Score);
    expr.each_child(&mut |child| found |= holds_rank(child));
    found
}
