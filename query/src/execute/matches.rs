//! What indexes of words say of the `MATCH`es of a plan: found once, for the condition and for ranks.

use std::cell::OnceCell;

use super::places::Place;
use super::rank::asks_for_rank;
use super::rows::Reading;
use crate::column::{Cell, ColumnId, Condition, Row};
use crate::evaluate::words::with_words;
use crate::plan::{Plan, Root};
use crate::rank::Statistics;
use crate::text::{Found, Tally};

/// What was found for each `MATCH`, by its number.
pub(super) struct Matches {
    found: Vec<OnceCell<Option<Found>>>,
    is_ranked: bool,
}

impl Matches {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { found: vec![OnceCell::new(); plan.matches.len()], is_ranked: asks_for_rank(plan) }
    }

    /// A `MATCH` as a condition over the rows in the columns; `None` when no index tells.
    pub(super) fn condition<'r>(&'r self, reading: &'r Reading<'_>, index: usize) -> Option<Condition<'r>> {
        let found = self.found(reading, index)?;
        Some(Condition::among_those(&found.yes, reading.snapshot().mask_of_texts(column(reading, index)?)))
    }

    /// What ranks are made from, of all rows that are taken from columns; `None` when no index tells.
    pub(super) fn statistics(&self, reading: &Reading<'_>, index: usize) -> Option<Statistics> {
        let mut statistics = self.found(reading, index)?.statistics.clone();
        let (column, snapshot) = (column(reading, index)?, reading.snapshot());
        let (_, words) = &reading.input.plan.matches[index];
        for row in reading.changed_rows() {
            if let Cell::String(text) = snapshot.cell(column, row) {
                with_words(text, |tokens| statistics.remove(words, tokens));
            }
        }
        Some(statistics)
    }

    /// The rank of a row in the columns by one `MATCH`, when an index told how often it has its words.
    pub(super) fn score(&self, index: usize, row: Row, statistics: &Statistics) -> Option<f64> {
        let found = self.found.get(index)?.get()?.as_ref()?;
        Some(found.tally.as_ref()?.score(row.index(), statistics))
    }

    /// Bytes of memory that what was found takes.
    pub(super) fn memory_bytes(&self) -> usize {
        let found = self.found.iter().filter_map(|found| found.get()?.as_ref());
        found.map(|found| found.yes.slots() / 8 + found.tally.as_ref().map_or(0, Tally::memory_bytes)).sum()
    }

    /// How many rows are looked at beside the index that serves a `MATCH`; `None` when none does.
    pub(super) fn index(&self, reading: &Reading<'_>, index: usize) -> Option<usize> {
        reading.snapshot().word_index(column(reading, index)?)
    }

    fn found(&self, reading: &Reading<'_>, index: usize) -> Option<&Found> {
        let found = self.found.get(index)?.get_or_init(|| {
            let column = column(reading, index)?;
            let (_, words) = &reading.input.plan.matches[index];
            reading.snapshot().find_words(column, words, self.is_ranked)
        });
        found.as_ref()
    }
}

/// The column of the texts that a `MATCH` is about.
pub(super) fn column(reading: &Reading<'_>, index: usize) -> Option<ColumnId> {
    let (path, _) = reading.input.plan.matches.get(index)?;
    match (path.root, reading.places.of(path)) {
        (Root::Row, Place::Column(column)) => Some(column),
        _ => None,
    }
}
