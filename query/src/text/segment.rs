//! The texts of some rows by their words, made once: tantivy's dictionary of words, each with the list of texts that hold it.
//!
//! - A text is known by its place among the rows, which go upwards. Nothing is ever removed: who holds a segment knows which of its
//!   texts still count.
//! - It is made by the thread that asks for it, in memory, and lists which texts hold a word and how often, not where.

use std::sync::Arc;

use tantivy::directory::RamDirectory;
use tantivy::index::{IndexSettings, InvertedIndexReader};
use tantivy::postings::{BlockSegmentPostings, TermInfo};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::store::Compressor;
use tantivy::tokenizer::TokenizerManager;
use tantivy::{Index, SegmentReader, SingleSegmentIndexWriter, TantivyDocument};

use super::Fault;
use super::tokenizer::ByLanguage;
use crate::evaluate::words;

/// Bytes of a text. tantivy leaves out words of more than 65,530 bytes; one in lower case is at most half as long again.
const TEXT_BYTES_MAX: usize = 1 << 15;
/// What tantivy may plan with for its table of words.
const BUDGET: std::ops::Range<usize> = 1 << 18..16 << 20;

pub(super) struct Segment {
    words: Arc<InvertedIndexReader>,
    rows: Box<[u32]>,
    /// Words of each text; by [`TEXT_BYTES_MAX`] they fit.
    lengths: Box<[u16]>,
    file_bytes: usize,
}

/// A word, or how one begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'w> {
    Word(&'w str),
    Beginning(&'w str),
}

impl Wanted<'_> {
    /// Whether a word is meant.
    pub(super) fn is(&self, word: &str) -> bool {
        match self {
            Self::Word(wanted) => word == *wanted,
            Self::Beginning(beginning) => word.starts_with(beginning),
        }
    }
}

/// A segment in the making.
pub(super) struct Builder {
    writer: SingleSegmentIndexWriter,
    directory: RamDirectory,
    field: Field,
    rows: Vec<u32>,
    lengths: Vec<u16>,
}

/// Whether a text is not too long for a segment.
pub(super) fn fits(text: &str) -> bool {
    text.len() <= TEXT_BYTES_MAX
}

impl Builder {
    /// For so many texts.
    pub(super) fn new(texts: usize) -> Result<Self, Fault> {
        let mut schema = Schema::builder();
        let indexing = TextFieldIndexing::default()
            .set_tokenizer("language")
            .set_index_option(IndexRecordOption::WithFreqs)
            .set_fieldnorms(false);
        let field = schema.add_text_field("text", TextOptions::default().set_indexing_options(indexing));
        let tokenizers = TokenizerManager::new();
        tokenizers.register("language", ByLanguage);
        let settings = IndexSettings {
            docstore_compression: Compressor::None,
            docstore_compress_dedicated_thread: false,
            ..IndexSettings::default()
        };
        let index = Index::builder().schema(schema.build()).settings(settings).tokenizers(tokenizers);
        let directory = RamDirectory::create();
        let budget = (256 * texts).clamp(BUDGET.start, BUDGET.end);
        let writer = index.single_segment_index_writer(directory.clone(), budget)?;
        Ok(Self { writer, directory, field, rows: Vec::with_capacity(texts), lengths: Vec::with_capacity(texts) })
    }

    /// Takes a text in; rows come upwards.
    pub(super) fn add(&mut self, row: u32, text: &str) -> Result<(), Fault> {
        let mut document = TantivyDocument::new();
        document.add_text(self.field, text);
        self.writer.add_document(document)?;
        self.rows.push(row);
        self.lengths.push(u16::try_from(words::count(text)).unwrap_or(u16::MAX));
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Segment, Fault> {
        let index = self.writer.finalize()?;
        let segments = index.searchable_segments()?;
        let segment = segments.first().ok_or_else(|| Fault("no segment was made".to_owned()))?;
        // Of all files only the dictionary and the lists outlive this.
        let words = SegmentReader::open(segment)?.inverted_index(self.field)?;
        let file_bytes = self.directory.total_mem_usage();
        Ok(Segment { words, rows: self.rows.into(), lengths: self.lengths.into(), file_bytes })
    }
}

impl Segment {
    pub(super) fn texts(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Where the text of a row is.
    pub(super) fn place(&self, row: u32) -> Option<usize> {
        self.rows.binary_search(&row).ok()
    }

    /// Words of the text at a place.
    #[inline]
    pub(super) fn length(&self, place: usize) -> u32 {
        u32::from(self.lengths[place])
    }

    pub(super) fn total_words(&self) -> u64 {
        self.lengths.iter().map(|length| u64::from(*length)).sum()
    }

    /// Calls `visit` with the place of each text that has a wanted word, and how often it has it (or 1, unless that `counts`): once for
    /// each such word.
    pub(super) fn each(
        &self,
        wanted: Wanted<'_>,
        counts: bool,
        visit: &mut impl FnMut(usize, u32),
    ) -> Result<(), Fault> {
        let mut lists = Lists { words: &self.words, counts, block: None };
        let beginning = match wanted {
            Wanted::Word(word) => {
                let info = self.words.terms().get(word)?;
                return info.map_or(Ok(()), |info| lists.each(&info, visit));
            }
            Wanted::Beginning(beginning) => beginning,
        };
        let mut range = self.words.terms().range().ge(beginning);
        // No byte of UTF-8 is 255, so this comes after everything with the beginning, and before all else that does.
        let mut after = beginning.as_bytes().to_vec();
        if let Some(last) = after.last_mut() {
            *last += 1;
            range = range.lt(&after);
        }
        let mut words = range.without_keys().into_stream()?;
        while words.advance() {
            lists.each(words.value(), visit)?;
        }
        Ok(())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.file_bytes + (size_of::<u32>() + size_of::<u16>()) * self.rows.len() + size_of::<Self>()
    }
}

/// Reads lists of texts, one after the other.
struct Lists<'s> {
    words: &'s InvertedIndexReader,
    counts: bool,
    block: Option<BlockSegmentPostings>,
}

impl Lists<'_> {
    fn each(&mut self, info: &TermInfo, visit: &mut impl FnMut(usize, u32)) -> Result<(), Fault> {
        let block = match &mut self.block {
            Some(block) => {
                self.words.reset_block_postings_from_terminfo(info, block)?;
                block
            }
            none => {
                let option = if self.counts { IndexRecordOption::WithFreqs } else { IndexRecordOption::Basic };
                none.insert(self.words.read_block_postings_from_terminfo(info, option)?)
            }
        };
        let mut left = info.doc_freq as usize;
        while left > 0 {
            let places = block.docs();
            if places.is_empty() {
                return Err(Fault("a list of texts is shorter than it says".to_owned()));
            }
            if self.counts {
                places.iter().zip(block.freqs()).for_each(|(place, count)| visit(*place as usize, *count));
            } else {
                places.iter().for_each(|place| visit(*place as usize, 1));
            }
            left = left.saturating_sub(places.len());
            block.advance();
        }
        Ok(())
    }
}
