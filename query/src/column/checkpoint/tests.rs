//! Tables that were written and read back, and bytes that are no table.

use super::*;
use crate::Value;
use crate::column::strings::DIFFERENT_MAX;
use crate::column::{Leaf, Lookup, Options, Row, Snapshot};

fn table() -> Table {
    table_of(300)
}

fn table_of(rows: u32) -> Table {
    let mut table = Table::new(Options { chunk_rows: 64, max_columns: 12 });
    let json = serde_json::json!({
        "text": "a", "int": 7, "double": 1.5, "yes": true, "none": null, "list": [1, "x"], "empty": {}, "deep": {"er": "b"}
    });
    for index in 0..rows {
        let row = table.insert(&format!("id{index}"));
        table.put(row, Table::ROOT, &Value::from(&json));
        let mixed = table.child(Table::ROOT, "mixed");
        let value = [Leaf::Int(-3), Leaf::Float(-0.0), Leaf::String("t"), Leaf::Null, Leaf::Absent][index as usize % 5];
        table.set(row, mixed, value);
    }
    for index in (0..rows).step_by(7) {
        table.remove(&format!("id{index}"));
    }
    for beyond in ["one", "two", "three", "four"] {
        let node = table.child(Table::ROOT, beyond);
        table.set(Row(1), node, Leaf::Int(1));
    }
    table
}

fn written(table: &mut Table) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.snapshot().write_to(&mut bytes).expect("a vector takes all");
    bytes
}

fn read(bytes: &[u8]) -> Result<Table, CheckpointError> {
    Table::read_from(&mut &*bytes)
}

fn is_damaged(bytes: &[u8]) -> bool {
    matches!(read(bytes), Err(CheckpointError::Damaged(_)))
}

/// Everything that can be asked of rows and columns.
fn assert_same(a: &Snapshot, b: &Snapshot) {
    assert_eq!((a.live(), a.len(), a.id_order()), (b.live(), b.len(), b.id_order()));
    assert_eq!(a.columns(), b.columns());
    for row in a.live().iter() {
        assert_eq!((a.id(row), a.row(a.id(row))), (b.id(row), b.row(a.id(row))));
    }
    for info in a.columns() {
        let Lookup::Column(column) = a.lookup(&info.path) else { panic!("{:?} has a column", info.path) };
        assert_eq!(a.lookup(&info.path), b.lookup(&info.path));
        for row in a.live().iter() {
            // As text of debugging: signs of zeros count.
            assert_eq!(format!("{:?}", a.cell(column, row)), format!("{:?}", b.cell(column, row)), "{:?}", info.path);
        }
    }
}

#[test]
fn what_was_written_is_read_and_goes_on_as_before() {
    let mut first = table();
    let mut second = read(&written(&mut first)).expect("what was written");
    assert_same(&first.snapshot(), &second.snapshot());
    for table in [&mut first, &mut second] {
        // Free places, known texts, known paths and the bound of columns.
        for id in ["new", "id0", "id7", "another", "id5"] {
            let row = table.insert(id);
            let node = table.child(Table::ROOT, "mixed");
            table.set(row, node, Leaf::String("t"));
            let beyond = table.child(Table::ROOT, "still beyond");
            table.set(row, beyond, Leaf::Null);
        }
        table.remove("id6");
        table.remove("never");
    }
    assert_same(&first.snapshot(), &second.snapshot());
    assert_eq!(second.snapshot().lookup(&["never".to_owned()]), Lookup::Uncovered);
}

#[test]
fn a_snapshot_is_written_as_it_was_though_its_table_went_on() {
    let mut table = Table::new(Options::default());
    for id in ["id7", "id8", "id9"] {
        let row = table.insert(id);
        table.put(row, Table::ROOT, &Value::from(&serde_json::json!({"int": 7, "text": id})));
    }
    let before = table.snapshot();
    table.remove("id7");
    let row = table.insert("new");
    let node = table.child(Table::ROOT, "later");
    table.set(row, node, Leaf::String("x"));
    table.put(table.row("id8").expect("there"), Table::ROOT, &Value::from(&serde_json::json!({"int": 1})));
    let mut bytes = Vec::new();
    before.write_to(&mut bytes).expect("a vector takes all");
    let mut again = read(&bytes).expect("what was written");
    assert_same(&before, &again.snapshot());
    assert!(again.row("id7").is_some() && again.row("new").is_none());
}

#[test]
fn texts_that_are_all_different_are_read_as_such() {
    let mut first = Table::new(Options::default());
    let node = first.child(Table::ROOT, "serial");
    for index in 0..DIFFERENT_MAX + 500 {
        let row = first.insert(&format!("d{index}"));
        first.set(row, node, Leaf::String(&format!("SN{index:08}")));
    }
    let mut second = read(&written(&mut first)).expect("what was written");
    for table in [&mut first, &mut second] {
        let row = table.insert("d3");
        table.set(row, node, Leaf::String("SN00000000 and more"));
    }
    let (a, b) = (first.snapshot(), second.snapshot());
    assert_same(&a, &b);
    let Lookup::Column(column) = b.lookup(&["serial".to_owned()]) else { panic!("a column") };
    assert_eq!(b.starts_with(column, "SN00000000").yes.count(), 2);
    assert_eq!(b.starts_with(column, "SN0000000").yes.count(), 10);
}

#[test]
fn an_empty_table_is_one() {
    let table = read(&written(&mut Table::new(Options::default()))).expect("what was written");
    assert!(table.is_empty());
}

#[test]
fn only_the_table_is_read() {
    let mut bytes = written(&mut table());
    bytes.extend_from_slice(b"what follows");
    let mut rest = &*bytes;
    Table::read_from(&mut rest).expect("what was written");
    assert_eq!(rest, b"what follows");
}

#[test]
fn every_changed_byte_is_noticed() {
    let bytes = written(&mut table_of(10));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(read(&changed).is_err(), "byte {at} of {}", bytes.len());
    }
}

#[test]
fn every_cut_is_noticed() {
    let bytes = written(&mut table_of(10));
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end]).is_err(), "{end} bytes of {}", bytes.len());
    }
}

/// Frames of content that any order of them would be.
#[test]
fn frames_that_are_moved_left_out_or_repeated_are_noticed() {
    let (len, mut bytes) = (300_000, Vec::new());
    let mut out = frame::Frames::new(&mut bytes);
    out.bytes(&(0..len).map(|at| u8::try_from(at >> 16).unwrap_or(0)).collect::<Vec<_>>()).expect("a vector takes all");
    out.end().expect("a vector takes all");
    let (mut frames, mut rest) = (Vec::new(), &*bytes);
    while !rest.is_empty() {
        let len = u32::from_le_bytes(rest[..4].try_into().expect("four bytes")) as usize;
        let (frame, after) = rest.split_at(36 + len);
        frames.push(frame);
        rest = after;
    }
    let read = |order: &[usize], len: usize| {
        let bytes: Vec<u8> = order.iter().flat_map(|at| frames[*at].to_vec()).collect();
        let (mut from, mut taken) = (&*bytes, None);
        let mut frames = frame::Unframed::new(&mut from);
        frames.bytes(len).and_then(|bytes| {
            taken = Some(bytes.len());
            frames.end()
        })?;
        Ok::<_, CheckpointError>(taken)
    };
    let order: Vec<usize> = (0..frames.len()).collect();
    assert_eq!((frames.len(), read(&order, len).expect("what was written")), (6, Some(len)));
    let (mut moved, mut left_out, mut repeated) = (order.clone(), order.clone(), order);
    moved.swap(1, 2);
    left_out.remove(1);
    repeated.insert(1, 1);
    for (order, len) in [(moved, len), (left_out, len - 65_536), (repeated, len + 65_536)] {
        assert!(matches!(read(&order, len), Err(CheckpointError::Damaged(_))), "{order:?}");
    }
}

#[test]
fn others_are_told_from_damaged_ones() {
    let mut bytes = written(&mut table());
    assert!(matches!(read(b"{\"devices\": []}"), Err(CheckpointError::Foreign)));
    assert!(matches!(read(b""), Err(CheckpointError::Foreign)));
    bytes[8] = 9;
    assert!(matches!(read(&bytes), Err(CheckpointError::Version(9))));
}

/// A checkpoint with hashes that are right and content of one's own.
fn forged(content: impl Fn(&mut frame::Frames<'_, Vec<u8>>) -> io::Result<()>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    let mut frames = frame::Frames::new(&mut bytes);
    content(&mut frames).and_then(|()| frames.end()).expect("a vector takes all");
    bytes
}

#[test]
fn content_that_contradicts_itself_is_refused() {
    let sizes = |frames: &mut frame::Frames<'_, Vec<u8>>, rows: usize| {
        frames.len(rows)?;
        frames.len(10)
    };
    assert!(is_damaged(&forged(|frames| sizes(frames, 65))), "chunks of no multiple of 64");
    assert!(is_damaged(&forged(|frames| sizes(frames, usize::MAX & !63))), "chunks of too many rows");
    // A free row that is none; a row that is free twice; an id twice. The last ones are a table.
    for (free, ids, is_table) in [
        (vec![5], ["a", "b"], false),
        (vec![1, 1], ["a", "b"], false),
        (vec![1], ["a", "a"], false),
        (vec![1], ["a", "b"], true),
    ] {
        let bytes = forged(|frames| {
            sizes(frames, 64)?;
            frames.len(3)?;
            frames.len(free.len())?;
            free.iter().try_for_each(|row| frames.u32(*row))?;
            ids.iter().try_for_each(|id| frames.text(id))?;
            frames.byte(0)?;
            frames.len(0)?;
            frames.len(0)
        });
        assert_eq!(read(&bytes).is_ok(), is_table, "{free:?} {ids:?}");
        assert_eq!(is_damaged(&bytes), !is_table, "{free:?} {ids:?}");
    }
    let rows = forged(|frames| {
        sizes(frames, 64)?;
        frames.len(u32::MAX as usize - 1)?;
        frames.len(0)?;
        frames.text("the only one")
    });
    assert!(is_damaged(&rows), "rows without end that have no ids");
    let columns = forged(|frames| {
        sizes(frames, 64)?;
        frames.len(0)?;
        frames.len(0)?;
        frames.byte(0)?;
        frames.len(0)?;
        frames.len(usize::MAX)
    });
    assert!(is_damaged(&columns));
}

#[test]
fn lengths_without_bytes_take_no_memory() {
    let bytes = forged(|frames| {
        frames.len(64)?;
        frames.len(10)?;
        frames.len(0)?;
        frames.len(0)?;
        frames.byte(0)?;
        frames.len(usize::MAX)?;
        frames.u32(0)?;
        frames.len(usize::MAX)
    });
    assert!(is_damaged(&bytes));
}
