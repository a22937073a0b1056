//! Answers whose further pages will probably be asked for. Losing one costs its being found again as of its revision.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Answered;

/// Answers at most; each keeps what has changed since from being freed.
const ANSWERS_MAX: usize = 32;
/// Bytes of row lists at most.
const BYTES_MAX: usize = 128 << 20;
/// Kept for so long after it was last asked for.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// What an answer is known by: the query and its caller, the revision, and when `NOW()` is.
pub(crate) type KeptKey = ([u8; 32], u64, u64);

/// Answers by query, newest use last.
#[derive(Default)]
pub(crate) struct Kept(Mutex<VecDeque<(KeptKey, Arc<Answered>, Instant)>>);

impl Kept {
    /// The answer, if it is still here.
    pub(crate) fn get(&self, key: &KeptKey) -> Option<Arc<Answered>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(of, _, _)| of == key)?;
        let (key, answered, _) = kept.remove(at)?;
        kept.push_back((key, Arc::clone(&answered), crate::raft::now()));
        Some(answered)
    }

    /// Keeps an answer; the longest unused ones go.
    pub(crate) fn put(&self, key: KeptKey, answered: Arc<Answered>) {
        let now = crate::raft::now();
        let mut gone = Vec::new();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((key, answered, now));
        let mut bytes: usize = kept.iter().map(|(_, answered, _)| answered.selection.memory_bytes()).sum();
        while let Some((_, first, used)) = kept.front()
            && (kept.len() > ANSWERS_MAX || bytes > BYTES_MAX || now.duration_since(*used) > IDLE_MAX)
        {
            bytes -= first.selection.memory_bytes();
            gone.extend(kept.pop_front());
        }
        drop(kept);
        // What they held is freed here, not under the lock.
        drop(gone);
    }

    /// Forgets an answer that was told to its end.
    pub(crate) fn remove(&self, key: &KeptKey) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = kept.iter().position(|(of, _, _)| of == key) {
            let gone = kept.remove(at);
            drop(kept);
            drop(gone);
        }
    }
}
