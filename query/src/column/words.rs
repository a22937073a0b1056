//! Indexes of words as the columns see them: the writer notes changed texts, queries ask, and a driver makes what is asked for.

use std::sync::Arc;

use super::stored::{Column, Stored};
use super::{ColumnId, Kind, Mask, Row, Snapshot, Table};
use crate::plan::Words;
use crate::text::{At, Found, Limits, Turn, Work, search};

impl Stored {
    /// Tells the index of words, if there is one, that the text of a row is another one now.
    pub(super) fn note_text(&mut self, row: Row) {
        if let Some(indexed) = &self.indexed
            && !indexed.note_change(self.shared.version, row.0)
        {
            self.indexed = None;
        }
    }
}

impl Column {
    /// Rises with every change of a cell.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Cells with a text.
    pub(crate) fn texts(&self) -> usize {
        self.count(Kind::String)
    }

    /// Bytes of all texts.
    pub(crate) fn text_bytes(&self) -> usize {
        self.texts.memory_bytes()
    }

    /// Rows with a text, upwards.
    pub(crate) fn rows_with_text(&self) -> Vec<u32> {
        let mut rows = Vec::with_capacity(self.texts());
        for (index, chunk) in self.chunks() {
            let at = (0..self.chunk_rows()).filter(|at| chunk.kind(*at) == Kind::String);
            rows.extend(at.map(|at| Row::at(index * self.chunk_rows() + at).0));
        }
        rows
    }

    /// Rows, of so many, with a text.
    pub(crate) fn mask_of_texts(&self, slots: usize) -> Mask {
        let mut mask = Mask::none(slots);
        let words = self.chunk_rows() / 64;
        for (index, chunk) in self.chunks() {
            for word in 0..words {
                mask.set_word(index * words + word, chunk.word_of(word, |kind| kind == Kind::String));
            }
        }
        mask
    }
}

impl Table {
    /// Whether a query asked for words of a column since [`Table::word_work`] was called last.
    #[must_use]
    pub fn wants_words(&self) -> bool {
        self.indexes.is_asked()
    }

    /// Bytes of memory that its indexes of words take.
    #[must_use]
    pub fn words_bytes(&self) -> usize {
        self.indexes.memory_bytes()
    }

    /// The indexes of words to make or bring up to date, for columns that queries asked for; those that the limits do not allow
    /// any more are dropped. Run them one after the other, before the next call, on a thread that may take its time.
    pub fn word_work(&mut self, limits: &Limits) -> Vec<Work> {
        let indexes = Arc::clone(&self.indexes);
        let turns = indexes.turns(limits, |column| &*self.columns[column.0 as usize].shared);
        let mut work = Vec::new();
        for turn in turns {
            match turn {
                Turn::Make(column, indexed) => {
                    let stored = &mut self.columns[column.0 as usize];
                    indexed.begin(stored.shared.version, limits.changes_max);
                    stored.indexed = Some(Arc::clone(&indexed));
                    work.push(Work::new(Arc::clone(&stored.shared), indexed, limits.segment_max));
                }
                Turn::End(column, indexed) => {
                    self.columns[column.0 as usize].indexed = None;
                    indexed.end();
                }
            }
        }
        work
    }
}

impl Snapshot {
    /// What the index of words says of a column. `None` when there is none for this snapshot; It is asked for
    /// where it is worth it: few different texts are looked at once each, and only ranks need all of them.
    pub(crate) fn find_words(&self, column: ColumnId, words: &Words, ranked: bool) -> Option<Found> {
        let of = self.column(column);
        if ranked || !of.texts.is_dictionary || self.indexes.get(column).is_some() {
            self.indexes.ask(column);
        }
        let at = self.words_at(column)?;
        // An index that cannot be read is as good as none: the texts themselves answer.
        search(&at, of, self.slots(), words, ranked).ok()
    }

    /// Whether an index of words serves this snapshot, and how many changed rows are looked at beside it.
    pub(crate) fn word_index(&self, column: ColumnId) -> Option<usize> {
        Some(self.words_at(column)?.looked_at())
    }

    pub(crate) fn words_at(&self, column: ColumnId) -> Option<At> {
        self.indexes.get(column)?.at(self.column(column).version)
    }

    /// Rows with a text.
    pub(crate) fn mask_of_texts(&self, column: ColumnId) -> Mask {
        self.column(column).mask_of_texts(self.slots())
    }
}
