//! The fleet is what it is said to be.

use std::collections::{HashMap, HashSet};

use super::*;

const FLEET: Fleet = Fleet { seed: 1, twins: 20_000, tail: 2_000 };

fn parsed(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_seed_gives_the_same_fleet_and_another_one_another() {
    let again = Fleet { seed: 1, twins: 20_000, tail: 2_000 };
    let other = Fleet { seed: 2, twins: 20_000, tail: 2_000 };
    assert_eq!(FLEET.twin(7), again.twin(7));
    assert_eq!(FLEET.change(7), again.change(7));
    assert_ne!(FLEET.twin(7).tags, other.twin(7).tags);
    assert_ne!(FLEET.change(7), other.change(7));
}

#[test]
fn shares_are_those_that_are_named() {
    let (mut connected, mut text, mut diag, mut drift, mut biggest) = (0, 0, 0, 0, 0);
    for index in 0..FLEET.twins {
        let twin = FLEET.twin(index);
        let (tags, desired, reported) = (parsed(&twin.tags), parsed(&twin.desired), parsed(&twin.reported));
        connected += u32::from(reported["connected"] == true);
        text += u32::from(reported["temp"].is_string());
        diag += u32::from(reported.get("diag").is_some());
        drift += u32::from(reported["fw"] != desired["fw"]);
        biggest += u32::from(tags["region"] == "r0");
        let tail = reported.as_object().expect("an object").keys().filter(|key| key.starts_with('x')).count();
        assert_eq!(tail, 5, "{}", twin.reported);
    }
    for (what, count, per_mille) in [
        ("connected", connected, 920),
        ("text", text, 30),
        ("drift", drift, 80),
        ("region", biggest, 322),
        ("diag", diag, 1),
    ] {
        let expected = FLEET.twins / 1_000 * per_mille;
        assert!(count.abs_diff(expected) <= expected / 8 + 10, "{what}: {count} instead of about {expected}");
    }
}

#[test]
fn without_a_tail_there_is_none() {
    let short = Fleet { tail: 0, ..FLEET };
    assert!((0..1_000).all(|index| !short.twin(index).reported.contains("\"x")));
}

#[test]
fn serials_and_sites_are_unique() {
    let serials: HashSet<_> = (0..FLEET.twins).map(|index| FLEET.chance(index.into(), 5)).collect();
    assert_eq!(serials.len(), 20_000);
    assert_eq!((0..500).map(site).collect::<HashSet<_>>().len(), 500);
}

#[test]
fn some_devices_change_much_more_often_and_all_are_of_the_fleet() {
    let known: HashSet<_> = (0..FLEET.twins).map(|index| FLEET.id(index)).collect();
    let mut changes: HashMap<String, u32> = HashMap::new();
    let mut sections = [0, 0, 0];
    for number in 0..50_000 {
        let change = FLEET.change(number);
        assert!(parsed(&change.patch).is_object());
        assert!(known.contains(&change.id), "{}", change.id);
        sections[change.section as usize] += 1;
        *changes.entry(change.id).or_default() += 1;
    }
    let most = changes.values().max().copied().unwrap_or(0);
    assert!(most > 200 && changes.len() > 5_000, "{most} of one, {} devices", changes.len());
    assert!(sections[2] > 48_000 && sections[0] > 500 && sections[1] > 300, "{sections:?}");
}

#[test]
fn nearly_every_change_changes_a_value() {
    let (mut values, mut nothing) = (HashMap::new(), 0);
    for index in 0..FLEET.twins {
        let twin = FLEET.twin(index);
        for (section, text) in
            [(Section::Tags, twin.tags), (Section::Desired, twin.desired), (Section::Reported, twin.reported)]
        {
            values.insert((twin.id.clone(), section as usize), parsed(&text));
        }
    }
    for number in 0..20_000 {
        let change = FLEET.change(number);
        let section = values.get_mut(&(change.id, change.section as usize)).expect("a section");
        let before = section.clone();
        for (name, value) in parsed(&change.patch).as_object().expect("an object") {
            section[name] = value.clone();
        }
        nothing += u32::from(*section == before);
    }
    assert!(nothing < 40, "{nothing} of 20,000 changed nothing");
}

#[test]
fn numbers_have_no_zeros_at_their_end() {
    assert_eq!(
        ["40", "40.5", "7.00001"],
        [degrees(4_000_000), degrees(4_050_000), degrees(700_001)].map(|text| text.leak() as &str)
    );
    assert_eq!((tenths(400), tenths(405)), ("40".to_owned(), "40.5".to_owned()));
}
