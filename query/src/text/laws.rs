//! Laws that hold for indexes of words after any changes, whenever they are made.

use proptest::prelude::*;

use super::{Limits, Work};
use crate::column::{Leaf, Lookup, Options, Snapshot, Table};
use crate::evaluate::words::{holds, tokens};
use crate::plan::Words;
use crate::rank::{Statistics, score};

const SMALL: Limits =
    Limits { texts_min: 0, changes_min: 2, indexes_max: 8, bytes_max: 64 << 20, changes_max: 400, segment_max: 24 };

#[derive(Debug, Clone)]
enum Step {
    Put(u32, Option<String>),
    Number(u32),
    Remove(u32),
    /// What there is to make is taken now.
    Take,
    /// It is made now.
    Run,
    Hold,
    Ask(Words),
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[ab]{1,2}",
        1 => prop::sample::select(vec!["k", "ä", "größe", "i\u{307}", "1", "12", "123"]).prop_map(str::to_owned),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => prop::collection::vec(prop_oneof![
            6 => "[abAB]{1,2}",
            1 => prop::sample::select(vec!["K", "\u{212a}", "Ä", "GRÖSSE", "Größe", "\u{130}", "1", "12", "123"]).prop_map(str::to_owned),
        ], 0..6).prop_map(|words| words.join(" ")),
        // Too long for a segment.
        1 => "[ab]{1,2}".prop_map(|word| format!("{word} ").repeat(12_000)),
    ]
}

fn words() -> impl Strategy<Value = Words> {
    let some = || prop::collection::vec(word(), 0..3);
    let phrases = || prop::collection::vec(prop::collection::vec(word(), 2..4), 0..2);
    let simple = move || (some(), some(), phrases());
    (simple(), prop::collection::vec(simple(), 0..2)).prop_map(|((words, beginnings, phrases), absent)| {
        let of = |(words, beginnings, phrases)| Words { words, beginnings, phrases, absent: Vec::new() };
        let absent = absent.into_iter().map(of).filter(|words| *words != Words::default()).collect();
        Words { words, beginnings, phrases, absent }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let id = || 0_u32..90;
    prop_oneof![
        30 => (id(), prop::option::weighted(0.9, text())).prop_map(|(id, text)| Step::Put(id, text)),
        2 => id().prop_map(Step::Number),
        5 => id().prop_map(Step::Remove),
        3 => Just(Step::Take),
        3 => Just(Step::Run),
        2 => Just(Step::Hold),
        5 => words().prop_map(Step::Ask),
    ]
}

/// What looking at every text says.
fn check(snapshot: &Snapshot, words: &Words) -> Result<bool, TestCaseError> {
    let Lookup::Column(column) = snapshot.lookup(&["name".to_owned()]) else { return Ok(false) };
    let Some(found) = snapshot.find_words(column, words, true) else { return Ok(false) };
    let (mut statistics, mut all) = (Statistics::new(words), Vec::new());
    for row in snapshot.live().iter() {
        let Leaf::String(text) = snapshot.cell(column, row) else {
            prop_assert!(!found.yes.contains(row));
            continue;
        };
        prop_assert_eq!(found.yes.contains(row), holds(words, text), "{:?} in {:.80}", words, text);
        statistics.add(words, &tokens(text));
        all.push((row, tokens(text)));
    }
    let tally = found.tally.as_ref().expect("ranks were asked for");
    for (row, tokens) in &all {
        let rank = score(words, tokens, &statistics);
        prop_assert_eq!(
            tally.score(row.0 as usize, &statistics).to_bits(),
            rank.to_bits(),
            "{:?} in {:?}",
            words,
            tokens
        );
    }
    prop_assert!(found.yes.iter().all(|row| snapshot.live().contains(row)));
    prop_assert_eq!(&found.statistics, &statistics);
    let unranked = snapshot.find_words(column, words, false).expect("as before");
    prop_assert_eq!(unranked.yes, found.yes);
    prop_assert_eq!(unranked.statistics, statistics);
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_index_says_what_the_texts_say(steps in prop::collection::vec(step(), 1..400), last in words()) {
        let mut table = Table::new(Options { chunk_rows: 64, max_columns: 10, ..Options::default() });
        let name = table.child(Table::ROOT, "name");
        let (mut taken, mut held): (Vec<Work>, Vec<Snapshot>) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Put(id, text) => {
                    let row = table.insert(&id.to_string());
                    table.set(row, name, text.as_deref().map_or(Leaf::Absent, Leaf::String));
                }
                Step::Number(id) => {
                    let row = table.insert(&id.to_string());
                    table.set(row, name, Leaf::Int(1));
                }
                Step::Remove(id) => table.remove(&id.to_string()),
                Step::Take => taken.extend(table.word_work(&SMALL)),
                Step::Run => {
                    for work in taken.drain(..) {
                        work.run().expect("an index");
                    }
                }
                Step::Hold => held.push(table.snapshot()),
                Step::Ask(words) => {
                    check(&table.snapshot(), &words)?;
                    for snapshot in &held {
                        check(snapshot, &words)?;
                    }
                }
            }
        }
        // Whatever came before, who asks is served once the work is done.
        let row = table.insert("one");
        table.set(row, name, Leaf::String("one"));
        check(&table.snapshot(), &last)?;
        for work in table.word_work(&SMALL) {
            work.run().expect("an index");
        }
        prop_assert!(check(&table.snapshot(), &last)?);
    }
}
