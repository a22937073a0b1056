//! One row as expressions see it: its cells, its document where cells do not tell, and the row that is joined.

use std::cell::OnceCell;
use std::sync::Arc;

use super::Collected;
use super::places::Place;
use super::rows::{Reading, RowRef};
use crate::column::{Cell as ColumnCell, ColumnId, Row, Snapshot};
use crate::evaluate::{Datum, Document, Source};
use crate::plan::{Path, Root};
use crate::value::Value;

/// A row as an expression sees it.
pub(super) enum Seen<'a> {
    Column(Box<ColumnRow<'a>>),
    Side(SideRow<'a>),
}

pub(super) struct SideRow<'a> {
    row: &'a Value,
    joined: Option<Arc<Value>>,
    score: Option<f64>,
}

/// A row in the columns; its document is read when a path needs it.
pub(super) struct ColumnRow<'a> {
    reading: &'a Reading<'a>,
    row: Row,
    score: Option<f64>,
    document: OnceCell<Option<Value>>,
    joined: OnceCell<Joined>,
}

enum Joined {
    None,
    Row(Row),
    Document(Arc<Value>),
}

impl<'a> Seen<'a> {
    pub(super) fn new(reading: &'a Reading<'a>, row: RowRef, score: Option<f64>) -> Self {
        match row {
            RowRef::Column(row) => Self::Column(Box::new(ColumnRow {
                reading,
                row,
                score,
                document: OnceCell::new(),
                joined: OnceCell::new(),
            })),
            RowRef::Side(index) => {
                let joined = reading.input.joined.as_ref().and_then(|_| reading.joined_document(row));
                Self::Side(SideRow { row: &reading.sides.get(index).1, joined, score })
            }
        }
    }
}

impl Source for Seen<'_> {
    fn at(&self, path: &Path) -> Datum<'_> {
        match self {
            Self::Column(row) => row.at(path),
            Self::Side(side) => {
                let root = match path.root {
                    Root::Row => Some(side.row),
                    Root::Joined => side.joined.as_deref(),
                    Root::Variable(_) => None,
                };
                let document = root.map(|root| Document::new(root, Some(root)));
                document.map_or(Datum::Undefined, |_| root.and_then(|root| at(root, path)).into())
            }
        }
    }

    fn score(&self) -> Datum<'_> {
        let score = match self {
            Self::Column(row) => row.score,
            Self::Side(side) => side.score,
        };
        score.map_or(Datum::Undefined, Datum::finite)
    }
}

fn at<'v>(root: &'v Value, path: &Path) -> Option<&'v Value> {
    root.at(path.names.iter().map(String::as_str))
}

impl ColumnRow<'_> {
    fn at(&self, path: &Path) -> Datum<'_> {
        let place = self.reading.places.of(path);
        match (path.root, place) {
            (Root::Variable(_), _) => Datum::Undefined,
            (Root::Row, Place::Nowhere) => Datum::Undefined,
            (Root::Row, Place::Column(column)) => {
                self.cell(self.reading.snapshot(), column, self.row).unwrap_or_else(|| self.in_document(path))
            }
            (Root::Row, Place::Document) => self.in_document(path),
            (Root::Joined, place) => self.in_joined(path, place),
        }
    }

    /// The value of a cell; `None` when only the document has it whole.
    fn cell<'s>(&self, snapshot: &'s Snapshot, column: ColumnId, row: Row) -> Option<Datum<'s>> {
        datum(snapshot.cell(column, row))
    }

    fn in_document(&self, path: &Path) -> Datum<'_> {
        let document = self.document.get_or_init(|| self.reading.document(RowRef::Column(self.row)));
        document.as_ref().and_then(|document| at(document, path)).into()
    }

    fn in_joined(&self, path: &Path, place: Place) -> Datum<'_> {
        let Some(joined) = &self.reading.input.joined else { return Datum::Undefined };
        let found = self.joined.get_or_init(|| self.find_joined(joined));
        match (found, place) {
            (Joined::None, _) => Datum::Undefined,
            (Joined::Document(document), _) => at(document, path).into(),
            (Joined::Row(_), Place::Nowhere) => Datum::Undefined,
            (Joined::Row(row), Place::Column(column)) => {
                self.cell(joined.snapshot, column, *row).unwrap_or_else(|| self.joined_document_at(path))
            }
            (Joined::Row(_), Place::Document) => self.joined_document_at(path),
        }
    }

    fn find_joined(&self, joined: &Collected<'_>) -> Joined {
        let Some(id) = self.reading.join_key(RowRef::Column(self.row)) else { return Joined::None };
        if joined.changed.binary_search(&id).is_ok() {
            return self.reading.joined_by(&id).map_or(Joined::None, Joined::Document);
        }
        joined.snapshot.row(&id).map_or(Joined::None, Joined::Row)
    }

    fn joined_document_at(&self, path: &Path) -> Datum<'_> {
        let document = self.reading.joined_document(RowRef::Column(self.row));
        let value = document.as_ref().and_then(|document| at(document, path)).cloned();
        value.map_or(Datum::Undefined, Datum::from_value)
    }
}

/// The value of a cell; `None` for an object, which only the document has whole.
pub(super) fn datum(cell: ColumnCell<'_>) -> Option<Datum<'_>> {
    Some(match cell {
        ColumnCell::Absent => Datum::Undefined,
        ColumnCell::Null => Datum::Null,
        ColumnCell::Bool(value) => Datum::Bool(value),
        ColumnCell::Int(value) => Datum::Int(value),
        ColumnCell::Float(value) => Datum::Float(value),
        ColumnCell::String(text) => Datum::text(text),
        ColumnCell::Array(text) => {
            let parsed: serde_json::Value = serde_json::from_str(text).ok()?;
            Datum::from_value(Value::from(&parsed))
        }
        ColumnCell::Object => return None,
    })
}
