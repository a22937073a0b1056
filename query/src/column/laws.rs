//! Laws that hold for tables after any changes.

use proptest::prelude::*;

use super::tests::{Model, check, flat};
use super::*;
use crate::Value;
use crate::evaluate::laws::any_value;

#[derive(Debug, Clone)]
enum Change {
    Remove(u32),
    Put(u32, u32, Option<Value>),
    /// From now on the texts of a column are each kept for itself.
    KeepEach(usize),
    Snapshot,
    /// Writes the table and goes on with what is read back.
    Restart,
}

fn change() -> impl Strategy<Value = Change> {
    let id = || 0_u32..200;
    prop_oneof![
        2 => id().prop_map(Change::Remove),
        20 => (id(), 0_u32..4, any_value()).prop_map(|(id, column, value)| Change::Put(id, column, value)),
        1 => (0_usize..4).prop_map(Change::KeepEach),
        1 => Just(Change::Snapshot),
        1 => Just(Change::Restart),
    ]
}

fn apply(table: &mut Table, model: &mut Model, change: Change) -> Option<Snapshot> {
    match change {
        Change::Remove(id) => {
            table.remove(&format!("id{id}"));
            model.remove(&format!("id{id}"));
        }
        Change::Put(id, column, value) => {
            let (id, name) = (format!("id{id}"), format!("p{column}"));
            let (row, node) = (table.insert(&id), table.child(Table::ROOT, &name));
            let values = model.entry(id).or_default();
            values.retain(|path, _| path[0] != name);
            if let Some(value) = value {
                table.put(row, node, &value);
                flat(&mut vec![name], &value, values);
            } else {
                table.set(row, node, Leaf::Absent);
                table.clear_below(row, node);
            }
        }
        Change::KeepEach(column) => {
            if let Some(stored) = table.columns.get_mut(column).filter(|column| column.shared.texts.is_dictionary) {
                stored.keep_each_text();
            }
        }
        Change::Snapshot => return Some(table.snapshot()),
        Change::Restart => {
            let mut bytes = Vec::new();
            table.snapshot().write_to(&mut bytes).expect("a vector takes all");
            *table = Table::read_from(&mut &*bytes).expect("what was written");
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn snapshots_are_what_was_put_in_when_they_were_taken(changes in prop::collection::vec(change(), 1..250)) {
        let (mut table, mut model) = (Table::new(Options { chunk_rows: 64, max_columns: 1_000 }), Model::new());
        let mut held = Vec::new();
        for change in changes {
            if let Some(snapshot) = apply(&mut table, &mut model, change) {
                held.push((snapshot, model.clone()));
            }
        }
        held.push((table.snapshot(), model));
        for (snapshot, model) in &held {
            check(snapshot, model);
        }
    }

    /// Bytes that are no table give an error, and so do those of a table with some changed.
    #[test]
    fn no_bytes_end_reading(bytes in prop::collection::vec(any::<u8>(), 0..300), at in any::<usize>(), xor in 1_u8..) {
        prop_assert!(Table::read_from(&mut &*bytes).is_err());
        let mut table = Table::new(Options { chunk_rows: 64, max_columns: 10 });
        let row = table.insert(&format!("{bytes:?}"));
        table.put(row, Table::ROOT, &Value::object(vec![("p".to_owned(), Value::Int(1))]));
        let mut written = Vec::new();
        table.snapshot().write_to(&mut written).expect("a vector takes all");
        let at = at % written.len();
        written[at] ^= xor;
        prop_assert!(Table::read_from(&mut &*written).is_err(), "byte {at}");
    }
}
