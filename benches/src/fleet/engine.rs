//! The engine alone: the fleet in columns within this program, asked without a node, without gRPC, without a log.
//!
//! Says what an answer costs before anything carries it, and what a change costs the columns. Of what a node does for a
//! change this is the columns' part only.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow};
use muster_query::column::{Snapshot, Table};
use muster_query::execute::{self, Collected, Documents, Input, Interrupt, Stop};
use muster_query::plan::Output;
use muster_query::{Collection, Schema, Value};
use serde::Serialize;
use serde_json::Value as Json;
use tokio::time::Instant;

use super::dataset::{Change, Fleet, Section};
use super::questions::Question;
use super::store::{Rows, Session, Size, cell};

/// Rows of a page, where the question does not say.
const PAGE: usize = 1_000;
/// Changes between two snapshots, which is what makes a change copy.
const HELD_FOR: usize = 50;

/// The fleet.
pub(super) struct Engine {
    schema: Schema,
    table: Table,
    question: Option<Question>,
    /// Whether the last question asked for a document.
    wanted: AtomicBool,
    /// Of all changes so far.
    changes: u64,
    seconds: f64,
}

/// What was measured of it.
#[derive(Debug, Default, Serialize)]
pub(super) struct EngineSide {
    pub(super) load_seconds: f64,
    pub(super) sizes: Vec<Size>,
    pub(super) change_us: f64,
    /// Why it is not measured.
    pub(super) left_out: Option<String>,
    /// Questions that cannot be answered from columns, and so not here.
    pub(super) needs_documents: Vec<&'static str>,
}

/// There are only columns here.
struct Nowhere<'a>(&'a AtomicBool);

impl Documents for Nowhere<'_> {
    fn document(&self, _: &'static str, id: &str) -> Result<Option<Value>, String> {
        self.0.store(true, Ordering::Relaxed);
        Err(format!("the document of {id} is not in columns"))
    }
}

struct Never;

impl Interrupt for Never {
    fn check(&self, _: usize, _: usize) -> Result<(), Stop> {
        Ok(())
    }
}

impl Engine {
    /// Loads the fleet.
    pub(super) fn load(fleet: &Fleet) -> Result<(Self, f64)> {
        let begun = Instant::now();
        let mut table = Table::new(muster_query::column::Options::default());
        for index in 0..fleet.twins {
            let twin = fleet.twin(index);
            let row = table.insert(&twin.id);
            table.put(row, Table::ROOT, &document(&twin)?);
        }
        let schema = Schema { collections: vec![devices()] };
        let wanted = AtomicBool::new(false);
        let engine = Self { schema, table, question: None, wanted, changes: 0, seconds: 0.0 };
        Ok((engine, begun.elapsed().as_secs_f64()))
    }

    /// Whether the last question could not be answered from columns.
    pub(super) fn wanted_document(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    pub(super) fn sizes(&self) -> Vec<Size> {
        let memory = self.table.memory();
        let mib = |bytes: usize| u64::try_from(bytes >> 20).unwrap_or(u64::MAX);
        vec![
            Size { what: "columns", mib: mib(memory.total()) },
            Size { what: "of them texts", mib: mib(memory.texts) },
            Size { what: "of them ids", mib: mib(memory.ids) },
        ]
    }

    /// Microseconds of a change, of all so far.
    #[allow(clippy::cast_precision_loss, reason = "a figure for people")]
    pub(super) fn change_us(&self) -> f64 {
        self.seconds * 1e6 / self.changes.max(1) as f64
    }

    /// The pages of the current question; `each` sees every row.
    fn pages(&mut self, mut each: impl FnMut(&[String], &Value)) -> Result<()> {
        self.wanted.store(false, Ordering::Relaxed);
        let question = self.question.as_ref().context("no question was turned to")?;
        let plan =
            muster_query::compile(&question.muster, &self.schema).map_err(|error| anyhow!("{}", error.message))?;
        let snapshot: Snapshot = self.table.snapshot();
        let collection = self.schema.collection("devices").context("the collection")?;
        let from = Collected { collection, snapshot: &snapshot, changed: &[] };
        let input =
            Input { plan: &plan, from, joined: None, documents: &Nowhere(&self.wanted), interrupt: &Never, now_ms: 0 };
        let selection = execute::select(&input)?;
        let columns: Vec<_> = match &plan.output {
            Output::Documents => Vec::new(),
            Output::Rows(elements) | Output::Groups { elements, .. } => {
                elements.iter().map(|element| element.name.clone()).collect()
            }
        };
        let page = question.page.map_or(PAGE, usize::from);
        for first in (0..selection.len()).step_by(page) {
            for row in execute::rows(&input, &selection, first, first + page)? {
                each(&columns, &row.value);
            }
        }
        Ok(())
    }

    /// Makes changes, one after the other.
    pub(super) fn apply(&mut self, changes: &[Change]) -> Result<()> {
        let parsed: Vec<_> = changes
            .iter()
            .map(|change| anyhow::Ok((change, serde_json::from_str::<Json>(&change.patch)?)))
            .collect::<Result<_>>()?;
        let begun = Instant::now();
        for some in parsed.chunks(HELD_FOR) {
            let held = self.table.snapshot();
            for (change, patch) in some {
                let section = self.section(change.section);
                let row = self.table.row(&change.id).context("a change found no twin")?;
                for (name, value) in patch.as_object().context("a patch is an object")? {
                    let node = self.table.child(section, name);
                    self.table.put(row, node, &Value::from(value));
                }
            }
            drop(held);
        }
        self.seconds += begun.elapsed().as_secs_f64();
        self.changes += changes.len() as u64;
        Ok(())
    }

    fn section(&mut self, section: Section) -> muster_query::column::Node {
        let mut of = |name| {
            let properties = self.table.child(Table::ROOT, "properties");
            self.table.child(properties, name)
        };
        match section {
            Section::Desired => of("desired"),
            Section::Reported => of("reported"),
            Section::Tags => self.table.child(Table::ROOT, "tags"),
        }
    }
}

fn document(twin: &super::dataset::Twin) -> Result<Value> {
    let parsed = |text: &str| anyhow::Ok(Value::from(&serde_json::from_str::<Json>(text)?));
    let properties = Value::object(vec![
        ("desired".to_owned(), parsed(&twin.desired)?),
        ("reported".to_owned(), parsed(&twin.reported)?),
    ]);
    Ok(Value::object(vec![
        ("deviceId".to_owned(), Value::String(twin.id.clone())),
        ("tags".to_owned(), parsed(&twin.tags)?),
        ("properties".to_owned(), properties),
    ]))
}

/// As a node has it, of what the fleet has.
fn devices() -> Collection {
    Collection {
        name: "devices",
        id: &["deviceId"],
        members: &["deviceId", "tags", "properties"],
        shortcuts: &[("desired", &["properties", "desired"]), ("reported", &["properties", "reported"])],
        relations: &[],
        documents_only: Vec::new(),
    }
}

impl Session for Engine {
    async fn turn_to(&mut self, question: &Question) -> Result<()> {
        self.question = Some(question.clone());
        Ok(())
    }

    async fn ask(&mut self) -> Result<Rows> {
        let mut rows = Vec::new();
        self.pages(|columns, row| {
            let row: Json = serde_json::from_str(&row.to_text()).unwrap_or_default();
            rows.push(columns.iter().map(|name| cell(row.get(name))).collect());
        })?;
        Ok(rows)
    }

    async fn time(&mut self) -> Result<()> {
        // Each row as the text that a node sends.
        self.pages(|_, row| drop(std::hint::black_box(row.to_text())))
    }

    async fn change(&mut self, changes: &[Change]) -> Result<()> {
        self.apply(changes)
    }
}
