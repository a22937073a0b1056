//! The engine against the naive evaluator: random documents, changes and queries by seed. Compared are rows, order, pages, live rows
//! folded, and the past.
//!
//! `MUSTER_QUERY_SEEDS=from..to` runs other seeds than the few of every run; a failure names its seed and query.

use std::collections::{BTreeMap, BTreeSet};

use muster_query::column::{Options, OrderOptions};
use muster_query::execute;
use muster_query::syntax::{Limits, parse};
use muster_query::text::Work;
use serde_json::Value as Json;

use super::engine::{Engine, Moment, SCHEMA, World};
use super::generate::{self, Chance, Queries};
use super::naive::{self, Fleet};

const COLLECTIONS: [&str; 3] = ["devices", "devices.modules", "assets"];
const NOW_MS: u64 = 1_767_225_600_000;

#[test]
fn the_engine_answers_as_the_language_says() {
    let seeds = std::env::var("MUSTER_QUERY_SEEDS").unwrap_or_else(|_| "0..400".to_owned());
    let (from, to) = seeds.split_once("..").expect("MUSTER_QUERY_SEEDS is from..to");
    let bound = |text: &str| text.parse::<u64>().expect("MUSTER_QUERY_SEEDS is from..to");
    let (mut answered, mut indexed) = (0, 0);
    for seed in bound(from)..bound(to) {
        let counts = one_seed(seed);
        (answered, indexed) = (answered + counts.0, indexed + counts.1);
    }
    assert!(answered > 0, "no query was answered");
    let seeds = bound(to) - bound(from);
    assert!(seeds < 100 || indexed > 20, "indexes of words answered {indexed} queries");
}

/// A world with its tables, changing.
struct Run {
    chance: Chance,
    engine: Engine,
    world: World,
    seed: u64,
    /// Indexes of words that are to be made.
    work: Vec<Work>,
    indexed: usize,
}

/// Columns are ordered by value at once, brought up to date soon, and given up for others; or never.
fn orders(seed: u64) -> OrderOptions {
    match seed % 3 {
        0 => OrderOptions::default(),
        1 => OrderOptions { rows: 0, questions: 1, most: 3, changes: 2, one_in: 1 },
        _ => OrderOptions { rows: 0, questions: 2, most: 20, changes: 8, one_in: 1 },
    }
}

/// One world, changed again and again, and asked in between. How many queries had rows, and how many an index of words
/// answered.
fn one_seed(seed: u64) -> (usize, usize) {
    let mut chance = Chance::new(seed);
    let max_columns = if seed % 4 == 3 { 8 } else { 10_000 };
    let engine = Engine::new(Options { chunk_rows: 64, max_columns, orders: orders(seed) });
    let world = COLLECTIONS.iter().map(|name| (*name, BTreeMap::new())).collect();
    chance.next();
    let mut run = Run { chance, engine, world, seed, work: Vec::new(), indexed: 0 };
    let mut answered = 0;
    for _ in 0..8 {
        run.change();
        let before = run.world.clone();
        for _ in 0..6 {
            answered += usize::from(run.compare());
        }
        run.follow(&before);
        run.look_back(&before);
    }
    (answered, run.indexed)
}

impl Run {
    /// At random moments work on indexes of words is begun, and at others it is done.
    fn index(&mut self) {
        if self.chance.one_in(3) {
            self.work.extend(self.engine.word_work());
        }
        if self.chance.one_in(3) {
            for work in self.work.drain(..) {
                work.run().expect("an index");
            }
        }
    }

    /// Changes some documents; returns their ids by collection.
    fn change(&mut self) -> BTreeMap<&'static str, BTreeSet<String>> {
        self.index();
        let mut changed: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
        for _ in 0..1 + self.chance.below(25) {
            let collection = COLLECTIONS[self.chance.below(3)];
            let id = generate::id(&mut self.chance, collection);
            let documents = self.world.get_mut(collection).expect("a collection");
            let document = match documents.get(&id) {
                Some(_) if self.chance.one_in(6) => None,
                Some(document) => Some(generate::changed(&mut self.chance, document.clone())),
                None => Some(generate::document(&mut self.chance, collection, &id)),
            };
            self.engine.put(collection, &id, document.as_ref());
            match document {
                Some(document) => drop(documents.insert(id.clone(), document)),
                None => drop(documents.remove(&id)),
            }
            changed.entry(collection).or_default().insert(id);
        }
        changed
    }

    fn told(&self, text: &str) -> String {
        format!("MUSTER_QUERY_SEEDS={}..{}: {text}", self.seed, self.seed + 1)
    }

    fn naive(&self, world: &World, text: &str) -> naive::Answer {
        let select =
            parse(text, &Limits::default()).unwrap_or_else(|error| panic!("{}", self.told(&error.render(text))));
        let now_ms = i64::try_from(NOW_MS).expect("small");
        naive::answer(&Fleet { collections: world.clone(), now_ms }, &select)
    }

    /// Whether the query had rows.
    fn compare(&mut self) -> bool {
        let is_ranked = self.chance.one_in(8);
        self.index();
        let mut queries = Queries::new(&mut self.chance);
        let text = if is_ranked { queries.ranked() } else { queries.any() };
        let Some(plan) = self.plan(&text) else { return false };
        let page = 1 + self.chance.below(7);
        let snapshots = self.engine.snapshots();
        let moment = Moment { snapshots: &snapshots, world: &self.world, changed: &BTreeMap::new(), now_ms: NOW_MS };
        let found = moment.answer(&plan, page);
        let explained = moment.with(&plan, execute::explain);
        self.indexed += usize::from(explained.plan.contains("by the index of words"));
        self.check(&self.world, &text, found);
        !self.naive(&self.world, &text).is_empty()
    }

    /// The plan; none where the text breaks a rule that only names and types tell, such as a constant that is undefined.
    fn plan(&self, text: &str) -> Option<muster_query::plan::Plan> {
        match muster_query::compile(text, &SCHEMA) {
            Ok(plan) => Some(plan),
            Err(error) if error.message.contains("undefined") => None,
            Err(error) => panic!("{}", self.told(&error.render(text))),
        }
    }

    fn check(&self, world: &World, text: &str, found: Vec<execute::Row>) {
        let expected = self.naive(world, text);
        let shown = |id: &str, row: String| format!("{}: {row}", id.replace('\0', "/"));
        let found: Vec<String> = found.iter().map(|row| shown(&row.id, row.value.to_text())).collect();
        let expected: Vec<String> = expected.iter().map(|(id, row)| shown(id, row.to_string())).collect();
        if found != expected {
            let at = found.iter().zip(&expected).take_while(|(a, b)| a == b).count();
            panic!(
                "{}\nrow {at}: {:?}\ninstead: {:?}\n{} rows instead of {}",
                self.told(text),
                found.get(at),
                expected.get(at),
                found.len(),
                expected.len()
            );
        }
    }

    /// Live rows: what changed rows are now, folded into the answer before, is the answer now.
    fn follow(&mut self, before: &World) {
        let text = Queries::new(&mut self.chance).live();
        let Some(plan) = self.plan(&text) else { return };
        let mut folded: BTreeMap<String, String> =
            self.naive(before, &text).into_iter().map(|(id, row)| (id, row.to_string())).collect();
        let changed = self.change();
        let ids: Vec<String> = changed.get(plan.collection).into_iter().flatten().cloned().collect();
        let snapshots = self.engine.snapshots();
        let moment = Moment { snapshots: &snapshots, world: &self.world, changed: &BTreeMap::new(), now_ms: NOW_MS };
        for (id, row) in moment.with(&plan, |input| execute::among(input, &ids)).expect("nothing is bounded") {
            match row {
                Some(row) => folded.insert(id, row.to_text()),
                None => folded.remove(&id),
            };
        }
        let now: BTreeMap<String, String> =
            self.naive(&self.world, &text).into_iter().map(|(id, row)| (id, row.to_string())).collect();
        assert_eq!(folded, now, "{}", self.told(&text));
    }

    /// The past: tables as they are now, with the documents of then.
    fn look_back(&mut self, then: &World) {
        self.change();
        let mut changed: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
        for (name, documents) in &self.world {
            let old = &then[name];
            let ids = documents.keys().chain(old.keys());
            let differs = |id: &&String| documents.get(*id) != old.get(*id);
            changed.insert(name, ids.filter(differs).cloned().collect());
        }
        let text = Queries::new(&mut self.chance).any();
        let Some(plan) = self.plan(&text) else { return };
        let snapshots = self.engine.snapshots();
        let moment = Moment { snapshots: &snapshots, world: then, changed: &changed, now_ms: NOW_MS };
        let found = moment.answer(&plan, 5);
        self.check(then, &text, found);
    }
}

#[test]
fn documents_of_the_tests_are_of_all_kinds() {
    let mut chance = Chance::new(1);
    let values: Vec<Json> = (0..500).map(|_| generate::value(&mut chance, 2)).collect();
    for kind in
        [Json::is_null, Json::is_boolean, Json::is_i64, Json::is_f64, Json::is_string, Json::is_array, Json::is_object]
    {
        assert!(values.iter().any(kind));
    }
}
