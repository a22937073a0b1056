//! The texts of a column by their words, as of one version of the column: segments, and which of their texts still count.

use std::sync::Arc;

use super::Fault;
use super::segment::{Segment, Wanted};
use crate::column::{Mask, Row};

/// Which rows had which words when the column was of some version. It does not change.
pub(crate) struct Index {
    pub(super) version: u64,
    /// A text counts in one of them at most.
    pub(super) parts: Vec<Part>,
    /// Rows, upwards, whose texts are too long for a segment: who asks looks at them.
    pub(super) long: Vec<u32>,
}

/// A segment, and which of its texts still count.
#[derive(Clone)]
pub(super) struct Part {
    segment: Arc<Segment>,
    /// Places of texts that do not count any more.
    gone: Option<Arc<Mask>>,
    texts: usize,
    words: u64,
}

impl Part {
    pub(super) fn new(segment: Segment) -> Self {
        let (texts, words) = (segment.texts(), segment.total_words());
        Self { segment: Arc::new(segment), gone: None, texts, words }
    }

    /// Texts that count.
    pub(super) fn texts(&self) -> usize {
        self.texts
    }

    /// Whether most of it is of no use.
    pub(super) fn is_mostly_gone(&self) -> bool {
        self.texts < self.segment.texts() / 2
    }

    #[inline]
    fn counts(&self, place: usize) -> bool {
        self.gone.as_ref().is_none_or(|gone| !gone.contains(Row::at(place)))
    }

    /// Texts of these rows do not count any more.
    pub(super) fn remove(&mut self, rows: &[u32]) {
        for row in rows {
            let Some(place) = self.segment.place(*row).filter(|place| self.counts(*place)) else { continue };
            let all = self.segment.texts();
            Arc::make_mut(self.gone.get_or_insert_with(|| Arc::new(Mask::none(all)))).insert(Row::at(place));
            self.texts -= 1;
            self.words -= u64::from(self.segment.length(place));
        }
    }

    /// Rows whose texts count, upwards.
    pub(super) fn rows(&self) -> impl Iterator<Item = u32> + '_ {
        let rows = self.segment.rows().iter().enumerate();
        rows.filter(|(place, _)| self.counts(*place)).map(|(_, row)| *row)
    }

    fn length(&self, row: u32) -> Option<u64> {
        let place = self.segment.place(row).filter(|place| self.counts(*place))?;
        Some(u64::from(self.segment.length(place)))
    }

    fn memory_bytes(&self) -> usize {
        self.segment.memory_bytes() + self.gone.as_ref().map_or(0, |_| self.segment.texts() / 8) + size_of::<Self>()
    }
}

impl Index {
    /// Calls `visit` with each row that has a wanted word, how often (or 1, unless that `counts`) and of how many words in all; once
    /// for each such word.
    pub(super) fn each(
        &self,
        wanted: Wanted<'_>,
        counts: bool,
        visit: &mut impl FnMut(u32, u32, u32),
    ) -> Result<(), Fault> {
        self.parts.iter().try_for_each(|part| {
            let rows = part.segment.rows();
            part.segment.each(wanted, counts, &mut |place, times| {
                if part.counts(place) {
                    visit(rows[place], times, part.segment.length(place));
                }
            })
        })
    }

    /// Words of all texts in segments.
    pub(super) fn total_words(&self) -> u64 {
        self.parts.iter().map(|part| part.words).sum()
    }

    /// Words of the text that a row had, when it is in a segment.
    pub(super) fn length(&self, row: u32) -> u64 {
        self.parts.iter().find_map(|part| part.length(row)).unwrap_or(0)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let parts: usize = self.parts.iter().map(Part::memory_bytes).sum();
        parts + 4 * self.long.capacity() + size_of::<Self>()
    }

    /// Texts in segments.
    pub(super) fn texts(&self) -> usize {
        self.parts.iter().map(Part::texts).sum()
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Index of {} texts as of {}", self.texts(), self.version)
    }
}
