//! Keys come back as they went in, differ, and have prefixes of their own.

use super::*;

fn examples() -> Vec<Key> {
    let s = str::to_owned;
    vec![
        Key::Cluster,
        Key::Token(s("ci")),
        Key::Namespace(s("plant")),
        Key::Cursor(s(""), s("feed")),
        Key::Cursor(s("plant"), s("feed")),
        Key::SavedQuery(s("plant"), s("hot")),
        Key::Site(s("plant"), s("hall-4")),
        Key::Edge(s("plant"), s("hall-4")),
        Key::EdgeSession(s("plant"), s("hall-4")),
        Key::DiscoveredDevice(s("plant"), s("hall-4"), s("press")),
        Key::DiscoveredDevice(s("plant"), s("hall"), s("-4press")),
        Key::DiscoveredAsset(s("plant"), s("hall-4"), s("oven")),
        Key::DiscoveryCount(s("plant"), s("hall-4")),
        Key::Node(7),
        Key::Retention,
        Key::NamespaceRetention(s("plant")),
        Key::Device(s("plant"), s("a")),
        Key::Device(s("plant"), s("b")),
        Key::Device(s("plant2"), s("a")),
        Key::Asset(s("plant"), s("pump")),
        Key::Module(s("plant"), s("a"), s("m")),
        Key::Module(s("plant"), s("ab"), s("")),
        Key::DeviceTwin(s("plant"), s("a")),
        Key::ModuleTwin(s("plant"), s("a"), s("m")),
    ]
}

#[test]
fn state_keys_round_trip_and_differ() {
    let keys: Vec<Vec<u8>> = examples().iter().map(state).collect();
    for (key, bytes) in examples().iter().zip(&keys) {
        assert_eq!(parse_state(bytes).as_ref(), Some(key));
    }
    let unique: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(unique.len(), keys.len());
    for garbage in [&b""[..], b"\x07", b"\x10\x05ab", b"\x12\x01a\x09b", b"\x02\xff"] {
        assert_eq!(parse_state(garbage), None);
    }
}

#[test]
fn prefixes_are_unique_and_exact() {
    let unique: std::collections::BTreeSet<_> = STATE_PREFIXES.iter().map(|(prefix, _)| prefix).collect();
    assert_eq!(unique.len(), STATE_PREFIXES.len());
    let other = state(&Key::Device("plant2".to_owned(), "a".to_owned()));
    assert!(!other.starts_with(&kind_prefix(Kind::Device, "plant")));
    assert_eq!(after_prefix(&[1, 255, 255]), Some(vec![2]));
    assert_eq!(after_prefix(&[255]), None);
}
