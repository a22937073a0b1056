//! Reading: everything is checked against everything else before it is believed.

use std::collections::HashSet;
use std::io::Read;
use std::sync::{Arc, RwLock};

use super::frame::Unframed;
use super::{BOOLEANS, CHUNK_ROWS_MAX, CheckpointError, EACH, MAGIC, VERSION};
use crate::column::bits::Bits;
use crate::column::cells::Cells;
use crate::column::chunk::{Chunk, Kinds};
use crate::column::stored::Stored;
use crate::column::strings::Texts;
use crate::column::table::Options;
use crate::column::trie::Trie;
use crate::column::{Kind, Mask, Row, Table};

type Result<T> = std::result::Result<T, CheckpointError>;

pub(super) fn read(from: &mut impl Read) -> Result<Table> {
    let (mut magic, mut version) = ([0; 8], [0; 4]);
    if from.read_exact(&mut magic).is_err() || magic != MAGIC {
        return Err(CheckpointError::Foreign);
    }
    from.read_exact(&mut version).map_err(|_| CheckpointError::Foreign)?;
    if version != VERSION.to_le_bytes() {
        return Err(CheckpointError::Version(u32::from_le_bytes(version)));
    }
    let mut frames = Unframed::new(from);
    let options = Options { chunk_rows: frames.len()?, max_columns: frames.len()?, ..Options::default() };
    let is_size = options.chunk_rows > 0 && options.chunk_rows <= CHUNK_ROWS_MAX;
    sane(is_size && options.chunk_rows.is_multiple_of(64), "no such chunks")?;
    let mut table = Table::new(options);
    rows(&mut table, &mut frames)?;
    let (trie, columns) = paths(&mut frames, options)?;
    for _ in 0..columns {
        let column = column(&mut frames, options, table.slots)?;
        fits(&column, &table.live)?;
        table.columns.push(column);
    }
    frames.end()?;
    table.trie = Arc::new(RwLock::new(trie));
    Ok(table)
}

fn sane(is_sane: bool, otherwise: &'static str) -> Result<()> {
    if is_sane { Ok(()) } else { Err(CheckpointError::Damaged(otherwise)) }
}

/// Free places, and ids of all others. Memory grows with the ids that are there, not with what is said of their number.
fn rows(table: &mut Table, frames: &mut Unframed<'_, impl Read>) -> Result<()> {
    let (slots, count) = (frames.len()?, frames.len()?);
    sane(slots < u32::MAX as usize && count <= slots, "too many rows")?;
    let mut free = HashSet::new();
    for _ in 0..count {
        let row = Row(frames.u32()?);
        sane(row.index() < slots && free.insert(row), "a free row is none")?;
        table.free.push(row);
    }
    let mut live = Mask::none(0);
    for row in (0..slots).map(Row::at) {
        live.grow(row.index() + 1);
        if free.contains(&row) {
            continue;
        }
        let id = frames.text()?;
        sane(table.ids.find(&id, |other| table.row_ids.is(other, &id)).is_none(), "two rows have one id")?;
        table.ids.insert(&id, row);
        table.row_ids.set(row, &id);
        live.insert(row);
    }
    (table.slots, table.rows, table.generation) = (slots, live.count(), live.count() as u64);
    table.live = Arc::new(live);
    Ok(())
}

fn paths(frames: &mut Unframed<'_, impl Read>, options: Options) -> Result<(Trie, usize)> {
    let is_full = frames.byte()? != 0;
    let count = frames.len()?;
    let mut trie = Trie::new(options.max_columns);
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push((frames.u32()?, frames.text()?, frames.u32()?));
    }
    let columns = frames.len()?;
    let mut known = vec![false; columns.min(nodes.len())];
    for (parent, name, column) in nodes {
        let node = trie.restore(parent, &name).ok_or(CheckpointError::Damaged("no such path"))?;
        if column == u32::MAX {
            continue;
        }
        let place = known.get_mut(column as usize).ok_or(CheckpointError::Damaged("no such column"))?;
        sane(!std::mem::replace(place, true), "a column has two paths")?;
        trie.set_column(node, crate::column::ColumnId(column));
    }
    sane(known.len() == columns && known.iter().all(|known| *known), "a column has no path")?;
    trie.is_full = is_full;
    Ok((trie, columns))
}

fn column(frames: &mut Unframed<'_, impl Read>, options: Options, slots: usize) -> Result<Stored> {
    let is_dictionary = frames.byte()? != 0;
    let mut texts = if is_dictionary { Texts::dictionary() } else { Texts::default() };
    for _ in 0..frames.len()? {
        texts.push(&frames.text()?);
    }
    let mut chunks = Vec::new();
    for _ in 0..frames.len()? {
        let index = frames.len()?;
        let is_next = chunks.last().is_none_or(|(last, _)| *last < index);
        sane(is_next && index < slots.div_ceil(options.chunk_rows), "a chunk is in no place")?;
        let chunk = chunk(frames, options.chunk_rows)?;
        sane(is_consistent(&chunk, options.chunk_rows, &texts), "a chunk contradicts itself")?;
        chunks.push((index, chunk));
    }
    Stored::restore(options.chunk_rows, texts, chunks).ok_or(CheckpointError::Damaged("a text is there twice"))
}

fn chunk(frames: &mut Unframed<'_, impl Read>, len: usize) -> Result<Chunk> {
    let kind = |byte: u8| Kind::ALL.get(byte as usize).copied().ok_or(CheckpointError::Damaged("no such kind"));
    let kinds = match frames.byte()? {
        BOOLEANS => Kinds::Booleans(bits(frames, len)?, bits(frames, len)?),
        EACH => Kinds::Each(frames.bytes(len)?.into_iter().map(kind).collect::<Result<_>>()?),
        one => Kinds::One(kind(one)?, bits(frames, len)?),
    };
    let wide = cells(frames, len, u64::from_le_bytes)?;
    let codes = cells(frames, len, u32::from_le_bytes)?;
    Ok(Chunk::restore(len, kinds, wide, codes))
}

fn cells<T: Copy + Default, const N: usize>(
    frames: &mut Unframed<'_, impl Read>,
    len: usize,
    value: impl Fn([u8; N]) -> T,
) -> Result<Cells<T>> {
    match frames.byte()? {
        0 => Ok(Cells::None),
        1 => {
            let count = frames.len()?;
            sane(count <= Cells::<T>::few_max(len), "a chunk holds more than a few")?;
            let mut few: Vec<(u32, T)> = Vec::with_capacity(count);
            for _ in 0..count {
                let place = frames.bytes(4)?.first_chunk().map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes));
                let is_next = few.last().is_none_or(|(last, _)| *last < place) && (place as usize) < len;
                sane(is_next, "a cell is in no place")?;
                few.push((place, frames.bytes(N)?.first_chunk().map_or_else(T::default, |bytes| value(*bytes))));
            }
            Ok(Cells::Few(few))
        }
        2 => Ok(Cells::Each(frames.bytes(N * len)?.as_chunks::<N>().0.iter().map(|bytes| value(*bytes)).collect())),
        _ => Err(CheckpointError::Damaged("no such form of cells")),
    }
}

fn bits(frames: &mut Unframed<'_, impl Read>, len: usize) -> Result<Bits> {
    words(frames, len / 64).map(|words| Bits::of(&words))
}

fn words(frames: &mut Unframed<'_, impl Read>, len: usize) -> Result<Box<[u64]>> {
    let bytes = frames.bytes(8 * len)?;
    Ok(bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect())
}

/// Whether every cell has what its kind needs.
fn is_consistent(chunk: &Chunk, len: usize, texts: &Texts) -> bool {
    // A chunk of one kind has bits only where that kind is.
    if matches!(chunk.kinds, Kinds::One(Kind::Absent, _)) && !chunk.is_empty() {
        return false;
    }
    (0..len).all(|at| match chunk.kind(at) {
        Kind::Int => chunk.wide.holds(at),
        Kind::Float => chunk.wide.holds(at) && f64::from_bits(chunk.wide(at)).is_finite(),
        Kind::String | Kind::Array => {
            let code = chunk.code(at);
            let is_text = chunk.codes.holds(at) && (code as usize) < texts.len();
            is_text
                && (texts.is_dictionary || chunk.begins(at) == Some(crate::column::strings::beginning(texts.get(code))))
        }
        _ => true,
    })
}

/// Whether only rows that live have values.
fn fits(column: &Stored, live: &Mask) -> Result<()> {
    let words = column.shared.chunk_rows() / 64;
    for (index, chunk) in column.shared.chunks() {
        for word in 0..words {
            let present = chunk.present(word);
            sane(present & !live.word(index * words + word) == 0, "a row without an id has values")?;
        }
    }
    Ok(())
}
