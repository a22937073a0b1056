//! What kernels say of every row is what the rules of the language say of its value, whatever the layout of a chunk: one kind or
//! many, few texts or many different ones, full or sparse.

use std::collections::BTreeMap;

use super::strings::DIFFERENT_MAX;
use super::tests::{Chance, shown};
use super::*;
use crate::Value;
use crate::evaluate::{Datum, order};
use crate::syntax::ast::BinaryOp;

const OPS: [BinaryOp; 6] = [
    BinaryOp::Equal,
    BinaryOp::NotEqual,
    BinaryOp::Less,
    BinaryOp::LessOrEqual,
    BinaryOp::Greater,
    BinaryOp::GreaterOrEqual,
];

/// What kinds of values a column is filled with.
#[derive(Debug, Clone, Copy)]
enum Pool {
    Ints,
    Doubles,
    Texts,
    Bools,
    Lists,
    All,
}

const POOLS: [Pool; 6] = [Pool::Ints, Pool::Doubles, Pool::Texts, Pool::Bools, Pool::Lists, Pool::All];

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

impl Pool {
    /// All values of it; those of constants in conditions too.
    fn values(self) -> Vec<Value> {
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

fn of<T: Clone>(chance: &mut Chance, all: &[T]) -> T {
    all[usize::try_from(chance.below(all.len() as u64)).unwrap_or(0)].clone()
}

/// Two columns, and for each row what should be there.
struct Case {
    snapshot: Snapshot,
    columns: [ColumnId; 2],
    rows: Vec<(Row, [Option<Value>; 2])>,
    what: String,
}

/// Makes every text of a column be kept for itself.
fn make_texts_many(table: &mut Table, node: Node) {
    let row = table.insert("first");
    for at in 0..=DIFFERENT_MAX {
        table.set(row, node, Leaf::String(&format!("different {at}")));
    }
}

fn made(chance: &mut Chance, pools: [Pool; 2], many_texts: bool) -> Case {
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
    fn values(&self, side: usize) -> impl Iterator<Item = (Row, Option<&Value>)> + '_ {
        self.rows.iter().map(move |(row, values)| (*row, values[side].as_ref()))
    }

    /// A condition is for each row what is expected, and says nothing of free places.
    fn same(&self, truth: &Truth, expected: impl Fn(&[Option<Value>; 2]) -> Option<bool>, what: &str) {
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
    fn some(&self, chance: &mut Chance) -> Mask {
        let mut mask = Mask::none(self.snapshot.slots());
        let one_in = 1 + chance.below(4);
        self.rows.iter().filter(|_| chance.below(one_in) == 0).for_each(|(row, _)| mask.insert(*row));
        mask
    }
}

fn condition(op: BinaryOp, a: Option<&Value>, b: Option<&Value>) -> Option<bool> {
    order::condition(op, &Datum::from(a), &Datum::from(b))
}

fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

fn comparisons(case: &Case, chance: &mut Chance) {
    let [a, b] = case.columns;
    let constants = || Pool::All.values().into_iter().filter(|value| !matches!(value, Value::Array(_)));
    for op in OPS {
        for constant in constants() {
            let truth = case.snapshot.compare(a, op, &constant);
            case.same(
                &truth,
                |values| condition(op, values[0].as_ref(), Some(&constant)),
                &format!("{op:?} {constant:?}"),
            );
        }
        let truth = case.snapshot.compare_columns(a, op, b);
        case.same(&truth, |values| condition(op, values[0].as_ref(), values[1].as_ref()), &format!("a {op:?} b"));
    }
    let (all, texts): (Vec<Value>, Vec<Value>) = (constants().collect(), Pool::Texts.values());
    for count in [1, 2, 5, 9, 20] {
        for from in [&all, &texts] {
            let list: Vec<Value> = (0..count).map(|_| of(chance, from)).collect();
            let equal = |value: Option<&Value>| {
                list.iter().map(|one| condition(BinaryOp::Equal, value, Some(one))).reduce(or).flatten()
            };
            case.same(&case.snapshot.is_in(a, &list), |values| equal(values[0].as_ref()), &format!("in {list:?}"));
        }
    }
}

fn kinds_and_texts(case: &Case) {
    let a = case.columns[0];
    let kind = |value: &Option<Value>| {
        value.as_ref().map_or(Kind::Absent, |value| match value {
            Value::Null => Kind::Null,
            Value::Bool(false) => Kind::False,
            Value::Bool(true) => Kind::True,
            Value::Int(_) => Kind::Int,
            Value::Float(_) => Kind::Float,
            Value::String(_) => Kind::String,
            Value::Array(_) => Kind::Array,
            Value::Object(_) => Kind::Object,
        })
    };
    for one in Kind::ALL {
        for other in Kind::ALL {
            let wanted = |kind: Kind| kind == one || kind == other;
            let truth = case.snapshot.kinds(a, &wanted);
            case.same(&truth, |values| Some(wanted(kind(&values[0]))), &format!("{one:?} or {other:?}"));
        }
    }
    let boolean = |values: &[Option<Value>; 2]| match values[0] {
        Some(Value::Bool(value)) => Some(value),
        _ => None,
    };
    case.same(&case.snapshot.truth(a), boolean, "truth");
    case.same(&case.snapshot.truth(a).not(), |values| boolean(values).map(|value| !value), "not");
    let of_text = |values: &[Option<Value>; 2], holds: &dyn Fn(&str) -> Option<bool>| match &values[0] {
        Some(Value::String(text)) => holds(text),
        _ => None,
    };
    for wanted in [
        "",
        "a",
        "a\0",
        "tex",
        "text 1",
        "text 1\0",
        "text 10",
        "text 1000 ",
        "text 1000 and more!",
        "ä",
        "different 1",
    ] {
        let starts = |text: &str| Some(text.starts_with(wanted));
        case.same(
            &case.snapshot.starts_with(a, wanted),
            |values| of_text(values, &starts),
            &format!("starts {wanted:?}"),
        );
    }
    let holds = |text: &str| (text.len() != 1).then(|| text.ends_with('0'));
    case.same(&case.snapshot.strings(a, &holds), |values| of_text(values, &holds), "strings");
}

fn logic(case: &Case) {
    let [a, b] = case.columns;
    let (left, right) = (
        case.snapshot.compare(a, BinaryOp::Less, &text("m")),
        case.snapshot.compare(b, BinaryOp::Greater, &Value::Int(0)),
    );
    let one = |values: &[Option<Value>; 2]| condition(BinaryOp::Less, values[0].as_ref(), Some(&text("m")));
    let other = |values: &[Option<Value>; 2]| condition(BinaryOp::Greater, values[1].as_ref(), Some(&Value::Int(0)));
    let not = |value: Option<bool>| value.map(|value| !value);
    case.same(&left.clone().or(&right), |values| or(one(values), other(values)), "or");
    case.same(&left.and(&right), |values| not(or(not(one(values)), not(other(values)))), "and");
}

fn visits(case: &Case, chance: &mut Chance) {
    for (side, column) in case.columns.into_iter().enumerate() {
        let rows = case.some(chance);
        let mut found = Vec::new();
        case.snapshot.for_each(column, &rows, |row, cell| found.push((row, shown(cell).map(|value| value.to_text()))));
        let mut expected: Vec<(Row, Option<String>)> = case
            .values(side)
            .filter(|(row, value)| rows.contains(*row) && value.is_some())
            .map(|(row, value)| (row, value.map(Value::to_text)))
            .collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{}", case.what);
    }
}

fn groups(case: &Case, chance: &mut Chance) {
    for (side, column) in case.columns.into_iter().enumerate() {
        let Some(codes) = case.snapshot.codes(column) else { continue };
        let rows = case.some(chance);
        let counts = codes.counts(&rows);
        assert_eq!(counts.iter().sum::<u64>(), rows.count() as u64, "{}", case.what);
        for (row, value) in case.values(side) {
            let is_same = |other: Option<&Value>| order::same(&Datum::from(value), &Datum::from(other));
            let expected = case.values(side).filter(|(other, value)| rows.contains(*other) && is_same(*value)).count();
            assert_eq!(counts[codes.code(row)], expected as u64, "rows like {value:?}; {}", case.what);
            assert!(is_same(shown(codes.cell(codes.code(row))).as_ref()), "{value:?}; {}", case.what);
        }
    }
}

fn first_rows(case: &Case, chance: &mut Chance) {
    for (side, column) in case.columns.into_iter().enumerate() {
        for (k, descending) in [(1, false), (2, true), (7, false), (7, true), (1_000, false)] {
            let rows = case.some(chance);
            let Some(found) = case.snapshot.top(column, &rows, k, descending) else { continue };
            assert!(found.iter().all(|row| rows.contains(*row)), "only of the rows asked for; {}", case.what);
            let mut ordered: Vec<(Row, Option<&Value>)> =
                case.values(side).filter(|(row, _)| rows.contains(*row)).collect();
            let by_value = |a: Option<&Value>, b: Option<&Value>| {
                let order = order::compare(&Datum::from(a), &Datum::from(b));
                if descending { order.reverse() } else { order }
            };
            ordered.sort_by(|(_, a), (_, b)| by_value(*a, *b));
            let Some((_, last)) = ordered.get(k.min(ordered.len()).wrapping_sub(1)) else { continue };
            // The order by id decides later, so none that is equal to the last may be missing.
            for (row, value) in ordered.iter().filter(|(_, value)| by_value(*value, *last).is_le()) {
                assert!(found.contains(row), "{value:?} is among the first {k}; {}", case.what);
            }
            let different: std::collections::BTreeSet<Row> = found.iter().copied().collect();
            assert_eq!(different.len(), found.len(), "no row twice; {}", case.what);
        }
    }
}

fn laws_of(case: &Case, chance: &mut Chance) {
    comparisons(case, chance);
    kinds_and_texts(case);
    logic(case);
    visits(case, chance);
    groups(case, chance);
    first_rows(case, chance);
}

#[test]
fn kernels_say_what_the_rules_say_of_each_value() {
    for seed in 1..=6 {
        let mut chance = Chance::new(seed);
        for a in POOLS {
            for b in POOLS {
                let case = made(&mut chance, [a, b], false);
                laws_of(&case, &mut chance);
            }
        }
    }
}

#[test]
fn kernels_say_the_same_where_each_text_is_kept_for_itself() {
    for seed in 1..=3 {
        let mut chance = Chance::new(100 + seed);
        for pools in
            [[Pool::Texts, Pool::Texts], [Pool::All, Pool::Texts], [Pool::Texts, Pool::All], [Pool::Lists, Pool::All]]
        {
            let case = made(&mut chance, pools, true);
            assert!(case.snapshot.codes(case.columns[0]).is_none(), "the texts are many");
            laws_of(&case, &mut chance);
        }
    }
}
