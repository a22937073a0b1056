//! From changed records to changed cells.
//!
//! A twin that changes costs what changed in it: parts whose trace of the last change is the same are left alone. It knows
//! the tables, not who asks them.

use std::sync::Arc;

use muster_domain::twin::{Members, Section, Value as TwinValue};
use muster_domain::{Body, Key, Record};
use muster_query::Value;
use muster_query::column::{Leaf, Node, Row, Table};

use super::document;

/// One record before and after a batch of changes.
pub(crate) struct Changed {
    /// Which.
    pub(crate) key: Key,
    /// `None` when there was none; a deleted one counts as none.
    pub(crate) before: Option<Arc<Record>>,
    /// A deleted one is here as such.
    pub(crate) after: Arc<Record>,
}

/// The id of a module's row: ordered by device, then module.
pub(crate) fn module_row_id(device: &str, module: &str) -> String {
    format!("{device}\0{module}")
}

/// The nodes of a table of twins that every change needs.
pub(super) struct TwinNodes {
    tags: Node,
    properties: Node,
    desired: Node,
    reported: Node,
}

impl TwinNodes {
    pub(super) fn new(table: &mut Table) -> Self {
        let tags = table.child(Table::ROOT, "tags");
        let properties = table.child(Table::ROOT, "properties");
        let (desired, reported) = (table.child(properties, "desired"), table.child(properties, "reported"));
        Self { tags, properties, desired, reported }
    }
}

/// Brings the row of a device, module or asset up to date with its own record.
pub(super) fn definition(table: &mut Table, id: &str, changed: &Changed) {
    let Some(after) = members(&changed.key, &changed.after) else {
        table.remove(id);
        return;
    };
    let row = table.insert(id);
    let before = changed.before.as_deref().and_then(|record| members(&changed.key, record)).unwrap_or_default();
    for (name, _) in before {
        if !after.iter().any(|(after, _)| *after == name) {
            let node = table.child(Table::ROOT, &name);
            absent(table, row, node);
        }
    }
    for (name, value) in &after {
        let node = table.child(Table::ROOT, name);
        table.put(row, node, value);
    }
}

fn members(key: &Key, record: &Record) -> Option<Vec<(String, Value)>> {
    match (key, &record.body) {
        (Key::Device(_, id), Body::Device(device)) => Some(document::device_members(id, device)),
        (Key::Module(_, device, id), Body::Module(module)) => Some(document::module_members(device, id, module)),
        (Key::Asset(_, id), Body::Asset(asset)) => Some(document::asset_members(id, asset)),
        _ => None,
    }
}

/// Brings the row of a device or module up to date with its twin. A twin that is gone leaves the row to its device or module.
pub(super) fn twin(table: &mut Table, nodes: &TwinNodes, id: &str, before: Option<&Record>, after: &Record) {
    let Body::Twin(after) = &after.body else { return };
    let before = before.and_then(|record| match &record.body {
        Body::Twin(twin) => Some(twin),
        _ => None,
    });
    let row = table.insert(id);
    if before.is_none() {
        table.set(row, nodes.properties, Leaf::Object);
    }
    let before = before.map(|twin| (&twin.tags, &twin.desired, &twin.reported));
    section(table, row, nodes.tags, before.map(|(tags, ..)| tags), &after.tags);
    section(table, row, nodes.desired, before.map(|(_, desired, _)| desired), &after.desired);
    section(table, row, nodes.reported, before.map(|(.., reported)| reported), &after.reported);
}

fn section(table: &mut Table, row: Row, node: Node, before: Option<&Arc<Section>>, after: &Arc<Section>) {
    match before {
        Some(before) if Arc::ptr_eq(before, after) => {}
        Some(before) => inner(table, row, node, Some(before.document.members()), after.document.members()),
        None => {
            table.set(row, node, Leaf::Object);
            inner(table, row, node, None, after.document.members());
        }
    }
}

/// Both are ordered by name.
fn inner(table: &mut Table, row: Row, node: Node, before: Option<Members<'_>>, after: Members<'_>) {
    let mut before = before.into_iter().flatten().peekable();
    for member in after {
        while let Some(gone) = before.next_if(|old| old.name() < member.name()) {
            let node = table.child(node, gone.name());
            absent(table, row, node);
        }
        let old = before.next_if(|old| old.name() == member.name());
        // The same trace, the same value: every change of a node touches it.
        if old.is_some_and(|old| old.touch() == member.touch()) {
            continue;
        }
        let node = table.child(node, member.name());
        write(table, row, node, old.map(|old| old.value()), member.value());
    }
    for gone in before {
        let node = table.child(node, gone.name());
        absent(table, row, node);
    }
}

fn write(table: &mut Table, row: Row, node: Node, before: Option<TwinValue<'_>>, after: TwinValue<'_>) {
    let (was, is) = (object(before), object(Some(after)));
    if was.is_some() && is.is_none() {
        table.clear_below(row, node);
    }
    match after {
        TwinValue::Null => table.set(row, node, Leaf::Null),
        TwinValue::Bool(value) => table.set(row, node, Leaf::Bool(value)),
        TwinValue::Int(value) => table.set(row, node, Leaf::Int(value)),
        TwinValue::Float(value) => table.set(row, node, Leaf::Float(value)),
        TwinValue::String(text) => table.set(row, node, Leaf::String(text)),
        TwinValue::Array(_) => table.set(row, node, Leaf::Array(&document::twin_value(after).to_text())),
        TwinValue::Object(members) => {
            if was.is_none() {
                table.set(row, node, Leaf::Object);
            }
            inner(table, row, node, was, members);
        }
    }
}

fn object(value: Option<TwinValue<'_>>) -> Option<Members<'_>> {
    match value {
        Some(TwinValue::Object(members)) => Some(members),
        _ => None,
    }
}

fn absent(table: &mut Table, row: Row, node: Node) {
    table.set(row, node, Leaf::Absent);
    table.clear_below(row, node);
}
