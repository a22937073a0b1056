//! Where an expression finds its rows, keys and aggregates.

use crate::plan::{Path, Root, Words};
use crate::value::Value;

use super::{Datum, words};

/// One row or one group, as an expression sees it.
pub trait Source {
    /// What lies at a path of the row or of the joined row. Variables never reach it.
    fn at(&self, path: &Path) -> Datum<'_>;

    /// The n-th key of the group.
    fn key(&self, _index: usize) -> Datum<'_> {
        Datum::Undefined
    }

    /// The n-th aggregate of the group.
    fn aggregate(&self, _index: usize) -> Datum<'_> {
        Datum::Undefined
    }

    /// The rank of the row.
    fn score(&self) -> Datum<'_> {
        Datum::Undefined
    }

    /// Whether the text at `path` holds the words; `index` is the place in [`crate::plan::Plan::matches`]. For one who has
    /// an index of words; by default the text is cut.
    fn matches(&self, _index: usize, path: &Path, words: &Words) -> Option<bool> {
        self.at(path).as_text().map(|text| words::holds(words, text))
    }
}

/// A row that is there as a document.
#[derive(Debug, Clone, Copy)]
pub struct Document<'d> {
    /// The row.
    pub row: &'d Value,
    /// The row that is joined to it.
    pub joined: Option<&'d Value>,
    /// Its rank, when the query asks for it.
    pub score: Option<f64>,
}

impl<'d> Document<'d> {
    /// A row without rank.
    #[must_use]
    pub fn new(row: &'d Value, joined: Option<&'d Value>) -> Self {
        Self { row, joined, score: None }
    }
}

impl Source for Document<'_> {
    fn at(&self, path: &Path) -> Datum<'_> {
        let root = match path.root {
            Root::Row => Some(self.row),
            Root::Joined => self.joined,
            Root::Variable(_) => None,
        };
        root.and_then(|root| root.at(path.names.iter().map(String::as_str))).into()
    }

    fn score(&self) -> Datum<'_> {
        self.score.map_or(Datum::Undefined, Datum::finite)
    }
}

/// A group: its keys and aggregates, finished. `None` is undefined.
#[derive(Debug, Clone, Copy)]
pub struct GroupRow<'g> {
    /// In the order of the plan.
    pub keys: &'g [Option<Value>],
    /// In the order of the plan.
    pub aggregates: &'g [Option<Value>],
}

impl Source for GroupRow<'_> {
    fn at(&self, _path: &Path) -> Datum<'_> {
        Datum::Undefined
    }

    fn key(&self, index: usize) -> Datum<'_> {
        self.keys.get(index).and_then(Option::as_ref).into()
    }

    fn aggregate(&self, index: usize) -> Datum<'_> {
        self.aggregates.get(index).and_then(Option::as_ref).into()
    }
}
