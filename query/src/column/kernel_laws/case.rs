//! Two columns filled by chance, and for each row what should be there.

use std::collections::BTreeMap;

use crate::Value;
use crate::column::strings::DIFFERENT_MAX;
use crate::column::{ColumnId, Leaf, Lookup, Mask, Node, Options, Row, Snapshot, Table, Truth};

pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)) % bound
    }
}

/// What kinds of values a column is filled with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pool {
    Ints,
    Doubles,
    Texts,
    Bools,
    Lists,
    All,
}

pub(super) const POOLS: [Pool; 6] = [Pool::Ints, Pool::Doubles, Pool::Texts, Pool::Bools, Pool::Lists, Pool::All];

pub(super) fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

impl Pool {
    /// All values of it; those of constants in conditions too.
    pub(super) fn values(self) -> Vec<Value> {
        let ints = [0, 1, -1, 7, i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1];
        let doubles = [0.0, -0.0, 1.0, 0.5, -1.5, 1e300, -1e300, 9_007_199_254_740_992.0, 9_223_372_036_854_775_808.0];
        let texts =
            ["", "a", "a\0", "text 1", "text 1\0", "text 10", "text 100", "text 1000 and more", "tex", "ärger", "z"];
        let list = |items: &[Value]| Value::Array(items.to_vec());
        match self {
            Self::Ints => ints.map(Value::Int).to_vec(),
            Self::Doubles => doubles.map(Value::Float).to_vec(),
            Self::Texts => texts.map(text).to_vec(),
            Self::Bools => vec![Value::Bool(true), Value::Bool(false)],
            Self::Lists => {
                vec![list(&[]), list(&[Value::Int(1)]), list(&[Value::Float(1.0)]), list(&[text("a"), Value::Null])]
            }
            Self::All => {
                let mut all: Vec<Value> = POOLS[..5].iter().flat_map(|pool| pool.values()).collect();
                all.push(Value::Null);
                all
            }
        }
    }
}

pub(super) fn of<T: Clone>(chance: &mut Chance, all: &[T]) -> T {
    all[usize::try_from(chance.below(all.len() as u64)).unwrap_or(0)].clone()
}

/// Two columns, and for each row what should be there.
pub(super) struct Case {
    pub(super) snapshot: Snapshot,
    pub(super) columns: [ColumnId; 2],
    pub(super) rows: Vec<(Row, [Option<Value>; 2])>,
    pub(super) what: String,
}

/// Makes every text of a column be kept for itself.
fn make_texts_many(table: &mut Table, node: Node) {
    let row = table.insert("first");
    for at in 0..=DIFFERENT_MAX {
        table.set(row, node, Leaf::String(&format!("different {at}")));
    }
}

pub(super) fn made(chance: &mut Chance, pools: [Pool; 2], many_texts: bool) -> Case {
    let mut table = Table::new(Options { chunk_rows: 64, max_columns: 100 });
    let nodes = ["a", "b"].map(|name| table.child(Table::ROOT, name));
    if many_texts {
        make_texts_many(&mut table, nodes[0]);
    }
    let mut model: BTreeMap<String, [Option<Value>; 2]> = BTreeMap::new();
    if many_texts {
        model.insert("first".to_owned(), [Some(text(&format!("different {DIFFERENT_MAX}"))), None]);
    }
    let changes = 50 + chance.below(400);
    for _ in 0..changes {
        let id = format!("id {}", chance.below(200));
        if chance.below(8) == 0 {
            table.remove(&id);
            model.remove(&id);
            continue;
        }
        let row = table.insert(&id);
        let values = model.entry(id).or_default();
        for (side, node) in nodes.into_iter().enumerate() {
            if chance.below(6) == 0 {
                table.set(row, node, Leaf::Absent);
                values[side] = None;
            } else {
                let value = of(chance, &pools[side].values());
                table.put(row, node, &value);
                values[side] = Some(value);
            }
        }
    }
    // One row has both, so that both columns are there.
    let row = table.insert("last");
    let last = pools.map(|pool| of(chance, &pool.values()));
    nodes.iter().zip(&last).for_each(|(node, value)| table.put(row, *node, value));
    model.insert("last".to_owned(), last.map(Some));
    let snapshot = table.snapshot();
    let column = |name: &str| match snapshot.lookup(&[name.to_owned()]) {
        Lookup::Column(column) => column,
        other => panic!("{name} is {other:?}"),
    };
    let rows = model.into_iter().map(|(id, values)| (snapshot.row(&id).expect("its row"), values)).collect();
    Case { columns: ["a", "b"].map(column), rows, what: format!("{pools:?}, many texts: {many_texts}"), snapshot }
}

impl Case {
    pub(super) fn values(&self, side: usize) -> impl Iterator<Item = (Row, Option<&Value>)> + '_ {
        self.rows.iter().map(move |(row, values)| (*row, values[side].as_ref()))
    }

    /// A condition is for each row what is expected, and says nothing of free places.
    pub(super) fn same(&self, truth: &Truth, expected: impl Fn(&[Option<Value>; 2]) -> Option<bool>, what: &str) {
        let (mut yes, mut no) = (0, 0);
        for (row, values) in &self.rows {
            let wanted = expected(values);
            let found = (truth.yes.contains(*row), truth.no.contains(*row));
            assert_eq!(found, (wanted == Some(true), wanted == Some(false)), "{what} of {values:?}; {}", self.what);
            yes += usize::from(found.0);
            no += usize::from(found.1);
        }
        assert_eq!((truth.yes.count(), truth.no.count()), (yes, no), "{what}: only rows that live; {}", self.what);
        assert_eq!((truth.yes.slots(), truth.no.slots()), (self.snapshot.slots(), self.snapshot.slots()));
    }

    /// Some of the rows.
    pub(super) fn some(&self, chance: &mut Chance) -> Mask {
        let mut mask = Mask::none(self.snapshot.slots());
        let one_in = 1 + chance.below(4);
        self.rows.iter().filter(|_| chance.below(one_in) == 0).for_each(|(row, _)| mask.insert(*row));
        mask
    }
}
