//! Making an index: all texts anew, or those that changed since the last one together with small segments, so that there are
//! few segments and a text is cut again only a few times.

use super::Fault;
use super::index::{Index, Part};
use super::segment::{Builder, Segment, fits};
use crate::column::{Column, Leaf, Row};

/// An earlier index, and the rows, upwards and each once, that changed since.
pub(super) struct Earlier<'i> {
    pub(super) index: &'i Index,
    pub(super) changed: &'i [u32],
}

/// The index of a column as it is, in segments of so many texts at most.
pub(super) fn make(column: &Column, earlier: Option<&Earlier<'_>>, segment_max: usize) -> Result<Index, Fault> {
    let (mut parts, mut rows, mut long) = match earlier {
        None => (Vec::new(), column.rows_with_text(), Vec::new()),
        Some(earlier) => kept(earlier, segment_max),
    };
    rows.retain(|row| match column.cell(Row(*row)) {
        Leaf::String(text) if fits(text) => true,
        Leaf::String(_) => {
            long.push(*row);
            false
        }
        _ => false,
    });
    long.sort_unstable();
    for rows in rows.chunks(segment_max) {
        parts.push(Part::new(segment(column, rows)?));
    }
    Ok(Index { version: column.version(), parts, long })
}

/// What stays of an earlier index: parts, rows to cut anew, and those with long texts.
fn kept(earlier: &Earlier<'_>, segment_max: usize) -> (Vec<Part>, Vec<u32>, Vec<u32>) {
    let mut parts = earlier.index.parts.clone();
    parts.iter_mut().for_each(|part| part.remove(earlier.changed));
    // The smallest first: what is about as large as all that is cut anyhow is cut with it, as is what is mostly gone.
    parts.sort_by_key(Part::texts);
    let (mut rows, mut kept) = (earlier.changed.to_vec(), Vec::new());
    for part in parts {
        let is_small = part.texts() <= 2 * rows.len() && part.texts() < segment_max;
        if is_small || part.is_mostly_gone() {
            rows.extend(part.rows());
        } else {
            kept.push(part);
        }
    }
    rows.sort_unstable();
    let long = earlier.index.long.iter().copied();
    let long = long.filter(|row| earlier.changed.binary_search(row).is_err()).collect();
    (kept, rows, long)
}

fn segment(column: &Column, rows: &[u32]) -> Result<Segment, Fault> {
    let mut builder = Builder::new(rows.len())?;
    for row in rows {
        if let Leaf::String(text) = column.cell(Row(*row)) {
            builder.add(*row, text)?;
        }
    }
    builder.finish()
}
