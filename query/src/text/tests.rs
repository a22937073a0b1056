//! When there is an index and when there is none.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{Limits, Made};
use crate::column::{ColumnId, Leaf, Lookup, Node, Options, Row, Snapshot, Table};
use crate::plan::Words;

const LIMITS: Limits =
    Limits { texts_min: 10, changes_min: 3, indexes_max: 2, bytes_max: 1 << 20, changes_max: 40, segment_max: 50 };

struct Texts {
    table: Table,
    limits: Limits,
}

impl Texts {
    /// 100 rows with texts at `a`, `b` and `c`.
    fn new() -> Self {
        let mut texts = Self { table: Table::new(Options::default()), limits: LIMITS };
        for index in 0..100 {
            ["a", "b", "c"].iter().for_each(|path| texts.put(path, index, "old"));
        }
        texts
    }

    fn node(&mut self, path: &str) -> Node {
        self.table.child(Table::ROOT, path)
    }

    fn put(&mut self, path: &str, index: u32, word: &str) {
        let (node, row) = (self.node(path), self.table.insert(&format!("id{index}")));
        self.table.set(row, node, Leaf::String(&format!("{word} {index}")));
    }

    fn make(&mut self) -> Vec<Made> {
        let limits = self.limits;
        self.table.word_work(&limits).into_iter().map(|work| work.run().expect("an index")).collect()
    }

    /// How many rows have a word, if an index tells.
    fn ask(&mut self, path: &str, word: &str) -> Option<usize> {
        ask(&self.table.snapshot(), path, word)
    }
}

fn column(snapshot: &Snapshot, path: &str) -> ColumnId {
    match snapshot.lookup(&[path.to_owned()]) {
        Lookup::Column(column) => column,
        other => panic!("{path}: {other:?}"),
    }
}

fn ask(snapshot: &Snapshot, path: &str, word: &str) -> Option<usize> {
    let words = Words { words: vec![word.to_owned()], ..Words::default() };
    Some(snapshot.find_words(column(snapshot, path), &words, true)?.yes.count())
}

#[test]
fn an_index_is_made_when_it_is_asked_for() {
    let mut texts = Texts::new();
    assert!(!texts.table.wants_words());
    assert_eq!(texts.make(), []);
    assert_eq!(texts.ask("a", "old"), None);
    assert!(texts.table.wants_words());
    let made = texts.make();
    assert_eq!(made.iter().map(|made| (made.texts, made.changed)).collect::<Vec<_>>(), [(100, None)]);
    assert!(!texts.table.wants_words());
    assert_eq!(texts.ask("a", "old"), Some(100));
    assert!(texts.table.memory().words >= made[0].memory_bytes);
    assert_eq!(texts.ask("b", "old"), None, "another column has one of its own");
}

#[test]
fn a_few_changes_are_left_to_those_who_ask() {
    let mut texts = Texts::new();
    texts.ask("a", "old");
    texts.make();
    texts.put("a", 1, "new");
    texts.put("a", 2, "new");
    assert_eq!((texts.ask("a", "new"), texts.ask("a", "old")), (Some(2), Some(98)));
    assert_eq!(texts.make(), [], "two changes are not worth it");
    texts.put("a", 3, "new");
    assert_eq!(texts.make(), [], "nobody asked since");
    assert_eq!((texts.ask("a", "new"), texts.ask("a", "old")), (Some(3), Some(97)));
    assert_eq!(texts.make().first().and_then(|made| made.changed), Some(3));
    assert_eq!((texts.ask("a", "new"), texts.ask("a", "old")), (Some(3), Some(97)));
}

#[test]
fn snapshots_of_before_and_after_are_served() {
    let mut texts = Texts::new();
    let first = texts.table.snapshot();
    texts.put("a", 0, "new");
    texts.ask("a", "old");
    texts.make();
    let mut held = Vec::new();
    for index in 1..=8 {
        texts.put("a", index, "new");
        held.push((texts.table.snapshot(), index as usize + 1));
        if index == 4 {
            texts.ask("a", "old");
            texts.make();
        }
    }
    for (snapshot, new) in &held {
        assert_eq!(ask(snapshot, "a", "new"), Some(*new));
    }
    assert_eq!(ask(&first, "a", "new"), None, "nothing was noted then");
    texts.ask("a", "old");
    texts.make();
    assert_eq!(ask(&held[7].0, "a", "new"), Some(9));
    assert_eq!(ask(&held[0].0, "a", "new"), None, "older than the index before the last");
}

#[test]
fn too_many_changes_end_an_index() {
    let mut texts = Texts::new();
    texts.ask("a", "old");
    texts.make();
    (0..10).for_each(|index| texts.put("a", index, "new"));
    assert_eq!(texts.ask("a", "new"), Some(10));
    texts.put("a", 10, "new");
    assert_eq!(texts.ask("a", "new"), None, "more than a quarter");
    (11..40).for_each(|index| texts.put("a", index, "new"));
    assert_eq!(texts.make().first().map(|made| made.changed), Some(Some(40)));
    assert_eq!(texts.ask("a", "new"), Some(40));
    (0..41).for_each(|index| texts.put("a", index, "newer"));
    let words = texts.table.memory().words;
    assert!(words < 1_000, "{words} bytes of an index that is gone");
    assert_eq!(texts.ask("a", "newer"), None);
    assert_eq!(texts.make().first().map(|made| made.changed), Some(None), "made anew");
    assert_eq!(texts.ask("a", "newer"), Some(41));
}

#[test]
fn what_is_made_late_or_for_nothing_is_thrown_away() {
    let mut texts = Texts::new();
    texts.ask("a", "old");
    let early = texts.table.word_work(&LIMITS);
    texts.put("a", 1, "new");
    texts.ask("a", "old");
    assert_eq!(texts.make().len(), 1);
    early.into_iter().for_each(|work| assert!(work.run().is_ok()));
    assert_eq!(texts.ask("a", "new"), Some(1));
    // Noting ends while an index is made from what was before.
    (2..5).for_each(|index| texts.put("a", index, "new"));
    texts.ask("a", "old");
    let late = texts.table.word_work(&LIMITS);
    assert_eq!(late.len(), 1);
    (0..50).for_each(|index| texts.put("a", index, "newer"));
    late.into_iter().for_each(|work| assert!(work.run().is_ok()));
    assert_eq!(texts.ask("a", "newer"), None);
}

#[test]
fn limits_hold() {
    let mut texts = Texts::new();
    for path in ["a", "b"] {
        texts.ask(path, "old");
        assert_eq!(texts.make().len(), 1, "{path}");
    }
    texts.ask("c", "old");
    assert_eq!(texts.make(), [], "two are in use");
    assert_eq!((texts.ask("a", "old"), texts.ask("b", "old")), (Some(100), Some(100)));
    for _ in 0..70 {
        texts.ask("a", "old");
        texts.make();
    }
    texts.ask("c", "old");
    assert_eq!(texts.make().len(), 1, "the other one is not in use any more");
    assert_eq!((texts.ask("a", "old"), texts.ask("b", "old"), texts.ask("c", "old")), (Some(100), None, Some(100)));
    texts.limits.bytes_max = 1;
    assert_eq!(texts.make(), []);
    assert_eq!((texts.ask("a", "old"), texts.ask("c", "old")), (None, None), "no index is so small");
    assert_eq!(texts.make(), []);
    texts.limits = Limits { texts_min: 101, ..LIMITS };
    texts.ask("a", "old");
    assert_eq!(texts.make(), [], "looking at all texts is quick");
}

#[test]
fn few_segments_hold_many_changes() {
    let mut texts = Texts::new();
    texts.limits = Limits { segment_max: 1_000, changes_max: 1_000, ..LIMITS };
    texts.ask("a", "old");
    texts.make();
    for round in 0..30 {
        (0..4).for_each(|at| texts.put("a", round * 3 + at, &format!("w{round}")));
        texts.ask("a", "old");
        assert_eq!(texts.make().len(), 1, "{round}");
    }
    let snapshot = texts.table.snapshot();
    let at = snapshot.words_at(column(&snapshot, "a")).expect("an index");
    assert!(at.index.parts.len() <= 6, "{} segments", at.index.parts.len());
    assert_eq!(at.index.texts(), 100);
    assert_eq!((texts.ask("a", "w7"), texts.ask("a", "w29"), texts.ask("a", "old")), (Some(3), Some(4), Some(9)));
}

/// One thread changes texts, one makes indexes, one asks; each answer is that of its snapshot.
#[test]
fn answers_are_exact_while_texts_change_and_indexes_are_made() {
    let limits = Limits { changes_min: 1, changes_max: 400, ..LIMITS };
    let texts = Mutex::new(Texts::new());
    let (is_done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let table = || texts.lock().expect("nobody panics");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut change = 0;
            // Until some answers came from an index, however the threads are scheduled.
            while change < 3_000 || served.load(Ordering::Relaxed) < 20 && change < 10_000_000 {
                table().put("a", change % 100, if change % 3 == 0 { "new" } else { "old" });
                change += 1;
                if change % 5 == 0 {
                    table().table.remove(&format!("id{}", (change + 50) % 100));
                }
            }
            is_done.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                let work = table().table.word_work(&limits);
                work.into_iter().for_each(|work| assert!(work.run().is_ok()));
            }
        });
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                let snapshot = table().table.snapshot();
                let of = column(&snapshot, "a");
                let Some(found) = ask(&snapshot, "a", "new") else { continue };
                let is_new =
                    |row: &Row| matches!(snapshot.cell(of, *row), Leaf::String(text) if text.starts_with("new"));
                assert_eq!(found, snapshot.live().iter().filter(is_new).count());
                served.fetch_add(1, Ordering::Relaxed);
            }
        });
    });
    assert!(served.into_inner() >= 20);
}
