//! What an index says for a snapshot: which rows fulfil a `MATCH`, and what ranks are made from.

use super::Fault;
use super::changed::Changed;
use super::index::Index;
use super::indexed::At;
use super::segment::Wanted;
use super::tally::Tally;
use crate::column::{Column, Leaf, Mask, Row};
use crate::evaluate::words::{occurrences, with_words};
use crate::plan::Words;
use crate::rank::{Statistics, terms};

/// What is known of a `MATCH` over all rows of a snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Rows whose text holds what is asked.
    pub(crate) yes: Mask,
    /// Of all texts.
    pub(crate) statistics: Statistics,
    /// Where ranks are asked for, unless it would be too large: they are made from the texts then.
    pub(crate) tally: Option<Tally>,
}

/// Finds rows of a column with `slots` places for rows.
pub(crate) fn search(at: &At, column: &Column, slots: usize, words: &Words, ranked: bool) -> Result<Found, Fault> {
    Search::new(at, column, slots).found(words, ranked)
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

    fn found(&self, words: &Words, ranked: bool) -> Result<Found, Fault> {
        let mut tally = ranked.then(|| Tally::new(self.slots, terms(words))).flatten();
        let terms = self.terms(words, tally.as_mut())?;
        let rows_with = terms.iter().map(|rows| rows.count() as u64).collect();
        let rows = self.column.texts() as u64;
        let statistics = Statistics { rows, total_words: self.total_words(), rows_with };
        Ok(Found { yes: self.holding(words, terms)?, statistics, tally })
    }

    /// Rows with each term: words, beginnings, phrases.
    fn terms(&self, words: &Words, mut tally: Option<&mut Tally>) -> Result<Vec<Mask>, Fault> {
        let mut terms = Vec::new();
        let single = words.words.iter().map(|word| Wanted::Word(word));
        for wanted in single.chain(words.beginnings.iter().map(|beginning| Wanted::Beginning(beginning))) {
            tally.iter_mut().for_each(|tally| tally.begin());
            terms.push(self.rows_with(wanted, tally.as_deref_mut())?);
        }
        for phrase in &words.phrases {
            tally.iter_mut().for_each(|tally| tally.begin());
            terms.push(self.rows_with_phrase(phrase, tally.as_deref_mut())?);
        }
        Ok(terms)
    }

    fn rows_with(&self, wanted: Wanted<'_>, mut tally: Option<&mut Tally>) -> Result<Mask, Fault> {
        let mut rows = Mask::none(self.slots);
        match &mut tally {
            Some(tally) => self.index.each(wanted, true, &mut |row, times, length| {
                rows.insert(Row(row));
                tally.add(row, times, length);
            })?,
            None => self.index.each(wanted, false, &mut |row, _, _| rows.insert(Row(row)))?,
        }
        self.changed.each(wanted, &mut |row, times, length| {
            if times > 0 {
                rows.insert(Row(row));
            } else {
                rows.remove(Row(row));
            }
            tally.iter_mut().for_each(|tally| tally.set(row, times, length));
        });
        Ok(rows)
    }

    /// Texts that have all the words are asked whether these stand one after the other.
    fn rows_with_phrase(&self, phrase: &[String], mut tally: Option<&mut Tally>) -> Result<Mask, Fault> {
        let mut all: Option<Mask> = None;
        for word in phrase {
            all = Some(and(all, self.rows_with(Wanted::Word(word), None)?));
        }
        let candidates = all.unwrap_or_else(|| Mask::none(self.slots));
        let mut rows = Mask::none(self.slots);
        for row in candidates.iter() {
            let Leaf::String(text) = self.column.cell(row) else { continue };
            let (times, length) = with_words(text, |words| (count(occurrences(phrase, words)), count(words.len())));
            if times > 0 {
                rows.insert(row);
                tally.iter_mut().for_each(|tally| tally.set(row.0, times, length));
            }
        }
        Ok(rows)
    }

    fn holding(&self, words: &Words, terms: Vec<Mask>) -> Result<Mask, Fault> {
        let all = terms.into_iter().fold(None, |all, rows| Some(and(all, rows)));
        let mut yes = all.unwrap_or_else(|| self.column.mask_of_texts(self.slots));
        for absent in &words.absent {
            let rows = self.holding(absent, self.terms(absent, None)?)?;
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

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
