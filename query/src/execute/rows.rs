//! Rows as expressions see them: cells of columns, or documents.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use super::matches::Matches;
use super::places::{Place, Places};
use super::seen::Seen;
use super::{Collected, Input, Stop};
use crate::column::{Cell as ColumnCell, Row, Snapshot};
use crate::evaluate::Context;
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

    pub(super) fn joined_by(&self, id: &str) -> Option<Arc<Value>> {
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

    pub(super) fn join_key(&self, row: RowRef) -> Option<String> {
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
        Seen::new(self, row, score)
    }
}
