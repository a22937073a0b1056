//! Ranks of a few texts, and what must hold between ranks.

use super::{Statistics, counts, score, terms};
use crate::evaluate::words::tokens;
use crate::plan::Words;

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

const TEXTS: [&str; 4] = ["the old pump", "pump pump valve", "a motor", "old pump of the old pump house"];

fn statistics(words: &Words) -> Statistics {
    let mut statistics = Statistics::new(words);
    TEXTS.iter().for_each(|text| statistics.add(words, &tokens(text)));
    statistics
}

#[test]
fn statistics_count_texts_words_and_terms() {
    let words = Words {
        words: owned(&["pump"]),
        beginnings: owned(&["o"]),
        phrases: vec![owned(&["old", "pump"])],
        absent: vec![Words { words: owned(&["motor"]), ..Words::default() }],
    };
    assert_eq!(terms(&words), 3, "what must be absent is not scored");
    assert_eq!(statistics(&words), Statistics { rows: 4, total_words: 15, rows_with: vec![3, 2, 2] });
    assert_eq!(counts(&words, &tokens(TEXTS[3])).collect::<Vec<_>>(), [2, 3, 2]);
}

#[test]
fn the_rank_is_that_of_bm25() {
    let words = Words { words: owned(&["valve"]), ..Words::default() };
    // idf = ln(1 + (4 - 1 + 0.5) / (1 + 0.5)), one occurrence in 3 words where 3.75 are the mean.
    let expected = (1.0_f64 + 3.5 / 1.5).ln() * 2.2 / (1.0 + 1.2 * (0.25 + 0.75 * 3.0 / 3.75));
    let found = score(&words, &tokens(TEXTS[1]), &statistics(&words));
    assert!((found - expected).abs() < 1e-12, "{found} {expected}");
}

#[test]
fn a_text_without_the_terms_has_rank_zero() {
    let words = Words { words: owned(&["valve"]), ..Words::default() };
    assert_eq!(score(&words, &tokens(TEXTS[0]), &statistics(&words)), 0.0);
    assert_eq!(score::<&str>(&words, &[], &Statistics::new(&words)), 0.0);
}

#[test]
fn more_occurrences_rank_higher_and_longer_texts_lower() {
    let words = Words { words: owned(&["pump"]), ..Words::default() };
    let statistics = statistics(&words);
    let of = |text: &str| score(&words, &tokens(text), &statistics);
    assert!(of("pump pump valve") > of("pump old valve"));
    assert!(of("pump") > of("pump in the house"));
    assert!(of("pump") > 0.0, "a term that most texts have still counts for something");
}

#[test]
fn the_rank_of_several_terms_is_their_sum() {
    let (one, other) = (
        Words { words: owned(&["pump"]), ..Words::default() },
        Words { phrases: vec![owned(&["old", "pump"])], ..Words::default() },
    );
    let both = Words { words: owned(&["pump"]), phrases: vec![owned(&["old", "pump"])], ..Words::default() };
    let of = |words: &Words| score(words, &tokens(TEXTS[3]), &statistics(words));
    assert_eq!(of(&both), of(&one) + of(&other));
}
