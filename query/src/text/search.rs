//! What an index says for a snapshot: which rows fulfil a `MATCH`, and what ranks are made from.

use super::Fault;
use super::changed::Changed;
use super::index::Index;
use super::indexed::At;
use crate::column::{Column, Leaf, Mask};
use crate::evaluate::words::{occurrences, with_words};
use crate::plan::Words;
use crate::rank::Statistics;

/// What is known of a `MATCH` over all rows of a snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Rows whose text holds what is asked.
    pub(crate) yes: Mask,
    /// Of all texts.
    pub(crate) statistics: Statistics,
}

/// Finds rows of a column with `slots` places for rows.
pub(crate) fn search(at: &At, column: &Column, slots: usize, words: &Words) -> Result<Found, Fault> {
    Search::new(at, column, slots).found(words)
}

struct Search<'s> {
    index: &'s Index,
    column: &'s Column,
    slots: usize,
    /// Rows of which the index says nothing.
    changed: Changed,
}

impl<'s> Search<'s> {
    fn new(at: &'s At, column: &'s Column, slots: usize) -> Self {
        let mut rows: Vec<u32> = at.changed.iter().chain(&at.index.long).copied().collect();
        rows.sort_unstable();
        rows.dedup();
        Self { index: &at.index, column, slots, changed: Changed::new(column, &rows) }
    }

    fn found(&self, words: &Words) -> Result<Found, Fault> {
        let terms = self.terms(words)?;
        let rows_with = terms.iter().map(|rows| rows.count() as u64).collect();
        let rows = self.column.texts() as u64;
        let statistics = Statistics { rows, total_words: self.total_words(), rows_with };
        Ok(Found { yes: self.holding(words, terms)?, statistics })
    }

    /// Rows with each term: words, beginnings, phrases.
    fn terms(&self, words: &Words) -> Result<Vec<Mask>, Fault> {
        let mut terms = Vec::new();
        for word in &words.words {
            terms.push(self.with_word(word)?);
        }
        for beginning in &words.beginnings {
            let mut rows = Mask::none(self.slots);
            self.index.with_beginning(beginning, &mut rows)?;
            self.changed.correct(&mut rows, |word| word.starts_with(beginning.as_str()));
            terms.push(rows);
        }
        for phrase in &words.phrases {
            terms.push(self.with_phrase(phrase)?);
        }
        Ok(terms)
    }

    fn with_word(&self, word: &str) -> Result<Mask, Fault> {
        let mut rows = Mask::none(self.slots);
        self.index.with_word(word, &mut rows)?;
        self.changed.correct(&mut rows, |other| other == word);
        Ok(rows)
    }

    /// Texts that have all the words are asked whether these stand one after the other.
    fn with_phrase(&self, phrase: &[String]) -> Result<Mask, Fault> {
        let mut all: Option<Mask> = None;
        for word in phrase {
            let rows = self.with_word(word)?;
            all = Some(and(all, rows));
        }
        let candidates = all.unwrap_or_else(|| Mask::none(self.slots));
        let mut rows = Mask::none(self.slots);
        for row in candidates.iter() {
            let Leaf::String(text) = self.column.cell(row) else { continue };
            if with_words(text, |words| occurrences(phrase, words) > 0) {
                rows.insert(row);
            }
        }
        Ok(rows)
    }

    fn holding(&self, words: &Words, terms: Vec<Mask>) -> Result<Mask, Fault> {
        let all = terms.into_iter().fold(None, |all, rows| Some(and(all, rows)));
        let mut yes = all.unwrap_or_else(|| self.column.mask_of_texts(self.slots));
        for absent in &words.absent {
            let rows = self.holding(absent, self.terms(absent)?)?;
            yes.and_not(&rows);
        }
        Ok(yes)
    }

    fn total_words(&self) -> u64 {
        let then: u64 = self.changed.rows().map(|row| self.index.length(row)).sum();
        self.index.total_words() + self.changed.total_words() - then
    }
}

fn and(all: Option<Mask>, rows: Mask) -> Mask {
    match all {
        None => rows,
        Some(mut all) => {
            all.and(&rows);
            all
        }
    }
}
