//! Materialized views of the registry for queries: the documents of each namespace's devices, modules and assets as columns in
//! memory, at every moment as of one revision.
//!
//! ```text
//! Applier ─ changed records ─▶ feed ─▶ tables (one set a namespace) ─ snapshot ─▶ queries
//!        └─ at start and after an installed snapshot: rebuilt from all records
//! ```
//!
//! It knows records and tables, no query text and no API. Invariants:
//! - Tables change under one lock with their revision, so a snapshot is that revision, whole.
//! - The tables are brought up to date before a revision is made known ([`crate::apply::Applier::positions`]): who waits for a
//!   revision finds it here.
//! - They are a function of the records alone; nothing is lost with them.
//! - While they are made from all records, beside a node that serves already, what is applied meanwhile waits and is taken in at the
//!   end. Until then there are no snapshots.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use muster_domain::{Key, Record};
use muster_query::column::{Options, Snapshot, Table};

use tokio::sync::watch;

use crate::apply::Position;
use crate::store::columns;
use crate::store::error::StoreError;
use crate::store::keys;
use crate::store::states::{Scan, States, decode};

pub(crate) mod document;
mod feed;
mod schema;
mod text;

pub(crate) use feed::{Changed, module_row_id};
pub use schema::{ASSETS, DEVICES, MODULES, SCHEMA};
pub(crate) use text::keep_words;

use feed::TwinNodes;

/// Changed rows that are remembered for those who follow; whoever needs more compares whole answers.
const RECENT_MAX: usize = 200_000;

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

/// All views of a node.
pub struct Views {
    inner: Mutex<Inner>,
    followers: AtomicUsize,
    ready: watch::Sender<bool>,
    words: text::Asked,
}

struct Inner {
    position: Position,
    namespaces: BTreeMap<Arc<str>, Tables>,
    /// What waits while the tables are being made.
    building: Option<Building>,
    /// Rows changed lately, by the revision the batch ended with; complete after `recent_from`.
    recent: VecDeque<(u64, Vec<ChangedRow>)>,
    recent_rows: usize,
    recent_from: u64,
}

struct Building {
    /// Which making of tables is meant: a later one ends an earlier one.
    number: u64,
    waiting: Vec<(Vec<Changed>, Position)>,
}

struct Tables {
    devices: Table,
    device_nodes: TwinNodes,
    modules: Table,
    module_nodes: TwinNodes,
    assets: Table,
}

impl Tables {
    fn new() -> Self {
        let options = Options::default();
        let (mut devices, mut modules) = (Table::new(options), Table::new(options));
        let (device_nodes, module_nodes) = (TwinNodes::new(&mut devices), TwinNodes::new(&mut modules));
        Self { devices, device_nodes, modules, module_nodes, assets: Table::new(options) }
    }

    fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.modules.is_empty() && self.assets.is_empty()
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

impl Inner {
    fn empty(position: Position) -> Self {
        let (namespaces, recent) = (BTreeMap::new(), VecDeque::new());
        Self { position, namespaces, building: None, recent, recent_rows: 0, recent_from: position.revision }
    }

    fn change(&mut self, changed: &Changed) -> Option<ChangedRow> {
        let (which, namespace, id) = Which::row_of(&changed.key)?;
        let namespace = match self.namespaces.get_key_value(namespace) {
            Some((namespace, _)) => Arc::clone(namespace),
            None => Arc::from(namespace),
        };
        let tables = self.namespaces.entry(Arc::clone(&namespace)).or_insert_with(Tables::new);
        tables.change(which, &id, changed);
        if !changed.after.is_alive() && tables.is_empty() {
            self.namespaces.remove(&namespace);
        }
        Some(ChangedRow { namespace, which, id })
    }

    fn note(&mut self, revision: u64, rows: Vec<ChangedRow>) {
        self.recent_rows += rows.len();
        self.recent.push_back((revision, rows));
        while self.recent_rows > RECENT_MAX
            && let Some((revision, rows)) = self.recent.pop_front()
        {
            self.recent_rows -= rows.len();
            self.recent_from = revision;
        }
    }

    fn forget_recent(&mut self) {
        self.recent.clear();
        self.recent_rows = 0;
        self.recent_from = self.position.revision;
    }
}

/// One or more tables as of one revision.
pub struct ViewSnapshot {
    /// As of when.
    pub position: Position,
    /// In the order asked for; empty tables where the namespace has none.
    pub tables: Vec<Snapshot>,
}

impl Views {
    fn of(inner: Inner) -> Self {
        let (ready, _) = watch::channel(true);
        Self { inner: Mutex::new(inner), followers: AtomicUsize::new(0), ready, words: text::Asked::default() }
    }

    /// The views of all that is stored.
    ///
    /// # Errors
    /// When the store fails or a record is damaged.
    pub(crate) fn build(states: &States, position: Position) -> Result<Self, StoreError> {
        Ok(Self::of(build(states, position)?))
    }

    /// The views of all that is stored, made on a thread of its own. `failed` is told when that cannot be done.
    pub(crate) fn build_beside(
        states: &Arc<States>,
        position: Position,
        failed: impl FnOnce(StoreError) + Send + 'static,
    ) -> Arc<Self> {
        let views = Arc::new(Self::of(Inner::empty(position)));
        views.rebuild_beside(states, position, failed);
        views
    }

    /// Starts over from what is stored now, on a thread of its own.
    pub(crate) fn rebuild_beside(
        self: &Arc<Self>,
        states: &Arc<States>,
        position: Position,
        failed: impl FnOnce(StoreError) + Send + 'static,
    ) {
        let number = {
            let mut inner = self.lock();
            let number = inner.building.as_ref().map_or(1, |building| building.number + 1);
            *inner = Inner { building: Some(Building { number, waiting: Vec::new() }), ..Inner::empty(position) };
            number
        };
        self.ready.send_replace(false);
        let (views, states) = (Arc::clone(self), Arc::clone(states));
        std::thread::spawn(move || match build(&states, position) {
            Ok(built) => views.catch_up(built, number),
            Err(error) => failed(error),
        });
    }

    /// Takes in what was applied while the tables were made, and then the tables.
    fn catch_up(&self, mut built: Inner, number: u64) {
        loop {
            let mut inner = self.lock();
            let Some(building) = inner.building.as_mut().filter(|building| building.number == number) else { return };
            let waiting = std::mem::take(&mut building.waiting);
            if waiting.is_empty() {
                let position = built.position;
                *inner = Inner { recent_from: position.revision, ..built };
                drop(inner);
                self.ready.send_replace(true);
                return;
            }
            drop(inner);
            for (changes, position) in waiting {
                changes.iter().for_each(|changed| drop(built.change(changed)));
                built.position = position;
            }
        }
    }

    /// Tells when there are snapshots.
    pub(crate) fn ready(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    /// Starts over from what is stored now.
    ///
    /// # Errors
    /// As [`Views::build`].
    pub(crate) fn rebuild(&self, states: &States, position: Position) -> Result<(), StoreError> {
        let built = build(states, position)?;
        *self.lock() = built;
        Ok(())
    }

    /// Takes in what a batch changed, after which everything is as of `position`.
    pub(crate) fn apply(&self, changes: Vec<Changed>, position: Position) {
        let start = crate::raft::now();
        let followed = self.followers.load(Ordering::Acquire) > 0;
        let mut inner = self.lock();
        if let Some(building) = &mut inner.building {
            building.waiting.push((changes, position));
            return;
        }
        let mut rows = Vec::new();
        for changed in &changes {
            let row = inner.change(changed);
            if followed {
                rows.extend(row);
            }
        }
        inner.position = position;
        if followed {
            inner.note(position.revision, rows);
        } else {
            inner.forget_recent();
        }
        drop(inner);
        metrics::histogram!("muster_views_apply_seconds").record(start.elapsed());
    }

    /// Tables of a namespace, all as of the same revision.
    #[must_use]
    pub fn snapshot(&self, namespace: &str, which: &[Which]) -> ViewSnapshot {
        let mut inner = self.lock();
        let position = inner.position;
        let tables = match inner.namespaces.get_mut(namespace) {
            Some(tables) => which.iter().map(|which| tables.table(*which).snapshot()).collect(),
            None => which.iter().map(|_| Table::new(Options::default()).snapshot()).collect(),
        };
        ViewSnapshot { position, tables }
    }

    /// Makes the views remember which rows change, for as long as the guard lives.
    #[must_use]
    pub fn follow(self: &Arc<Self>) -> Following {
        self.followers.fetch_add(1, Ordering::AcqRel);
        Following(Arc::clone(self))
    }

    /// Bytes of memory that all tables take.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let inner = self.lock();
        let of = |tables: &Tables| {
            tables.devices.memory_bytes() + tables.modules.memory_bytes() + tables.assets.memory_bytes()
        };
        inner.namespaces.values().map(of).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while applying ends the process (see `telemetry`), so nobody meets a poisoned lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives, the views remember which rows change.
pub struct Following(Arc<Views>);

impl Following {
    /// Rows of a collection that changed after `revision`, each once, up to the position returned. `None` when not all of them
    /// are remembered.
    #[must_use]
    pub fn changed_since(&self, namespace: &str, which: Which, revision: u64) -> Option<(Position, Vec<String>)> {
        let inner = self.0.lock();
        if revision < inner.recent_from {
            return None;
        }
        let first = inner.recent.partition_point(|(of, _)| *of <= revision);
        let rows = inner.recent.range(first..).flat_map(|(_, rows)| rows);
        let mut ids: Vec<String> =
            rows.filter(|row| row.which == which && *row.namespace == *namespace).map(|row| row.id.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        Some((inner.position, ids))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.followers.fetch_sub(1, Ordering::AcqRel);
    }
}

fn build(states: &States, position: Position) -> Result<Inner, StoreError> {
    let start = crate::raft::now();
    let mut inner = Inner::empty(position);
    let mut rows = 0_u64;
    // Devices and modules before their twins, so that a row begins with its definition.
    for prefix in keys::view_prefixes() {
        let scan = Scan { family: columns::STATES, prefix: &prefix, after: None };
        scan.run(&states.db(), |key, stored| {
            let record: Record = decode(key, stored)?;
            if let Some(key) = keys::parse_state(key).filter(|_| record.is_alive()) {
                inner.change(&Changed { key, before: None, after: Arc::new(record) });
                rows += 1;
            }
            Ok(true)
        })?;
    }
    if rows > 0 {
        tracing::info!(records = rows, took = ?start.elapsed(), "views were built");
    }
    Ok(inner)
}
