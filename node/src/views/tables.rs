//! The tables of each namespace: devices, modules and assets, row by row what the records say.
//!
//! It knows no revision and no lock. A namespace without any row has no tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_domain::Key;
use muster_query::column::{Options, Snapshot, Table};

use super::feed::{self, Changed, TwinNodes, module_row_id};
use super::schema::{ASSETS, DEVICES, MODULES};

/// A collection of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Which {
    /// Devices with their twins.
    Devices,
    /// Modules with their twins.
    Modules,
    /// Assets.
    Assets,
}

impl Which {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Devices, Self::Modules, Self::Assets];

    /// The collection of a name of the schema.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            DEVICES => Some(Self::Devices),
            MODULES => Some(Self::Modules),
            ASSETS => Some(Self::Assets),
            _ => None,
        }
    }

    /// The collection whose rows a record is part of, with the namespace and the id of the row.
    #[must_use]
    pub(crate) fn row_of(key: &Key) -> Option<(Self, &str, String)> {
        match key {
            Key::Device(namespace, id) | Key::DeviceTwin(namespace, id) => Some((Self::Devices, namespace, id.clone())),
            Key::Module(namespace, device, id) | Key::ModuleTwin(namespace, device, id) => {
                Some((Self::Modules, namespace, module_row_id(device, id)))
            }
            Key::Asset(namespace, id) => Some((Self::Assets, namespace, id.clone())),
            _ => None,
        }
    }
}

/// A row that changed: its namespace, collection and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedRow {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Collection.
    pub which: Which,
    /// Id of the row in its table.
    pub id: String,
}

/// The tables of one namespace.
struct Tables {
    devices: Table,
    device_nodes: TwinNodes,
    modules: Table,
    module_nodes: TwinNodes,
    assets: Table,
}

impl Tables {
    fn new() -> Self {
        Self::of([(); 3].map(|()| Table::new(Options::default())))
    }

    /// In the order of [`Which::ALL`].
    fn of([mut devices, mut modules, assets]: [Table; 3]) -> Self {
        let (device_nodes, module_nodes) = (TwinNodes::new(&mut devices), TwinNodes::new(&mut modules));
        Self { devices, device_nodes, modules, module_nodes, assets }
    }

    fn all(&self) -> [&Table; 3] {
        [&self.devices, &self.modules, &self.assets]
    }

    fn is_empty(&self) -> bool {
        self.all().into_iter().all(Table::is_empty)
    }

    fn table(&mut self, which: Which) -> &mut Table {
        match which {
            Which::Devices => &mut self.devices,
            Which::Modules => &mut self.modules,
            Which::Assets => &mut self.assets,
        }
    }

    fn change(&mut self, which: Which, id: &str, changed: &Changed) {
        match (&changed.key, which) {
            (Key::DeviceTwin(..), _) => {
                feed::twin(&mut self.devices, &self.device_nodes, id, changed.before.as_deref(), &changed.after);
            }
            (Key::ModuleTwin(..), _) => {
                feed::twin(&mut self.modules, &self.module_nodes, id, changed.before.as_deref(), &changed.after);
            }
            _ => feed::definition(self.table(which), id, changed),
        }
    }
}

/// The tables of all namespaces.
#[derive(Default)]
pub(super) struct Namespaces(BTreeMap<Arc<str>, Tables>);

impl Namespaces {
    /// Takes in one changed record, if views are made of its kind.
    pub(super) fn change(&mut self, changed: &Changed) -> Option<ChangedRow> {
        let (which, namespace, id) = Which::row_of(&changed.key)?;
        let namespace = match self.0.get_key_value(namespace) {
            Some((namespace, _)) => Arc::clone(namespace),
            None => Arc::from(namespace),
        };
        let tables = self.0.entry(Arc::clone(&namespace)).or_insert_with(Tables::new);
        tables.change(which, &id, changed);
        if !changed.after.is_alive() && tables.is_empty() {
            self.0.remove(&namespace);
        }
        Some(ChangedRow { namespace, which, id })
    }

    /// Removes a row, whatever it says.
    pub(super) fn remove(&mut self, row: &ChangedRow) {
        if let Some(tables) = self.0.get_mut(&row.namespace) {
            tables.table(row.which).remove(&row.id);
        }
    }

    /// Removes namespaces without rows.
    pub(super) fn remove_empty(&mut self) {
        self.0.retain(|_, tables| !tables.is_empty());
    }

    /// Puts the tables of a namespace in, in the order of [`Which::ALL`].
    pub(super) fn put(&mut self, namespace: &str, tables: [Table; 3]) {
        self.0.insert(Arc::from(namespace), Tables::of(tables));
    }

    /// Tables of a namespace; empty ones where it has none.
    pub(super) fn snapshot(&mut self, namespace: &str, which: &[Which]) -> Vec<Snapshot> {
        match self.0.get_mut(namespace) {
            Some(tables) => which.iter().map(|which| tables.table(*which).snapshot()).collect(),
            None => which.iter().map(|_| Table::new(Options::default()).snapshot()).collect(),
        }
    }

    /// All tables of all namespaces, each namespace's in the order of [`Which::ALL`].
    pub(super) fn snapshots(&mut self) -> Vec<(Arc<str>, [Snapshot; 3])> {
        let of = |tables: &mut Tables| Which::ALL.map(|which| tables.table(which).snapshot());
        self.0.iter_mut().map(|(namespace, tables)| (Arc::clone(namespace), of(tables))).collect()
    }

    /// From now on paths that nobody had yet get no columns.
    pub(super) fn close_paths(&mut self) {
        for tables in self.0.values_mut() {
            Which::ALL.into_iter().for_each(|which| tables.table(which).close_paths());
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.tables().map(Table::len).sum()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.tables().map(Table::memory_bytes).sum()
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        self.0.values().flat_map(Tables::all)
    }
}
