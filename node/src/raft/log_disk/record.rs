//! The records in a frame: what one round changes, in order.
//!
//! ```text
//! type(1) length(4, big-endian) body(length)
//!
//! 1  entry      sealed stored.v1.RaftEntry   appended behind the entry before it
//! 2  vote       sealed stored.v1.RaftVote    replaces the vote
//! 3  committed  sealed stored.v1.RaftLogId   replaces the place up to which entries were known to be committed
//! 4  purged     sealed stored.v1.RaftLogId   entries up to this one are gone
//! 5  truncate   index(8, big-endian)         entries from this one on are gone
//! ```
//!
//! Sealed means in the envelope of `store/envelope.rs`. This file does not know frames or files. Type numbers are never
//! reused, and an unknown one is an error, never skipped.

use std::io;
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use muster_proto::stored::v1::{RaftEntry, RaftLogId, RaftVote};
use prost::Message;

use super::error::damage;
use crate::raft::types::{Entry, LogId, Vote};
use crate::raft::wire;
use crate::store::envelope::{self, RecordType};

const HEADER_BYTES: usize = 5;

const ENTRY: u8 = 1;
const VOTE: u8 = 2;
const COMMITTED: u8 = 3;
const PURGED: u8 = 4;
const TRUNCATE: u8 = 5;

/// What a record says. Of an entry only its place; its bytes stay where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Entry(LogId),
    Vote(Vote),
    Committed(LogId),
    Purged(LogId),
    Truncate(u64),
}

/// What is known besides entries. The first frame of every segment begins with it, so that the segments before can go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub vote: Option<Vote>,
    pub purged: Option<LogId>,
    pub committed: Option<LogId>,
}

impl Marks {
    pub(super) fn write(&self, out: &mut BytesMut) {
        if let Some(vote) = &self.vote {
            write_vote(out, vote);
        }
        if let Some(purged) = &self.purged {
            write_purged(out, purged);
        }
        if let Some(committed) = &self.committed {
            write_committed(out, committed);
        }
    }
}

/// Appends an entry; gives where in `out` its sealed bytes lie.
pub(super) fn write_entry(out: &mut BytesMut, entry: &Entry) -> Range<usize> {
    write_sealed(out, ENTRY, RecordType::LogEntry, &wire::entry_out(entry))
}

pub(super) fn write_vote(out: &mut BytesMut, vote: &Vote) {
    write_sealed(out, VOTE, RecordType::Vote, &wire::vote_out(vote));
}

pub(super) fn write_committed(out: &mut BytesMut, committed: &LogId) {
    write_sealed(out, COMMITTED, RecordType::LogId, &wire::log_id_out(committed));
}

pub(super) fn write_purged(out: &mut BytesMut, purged: &LogId) {
    write_sealed(out, PURGED, RecordType::LogId, &wire::log_id_out(purged));
}

pub(super) fn write_truncate(out: &mut BytesMut, from: u64) {
    write(out, TRUNCATE, |out| out.put_u64(from));
}

fn write_sealed<M: Message>(out: &mut BytesMut, kind: u8, sealed: RecordType, message: &M) -> Range<usize> {
    write(out, kind, |out| {
        envelope::seal_into(out, sealed, |out| message.encode(out).expect("a growing buffer takes any message"));
    })
}

fn write(out: &mut BytesMut, kind: u8, body: impl FnOnce(&mut BytesMut)) -> Range<usize> {
    let start = out.len();
    out.put_u8(kind);
    out.put_u32(0);
    body(out);
    let length = out.len() - start - HEADER_BYTES;
    let bytes = u32::try_from(length).expect("records are bounded far below 4 GiB").to_be_bytes();
    out[start + 1..start + HEADER_BYTES].copy_from_slice(&bytes);
    start + HEADER_BYTES..out.len()
}

/// Reads the records of a payload: each with where its body lies. Ends behind the first that cannot be read.
pub(super) fn records(payload: &Bytes) -> impl Iterator<Item = io::Result<(Record, Range<usize>)>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == payload.len() {
            return None;
        }
        let result = read(payload, at);
        at = result.as_ref().map_or(payload.len(), |(_, body)| body.end);
        Some(result)
    })
}

fn read(payload: &Bytes, at: usize) -> io::Result<(Record, Range<usize>)> {
    let Some((&[kind, ref length @ ..], rest)) = payload[at..].split_first_chunk::<HEADER_BYTES>() else {
        return Err(damage("a record is cut short"));
    };
    let length = u32::from_be_bytes(*length) as usize;
    if length > rest.len() {
        return Err(damage(format!("a record of type {kind} is cut short: {} bytes of {length}", rest.len())));
    }
    let range = at + HEADER_BYTES..at + HEADER_BYTES + length;
    let body = payload.slice(range.clone());
    let record = match kind {
        ENTRY => {
            let entry: RaftEntry = wire::unseal(RecordType::LogEntry, body)?;
            Record::Entry(wire::log_id_in(entry.log_id.ok_or_else(|| damage("an entry without a place"))?))
        }
        VOTE => Record::Vote(wire::vote_in(wire::unseal::<RaftVote>(RecordType::Vote, body)?)),
        COMMITTED => Record::Committed(log_id(body)?),
        PURGED => Record::Purged(log_id(body)?),
        TRUNCATE => {
            let index = <[u8; 8]>::try_from(&body[..]).map_err(|_| damage("a truncation without an index"))?;
            Record::Truncate(u64::from_be_bytes(index))
        }
        other => return Err(damage(format!("a record of type {other}, which this version does not know"))),
    };
    Ok((record, range))
}

fn log_id(body: Bytes) -> io::Result<LogId> {
    Ok(wire::log_id_in(wire::unseal::<RaftLogId>(RecordType::LogId, body)?))
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::{Marks, Record, records, write_entry, write_truncate};
    use crate::raft::types::{Entry, EntryPayload, Payload, Vote, log_id};

    #[test]
    fn records_come_back_in_order() {
        let entry = Entry { log_id: log_id(3, 8), payload: EntryPayload::Normal(Payload("some bytes".into())) };
        let marks =
            Marks { vote: Some(Vote::new_committed(3, 1)), purged: Some(log_id(2, 5)), committed: Some(log_id(2, 6)) };
        let mut out = BytesMut::new();
        marks.write(&mut out);
        write_truncate(&mut out, 8);
        let place = write_entry(&mut out, &entry);
        let read: Vec<_> = records(&out.freeze()).collect::<Result<_, _>>().unwrap();
        assert_eq!(
            read.iter().map(|(record, _)| *record).collect::<Vec<_>>(),
            [
                Record::Vote(Vote::new_committed(3, 1)),
                Record::Purged(log_id(2, 5)),
                Record::Committed(log_id(2, 6)),
                Record::Truncate(8),
                Record::Entry(log_id(3, 8)),
            ]
        );
        assert_eq!(read.last().unwrap().1, place);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for bad in [&[9, 0, 0, 0, 0][..], &[5, 0, 0, 0, 1, 7], &[1, 0, 0, 0, 200, 1], &[2, 0]] {
            assert!(records(&Bytes::copy_from_slice(bad)).next().unwrap().is_err(), "{bad:?}");
        }
    }
}
