//! Laws that hold for all values.

use proptest::prelude::*;

use super::{Context, Datum, Document, evaluate, key, order};
use crate::plan::{Constant, Expr};
use crate::syntax::ast::BinaryOp;
use crate::value::Value;

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-3_i64..4).prop_map(Value::Int),
        any::<i64>().prop_map(Value::Int),
        ((1_i64 << 53) - 3..(1 << 53) + 4).prop_map(Value::Int),
        Just(Value::Int(i64::MAX)),
        (-3_i32..4).prop_map(|value| Value::Float(f64::from(value) / 2.0)),
        prop::num::f64::NORMAL.prop_map(Value::Float),
        (0_u32..6).prop_map(|step| Value::Float(9_007_199_254_740_990.0 + f64::from(step))),
        Just(Value::Float(9_223_372_036_854_775_808.0)),
        Just(Value::Float(-0.0)),
    ]
}

pub(crate) fn any_value() -> impl Strategy<Value = Option<Value>> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        4 => number(),
        1 => "[ab\u{0}\u{1}ü\u{ff}]{0,3}".prop_map(Value::String),
    ];
    let value = leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::vec(("[ab]", inner), 0..3).prop_map(Value::object),
        ]
    });
    prop::option::weighted(0.9, value)
}

fn encoded(values: &[&Option<Value>], descending: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        let datum = Datum::from(value.as_ref());
        if descending { key::encode_descending(&datum, &mut bytes) } else { key::encode(&datum, &mut bytes) }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn keys_are_in_the_order_of_values(a in any_value(), b in any_value(), c in any_value(), d in any_value()) {
        let compare = |x: &Option<Value>, y: &Option<Value>| order::compare(&x.as_ref().into(), &y.as_ref().into());
        let wanted = compare(&a, &b);
        prop_assert_eq!(compare(&b, &a), wanted.reverse());
        prop_assert_eq!(encoded(&[&a], false).cmp(&encoded(&[&b], false)), wanted);
        prop_assert_eq!(encoded(&[&a], true).cmp(&encoded(&[&b], true)), wanted.reverse());
        prop_assert_eq!(order::same(&a.as_ref().into(), &b.as_ref().into()), encoded(&[&a], false) == encoded(&[&b], false));
        // Of two values one after the other too.
        let both = wanted.then(compare(&c, &d));
        prop_assert_eq!(encoded(&[&a, &c], false).cmp(&encoded(&[&b, &d], false)), both);
        prop_assert_eq!(encoded(&[&a, &c], true).cmp(&encoded(&[&b, &d], true)), both.reverse());
    }

    #[test]
    fn the_order_is_transitive(mut values in prop::collection::vec(any_value(), 3)) {
        values.sort_by(|a, b| order::compare(&a.as_ref().into(), &b.as_ref().into()));
        let compare = |i: usize, j: usize| order::compare(&values[i].as_ref().into(), &values[j].as_ref().into());
        prop_assert!(compare(0, 1).is_le() && compare(1, 2).is_le() && compare(0, 2).is_le());
    }

    #[test]
    fn what_stands_for_a_value_is_the_same(a in any_value()) {
        let representative = order::representative(a.as_ref().into());
        prop_assert!(order::same(&a.as_ref().into(), &representative.as_ref().into()));
    }

    #[test]
    fn logic_obeys_de_morgan(a in any_value(), b in any_value()) {
        let value = |expr: &Expr| evaluate(expr, &Document::new(&Value::Null, None), &Context::default()).truth();
        let constant = |value: &Option<Value>| Expr::Constant(Constant(value.clone()));
        let not = |expr: Expr| Expr::Not(Box::new(expr));
        let (x, y) = (constant(&a), constant(&b));
        prop_assert_eq!(value(&not(not(x.clone()))), Datum::from(a.as_ref()).truth());
        prop_assert_eq!(
            value(&not(Expr::And(vec![x.clone(), y.clone()]))),
            value(&Expr::Or(vec![not(x), not(y)]))
        );
    }

    #[test]
    fn conditions_agree_with_each_other(a in any_value(), b in any_value()) {
        let ask = |op| order::condition(op, &a.as_ref().into(), &b.as_ref().into());
        prop_assert_eq!(ask(BinaryOp::Equal), ask(BinaryOp::NotEqual).map(|truth| !truth));
        prop_assert_eq!(ask(BinaryOp::Less), ask(BinaryOp::GreaterOrEqual).map(|truth| !truth));
        prop_assert_eq!(ask(BinaryOp::Greater), ask(BinaryOp::LessOrEqual).map(|truth| !truth));
        if let Some(less) = ask(BinaryOp::Less) {
            prop_assert_eq!(less, order::compare(&a.as_ref().into(), &b.as_ref().into()).is_lt());
        }
    }

    #[test]
    fn a_remainder_completes_the_division(a in any::<i64>(), b in -100_i64..100) {
        use super::number::arithmetic;
        let (x, y) = (Datum::Int(a), Datum::Int(b));
        let rest = arithmetic(BinaryOp::Remainder, &x, &y);
        if let Datum::Int(rest) = rest {
            let even = arithmetic(BinaryOp::Subtract, &x, &Datum::Int(rest));
            if !matches!(even, Datum::Undefined) {
                let quotient = arithmetic(BinaryOp::Divide, &even, &y);
                prop_assert!(matches!(quotient, Datum::Int(_)) || (a == i64::MIN && b == -1));
            }
        } else {
            prop_assert_eq!(b, 0);
        }
    }

    #[test]
    fn words_are_held_as_they_match(
        text in "([aAbBk\u{212a}Ä1]{1,2}[ -]){0,6}",
        word in "[abkä1]{1,2}",
        beginning in "[abkä1]{1,2}",
        phrase in prop::collection::vec("[abkä1]{1,2}", 1..3),
        which in 0_usize..5,
    ) {
        use super::words::{holds, matches, tokens};
        use crate::plan::Words;
        let empty = Words::default;
        let asked = [
            Words { words: vec![word.clone()], ..empty() },
            Words { beginnings: vec![beginning.clone()], ..empty() },
            Words { phrases: vec![phrase.clone()], ..empty() },
            Words { words: vec![word], beginnings: vec![beginning], ..empty() },
            Words { absent: vec![Words { phrases: vec![phrase], ..empty() }], ..empty() },
        ];
        prop_assert_eq!(holds(&asked[which], &text), matches(&asked[which], &tokens(&text)));
    }
}
