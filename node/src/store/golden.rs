//! The bytes that earlier versions wrote of everything that is stored outside of the codec's messages: envelopes, marks,
//! positions, the files of the Raft log, and the small files of the data directory. One file each in
//! `tests/golden/records-v1/`; the tests lie with what they test.
//!
//! A file that is there must never change. `UPDATE_GOLDEN=1` writes those of a format that has not been released yet.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// Every file; the last test here holds the folder against it.
const NAMES: [&str; 19] = [
    "applied-position.bin",
    "data-dir-identity.txt",
    "data-dir-member.txt",
    "dedup-row.bin",
    "event-log-entry.bin",
    "events-swept-mark.bin",
    "high-water.bin",
    "raft-entry-blank.bin",
    "raft-entry-membership.bin",
    "raft-entry-normal.bin",
    "raft-log-id.bin",
    "raft-membership.bin",
    "raft-vote.bin",
    "raftlog-frame.bin",
    "raftlog-segment.bin",
    "snapshot-manifest.bin",
    "state-current.txt",
    "state-record.bin",
    "twins-written-mark.bin",
];

fn path(name: &str) -> PathBuf {
    assert!(NAMES.contains(&name), "{name} is not in the list of golden files");
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/records-v1").join(name)
}

fn update() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

/// The bytes that an earlier version wrote, which must be those that are `written` now.
pub(crate) fn golden(name: &str, written: impl AsRef<[u8]>) -> Vec<u8> {
    if update() {
        std::fs::write(path(name), &written).expect("write a golden file");
    }
    let golden = std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(golden == written.as_ref(), "{name}: this version writes other bytes than earlier ones did");
    golden
}

/// The bytes that an earlier version wrote where chance takes part, so that no version writes them again.
pub(crate) fn kept(name: &str, make: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    if update() && !path(name).exists() {
        std::fs::write(path(name), make()).expect("write a golden file");
    }
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_golden_file_is_known_and_there() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/records-v1");
    let files = std::fs::read_dir(folder).expect("the folder of golden files");
    let found: BTreeSet<String> =
        files.map(|file| file.expect("a file").file_name().into_string().expect("an ASCII name")).collect();
    assert_eq!(found, NAMES.map(str::to_owned).into(), "what a golden file holds may lie on some disk");
}
