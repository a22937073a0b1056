//! The files under every kind of end: closed, torn, cut, damaged, recycled; compared with a plain list.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::segment::DATA_START;
use super::{LogBatch, LogDisk, LogOpenError, Recovered, segment};
use crate::raft::chain;
use crate::raft::tests::support::Remember;
use crate::raft::types::{Entry, EntryPayload, LogId, Payload, Vote, log_id};

/// One page of frames to a segment.
pub(super) const SMALL: usize = DATA_START + 4096;

pub(super) fn entry(term: u64, index: u64, bytes: usize) -> Entry {
    let payload = format!("{term}/{index} ").into_bytes().into_iter().cycle().take(bytes).collect::<Vec<_>>();
    Entry { log_id: log_id(term, index), payload: EntryPayload::Normal(Payload(payload.into())) }
}

fn round(disk: &LogDisk, fill: impl FnOnce(&mut LogBatch<'_>)) {
    let mut batch = disk.batch();
    fill(&mut batch);
    batch.commit_synced().unwrap();
}

pub(super) fn append(disk: &LogDisk, entries: impl IntoIterator<Item = Entry>) {
    round(disk, |batch| entries.into_iter().for_each(|entry| batch.put(&entry)));
}

fn read(disk: &LogDisk, start: u64) -> Vec<Entry> {
    let mut out = Vec::new();
    disk.read(start, u64::MAX, &mut usize::MAX.clone(), &mut out).unwrap();
    out
}

/// With small segments; what would be fatal shows in other ways.
pub(super) fn open(dir: &Path) -> Result<(LogDisk, Recovered), LogOpenError> {
    LogDisk::open(dir, SMALL, Arc::new(Remember::default()))
}

/// Opens and reads everything.
fn content(dir: &Path) -> (LogDisk, Recovered, Vec<Entry>) {
    let (disk, found) = open(dir).unwrap_or_else(|error| panic!("{}", chain(&error)));
    let entries = read(&disk, found.purged.map_or(0, |purged| purged.index + 1));
    (disk, found, entries)
}

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let segments = segment::list(dir).unwrap().into_iter().map(|number| segment::path(dir, number));
    segments.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn restore(dir: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) {
    segment::list(dir).unwrap().into_iter().for_each(|number| fs::remove_file(segment::path(dir, number)).unwrap());
    files.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
}

fn refused(dir: &Path) -> LogOpenError {
    match open(dir) {
        Ok(_) => panic!("a damaged log was accepted"),
        Err(error) => error,
    }
}

#[test]
fn a_round_torn_at_any_byte_is_forgotten_and_writing_goes_on() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("raftlog");
    let (disk, _) = open(&dir).unwrap();
    append(&disk, (0..3).map(|index| entry(1, index, 20)));
    let start = disk.end().offset;
    let before = files(&dir);
    append(&disk, (3..5).map(|index| entry(1, index, 60)));
    let length = disk.end().offset - start;
    drop(disk);
    let after = files(&dir);
    let path = segment::path(&dir, 1);
    for cut in 0..length {
        let mut torn = before.clone();
        torn.get_mut(&path).unwrap()[start..start + cut].copy_from_slice(&after[&path][start..start + cut]);
        restore(&dir, &torn);
        let (disk, found, entries) = content(&dir);
        // What pads the frame does not belong to it.
        let whole = torn[&path] == after[&path];
        let kept = if whole { 5 } else { 3 };
        assert_eq!(entries.len(), kept, "cut at {cut} of {length}");
        assert_eq!(found.last, Some(log_id(1, kept as u64 - 1)));
        append(&disk, [entry(2, kept as u64, 5)]);
        drop(disk);
        let (_disk, found, entries) = content(&dir);
        assert_eq!((found.last, entries.len()), (Some(log_id(2, kept as u64)), kept + 1), "cut at {cut}");
    }
}

/// Applies some of the sectors in which two contents differ.
fn mix(
    rng: &mut StdRng,
    before: &BTreeMap<PathBuf, Vec<u8>>,
    after: &BTreeMap<PathBuf, Vec<u8>>,
) -> BTreeMap<PathBuf, Vec<u8>> {
    const SECTOR: usize = 512;
    let share = rng.random_range(0.0..=1.0);
    let mut mixed = before.clone();
    for (path, bytes) in &mut mixed {
        for (old, new) in bytes.chunks_mut(SECTOR).zip(after[path].chunks(SECTOR)) {
            if rng.random_bool(share) {
                old.copy_from_slice(new);
            }
        }
    }
    mixed
}

#[test]
fn a_power_cut_leaves_the_last_round_or_the_one_before() {
    for seed in 0..6 {
        let mut rng = StdRng::seed_from_u64(seed);
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("raftlog");
        let (disk, _) = open(&dir).unwrap();
        // In the middle of a segment, or at the end, so that the last round begins the next one.
        append(&disk, (0..4).map(|index| entry(1, index, if seed % 2 == 0 { 100 } else { 800 })));
        drop(disk);
        let mut base = files(&dir);
        for cut in 0..60u64 {
            restore(&dir, &base);
            let (disk, _, entries) = content(&dir);
            let next = entries.len() as u64;
            let before = files(&dir);
            append(&disk, (next..next + 3).map(|index| entry(cut + 2, index, rng.random_range(0..600))));
            let expected = read(&disk, 0);
            drop(disk);
            let mut after = files(&dir);
            // A file that was made for this round was durable, without frames, before the round was written.
            let mut before = before;
            for (path, bytes) in &after {
                before.entry(path.clone()).or_insert_with(|| {
                    let mut made = vec![0; bytes.len()];
                    made[..DATA_START].copy_from_slice(&bytes[..DATA_START]);
                    made
                });
            }
            after.retain(|path, _| before.contains_key(path));
            let torn = mix(&mut rng, &before, &after);
            restore(&dir, &torn);
            let (_disk, _, found) = content(&dir);
            assert!(found == expected || found == entries, "seed {seed}, cut {cut}: neither before nor after");
            // The next round is written over what is left of this one.
            if found == entries && rng.random_bool(0.9) {
                base = torn;
            }
        }
    }
}

#[test]
fn any_flipped_bit_below_the_last_round_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("raftlog");
    let (disk, _) = open(&dir).unwrap();
    round(&disk, |batch| batch.set_vote(&Vote::new(1, 1)));
    append(&disk, (0..3).map(|index| entry(1, index, 30)));
    let end = disk.end().offset;
    append(&disk, [entry(1, 3, 30)]);
    drop(disk);
    let good = files(&dir);
    let path = segment::path(&dir, 1);
    let frames = &good[&path][DATA_START..end];
    let mut named = 0;
    for bit in (0..frames.len() * 8).step_by(3) {
        let mut bad = good.clone();
        bad.get_mut(&path).unwrap()[DATA_START + bit / 8] ^= 1 << (bit % 8);
        restore(&dir, &bad);
        match open(&dir) {
            // What pads a frame says nothing.
            Ok((disk, found)) => {
                assert_eq!(frames[bit / 8], 0, "bit {bit} went unnoticed");
                assert_eq!((found.last, read(&disk, 0).len()), (Some(log_id(1, 3)), 4));
            }
            Err(error) => {
                assert!(matches!(error, LogOpenError::Damaged { .. }), "bit {bit}: {error}");
                let text = chain(&error);
                assert!(text.contains("00000000000000000001.seg") && text.contains("at byte"), "{text}");
                named += usize::from(text.contains("log entry"));
            }
        }
    }
    assert!(named > frames.len() / 2, "entries are named where it can be told: {named}");
}

#[test]
fn a_missing_segment_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("raftlog");
    let (disk, _) = open(&dir).unwrap();
    (0..20).for_each(|index| append(&disk, [entry(1, index, 1500)]));
    drop(disk);
    let good = files(&dir);
    assert!(good.len() > 5, "{} files", good.len());
    for gone in good.keys().take(good.len() - 3) {
        restore(&dir, &good);
        fs::remove_file(gone).unwrap();
        let text = chain(&refused(&dir));
        let name = gone.file_name().unwrap().to_str().unwrap();
        assert!(text.contains(name) || text.contains("starts at"), "{name}: {text}");
        // Of the same length and without a frame: a disk that lost the writes.
        fs::write(gone, [&good[gone][..DATA_START], &vec![0; 4096]].concat()).unwrap();
        assert!(matches!(refused(&dir), LogOpenError::Damaged { .. }));
        fs::write(gone, vec![0; SMALL]).unwrap();
        assert!(matches!(refused(&dir), LogOpenError::Damaged { .. }));
    }
}

#[test]
fn what_another_version_wrote_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("raftlog");
    let (disk, _) = open(&dir).unwrap();
    append(&disk, [entry(1, 0, 10)]);
    assert!(matches!(refused(&dir), LogOpenError::InUse { .. }));
    drop(disk);
    let path = segment::path(&dir, 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[9] = 2;
    let sum = crc32c::crc32c(&bytes[..20]);
    bytes[20..24].copy_from_slice(&sum.to_be_bytes());
    fs::write(&path, bytes).unwrap();
    let text = refused(&dir).to_string();
    assert!(text.contains("format 2") && text.contains("newer version"), "{text}");
    fs::write(dir.join("CURRENT"), b"MANIFEST-000004\n").unwrap();
    let text = refused(&dir).to_string();
    assert!(text.contains("RocksDB") && text.contains("development version"), "{text}");
}

#[test]
fn a_round_larger_than_a_segment_gets_one_of_its_own() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("raftlog");
    let (disk, _) = open(&dir).unwrap();
    let sizes = [100, 50_000, 100, 9_000, 9_000, 10];
    let all: Vec<_> = (0..).zip(sizes).map(|(index, bytes)| entry(1, index, bytes)).collect();
    all.iter().for_each(|entry| append(&disk, [entry.clone()]));
    assert_eq!(read(&disk, 0), all);
    drop(disk);
    let (disk, _, entries) = content(&dir);
    assert_eq!(entries, all);
    round(&disk, |batch| batch.purge_upto(&log_id(1, 4)));
    append(&disk, [entry(1, 6, 10)]);
    drop(disk);
    assert_eq!(content(&dir).2, [entry(1, 5, 10), entry(1, 6, 10)]);
}

#[test]
fn a_reader_keeps_a_segment_from_being_used_again() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("raftlog");
    let (disk, _) = open(&dir).unwrap();
    (0..10).for_each(|index| append(&disk, [entry(1, index, 1500)]));
    let run = disk.index().run(0, 10, 1 << 20).unwrap();
    let bytes = run.segment.read(run.span.start, run.span.len()).unwrap();
    round(&disk, |batch| batch.purge_upto(&log_id(1, 9)));
    (10..60).for_each(|index| append(&disk, [entry(1, index, 1500)]));
    assert_eq!(run.segment.read(run.span.start, run.span.len()).unwrap(), bytes);
}

#[test]
fn purged_files_are_used_again() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("raftlog");
    let (disk, _) = open(&dir).unwrap();
    for index in 0..300 {
        append(&disk, [entry(1, index, 1500)]);
        if index % 10 == 9 {
            round(&disk, |batch| batch.purge_upto(&log_id(1, index - 3)));
        }
    }
    drop(disk);
    let count = fs::read_dir(&dir).unwrap().count();
    assert!(count < 25, "{count} files");
    let (_disk, found, entries) = content(&dir);
    assert_eq!((found.last, entries.len()), (Some(log_id(1, 299)), 3));
}

#[test]
fn entries_out_of_order_are_refused_before_they_are_written() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("raftlog");
    let (disk, _) = open(&dir).unwrap();
    append(&disk, [entry(1, 0, 10)]);
    let mut batch = disk.batch();
    batch.put(&entry(1, 2, 10));
    assert!(batch.commit_synced().is_err());
    drop(disk);
    assert_eq!(content(&dir).2, [entry(1, 0, 10)]);
}

/// What the log should hold.
#[derive(Clone, Default)]
struct Model {
    entries: Vec<Entry>,
    vote: Option<Vote>,
    purged: Option<LogId>,
    committed: Option<LogId>,
    term: u64,
}

impl Model {
    fn start(&self) -> u64 {
        self.purged.map_or(0, |purged| purged.index + 1)
    }

    fn next(&self) -> u64 {
        self.start() + self.entries.len() as u64
    }

    fn recovered(&self) -> Recovered {
        let last = self.entries.last().map(|entry| entry.log_id).or(self.purged);
        Recovered { vote: self.vote, purged: self.purged, committed: self.committed, last }
    }

    fn change(&mut self, rng: &mut StdRng, batch: &mut LogBatch<'_>) {
        match rng.random_range(0..12) {
            0 => {
                self.term += 1;
                let vote = Vote::new(self.term, 1);
                batch.set_vote(&vote);
                self.vote = Some(vote);
            }
            1 if !self.entries.is_empty() => {
                let keep = rng.random_range(self.entries.len().saturating_sub(20)..self.entries.len());
                batch.truncate_from(self.start() + keep as u64);
                self.entries.truncate(keep);
            }
            2 if !self.entries.is_empty() => {
                let last = rng.random_range(0..self.entries.len());
                let upto = self.entries[last].log_id;
                batch.purge_upto(&upto);
                self.entries.drain(..=last);
                self.purged = Some(upto);
            }
            // A snapshot of a leader covers more than what is here.
            3 if rng.random_bool(0.1) => {
                let upto = log_id(self.term, self.next() + 50);
                batch.purge_upto(&upto);
                self.entries.clear();
                self.purged = Some(upto);
            }
            4 => {
                let committed = log_id(self.term, self.next());
                batch.set_committed(&committed);
                self.committed = Some(committed);
            }
            _ => {
                for _ in 0..rng.random_range(1..5) {
                    let bytes = if rng.random_bool(0.02) { 10_000 } else { rng.random_range(0..700) };
                    let entry = entry(self.term, self.next(), bytes);
                    batch.put(&entry);
                    self.entries.push(entry);
                }
            }
        }
    }

    fn check(&self, dir: &Path, what: &str) -> LogDisk {
        let (disk, found, entries) = content(dir);
        assert_eq!(found, self.recovered(), "{what}");
        assert_eq!(entries, self.entries, "{what}");
        disk
    }
}

#[test]
fn random_work_gives_what_a_plain_list_gives() {
    for seed in 0..8 {
        let mut rng = StdRng::seed_from_u64(seed);
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("raftlog");
        let mut model = Model::default();
        let mut disk = model.check(&dir, "an empty log");
        for step in 0..400 {
            round(&disk, |batch| (0..rng.random_range(1..4)).for_each(|_| model.change(&mut rng, batch)));
            assert_eq!(read(&disk, model.start()), model.entries, "seed {seed}, step {step}");
            if rng.random_bool(0.05) {
                drop(disk);
                disk = model.check(&dir, &format!("seed {seed}, step {step}"));
            }
        }
    }
}
