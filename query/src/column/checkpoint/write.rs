//! Writing: sizes, rows, paths, ids, then each column. Counts and indexes are not written; reading makes them.

use std::io::{self, Write};
use std::sync::PoisonError;

use super::frame::Frames;
use super::{BOOLEANS, EACH, MAGIC, VERSION};
use crate::column::cells::Cells;
use crate::column::chunk::{Chunk, Kinds};
use crate::column::stored::Column;
use crate::column::{Row, Snapshot};

pub(super) fn write(snapshot: &Snapshot, out: &mut impl Write) -> io::Result<()> {
    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    let mut frames = Frames::new(out);
    frames.len(snapshot.options.chunk_rows)?;
    frames.len(snapshot.options.max_columns)?;
    rows(snapshot, &mut frames)?;
    paths(snapshot, &mut frames)?;
    for stored in snapshot.columns.iter() {
        column(stored, &mut frames)?;
    }
    frames.end()
}

/// Places that are free, and ids of all others, upwards.
fn rows(snapshot: &Snapshot, frames: &mut Frames<'_, impl Write>) -> io::Result<()> {
    let slots = snapshot.slots();
    frames.len(slots)?;
    frames.len(slots - snapshot.rows)?;
    for row in (0..slots).map(Row::at).filter(|row| !snapshot.live.contains(*row)) {
        frames.u32(row.0)?;
    }
    snapshot.live.iter().try_for_each(|row| frames.text(snapshot.row_ids.get(row)))
}

/// Paths may be younger than the snapshot; they have no column then.
fn paths(snapshot: &Snapshot, frames: &mut Frames<'_, impl Write>) -> io::Result<()> {
    let trie = snapshot.trie.read().unwrap_or_else(PoisonError::into_inner);
    frames.byte(u8::from(trie.is_full))?;
    frames.len(trie.nodes().count())?;
    for (parent, name, column) in trie.nodes() {
        let column = column.filter(|column| (column.0 as usize) < snapshot.columns.len());
        frames.u32(parent)?;
        frames.text(name)?;
        frames.u32(column.map_or(u32::MAX, |column| column.0))?;
    }
    frames.len(snapshot.columns.len())
}

fn column(column: &Column, frames: &mut Frames<'_, impl Write>) -> io::Result<()> {
    frames.byte(u8::from(column.texts.is_dictionary))?;
    frames.len(column.texts.len())?;
    for text in column.texts.iter() {
        frames.text(text)?;
    }
    frames.len(column.chunks().count())?;
    for (index, content) in column.chunks() {
        frames.len(index)?;
        chunk(content, frames)?;
    }
    Ok(())
}

/// The length of each part follows from the rows of a chunk.
fn chunk(chunk: &Chunk, frames: &mut Frames<'_, impl Write>) -> io::Result<()> {
    match &chunk.kinds {
        Kinds::One(kind, present) => {
            frames.byte(*kind as u8)?;
            frames.bytes(&words(present))?;
        }
        Kinds::Booleans(present, truths) => {
            frames.byte(BOOLEANS)?;
            frames.bytes(&words(present))?;
            frames.bytes(&words(truths))?;
        }
        Kinds::Each(kinds) => {
            frames.byte(EACH)?;
            frames.bytes(&kinds.iter().map(|kind| *kind as u8).collect::<Vec<_>>())?;
        }
    }
    cells(&chunk.wide, frames, |wide| wide.to_le_bytes())?;
    cells(&chunk.codes, frames, |code| code.to_le_bytes())
}

fn cells<T: Copy, const N: usize>(
    cells: &Cells<T>,
    frames: &mut Frames<'_, impl Write>,
    bytes: impl Fn(T) -> [u8; N],
) -> io::Result<()> {
    match cells {
        Cells::None => frames.byte(0),
        Cells::Few(few) => {
            frames.byte(1)?;
            frames.len(few.len())?;
            let written = |(place, value): &(u32, T)| place.to_le_bytes().into_iter().chain(bytes(*value));
            frames.bytes(&few.iter().flat_map(written).collect::<Vec<_>>())
        }
        Cells::Each(each) => {
            frames.byte(2)?;
            frames.bytes(&each.iter().flat_map(|value| bytes(*value)).collect::<Vec<_>>())
        }
    }
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
