//! The rank of a text by BM25: k1 1.2, b 0.75. It knows words and counts, neither rows nor an index.
//!
//! The terms of a `MATCH` are its words, its beginnings (all words with one beginning taken together) and its phrases, in
//! this order; what must be absent does not count. Sums are done in this order, so the rank is the same bits everywhere.

use crate::evaluate::number::to_double;
use crate::evaluate::words::occurrences;
use crate::plan::Words;

#[cfg(test)]
mod tests;

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// What the rank needs to know of all texts at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// Rows with a text at the path.
    pub rows: u64,
    /// Words of all these texts.
    pub total_words: u64,
    /// For each term, in the order of [`counts`]: how many of the texts hold it.
    pub rows_with: Vec<u64>,
}

impl Statistics {
    /// Of no text yet.
    #[must_use]
    pub fn new(words: &Words) -> Self {
        Self { rows: 0, total_words: 0, rows_with: vec![0; terms(words)] }
    }

    /// Takes a text into account.
    pub fn add<T: AsRef<str>>(&mut self, words: &Words, tokens: &[T]) {
        self.rows += 1;
        self.total_words += tokens.len() as u64;
        for (rows, count) in self.rows_with.iter_mut().zip(counts(words, tokens)) {
            *rows += u64::from(count > 0);
        }
    }

    /// Takes a text out that was taken into account.
    pub fn remove<T: AsRef<str>>(&mut self, words: &Words, tokens: &[T]) {
        self.rows -= 1;
        self.total_words -= tokens.len() as u64;
        for (rows, count) in self.rows_with.iter_mut().zip(counts(words, tokens)) {
            *rows -= u64::from(count > 0);
        }
    }
}

/// How many terms are scored.
#[must_use]
pub fn terms(words: &Words) -> usize {
    words.words.len() + words.beginnings.len() + words.phrases.len()
}

/// How often each scored term occurs in a text: words, beginnings, phrases.
pub fn counts<'a, T: AsRef<str>>(words: &'a Words, tokens: &'a [T]) -> impl Iterator<Item = u64> + 'a {
    let single = words.words.iter().map(move |word| tokens.iter().filter(|token| token.as_ref() == word).count());
    let beginnings = words
        .beginnings
        .iter()
        .map(move |beginning| tokens.iter().filter(|token| token.as_ref().starts_with(beginning.as_str())).count());
    let phrases = words.phrases.iter().map(move |phrase| occurrences(phrase, tokens));
    single.chain(beginnings).chain(phrases).map(|count| count as u64)
}

/// The rank of a text.
#[must_use]
pub fn score<T: AsRef<str>>(words: &Words, tokens: &[T], statistics: &Statistics) -> f64 {
    score_counts(counts(words, tokens), tokens.len() as u64, statistics)
}

/// The rank of a text of `length` words in which the terms occur this often; for one who has an index of words.
#[must_use]
pub fn score_counts(counts: impl Iterator<Item = u64>, length: u64, statistics: &Statistics) -> f64 {
    let rows = count(statistics.rows);
    let average = count(statistics.total_words) / rows;
    let mut sum = 0.0;
    for (occurs, rows_with) in counts.zip(&statistics.rows_with) {
        if occurs > 0 {
            let (occurs, rows_with) = (count(occurs), count(*rows_with));
            let rarity = (1.0 + (rows - rows_with + 0.5) / (rows_with + 0.5)).ln();
            sum += rarity * (occurs * (K1 + 1.0)) / (occurs + K1 * (1.0 - B + B * count(length) / average));
        }
    }
    sum
}

fn count(count: u64) -> f64 {
    to_double(i64::try_from(count).unwrap_or(i64::MAX))
}
