//! Indexes of words of two namespaces.

use muster_query::column::{Leaf, Options, Table};

use super::*;
use crate::apply::Position;
use crate::views::{Inner, Which};

/// More texts than a column keeps in a dictionary, which is asked text by text and needs no index.
const ROWS: usize = 20_000;

/// An index of so few texts takes a blink; a machine may be busy.
const WITHIN: Duration = Duration::from_secs(60);

fn views(namespaces: &[&str]) -> Views {
    let start = Position { revision: 0, chain: [0; 32], time_ms: 0, entries: 0, bucket: 0, bucket_minute: 0 };
    let mut inner = Inner::empty(start);
    for namespace in namespaces {
        let mut tables = [(); 3].map(|()| Table::new(Options::default()));
        let devices = &mut tables[0];
        let tags = devices.child(Table::ROOT, "tags");
        let name = devices.child(tags, "name");
        for index in 0..ROWS {
            let row = devices.insert(&format!("device-{index}"));
            devices.set(row, name, Leaf::String(&format!("pump {index} hall {}", index % 7)));
        }
        inner.namespaces.put(namespace, tables);
    }
    Views::with(inner, true, None)
}

/// Asks a query, and tells how it is carried out.
fn ask(views: &Views, namespace: &str) -> (usize, String) {
    use muster_query::execute::{self, Collected, Documents, Input, Interrupt, Stop};
    struct Nothing;
    impl Documents for Nothing {
        fn document(&self, _: &'static str, _: &str) -> Result<Option<muster_query::Value>, String> {
            Ok(None)
        }
    }
    impl Interrupt for Nothing {
        fn check(&self, _: usize, _: usize) -> Result<(), Stop> {
            Ok(())
        }
    }
    let plan =
        muster_query::compile("SELECT deviceId FROM devices WHERE MATCH(tags.name, '77')", &crate::views::SCHEMA)
            .expect("a query");
    let snapshot = views.snapshot(namespace, &[Which::Devices]);
    let collection = crate::views::SCHEMA.collection("devices").expect("a collection");
    let from = Collected { collection, snapshot: &snapshot.tables[0], changed: &[] };
    let input = Input { plan: &plan, from, joined: None, documents: &Nothing, interrupt: &Nothing, now_ms: 0 };
    let explained = execute::explain(&input).plan;
    let found = execute::select(&input).expect("nothing is bounded").len();
    views.ask_words(&Arc::from(namespace));
    (found, explained)
}

#[test]
fn an_index_is_made_for_those_who_ask() {
    let views = views(&["one", "two"]);
    let (found, how) = ask(&views, "one");
    assert_eq!(found, 1);
    assert!(how.contains("filter by columns: MATCH"), "{how}");
    views.make_words(&|| false);
    let (found, how) = ask(&views, "one");
    assert_eq!(found, 1);
    assert!(how.contains("filter by the index of words: MATCH"), "{how}");
    assert!(views.words_bytes("one") > ROWS);
    assert_eq!(views.words_bytes("two"), 0);
    views.ask_words(&Arc::from("gone"));
    views.make_words(&|| false);
    assert_eq!(views.words_bytes("gone"), 0);
}

#[tokio::test]
async fn the_task_makes_what_is_asked_for_and_ends_with_the_node() {
    let views = Arc::new(views(&["one"]));
    let (stopper, stop) = tasks::stop_pair();
    keep_words(&views, stop);
    ask(&views, "one");
    let made = async {
        while !ask(&views, "one").1.contains("by the index of words") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WITHIN, made).await.expect("an index in time");
    stopper.stop();
    let ended = async {
        while Arc::strong_count(&views) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WITHIN, ended).await.expect("the task ends");
}
