//! Histories that are known to be good or bad, and every small history against a search over all orders.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::evidence::sample::op;
use super::*;

/// A call: what, value, beginning, end.
type Call = (Kind, Outcome, u64, u64, u64);

fn write(value: u64, from: u64, to: u64) -> Call {
    (Kind::Patch, Outcome::Ok, value, from, to)
}

fn maybe(value: u64, from: u64, to: u64) -> Call {
    (Kind::Patch, Outcome::Unknown, value, from, to)
}

fn read(value: u64, from: u64, to: u64) -> Call {
    (Kind::Read, Outcome::Ok, value, from, to)
}

fn evidence(calls: &[Call]) -> Evidence {
    let ops = calls.iter().map(|(kind, outcome, value, from, to)| Op {
        outcome: *outcome,
        // Whatever the server claims does not matter here.
        ..op(*kind, *value, 7, (*from, *to))
    });
    Evidence { ops: ops.collect(), ..Evidence::default() }
}

fn holds(calls: &[Call]) -> bool {
    check(&evidence(calls)).is_ok()
}

#[test]
fn good_histories_pass() {
    assert!(holds(&[write(1, 1, 2), read(1, 3, 4), write(2, 5, 6), read(2, 7, 8)]), "one after the other");
    assert!(holds(&[write(1, 1, 9), read(0, 2, 3), read(1, 4, 5)]), "it takes effect in the middle");
    assert!(holds(&[write(1, 1, 9), write(2, 2, 8), read(2, 10, 11)]), "either may be last");
    assert!(holds(&[write(1, 1, 2), maybe(2, 3, 4), read(1, 50, 51), read(2, 60, 61)]), "it takes effect late");
    assert!(holds(&[write(1, 1, 2), maybe(2, 3, 4), read(1, 50, 51)]), "it never takes effect");
}

#[test]
fn bad_histories_do_not() {
    assert!(!holds(&[write(1, 1, 2), read(0, 3, 4)]), "a stale read of the beginning");
    assert!(!holds(&[write(1, 1, 2), write(2, 3, 4), read(1, 5, 6)]), "a stale read");
    assert!(!holds(&[write(1, 1, 9), read(1, 2, 3), read(0, 4, 5)]), "time runs backwards between two reads");
    assert!(!holds(&[read(1, 1, 2), write(1, 3, 4)]), "a read from the future");
    assert!(!holds(&[write(1, 1, 9), write(2, 2, 8), read(1, 10, 11), read(2, 12, 13)]), "a value comes back");
    assert!(!holds(&[write(1, 1, 2), maybe(2, 3, 4), read(2, 5, 6), read(1, 7, 8)]), "an unknown one is undone");
    assert!(!holds(&[read(5, 1, 2)]), "nobody wrote it");
    assert!(!holds(&[(Kind::Patch, Outcome::Refused, 5, 1, 2), read(5, 3, 4)]), "it was refused");
}

/// Whether some order of all calls agrees with real time and lets each read tell the last write: by trying all of them.
fn has_an_order(calls: &[Call], done: &mut Vec<bool>, value: u64) -> bool {
    let open = |done: &[bool]| (0..calls.len()).filter(|n| !done[*n]).collect::<Vec<_>>();
    let left = open(done);
    if left.iter().all(|n| calls[*n].1 == Outcome::Unknown) {
        return true;
    }
    let bound = left.iter().filter(|n| calls[**n].1 == Outcome::Ok).map(|n| calls[*n].4).min().unwrap_or(u64::MAX);
    for next in left {
        let (kind, _, written, from, _) = calls[next];
        let fits = from <= bound && (kind == Kind::Patch || written == value);
        if fits {
            done[next] = true;
            let value = if kind == Kind::Patch { written } else { value };
            if has_an_order(calls, done, value) {
                return true;
            }
            done[next] = false;
        }
    }
    false
}

#[test]
fn the_verdict_is_that_of_a_search_over_all_orders() {
    let mut chance = StdRng::seed_from_u64(42);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..20_000 {
        let writes = chance.random_range(1..=3_u64);
        let mut times: Vec<u64> = (1..=14).collect();
        let mut span = |chance: &mut StdRng| {
            let mut pick = || times.remove(chance.random_range(0..times.len()));
            let (one, other) = (pick(), pick());
            (one.min(other), one.max(other))
        };
        let mut calls = Vec::new();
        for value in 1..=writes {
            let (from, to) = span(&mut chance);
            calls.push(if chance.random_bool(0.2) { maybe(value, from, to) } else { write(value, from, to) });
        }
        for _ in 0..chance.random_range(1..=4_u64) {
            let (from, to) = span(&mut chance);
            calls.push(read(chance.random_range(0..=writes), from, to));
        }
        let expected = has_an_order(&calls, &mut vec![false; calls.len()], 0);
        assert_eq!(holds(&calls), expected, "{calls:?}");
        if expected { good += 1 } else { bad += 1 }
    }
    assert!(good > 1_000 && bad > 1_000, "{good} good and {bad} bad ones tell little");
}
