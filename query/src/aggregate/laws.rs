//! Sums against integers of any length.

use num_bigint::BigInt;
use proptest::prelude::*;

use super::ExactSum;
use crate::evaluate::Datum;
use crate::value::Value;

/// A number in units of 2^-1074, exactly.
fn in_units(value: &Datum<'_>) -> BigInt {
    match value {
        Datum::Int(value) => BigInt::from(*value) << 1074,
        Datum::Float(value) => {
            let bits = value.abs().to_bits();
            let (exponent, fraction) = (bits >> 52, bits & ((1 << 52) - 1));
            let mantissa = BigInt::from(fraction | u64::from(exponent > 0) << 52);
            let magnitude = mantissa << exponent.saturating_sub(1);
            if value.is_sign_negative() { -magnitude } else { magnitude }
        }
        _ => BigInt::from(0),
    }
}

/// Whether no double is nearer to `sum` (in units) than `rounded`, and of two as near it is the even one.
fn is_nearest(rounded: f64, sum: &BigInt) -> bool {
    let distance = |value: f64| {
        let difference = in_units(&Datum::Float(value)) - sum;
        if difference < BigInt::from(0) { -difference } else { difference }
    };
    let own = distance(rounded);
    [rounded.next_up(), rounded.next_down()].into_iter().filter(|other| other.is_finite()).all(|other| {
        let other = distance(other);
        own < other || (own == other && rounded.to_bits() & 1 == 0)
    })
}

fn number() -> impl Strategy<Value = Datum<'static>> {
    prop_oneof![
        2 => prop::num::f64::NORMAL.prop_filter("sums stay in range", |value| value.abs() < 1e300).prop_map(Datum::Float),
        2 => prop::num::f64::SUBNORMAL.prop_map(Datum::Float),
        4 => (-1e3..1e3).prop_map(Datum::Float),
        // Close to each other in size: ties and cancellation.
        4 => (any::<i32>(), -60..60_i32).prop_map(|(value, scale)| Datum::Float(f64::from(value) * 2_f64.powi(scale))),
        1 => Just(Datum::Float(9_007_199_254_740_992.0)),
        1 => Just(Datum::Float(1e-300)),
        1 => Just(Datum::Float(-0.0)),
        2 => any::<i64>().prop_map(Datum::Int),
    ]
}

fn sum_of(values: &[Datum<'_>]) -> ExactSum {
    let mut sum = ExactSum::default();
    values.iter().for_each(|value| sum.add(value));
    sum
}

fn text(value: Option<Value>) -> Option<String> {
    value.map(|value| value.to_text())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_sum_is_the_nearest_double(values in prop::collection::vec(number(), 1..40)) {
        let exact: BigInt = values.iter().map(in_units).sum();
        match sum_of(&values).sum() {
            Some(Value::Float(rounded)) => prop_assert!(is_nearest(rounded, &exact), "{rounded}"),
            Some(Value::Int(whole)) => prop_assert_eq!(BigInt::from(whole) << 1074, exact),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn integers_sum_to_an_integer_when_one_holds_it(values in prop::collection::vec(any::<i64>(), 0..20)) {
        let exact: i128 = values.iter().map(|value| i128::from(*value)).sum();
        let data: Vec<Datum<'_>> = values.into_iter().map(Datum::Int).collect();
        match (sum_of(&data).sum(), i64::try_from(exact)) {
            (Some(Value::Int(sum)), Ok(wanted)) => prop_assert_eq!(sum, wanted),
            (Some(Value::Float(sum)), Err(_)) => prop_assert!(is_nearest(sum, &(BigInt::from(exact) << 1074))),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn the_order_does_not_matter(values in prop::collection::vec(number(), 0..40).prop_flat_map(|values| (Just(values.clone()), Just(values).prop_shuffle()))) {
        let (straight, shuffled) = values;
        prop_assert_eq!(text(sum_of(&shuffled).sum()), text(sum_of(&straight).sum()));
        prop_assert_eq!(text(sum_of(&shuffled).average()), text(sum_of(&straight).average()));
    }
}

#[test]
fn many_doubles_carry_often_enough() {
    // The doubles that fill a limb most: all bits set, and shifted as far as it goes.
    let fullest = f64::from_bits((32 << 52) | ((1 << 52) - 1));
    let mut sum = ExactSum::default();
    let mut exact = BigInt::from(0);
    for value in [fullest, 0.1, -fullest] {
        for _ in 0..10 {
            sum.add_doubles(&vec![value; 9_999]);
        }
        exact += in_units(&Datum::Float(value)) * 99_990;
        match sum.sum() {
            Some(Value::Float(sum)) => assert!(is_nearest(sum, &exact), "{sum}"),
            other => panic!("{other:?}"),
        }
    }
}
