//! The engine as the tests use it: tables fed document by document, and documents by id for what columns do not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use muster_query::column::{Options, Snapshot, Table};
use muster_query::execute::{self, Collected, Documents, Input, Interrupt, Row, Stop};
use muster_query::plan::Plan;
use muster_query::text::{Limits, Work};
use muster_query::{Collection, Relation, Schema, Value};
use serde_json::Value as Json;

/// The collections of the tests: those of the real schema, with fewer members.
pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let shortcuts: &[(&str, &[&str])] =
        &[("desired", &["properties", "desired"]), ("reported", &["properties", "reported"])];
    let device = Relation { name: "device", collection: "devices", key: &["deviceRef", "deviceName"] };
    let devices = Collection {
        name: "devices",
        id: &["deviceId"],
        members: &[
            "deviceId",
            "etag",
            "status",
            "version",
            "connectionState",
            "lastActivityTime",
            "capabilities",
            "configurations",
            "tags",
            "properties",
        ],
        shortcuts,
        relations: &[],
        documents_only: vec![&["version"]],
    };
    let modules = Collection {
        name: "devices.modules",
        id: &["deviceId", "moduleId"],
        members: &["deviceId", "moduleId", "version", "configurations", "tags", "properties"],
        ..devices.clone()
    };
    let assets = Collection {
        name: "assets",
        id: &["assetName"],
        members: &["assetName", "deviceRef", "tags", "version"],
        shortcuts: &[],
        relations: Box::leak(Box::new([device])),
        documents_only: vec![&["version"]],
    };
    Schema { collections: vec![devices, modules, assets] }
});

/// Documents by collection and id.
pub(crate) type World = BTreeMap<&'static str, BTreeMap<String, Json>>;

/// Tables of a world.
pub(crate) struct Engine {
    tables: BTreeMap<&'static str, Table>,
}

impl Engine {
    pub(crate) fn new(options: Options) -> Self {
        Self { tables: SCHEMA.collections.iter().map(|of| (of.name, Table::new(options))).collect() }
    }

    /// Puts a document in, or takes it out.
    pub(crate) fn put(&mut self, collection: &'static str, id: &str, document: Option<&Json>) {
        let table = self.tables.get_mut(collection).expect("a collection");
        let Some(document) = document else {
            table.remove(id);
            return;
        };
        let row = table.insert(id);
        let Value::Object(mut members) = Value::from(document) else { panic!("a document is an object") };
        members.retain(|(name, _)| name != "version");
        table.put(row, Table::ROOT, &Value::Object(members));
    }

    /// What indexes of words there are to make now; queries use them from when they are run.
    pub(crate) fn word_work(&mut self) -> Vec<Work> {
        let limits = Limits { texts_min: 0, changes_min: 1, changes_max: 200, segment_max: 16, ..Limits::default() };
        self.tables.values_mut().flat_map(|table| table.word_work(&limits)).collect()
    }

    pub(crate) fn snapshots(&mut self) -> BTreeMap<&'static str, Snapshot> {
        self.tables.iter_mut().map(|(name, table)| (*name, table.snapshot())).collect()
    }
}

struct FromWorld<'w>(&'w World);

impl Documents for FromWorld<'_> {
    fn document(&self, collection: &'static str, id: &str) -> Result<Option<Value>, String> {
        Ok(self.0.get(collection).and_then(|documents| documents.get(id)).map(Value::from))
    }
}

struct Never;

impl Interrupt for Never {
    fn check(&self, _: usize, _: usize) -> Result<(), Stop> {
        Ok(())
    }
}

/// What to answer from: tables at one moment, and the world as of which to answer, which may be an older one.
pub(crate) struct Moment<'m> {
    pub(crate) snapshots: &'m BTreeMap<&'static str, Snapshot>,
    pub(crate) world: &'m World,
    /// Ids by collection that are not the same in the tables as in the world.
    pub(crate) changed: &'m BTreeMap<&'static str, BTreeSet<String>>,
    pub(crate) now_ms: u64,
}

impl Moment<'_> {
    /// Calls `with` with what the engine needs.
    pub(crate) fn with<T>(&self, plan: &Plan, with: impl FnOnce(&Input<'_>) -> T) -> T {
        let changed: BTreeMap<&str, Vec<String>> =
            self.changed.iter().map(|(name, ids)| (*name, ids.iter().cloned().collect())).collect();
        let none = Vec::new();
        let collected = |name: &str| Collected {
            collection: SCHEMA.collection(name).expect("a collection"),
            snapshot: &self.snapshots[name],
            changed: changed.get(name).unwrap_or(&none),
        };
        with(&Input {
            plan,
            from: collected(plan.collection),
            joined: plan.relation.map(|relation| collected(relation.collection)),
            documents: &FromWorld(self.world),
            interrupt: &Never,
            now_ms: self.now_ms,
        })
    }

    /// All rows, written out in pages of `page` rows.
    pub(crate) fn answer(&self, plan: &Plan, page: usize) -> Vec<Row> {
        self.with(plan, |input| {
            let selection = execute::select(input).expect("nothing is bounded");
            let mut rows = Vec::new();
            while rows.len() < selection.len() {
                let more = execute::rows(input, &selection, rows.len(), rows.len() + page).expect("nothing is bounded");
                assert!(!more.is_empty(), "a page in the middle is empty");
                rows.extend(more);
            }
            rows
        })
    }
}
