//! Documents of all collections, and their changes.

use serde_json::{Map, Value as Json, json};

use super::Chance;

/// The last four hold values of one kind, as most members of a fleet do: the engine keeps those apart.
pub(super) const NAMES: [&str; 9] = ["a", "b", "c", "text", "list", "whole", "real", "name", "flag"];
pub(super) const TEXTS: [&str; 12] = [
    "",
    "a",
    "ab",
    "b",
    "pump station 3",
    "Pump, station-7",
    "ü",
    "12",
    "2026-01-31T10:00:00Z",
    "2024-02-29T23:59:59.999Z",
    "a\u{0}b",
    "station",
];

pub(super) fn number(chance: &mut Chance) -> Json {
    let ints = [0, 1, -1, 2, 3, 7, 9_007_199_254_740_992, 9_007_199_254_740_993, i64::MAX, i64::MIN, 1_767_225_600_000];
    let doubles = [0.0, -0.0, 0.5, 1.0, 2.0, -1.5, 0.1, 0.2, 1e300, -1e300, 9_007_199_254_740_992.0, 5e-324, 9.3e18];
    if chance.one_in(2) {
        // Few, so that they meet.
        return [json!(0), json!(1), json!(2.0), json!(0.5)][chance.below(4)].clone();
    }
    if chance.one_in(2) { json!(ints[chance.below(ints.len())]) } else { json!(doubles[chance.below(doubles.len())]) }
}

/// A value for a member.
fn value_of(chance: &mut Chance, name: &str, depth: usize) -> Json {
    match name {
        "whole" => json!([0, 1, 2, 3, -5, 9_007_199_254_740_993, i64::MAX][chance.below(7)]),
        "real" => json!([0.5, 1.0, 2.0, -0.0, 1e300, 0.1][chance.below(6)]),
        "name" => json!(format!("{}{}", chance.pick(&TEXTS), chance.below(4))),
        "flag" => json!(chance.one_in(2)),
        _ => value(chance, depth),
    }
}

/// A value of any kind; deeper ones are rarer.
pub(crate) fn value(chance: &mut Chance, depth: usize) -> Json {
    match chance.below(if depth == 0 { 8 } else { 12 }) {
        0 => Json::Null,
        1 | 2 => json!(chance.one_in(2)),
        3 | 4 => number(chance),
        5..=7 => json!(chance.pick(&TEXTS)),
        8 => Json::Array((0..chance.below(4)).map(|_| value(chance, depth - 1)).collect()),
        9 => place(chance),
        _ => object(chance, depth - 1),
    }
}

fn place(chance: &mut Chance) -> Json {
    let lat = [52.0, 52.1, -10.0, 0.0, 95.0][chance.below(5)];
    let lon = [4.0, 4.9, 179.0, 0.0, -0.5][chance.below(5)];
    match chance.below(3) {
        0 => json!({ "lat": lat, "lon": lon }),
        1 => json!({ "latitude": lat, "longitude": lon }),
        _ => json!({ "type": "Point", "coordinates": [lon, lat] }),
    }
}

pub(crate) fn object(chance: &mut Chance, depth: usize) -> Json {
    let mut members = Map::new();
    for _ in 0..chance.below(8) {
        let name = chance.pick(&NAMES);
        members.insert(name.to_owned(), value_of(chance, name, depth));
    }
    Json::Object(members)
}

/// A document of a collection.
pub(crate) fn document(chance: &mut Chance, collection: &str, id: &str) -> Json {
    let mut document = json!({ "tags": object(chance, 2), "version": chance.below(4) });
    match collection {
        "devices" => {
            document["deviceId"] = json!(id);
            document["status"] = json!(chance.pick(&["enabled", "disabled"]));
            document["properties"] = json!({ "desired": object(chance, 2), "reported": object(chance, 2) });
        }
        "devices.modules" => {
            let (device, module) = id.split_once('\0').expect("two parts");
            document["deviceId"] = json!(device);
            document["moduleId"] = json!(module);
            document["properties"] = json!({ "desired": object(chance, 1), "reported": object(chance, 1) });
        }
        _ => {
            document["assetName"] = json!(id);
            document["deviceRef"] = json!({ "deviceName": format!("d{}", chance.below(12)) });
        }
    }
    document
}

pub(crate) fn id(chance: &mut Chance, collection: &str) -> String {
    match collection {
        "devices" => format!("d{}", chance.below(30)),
        "devices.modules" => format!("d{}{}\0m{}", chance.below(4), chance.pick(&["", "!", "-x"]), chance.below(4)),
        _ => format!("asset-{}", chance.below(20)),
    }
}

/// Changes some members of a document, as a merge patch does.
pub(crate) fn changed(chance: &mut Chance, mut document: Json) -> Json {
    let sections: &[&str] = if document.get("properties").is_some() {
        &["/tags", "/properties/desired", "/properties/reported"]
    } else {
        &["/tags"]
    };
    let section = document.pointer_mut(chance.pick(sections)).expect("a section");
    for _ in 0..1 + chance.below(2) {
        let name = chance.pick(&NAMES);
        if chance.one_in(4) {
            section.as_object_mut().expect("an object").remove(name);
        } else {
            section[name] = value_of(chance, name, 1);
        }
    }
    document["version"] = json!(document["version"].as_i64().unwrap_or_default() + 1);
    document
}
