//! Cases by section of the language: `*.txt`, asked of everything that can answer. It knows neither how an answer is found nor what
//! is right, only how to compare.

use std::collections::BTreeMap;

use muster_query::column::Options;
use muster_query::syntax::{Limits, parse};
use muster_query::{QueryError, Schema};
use serde_json::Value as Json;

use super::engine::{Engine, Moment, SCHEMA, World};
use super::naive::{self, Fleet};
use read::{Case, Expected};

mod read;

/// The time of all cases: 2026-01-01.
const NOW_MS: u64 = 1_767_225_600_000;

const FILES: [(&str, &str); 14] = [
    ("paths.txt", include_str!("paths.txt")),
    ("values.txt", include_str!("values.txt")),
    ("comparison.txt", include_str!("comparison.txt")),
    ("logic.txt", include_str!("logic.txt")),
    ("arithmetic.txt", include_str!("arithmetic.txt")),
    ("texts.txt", include_str!("texts.txt")),
    ("arrays.txt", include_str!("arrays.txt")),
    ("places.txt", include_str!("places.txt")),
    ("functions.txt", include_str!("functions.txt")),
    ("dates.txt", include_str!("dates.txt")),
    ("groups.txt", include_str!("groups.txt")),
    ("order.txt", include_str!("order.txt")),
    ("relations.txt", include_str!("relations.txt")),
    ("iot_hub.txt", include_str!("iot_hub.txt")),
];

/// Whoever answers queries.
trait Answerer {
    fn answer(&self, schema: &Schema, documents: &World, text: &str) -> Result<Vec<Json>, QueryError>;
}

/// The specification. What it refuses is what the front end refuses.
struct Naive;

impl Answerer for Naive {
    fn answer(&self, schema: &Schema, documents: &World, text: &str) -> Result<Vec<Json>, QueryError> {
        let select = parse(text, &Limits::default())?;
        muster_query::bind::bind(&select, schema)?;
        let now_ms = i64::try_from(NOW_MS).expect("small");
        let answer = naive::answer(&Fleet { collections: documents.clone(), now_ms }, &select);
        Ok(answer.into_iter().map(|(_, row)| row).collect())
    }
}

/// Plans over columns, in pages of two rows.
struct Columns;

impl Answerer for Columns {
    fn answer(&self, schema: &Schema, documents: &World, text: &str) -> Result<Vec<Json>, QueryError> {
        let plan = muster_query::compile(text, schema)?;
        let mut engine = Engine::new(Options { chunk_rows: 64, max_columns: 1_000, ..Options::default() });
        for (collection, documents) in documents {
            documents.iter().for_each(|(id, document)| engine.put(collection, id, Some(document)));
        }
        let snapshots = engine.snapshots();
        let moment = Moment { snapshots: &snapshots, world: documents, changed: &BTreeMap::new(), now_ms: NOW_MS };
        let json = |text: String| serde_json::from_str(&text).expect("rows are JSON");
        Ok(moment.answer(&plan, 2).into_iter().map(|row| json(row.value.to_text())).collect())
    }
}

#[test]
fn the_naive_evaluator_answers_every_case() {
    all_cases(&Naive, |_| false);
}

/// But for those that are marked as open: they must fail, so that a mark goes when its reason does.
#[test]
fn the_engine_answers_every_case() {
    all_cases(&Columns, |case| case.is_open);
}

#[test]
fn no_section_is_without_cases() {
    for (file, text) in FILES {
        assert!(read::cases(file, text).len() >= 5, "{file} has too few cases");
    }
}

fn all_cases(answerer: &impl Answerer, fails: impl Fn(&Case) -> bool) {
    let cases = FILES.iter().flat_map(|(file, text)| read::cases(file, text));
    let wrong = |case: Case| match (check(answerer, &case), fails(&case)) {
        (Some(_), true) => None,
        (None, true) => Some(format!("{}: is marked with ~ but right", case.place)),
        (wrong, false) => wrong,
    };
    let wrong: Vec<String> = cases.filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{} cases are wrong\n\n{}", wrong.len(), wrong.join("\n\n"));
}

/// What is wrong with the answer to a case.
fn check(answerer: &impl Answerer, case: &Case) -> Option<String> {
    let found = match answerer.answer(&SCHEMA, &case.world, &case.text) {
        Ok(rows) => Expected::Rows(rows.iter().map(Json::to_string).collect()),
        Err(error) => {
            let words = &case.text[error.span.start as usize..error.span.end as usize];
            Expected::Refused(format!("{:?}", error.code).to_lowercase(), words.to_owned())
        }
    };
    (found != case.expected)
        .then(|| format!("{}: {}\n  expected {:?}\n  found    {found:?}", case.place, case.text, case.expected))
}
