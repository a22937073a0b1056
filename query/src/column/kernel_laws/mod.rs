//! What kernels say of every row is what the rules of the language say of its value, whatever the layout of a chunk: one kind or
//! many, few texts or many different ones, full or sparse.

mod case;

use super::tests::shown;
use super::*;
use crate::Value;
use crate::evaluate::{Datum, order};
use crate::syntax::ast::BinaryOp;

use case::{Case, Chance, POOLS, Pool, made, of, text};

const OPS: [BinaryOp; 6] = [
    BinaryOp::Equal,
    BinaryOp::NotEqual,
    BinaryOp::Less,
    BinaryOp::LessOrEqual,
    BinaryOp::Greater,
    BinaryOp::GreaterOrEqual,
];

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
