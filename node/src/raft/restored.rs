//! The consensus of a node whose state comes from a backup: the log of the old cluster is not there, and need not be.
//!
//! Everything up to the last entry whose effect is in the state counts as agreed and purged; the restored node is the
//! only voter, so nobody else can hold anything else. It begins to campaign in the term after that entry's, so places
//! in the log go on rising, too. Other members join as to any cluster: empty, by a snapshot.
//!
//! This file does not know where the state comes from. Invariant: it is called before a node ever ran on the directory.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use rocksdb::{DB, WriteBatch};

use super::fatal::ExitProcess;
use super::log_disk::{LogDisk, LogOpenError, SEGMENT_BYTES, inspect};
use super::snapshot::applied_in;
use super::types::{LogId, Member, Membership, NodeId, StoredMembership, Vote};
use super::{gate::Gate, meta_keys, wire};
use crate::store::envelope::RecordType;
use crate::store::high_water::{self, HighWater, Mark};
use crate::store::state_db::StateDb;
use crate::store::{columns, unlogged};

/// Term and index of the last entry whose effect is in a state.
///
/// # Errors
/// When it cannot be read.
pub fn last_applied(db: &DB) -> io::Result<Option<(u64, u64)>> {
    Ok(applied_in(db)?.0.map(|last| (last.leader_id.term, last.index)))
}

/// Makes `node_id` the only member of a cluster that goes on from `state`, which lies in `data_dir`.
///
/// # Errors
/// When the state holds no applied entry, or something cannot be written.
pub fn found_restored(data_dir: &Path, state: &StateDb, node_id: NodeId, member: Member) -> io::Result<()> {
    let db = state.db();
    let last = applied_in(&db)?.0.ok_or_else(|| io::Error::other("the state holds no applied log entry"))?;
    write_membership(state, last, node_id, member)?;
    drop(db);
    let vote = Vote::new(last.leader_id.term, node_id);
    let path = data_dir.join("raftlog");
    let (disk, found) = LogDisk::open(&path, SEGMENT_BYTES, Arc::new(ExitProcess)).map_err(io::Error::other)?;
    if found.last.is_some() || found.vote.is_some() {
        return Err(io::Error::other("there is a Raft log in this directory already"));
    }
    let mut batch = disk.batch();
    batch.set_vote(&vote);
    batch.set_committed(&last);
    batch.purge_upto(&last);
    batch.commit_synced()?;
    drop(disk);
    let term = last.leader_id.term;
    HighWater::open(&data_dir.join("HIGH_WATER"))?.write(Mark { last: Some((term, last.index)), vote_term: term })?;
    Gate::new(data_dir, true).map(|_| ())
}

fn write_membership(state: &StateDb, last: LogId, node_id: NodeId, member: Member) -> io::Result<()> {
    let members = BTreeMap::from([(node_id, member)]);
    let membership = Membership::new(vec![BTreeSet::from([node_id])], members).map_err(io::Error::other)?;
    let membership = StoredMembership::new(Some(last), membership);
    let db = state.db();
    let meta = db.cf_handle(columns::META).ok_or_else(|| io::Error::other("the state has no meta family"))?;
    let value = wire::seal(RecordType::Membership, &wire::stored_membership_out(&membership));
    let mut batch = WriteBatch::default();
    batch.put_cf(meta, meta_keys::MEMBERSHIP, value);
    unlogged::write(&db, batch).map_err(io::Error::other)?;
    unlogged::flush(&db).map_err(io::Error::other)
}

/// Reads a whole Raft log as a start does, writes nothing, and returns the indexes of its first and last entry, if it
/// has any.
///
/// # Errors
/// When it is damaged, or ends before what was known to be durable.
pub fn check_log(data_dir: &Path) -> Result<Option<(u64, u64)>, LogOpenError> {
    let path = data_dir.join("HIGH_WATER");
    let failed = |source| LogOpenError::HighWater { path: path.clone(), source };
    let known = HighWater::read(&path).map_err(failed)?;
    let inspected = inspect(&data_dir.join("raftlog"))?;
    let found = inspected.recovered;
    if (found.last.is_some() || found.vote.is_some()) && !std::fs::exists(&path).map_err(failed)? {
        return Err(failed(high_water::missing()));
    }
    let path = data_dir.join("raftlog");
    if !found.reaches(known) {
        let describe =
            |mark: Option<(u64, u64)>| mark.map_or("nothing".to_owned(), |(_, index)| format!("index {index}"));
        let last = found.last.map(|last| (last.leader_id.term, last.index));
        return Err(LogOpenError::LogLost { path, found: describe(last), known: describe(known.last) });
    }
    Ok(inspected.ends)
}
