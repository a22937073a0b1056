//! What an index says for a snapshot: which rows fulfil a `MATCH`, and what ranks are made from.

use super::Fault;
use super::index::Index;
use super::indexed::At;
use crate::column::{Column, Leaf, Mask, Row};
use crate::evaluate::words::{occurrences, tokens, with_words};
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
    /// Rows of which the index says nothing, with the words of their texts now.
    changed: Vec<(u32, Option<Vec<String>>)>,
}

impl<'s> Search<'s> {
    fn new(at: &'s At, column: &'s Column, slots: usize) -> Self {
        let words = |row: &u32| match column.cell(Row(*row)) {
            Leaf::String(text) => Some(tokens(text)),
            _ => None,
        };
        let mut changed: Vec<u32> = at.changed.iter().chain(&at.index.long).copied().collect();
        changed.sort_unstable();
        changed.dedup();
        let changed = changed.iter().map(|row| (*row, words(row))).collect();
        Self { index: &at.index, column, slots, changed }
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
            self.correct(&mut rows, |words| words.iter().any(|word| word.starts_with(beginning.as_str())));
            terms.push(rows);
        }
        for phrase in &words.phrases {
            terms.push(self.with_phrase(phrase)?);
        }
        Ok(terms)
    }

    fn with_word(&self, word: &String) -> Result<Mask, Fault> {
        let mut rows = Mask::none(self.slots);
        self.index.with_word(word, &mut rows)?;
        self.correct(&mut rows, |words| words.contains(word));
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

    /// Sets right the rows of which the index says nothing.
    fn correct(&self, rows: &mut Mask, holds: impl Fn(&[String]) -> bool) {
        for (row, words) in &self.changed {
            if words.as_deref().is_some_and(&holds) {
                rows.insert(Row(*row));
            } else {
                rows.remove(Row(*row));
            }
        }
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
        let now: u64 = self.changed.iter().flat_map(|(_, words)| words).map(|words| words.len() as u64).sum();
        let then: u64 = self.changed.iter().map(|(row, _)| self.index.length(*row)).sum();
        self.index.total_words() + now - then
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
