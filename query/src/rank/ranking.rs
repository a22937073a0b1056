//! `SCORE()`: the rank of a row by all `MATCH` of a query.

use crate::evaluate::{Source, words};
use crate::plan::{Path, Words};

use super::{Statistics, score};

/// The statistics of all `MATCH` of a query: every row of the collection is added once, then rows are scored.
#[derive(Debug, Clone)]
pub struct Ranking<'m> {
    matches: &'m [(Path, Words)],
    statistics: Vec<Statistics>,
}

impl<'m> Ranking<'m> {
    /// Of [`crate::plan::Plan::matches`], with no rows yet.
    #[must_use]
    pub fn new(matches: &'m [(Path, Words)]) -> Self {
        Self { matches, statistics: matches.iter().map(|(_, words)| Statistics::new(words)).collect() }
    }

    /// Takes a row of the collection into account, whether it is found or not.
    pub fn add<S: Source + ?Sized>(&mut self, row: &S) {
        for ((path, words), statistics) in self.matches.iter().zip(&mut self.statistics) {
            if let Some(text) = row.at(path).as_text() {
                statistics.add(words, &words::tokens(text));
            }
        }
    }

    /// Takes what another one of the same query was given.
    pub fn merge(&mut self, other: &Self) {
        for (own, theirs) in self.statistics.iter_mut().zip(&other.statistics) {
            own.merge(theirs);
        }
    }

    /// The sum over all `MATCH`, in their order; what is no text counts nothing.
    pub fn score<S: Source + ?Sized>(&self, row: &S) -> f64 {
        let mut sum = 0.0;
        for ((path, words), statistics) in self.matches.iter().zip(&self.statistics) {
            if let Some(text) = row.at(path).as_text() {
                sum += score(words, &words::tokens(text), statistics);
            }
        }
        sum
    }
}
