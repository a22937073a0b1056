//! `SCORE()`: the rank of each row, with statistics over all rows of the collection as of the answer's revision.

use super::matched::Matched;
use super::places::Place;
use super::rows::{Reading, RowRef};
use super::{ROWS_BETWEEN, Stop};
use crate::column::Cell;
use crate::evaluate::{Source, words};
use crate::plan::{Expr, Output, Path, Plan, Root};
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
        let mut statistics = Vec::new();
        for (path, wanted) in &reading.input.plan.matches {
            let mut of_path = Statistics::new(wanted);
            let mut unasked = 0;
            for row in all.rows() {
                if let Some(tokens) = tokens(reading, row, path) {
                    of_path.add(wanted, &tokens);
                }
                unasked += 1;
                if unasked == ROWS_BETWEEN {
                    reading.looked_at(unasked, 0)?;
                    unasked = 0;
                }
            }
            statistics.push(of_path);
        }
        Ok(Some(Self { statistics }))
    }

    /// The rank of a row, summed over all `MATCH`.
    pub(super) fn score(&self, reading: &Reading<'_>, row: RowRef) -> f64 {
        let matches = reading.input.plan.matches.iter().zip(&self.statistics);
        let scores = matches.map(|((path, wanted), statistics)| {
            tokens(reading, row, path).map_or(0.0, |tokens| score(wanted, &tokens, statistics))
        });
        scores.sum()
    }
}

/// The words of the text at a path, when it is one.
fn tokens(reading: &Reading<'_>, row: RowRef, path: &Path) -> Option<Vec<String>> {
    // A column of the joined row is not one of this row's.
    if let (RowRef::Column(row), Place::Column(column), Root::Row) = (row, reading.places.of(path), path.root) {
        return match reading.snapshot().cell(column, row) {
            Cell::String(text) => Some(words::tokens(text)),
            _ => None,
        };
    }
    let source = reading.source(row, None);
    source.at(path).as_text().map(words::tokens)
}

fn asks_for_rank(plan: &Plan) -> bool {
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
