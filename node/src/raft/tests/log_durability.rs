//! What the log promises across restarts, and that it notices when the promise was broken below it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openraft::RaftLogReader;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;

use super::support::{Remember, copy_dir};
use crate::raft::LogOpenError;
use crate::raft::log_disk::SEGMENT_BYTES;
use crate::raft::log_store::{self, LogCloser, LogStore};
use crate::raft::log_tail::TailLimits;
use crate::raft::types::{Entry, EntryPayload, LogId, Payload, TypeConfig, Vote, log_id};
use crate::store::high_water::{HighWater, Mark};

const LIMITS: TailLimits = TailLimits { entries: 8, bytes: usize::MAX };

fn open(dir: &Path) -> Result<(LogStore, LogCloser), LogOpenError> {
    log_store::open(dir, SEGMENT_BYTES, LIMITS, Box::new(|_| Ok(())), Arc::new(Remember::default()))
}

fn entry(term: u64, index: u64) -> Entry {
    let payload = Payload(format!("{term}/{index}").into());
    Entry { log_id: log_id(term, index), payload: EntryPayload::Normal(payload) }
}

async fn append(log: &mut LogStore, entries: impl IntoIterator<Item = Entry>) {
    let (sender, flushed) = TypeConfig::oneshot();
    let entries: Vec<_> = entries.into_iter().collect();
    let last = entries.last().unwrap().log_id.index;
    log.append(entries, IOFlushed::signal(sender)).await.unwrap();
    let read = log.try_get_log_entries(last..=last).await.unwrap();
    assert_eq!(read.len(), 1, "readable before it is durable");
    flushed.await.unwrap().unwrap();
}

async fn close(log: LogStore, closer: LogCloser) {
    drop(log);
    assert!(closer.closed(Duration::from_secs(10)).await);
}

async fn all(log: &mut LogStore) -> Vec<Entry> {
    log.try_get_log_entries(..).await.unwrap()
}

#[tokio::test]
async fn entries_vote_and_purge_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, closer) = open(dir.path()).unwrap();
    append(&mut log, (0..100).map(|index| entry(1, index))).await;
    log.save_vote(&Vote::new_committed(3, 7)).await.unwrap();
    log.purge(log_id(1, 9)).await.unwrap();
    close(log, closer).await;

    let (mut log, _closer) = open(dir.path()).unwrap();
    let state = log.get_log_state().await.unwrap();
    assert_eq!(state.last_purged_log_id, Some(log_id(1, 9)));
    assert_eq!(state.last_log_id, Some(log_id(1, 99)));
    assert_eq!(log.read_vote().await.unwrap(), Some(Vote::new_committed(3, 7)));
    assert_eq!(all(&mut log).await, (10..100).map(|index| entry(1, index)).collect::<Vec<_>>());
}

#[tokio::test]
async fn truncated_entries_do_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, closer) = open(dir.path()).unwrap();
    append(&mut log, (0..50).map(|index| entry(1, index))).await;
    log.truncate_after(Some(log_id(1, 19))).await.unwrap();
    append(&mut log, (20..25).map(|index| entry(2, index))).await;
    let expected: Vec<_> = (0..20).map(|index| entry(1, index)).chain((20..25).map(|index| entry(2, index))).collect();
    assert_eq!(all(&mut log).await, expected);
    close(log, closer).await;

    let (mut log, _closer) = open(dir.path()).unwrap();
    assert_eq!(all(&mut log).await, expected);
    assert_eq!(log.get_log_state().await.unwrap().last_log_id, Some(log_id(2, 24)));
}

#[tokio::test]
async fn a_read_is_bounded_by_bytes_but_never_empty() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _closer) = open(dir.path()).unwrap();
    let big =
        |index| Entry { log_id: log_id(1, index), payload: EntryPayload::Normal(Payload(vec![7; 900 << 10].into())) };
    append(&mut log, (0..20).map(big)).await;
    for start in [0, 15] {
        let read = log.limited_get_log_entries(start, 20).await.unwrap();
        assert_eq!(read.len(), 2, "from {start}");
        assert_eq!(read[0].log_id.index, start);
    }
}

#[tokio::test]
async fn a_log_that_lost_its_end_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, closer) = open(dir.path()).unwrap();
    append(&mut log, (0..10).map(|index| entry(1, index))).await;
    close(log, closer).await;
    // A copy of the log as it was, put back after more was made durable: what a lying disk would do.
    let (old, kept) = (dir.path().join("raftlog"), dir.path().join("kept"));
    copy_dir(&old, &kept);
    let (mut log, closer) = open(dir.path()).unwrap();
    append(&mut log, (10..15).map(|index| entry(1, index))).await;
    close(log, closer).await;
    std::fs::remove_dir_all(&old).unwrap();
    std::fs::rename(&kept, &old).unwrap();
    let Err(error) = open(dir.path()) else { panic!("a shortened log was accepted") };
    assert!(matches!(error, LogOpenError::LogLost { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("index 9 of term 1") && text.contains("index 14 of term 1"), "{text}");
}

#[tokio::test]
async fn a_log_that_vanished_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, closer) = open(dir.path()).unwrap();
    log.save_vote(&Vote::new(4, 1)).await.unwrap();
    close(log, closer).await;
    std::fs::remove_dir_all(dir.path().join("raftlog")).unwrap();
    assert!(matches!(open(dir.path()), Err(LogOpenError::LogLost { .. })));
}

#[tokio::test]
async fn the_high_water_mark_follows_a_truncation_down() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, closer) = open(dir.path()).unwrap();
    append(&mut log, (0..10).map(|index| entry(1, index))).await;
    log.truncate_after(Some(log_id(1, 3))).await.unwrap();
    close(log, closer).await;
    let mark = HighWater::open(&dir.path().join("HIGH_WATER")).unwrap().mark();
    assert_eq!(mark, Mark { last: Some((1, 3)), vote_term: 0 });
    assert!(open(dir.path()).is_ok());
}

#[tokio::test]
async fn a_flipped_bit_in_an_entry_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, closer) = open(dir.path()).unwrap();
    append(&mut log, (0..10).map(|index| entry(1, index))).await;
    append(&mut log, [entry(1, 10)]).await;
    close(log, closer).await;
    flip(dir.path(), b"1/4");
    let Err(error) = open(dir.path()) else { panic!("a damaged log was accepted") };
    let text = crate::raft::chain(&error);
    assert!(text.contains("log entry 4") && text.contains("checksum"), "{text}");
}

#[tokio::test]
async fn a_flipped_bit_in_the_last_round_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, closer) = open(dir.path()).unwrap();
    append(&mut log, (0..5).map(|index| entry(1, index))).await;
    append(&mut log, (5..10).map(|index| entry(1, index))).await;
    close(log, closer).await;
    // It looks like a round that a crash has torn, but the high-water mark knows that it was durable.
    flip(dir.path(), b"1/7");
    let Err(error) = open(dir.path()) else { panic!("a shortened log was accepted") };
    assert!(matches!(error, LogOpenError::LogLost { .. }), "{error}");
}

#[tokio::test]
async fn a_hole_in_the_log_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let small = |dir: &Path| log_store::open(dir, 8192, LIMITS, Box::new(|_| Ok(())), Arc::new(Remember::default()));
    let (mut log, closer) = small(dir.path()).unwrap();
    for round in 0..20 {
        append(&mut log, (100 * round..100 * round + 100).map(|index| entry(1, index))).await;
    }
    close(log, closer).await;
    std::fs::remove_file(dir.path().join("raftlog/00000000000000000004.seg")).unwrap();
    let Err(error) = small(dir.path()) else { panic!("a log with a hole was accepted") };
    assert!(matches!(error, LogOpenError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_failed_purge_barrier_stops_everything() {
    let dir = tempfile::tempdir().unwrap();
    let fatal = Arc::new(Remember::default());
    let barrier = Box::new(|_: &LogId| Err(std::io::Error::other("no room")));
    let (mut log, _closer) =
        log_store::open(dir.path(), SEGMENT_BYTES, LIMITS, barrier, Arc::clone(&fatal) as Arc<_>).unwrap();
    append(&mut log, (0..10).map(|index| entry(1, index))).await;
    assert!(log.purge(log_id(1, 5)).await.is_err());
    assert_eq!(fatal.0.lock().unwrap().len(), 1);
    assert!(log.save_vote(&Vote::new(2, 2)).await.is_err(), "nothing is written after a failure");
    assert_eq!(log.read_vote().await.unwrap(), None);
}

#[tokio::test]
async fn what_could_not_be_written_is_not_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let fatal = Arc::new(Remember::default());
    let opened = log_store::open(dir.path(), SEGMENT_BYTES, LIMITS, Box::new(|_| Ok(())), Arc::clone(&fatal) as Arc<_>);
    let (mut log, _closer) = opened.unwrap();
    append(&mut log, (0..3).map(|index| entry(1, index))).await;
    // A round that the disk refuses, because an entry is missing in it.
    let (sender, flushed) = TypeConfig::oneshot();
    log.append([entry(1, 7)], IOFlushed::signal(sender)).await.unwrap();
    assert!(flushed.await.unwrap().is_err(), "acknowledged before it was written");
    assert_eq!(fatal.0.lock().unwrap().len(), 1);
}

/// Flips a bit of what was written last of `content` in the first file of the log.
fn flip(dir: &Path, content: &[u8]) {
    let path = dir.join("raftlog/00000000000000000001.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(content.len()).rposition(|window| window == content).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
}
