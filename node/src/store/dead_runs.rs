//! Where a search for living records may begin. Deleted records stay in `states`; a forced deletion of a namespace would
//! step over all that it has deleted so far with every further step.
//!
//! It knows no record. Invariant: below a noted key, every stored record of the prefix is a deleted one; the applying
//! thread, which alone notes and reads runs, reports each record that comes to life. What is noted is only a shortcut: it
//! never changes what a search finds, and a node that forgot it finds the same.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shorter runs are stepped over as fast as they are looked up.
const RUN_MIN: usize = 64;
/// Prefixes remembered at most.
const PREFIXES_MAX: usize = 64;

/// By prefix, the last key of the deleted records it begins with.
#[derive(Default)]
pub(crate) struct DeadRuns(Mutex<BTreeMap<Vec<u8>, Vec<u8>>>);

impl DeadRuns {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        // Each method leaves the map whole, whatever happens.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key after which to begin.
    pub(crate) fn end(&self, prefix: &[u8]) -> Option<Vec<u8>> {
        self.lock().get(prefix).cloned()
    }

    /// Notes what a search from the beginning, or from [`DeadRuns::end`], came by.
    pub(crate) fn note(&self, prefix: &[u8], run: DeadRun) {
        if run.length < RUN_MIN {
            return;
        }
        let mut ends = self.lock();
        if ends.len() >= PREFIXES_MAX && !ends.contains_key(prefix) {
            ends.clear();
        }
        ends.insert(prefix.to_vec(), run.last);
    }

    /// The record at `key` lives, or is about to.
    pub(crate) fn revive(&self, key: &[u8]) {
        self.lock().retain(|prefix, end| !key.starts_with(prefix) || key > end.as_slice());
    }

    /// Forgets everything: the state below was replaced.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }
}

/// The deleted records at the beginning of one search.
#[derive(Default)]
pub(crate) struct DeadRun {
    length: usize,
    last: Vec<u8>,
    ended: bool,
}

impl DeadRun {
    /// The next stored record is a deleted one.
    pub(crate) fn dead(&mut self, key: &[u8]) {
        if !self.ended {
            self.length += 1;
            self.last.clear();
            self.last.extend_from_slice(key);
        }
    }

    /// Something else comes next.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(length: u16) -> DeadRun {
        let mut run = DeadRun::default();
        for n in 0..length {
            run.dead(&[&b"p"[..], &n.to_be_bytes()].concat());
        }
        run.end();
        run.dead(b"p~~ later");
        run
    }

    #[test]
    fn a_run_ends_with_its_last_dead_record_and_is_forgotten_when_one_of_it_lives() {
        let runs = DeadRuns::default();
        runs.note(b"p", run(10));
        assert_eq!(runs.end(b"p"), None, "too short");
        runs.note(b"p", run(100));
        let end = [b'p', 0, 99];
        assert_eq!(runs.end(b"p").as_deref(), Some(&end[..]));
        runs.revive(&[b'p', 0, 100]);
        runs.revive(b"other");
        assert_eq!(runs.end(b"p").as_deref(), Some(&end[..]), "beyond the run, or elsewhere");
        runs.revive(&end);
        assert_eq!(runs.end(b"p"), None);
    }

    #[test]
    fn prefixes_are_bounded() {
        let runs = DeadRuns::default();
        for n in 0..1_000_u16 {
            runs.note(&n.to_be_bytes(), run(100));
            assert!(runs.lock().len() <= PREFIXES_MAX);
        }
    }
}
