//! Sealed records of consensus, byte for byte as earlier versions wrote them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::io;

use muster_proto::stored::v1::{RaftEntry, RaftStoredMembership, SnapshotFile, SnapshotManifest};
use prost::Message;

use crate::raft::types::{Entry, EntryPayload, Member, Membership, Payload, StoredMembership, Vote, log_id};
use crate::raft::wire;
use crate::store::envelope::RecordType;
use crate::store::golden::golden;

/// Writes, compares and reads again.
fn check<M, T>(name: &str, kind: RecordType, value: &T, out: impl Fn(&T) -> M, read: impl Fn(M) -> io::Result<T>)
where
    M: Message + Default,
    T: PartialEq + Debug,
{
    let stored = golden(name, wire::seal(kind, &out(value)));
    let found = read(wire::unseal(kind, stored).expect("whole")).expect("known");
    assert_eq!(found, *value, "{name}: this version reads something else than was written");
}

fn membership() -> Membership {
    let member = |id: u64| Member {
        peer_addr: format!("10.0.0.{id}:7421"),
        client_addr: format!("n{id}.example.com:7420"),
        name: format!("n{id}"),
    };
    let members: BTreeMap<u64, Member> = [1, 2, 3, 4].map(|id| (id, member(id))).into();
    let (old, new): (BTreeSet<u64>, BTreeSet<u64>) = ([1, 2, 3].into(), [2, 3, 4].into());
    Membership::new(vec![old, new], members).expect("a membership")
}

#[test]
fn sealed_records_never_change() {
    let entry = |payload| Entry { log_id: log_id(3, 4_711), payload };
    let entries = [
        ("raft-entry-blank.bin", entry(EntryPayload::Blank)),
        ("raft-entry-normal.bin", entry(EntryPayload::Normal(Payload("some commands".into())))),
        ("raft-entry-membership.bin", entry(EntryPayload::Membership(membership()))),
    ];
    for (name, entry) in entries {
        let read = |entry: RaftEntry| Ok(wire::entry_in(entry)?);
        check(name, RecordType::LogEntry, &entry, wire::entry_out, read);
    }
    let vote = Vote::new_committed(3, 2);
    check("raft-vote.bin", RecordType::Vote, &vote, wire::vote_out, |vote| Ok(wire::vote_in(vote)));
    let place = log_id(3, 4_711);
    check("raft-log-id.bin", RecordType::LogId, &place, wire::log_id_out, |id| Ok(wire::log_id_in(id)));
    let stored = StoredMembership::new(Some(log_id(3, 4_000)), membership());
    let read = |stored: RaftStoredMembership| Ok(wire::stored_membership_in(stored)?);
    check("raft-membership.bin", RecordType::Membership, &stored, wire::stored_membership_out, read);
    let manifest = SnapshotManifest {
        format: 1,
        cluster_id: "c-7f3a".to_owned(),
        last_log_id: Some(wire::log_id_out(&log_id(3, 4_711))),
        membership: Some(wire::stored_membership_out(&stored)),
        files: vec![SnapshotFile { name: "000012.sst".to_owned(), size_bytes: 815, blake3: vec![7; 32].into() }],
    };
    check("snapshot-manifest.bin", RecordType::SnapshotManifest, &manifest, Clone::clone, Ok);
    assert_eq!(wire::manifest_meta(&manifest).expect("known").last_log_id, Some(log_id(3, 4_711)));
}
