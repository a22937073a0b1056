//! One column: its chunks in a tree of two levels, so that a change copies little of what a snapshot holds.

use std::sync::Arc;

use super::chunk::Chunk;
use super::strings::{Strings, Texts, beginning};
use super::{Cell, Kind, Leaf, Row};

/// Chunks of one branch.
const BRANCH: usize = 64;

type Branch = [Option<Arc<Chunk>>; BRANCH];

/// A column as a snapshot holds it.
#[derive(Debug, Clone)]
pub(super) struct Column {
    branches: Vec<Option<Arc<Branch>>>,
    chunk_rows: usize,
    pub(super) texts: Texts,
    /// How many cells are of each kind, but absent.
    pub(super) counts: [usize; 9],
}

impl Column {
    #[inline]
    pub(super) fn chunk(&self, index: usize) -> Option<&Chunk> {
        self.branches.get(index / BRANCH)?.as_ref()?[index % BRANCH].as_deref()
    }

    #[inline]
    pub(super) fn chunk_rows(&self) -> usize {
        self.chunk_rows
    }

    /// Index and content of each chunk that holds something.
    pub(super) fn chunks(&self) -> impl Iterator<Item = (usize, &Chunk)> + '_ {
        self.branches.iter().enumerate().flat_map(|(branch, chunks)| {
            let chunks = chunks.iter().flat_map(|chunks| chunks.iter().enumerate());
            chunks.filter_map(move |(at, chunk)| Some((branch * BRANCH + at, chunk.as_deref()?)))
        })
    }

    pub(super) fn cell(&self, row: Row) -> Cell<'_> {
        let at = row.index() % self.chunk_rows;
        self.chunk(row.index() / self.chunk_rows).map_or(Leaf::Absent, |chunk| self.cell_in(chunk, at))
    }

    #[inline]
    pub(super) fn cell_in<'s>(&'s self, chunk: &Chunk, at: usize) -> Cell<'s> {
        match chunk.kind(at) {
            Kind::Absent => Leaf::Absent,
            Kind::Null => Leaf::Null,
            Kind::False => Leaf::Bool(false),
            Kind::True => Leaf::Bool(true),
            Kind::Int => Leaf::Int(chunk.wide(at).cast_signed()),
            Kind::Float => Leaf::Float(f64::from_bits(chunk.wide(at))),
            Kind::String => Leaf::String(self.texts.get(chunk.code(at))),
            Kind::Array => Leaf::Array(self.texts.get(chunk.code(at))),
            Kind::Object => Leaf::Object,
        }
    }

    /// Cells that hold something.
    pub(super) fn present(&self) -> usize {
        self.counts[1..].iter().sum()
    }

    pub(super) fn count(&self, kind: Kind) -> usize {
        self.counts[kind as usize]
    }

    fn chunk_mut(&mut self, index: usize, kind: Kind) -> &mut Chunk {
        let branch = index / BRANCH;
        if self.branches.len() <= branch {
            self.branches.resize(branch + 1, None);
        }
        let chunks = self.branches[branch].get_or_insert_with(|| Arc::new(std::array::from_fn(|_| None)));
        let chunk_rows = self.chunk_rows;
        let chunk = Arc::make_mut(chunks)[index % BRANCH].get_or_insert_with(|| Arc::new(Chunk::new(chunk_rows, kind)));
        Arc::make_mut(chunk)
    }

    fn remove_chunk(&mut self, index: usize) {
        if let Some(Some(chunks)) = self.branches.get_mut(index / BRANCH) {
            Arc::make_mut(chunks)[index % BRANCH] = None;
        }
    }

    pub(super) fn chunk_bytes(&self) -> usize {
        let chunks: usize = self.chunks().map(|(_, chunk)| chunk.memory_bytes()).sum();
        let branches = self.branches.iter().flatten().count() * size_of::<Branch>();
        chunks + branches + 8 * self.branches.len() + size_of::<Self>()
    }
}

/// A column as its writer holds it.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) shared: Arc<Column>,
    strings: Strings,
}

impl Stored {
    pub(super) fn new(chunk_rows: usize) -> Self {
        let shared = Column { branches: Vec::new(), chunk_rows, texts: Texts::dictionary(), counts: [0; 9] };
        Self { shared: Arc::new(shared), strings: Strings::default() }
    }

    /// A column of known chunks, upwards by index; `None` when its texts contradict themselves.
    pub(super) fn restore(chunk_rows: usize, texts: Texts, chunks: Vec<(usize, Chunk)>) -> Option<Self> {
        let mut column = Column { branches: Vec::new(), chunk_rows, texts, counts: [0; 9] };
        for (index, chunk) in chunks {
            for at in 0..chunk_rows {
                column.counts[chunk.kind(at) as usize] += 1;
            }
            *column.chunk_mut(index, Kind::Absent) = chunk;
        }
        column.counts[Kind::Absent as usize] = 0;
        let strings = Strings::restore(&column.texts, column.count(Kind::String) + column.count(Kind::Array))?;
        Some(Self { shared: Arc::new(column), strings })
    }

    /// Puts a value in; false when it was there already, and nothing was copied.
    pub(super) fn set(&mut self, row: Row, leaf: Leaf<'_>) -> bool {
        let before = self.shared.cell(row);
        if is_same(before, leaf) {
            return false;
        }
        let (was, kind) = (Kind::of(&before), Kind::of(&leaf));
        if matches!(was, Kind::String | Kind::Array) {
            self.strings.drop_one();
        }
        let column = Arc::make_mut(&mut self.shared);
        let (wide, code) = match leaf {
            Leaf::Int(value) => (Some(value.cast_unsigned()), None),
            Leaf::Float(value) => (Some(value.to_bits()), None),
            Leaf::String(text) | Leaf::Array(text) => {
                let code = self.strings.code(&mut column.texts, text);
                ((!column.texts.is_dictionary).then(|| beginning(text)), Some(code))
            }
            _ => (None, None),
        };
        column.counts[was as usize] = column.counts[was as usize].saturating_sub(1);
        column.counts[kind as usize] += 1;
        let (index, at) = (row.index() / column.chunk_rows, row.index() % column.chunk_rows);
        let chunk = column.chunk_mut(index, kind);
        chunk.set(at, kind, wide, code);
        if kind == Kind::Absent && chunk.is_empty() {
            column.remove_chunk(index);
        }
        self.tidy_texts();
        true
    }

    /// Changes how texts are kept when that has become worth it.
    fn tidy_texts(&mut self) {
        let is_dictionary = self.shared.texts.is_dictionary;
        if is_dictionary && self.strings.is_too_large() {
            self.keep_each_text();
        } else if self.strings.is_mostly_unused(&self.shared.texts) {
            self.strings.start_over();
            let column = Arc::make_mut(&mut self.shared);
            let mut texts = Texts::default();
            rewrite_texts(column, |_, text| (self.strings.code(&mut texts, text), beginning(text)));
            column.texts = texts;
        }
    }

    /// From now on each text is kept for itself.
    pub(super) fn keep_each_text(&mut self) {
        let used = self.shared.count(Kind::String) + self.shared.count(Kind::Array);
        self.strings.give_up_index(used);
        let column = Arc::make_mut(&mut self.shared);
        column.texts.is_dictionary = false;
        rewrite_texts(column, |code, text| (code, beginning(text)));
    }

    pub(super) fn text_bytes(&self) -> usize {
        self.shared.texts.memory_bytes() + self.strings.memory_bytes()
    }
}

/// Gives every cell with a text another code and its beginning.
fn rewrite_texts(column: &mut Column, mut new: impl FnMut(u32, &str) -> (u32, u64)) {
    let indexes: Vec<usize> = column.chunks().map(|(index, _)| index).collect();
    let (texts, chunk_rows) = (column.texts.clone(), column.chunk_rows);
    for index in indexes {
        let chunk = column.chunk_mut(index, Kind::String);
        for at in 0..chunk_rows {
            let kind = chunk.kind(at);
            if matches!(kind, Kind::String | Kind::Array) {
                let code = chunk.code(at);
                let (code, beginning) = new(code, texts.get(code));
                chunk.set(at, kind, Some(beginning), Some(code));
            }
        }
    }
}

/// Whether two cells are the same in every respect, kinds of numbers and signs of zeros included.
fn is_same(a: Cell<'_>, b: Cell<'_>) -> bool {
    match (a, b) {
        (Leaf::Float(a), Leaf::Float(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}
