//! The log's files as earlier versions wrote them: one frame with every type of record, and a whole segment.

use bytes::{Bytes, BytesMut};

use std::sync::Arc;

use super::segment::DATA_START;
use super::{LogDisk, Recovered, frame, record, segment};
use crate::raft::tests::support::Remember;
use crate::raft::types::{Entry, EntryPayload, Payload, Vote, log_id};
use crate::store::golden::{golden, kept};

const SALT: u64 = 0x0123_4567_89AB_CDEF;
const SEGMENT: usize = DATA_START + 4096;

fn entry(index: u64) -> Entry {
    Entry { log_id: log_id(3, index), payload: EntryPayload::Normal(Payload("some commands".into())) }
}

#[test]
fn a_frame_never_changes() {
    let marks = record::Marks {
        vote: Some(Vote::new_committed(3, 1)),
        purged: Some(log_id(2, 5)),
        committed: Some(log_id(2, 6)),
    };
    let mut bytes = BytesMut::zeroed(frame::HEADER_BYTES);
    marks.write(&mut bytes);
    record::write_truncate(&mut bytes, 7);
    record::write_entry(&mut bytes, &entry(7));
    frame::seal(&mut bytes, SALT, 42);
    let stored = Bytes::from(golden("raftlog-frame.bin", bytes));
    let found = frame::look(&stored, SALT).expect("whole");
    assert_eq!((found.sequence, found.length), (42, stored.len() - frame::HEADER_BYTES));
    let records: Vec<_> =
        record::records(&stored.slice(frame::HEADER_BYTES..)).map(|record| record.expect("known").0).collect();
    let expected = [
        record::Record::Vote(Vote::new_committed(3, 1)),
        record::Record::Purged(log_id(2, 5)),
        record::Record::Committed(log_id(2, 6)),
        record::Record::Truncate(7),
        record::Record::Entry(log_id(3, 7)),
    ];
    assert_eq!(records, expected);
}

#[test]
fn a_segment_of_an_earlier_version_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("raftlog");
    let bytes = kept("raftlog-segment.bin", || {
        let (disk, _) = LogDisk::open(&log, SEGMENT, Arc::new(Remember::default())).unwrap();
        let mut batch = disk.batch();
        batch.set_vote(&Vote::new_committed(3, 1));
        (0..3).for_each(|index| batch.put(&entry(index)));
        batch.commit_synced().unwrap();
        drop(disk);
        let bytes = std::fs::read(segment::path(&log, 1)).unwrap();
        std::fs::remove_dir_all(&log).unwrap();
        bytes
    });
    std::fs::create_dir(&log).unwrap();
    std::fs::write(segment::path(&log, 1), bytes).unwrap();
    let (disk, found) = LogDisk::open(&log, SEGMENT, Arc::new(Remember::default())).unwrap();
    let expected =
        Recovered { vote: Some(Vote::new_committed(3, 1)), purged: None, committed: None, last: Some(log_id(3, 2)) };
    assert_eq!(found, expected);
    let mut entries = Vec::new();
    disk.read(0, u64::MAX, &mut usize::MAX.clone(), &mut entries).unwrap();
    assert_eq!(entries, (0..3).map(entry).collect::<Vec<_>>());
}
