//! A table as bytes, so that a start need not make it from all documents.
//!
//! It does not know where the bytes are kept, nor as of which revision they are: whoever keeps them says so beside them.
//! Invariants:
//!
//! - What is read back answers as what was written; bytes of the same content may differ.
//! - Bytes that were changed, cut, mixed up or continued are refused, and so is content that contradicts itself: a table
//!   that was read is never partly wrong.
//! - Reading takes no more memory than the bytes that are there call for, whatever lengths they claim.

mod frame;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::io::{self, Read, Write};

use super::{Snapshot, Table};

/// The first bytes.
const MAGIC: [u8; 8] = *b"MSTRCOLS";
/// Rises with every change of the format.
const VERSION: u32 = 2;
/// In the place of the one kind of a chunk: booleans of both kinds, and a kind for each cell.
const BOOLEANS: u8 = 254;
const EACH: u8 = 255;
/// Rows of a chunk at most.
const CHUNK_ROWS_MAX: usize = 1 << 20;

/// Why bytes are no table.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// They could not be read.
    #[error("the checkpoint of columns cannot be read")]
    Io(#[from] io::Error),
    /// They begin as something else.
    #[error("this is no checkpoint of columns")]
    Foreign,
    /// They were written by another version.
    #[error("the checkpoint of columns has version {0}, known is {VERSION}")]
    Version(u32),
    /// They are not what was written, or end too early.
    #[error("the checkpoint of columns is damaged: {0}")]
    Damaged(&'static str),
}

impl Snapshot {
    /// Writes the table as it was; its writer goes on meanwhile.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        write::write(self, out)
    }
}

impl Table {
    /// The table that was written; reads up to its end and no further.
    ///
    /// # Errors
    /// When `from` cannot be read or does not hold what was written.
    pub fn read_from(from: &mut impl Read) -> Result<Self, CheckpointError> {
        read::read(from)
    }
}
