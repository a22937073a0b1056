//! Rows as expressions see them: cells of columns, or documents.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use super::matches::Matches;
use super::places::{Place, Places};
use super::{Collected, Input, Stop};
use crate::column::{Cell as ColumnCell, ColumnId, Row, Snapshot};
use crate::evaluate::{Context, Datum, Document, Source};
use crate::plan::{Path, Root};
use crate::value::Value;

/// Documents of joined rows that are remembered; one may be asked for by many rows.
const JOINED_MAX: usize = 1_000;

/// A row of the collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowRef {
    /// In the columns.
    Column(Row),
    /// Among the documents that are taken instead.
    Side(u32),
}

/// Rows that are taken from documents because the columns have them as of another revision.
#[derive(Debug, Clone, Default)]
pub(super) struct Sides {
    rows: Arc<[(String, Value)]>,
}

impl Sides {
    /// Reads the documents of all changed rows that exist.
    pub(super) fn read(input: &Input<'_>) -> Result<Self, Stop> {
        let mut rows = Vec::new();
        let mut bytes = 0;
        for id in input.from.changed {
            if let Some(value) = input.documents.document(input.from.collection.name, id).map_err(Stop::Fault)? {
                bytes += value.memory_bytes() + id.len();
                rows.push((id.clone(), value));
            }
            input.interrupt.check(1, bytes)?;
        }
        Ok(Self { rows: rows.into() })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Id and document of a row.
    pub(super) fn get(&self, index: u32) -> &(String, Value) {
        &self.rows[index as usize]
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.rows.iter().map(|(id, value)| id.len() + value.memory_bytes()).sum()
    }
}

/// Everything that reading a row needs, and what went wrong with it.
pub(super) struct Reading<'a> {
    pub(super) input: &'a Input<'a>,
    pub(super) places: &'a Places<'a>,
    pub(super) sides: &'a Sides,
    pub(super) context: Context<'a>,
    pub(super) matches: Matches,
    fault: RefCell<Option<Stop>>,
    documents_read: Cell<usize>,
    /// Rows that were asked one by one and are not told yet.
    asked: Cell<usize>,
    /// Documents of joined rows that have changed.
    joined: RefCell<HashMap<String, Option<Arc<Value>>>>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(input: &'a Input<'a>, places: &'a Places<'a>, sides: &'a Sides) -> Self {
        let context = input.context();
        Self {
            input,
            places,
            sides,
            context,
            matches: Matches::new(input.plan),
            fault: RefCell::new(None),
            documents_read: Cell::new(0),
            asked: Cell::new(0),
            joined: RefCell::default(),
        }
    }

    pub(super) fn snapshot(&self) -> &'a Snapshot {
        self.input.from.snapshot
    }

    /// Rows of the columns that are taken from documents, or not there; upwards.
    pub(super) fn changed_rows(&self) -> Vec<Row> {
        let rows = self.input.from.changed.iter().filter_map(|id| self.snapshot().row(id));
        let mut rows: Vec<Row> = rows.collect();
        rows.sort_unstable();
        rows
    }

    /// The first fault, if reading a document failed.
    pub(super) fn fault(&self) -> Result<(), Stop> {
        self.fault.borrow().clone().map_or(Ok(()), Err)
    }

    pub(super) fn documents_read(&self) -> usize {
        self.documents_read.get()
    }

    /// Tells that rows were looked at.
    pub(super) fn looked_at(&self, rows: usize, memory_bytes: usize) -> Result<(), Stop> {
        self.fault()?;
        self.input.interrupt.check(rows, memory_bytes)
    }

    /// A row is asked by itself, where nothing can be told.
    pub(super) fn ask_one(&self) {
        self.asked.set(self.asked.get() + 1);
    }

    /// Tells the rows that were asked by themselves, if they are many.
    pub(super) fn tell_asked(&self, at_least: usize) -> Result<(), Stop> {
        if self.asked.get() < at_least {
            return Ok(());
        }
        self.looked_at(self.asked.take(), 0)
    }

    pub(super) fn id(&self, row: RowRef) -> &'a str {
        match row {
            RowRef::Column(row) => self.snapshot().id(row),
            RowRef::Side(index) => &self.sides.get(index).0,
        }
    }

    /// The whole document of a row.
    pub(super) fn document(&self, row: RowRef) -> Option<Value> {
        match row {
            RowRef::Column(row) => self.read(&self.input.from, self.snapshot().id(row)),
            RowRef::Side(index) => Some(self.sides.get(index).1.clone()),
        }
    }

    /// The document of the row that is joined.
    pub(super) fn joined_document(&self, row: RowRef) -> Option<Arc<Value>> {
        let key = self.join_key(row)?;
        self.joined_by(&key)
    }

    fn joined_by(&self, id: &str) -> Option<Arc<Value>> {
        if let Some(known) = self.joined.borrow().get(id) {
            return known.clone();
        }
        let joined = self.input.joined.as_ref()?;
        let document = self.read(joined, id).map(Arc::new);
        let mut known = self.joined.borrow_mut();
        if known.len() < JOINED_MAX {
            known.insert(id.to_owned(), document.clone());
        }
        document
    }

    fn join_key(&self, row: RowRef) -> Option<String> {
        match row {
            RowRef::Side(index) => {
                let names = self.input.plan.relation?.key;
                match self.sides.get(index).1.at(names.iter().copied()) {
                    Some(Value::String(id)) => Some(id.clone()),
                    _ => None,
                }
            }
            RowRef::Column(row) => match self.places.join_key? {
                Place::Column(column) => match self.snapshot().cell(column, row) {
                    ColumnCell::String(id) => Some(id.to_owned()),
                    _ => None,
                },
                Place::Nowhere | Place::Document => None,
            },
        }
    }

    fn read(&self, rows: &Collected<'_>, id: &str) -> Option<Value> {
        self.documents_read.set(self.documents_read.get() + 1);
        match self.input.documents.document(rows.collection.name, id) {
            Ok(document) => document,
            Err(error) => {
                self.fault.borrow_mut().get_or_insert(Stop::Fault(error));
                None
            }
        }
    }

    /// A row for an expression, with its rank.
    pub(super) fn source(&'a self, row: RowRef, score: Option<f64>) -> Seen<'a> {
        match row {
            RowRef::Column(row) => Seen::Column(Box::new(ColumnRow {
                reading: self,
                row,
                score,
                document: OnceCell::new(),
                joined: OnceCell::new(),
            })),
            RowRef::Side(index) => {
                let joined = self.input.joined.as_ref().and_then(|_| self.joined_document(row));
                Seen::Side(SideRow { row: &self.sides.get(index).1, joined, score })
            }
        }
    }
}

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
