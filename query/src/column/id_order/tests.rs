//! Orders are made from earlier ones, beside a writer that goes on.

use super::*;

const NAMES: usize = 20_000;

fn names() -> Vec<String> {
    (0..NAMES).map(|row| format!("{:05}", row * 7_919 % NAMES)).collect()
}

fn all() -> Mask {
    let mut live = Mask::none(NAMES);
    (0..NAMES).for_each(|row| live.insert(Row::at(row)));
    live
}

#[test]
fn a_writer_does_not_wait_for_an_order_that_is_made() {
    let (order, names, live) = (IdOrder::default(), names(), all());
    let looks = std::cell::Cell::new(0_usize);
    let id = |row: Row| {
        looks.set(looks.get() + 1);
        assert!(order.state.try_lock().is_ok(), "free while ids are compared");
        names[row.index()].as_str()
    };
    let made = order.rows(1, &live, id);
    assert!(made.is_sorted_by_key(|row| &names[*row as usize]) && made.len() == NAMES);
    let at_first = looks.replace(0);
    let mut fewer = live.clone();
    fewer.remove(Row(77));
    order.note_change(2, Row(77));
    let again = order.rows(2, &fewer, id);
    assert_eq!((again.len(), again.contains(&77)), (NAMES - 1, false));
    order.note_change(3, Row(77));
    assert_eq!(order.rows(3, &live, id), made);
    assert!(looks.get() < 100 && at_first >= NAMES, "{} ids were looked at, {at_first} at first", looks.get());
}

#[test]
fn changes_while_an_order_is_made_are_in_the_next() {
    let (order, names, live) = (IdOrder::default(), names(), all());
    let (was_noted, mut fewer) = (std::cell::Cell::new(false), all());
    order.rows(1, &live, |row| {
        if !was_noted.replace(true) {
            order.note_change(2, Row(5));
        }
        names[row.index()].as_str()
    });
    fewer.remove(Row(5));
    let looks = std::cell::Cell::new(0_usize);
    let id = |row: Row| {
        looks.set(looks.get() + 1);
        names[row.index()].as_str()
    };
    let next = order.rows(2, &fewer, id);
    assert_eq!((next.len(), next.contains(&5)), (NAMES - 1, false));
    assert!(looks.get() < 100, "what changed meanwhile was noted: {} ids were looked at", looks.get());
    // Whoever still holds what was before gets that.
    assert_eq!(order.rows(1, &live, |row| names[row.index()].as_str()).len(), NAMES);
    looks.set(0);
    assert_eq!((order.rows(2, &fewer, id), looks.get()), (next, 0));
}

#[test]
fn too_many_changes_are_no_reason_for_a_wrong_order() {
    let (order, names, mut live) = (IdOrder::default(), names(), all());
    let mut generation = 1;
    let ask = |generation, live: &Mask| {
        let made = order.rows(generation, live, |row| names[row.index()].as_str());
        assert!(made.is_sorted_by_key(|row| &names[*row as usize]));
        assert_eq!(made.len(), live.count());
        assert!(made.iter().all(|row| live.contains(Row(*row))));
    };
    ask(generation, &live);
    for changes in [10, CHANGES_MAX + 10, 10, 1, 2 * CHANGES_MAX, 3] {
        for at in 0..changes {
            generation += 1;
            let row = Row::at((at * 31 + changes) % NAMES);
            if live.contains(row) {
                live.remove(row)
            } else {
                live.insert(row)
            }
            order.note_change(generation, row);
        }
        ask(generation, &live);
        ask(generation, &live);
    }
}

#[test]
fn ids_are_in_the_order_of_their_bytes_whatever_they_have_in_common() {
    let sets: [&[&str]; 6] = [
        &[],
        &["one"],
        &["", "\0", "a\0\0", "a\0", "a", "b"],
        &["device-10", "device-1", "device-100000000001", "device-100000000000", "device-10000000"],
        &["ä", "à", "a", "z", "ÿ", "\u{10ffff}", "\u{ffff}"],
        &["same", "same-and-more", "same-and", "same-"],
    ];
    for names in sets {
        let mut live = Mask::none(names.len());
        (0..names.len()).for_each(|row| live.insert(Row::at(row)));
        let made = IdOrder::default().rows(1, &live, |row| names[row.index()]);
        let mut expected = names.to_vec();
        expected.sort_unstable();
        assert_eq!(made.iter().map(|row| names[*row as usize]).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn few_changes_at_a_time_are_taken_in_however_many_there_were() {
    let (order, names, mut live) = (IdOrder::default(), names(), all());
    let looks = std::cell::Cell::new(0_usize);
    let id = |row: Row| {
        looks.set(looks.get() + 1);
        names[row.index()].as_str()
    };
    order.rows(0, &live, id);
    looks.set(0);
    for generation in 1..=2 * CHANGES_MAX {
        let row = Row::at(generation / 2 % NAMES);
        if live.contains(row) {
            live.remove(row)
        } else {
            live.insert(row)
        }
        order.note_change(generation as u64, row);
        if generation % 2_500 == 0 {
            let made = order.rows(generation as u64, &live, id);
            assert_eq!(made.len(), live.count());
        }
    }
    assert!(looks.get() < 40 * 2 * CHANGES_MAX, "{} ids were looked at", looks.get());
    assert!(order.memory_bytes() < 200_000, "{} bytes", order.memory_bytes());
}
