//! Which process a member was started as last, for those who only look at processes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// See the module. Cheap to clone; a process that it names may have ended.
#[derive(Debug, Clone, Default)]
pub struct Pids(Arc<Mutex<BTreeMap<u64, u32>>>);

impl Pids {
    pub(crate) fn note(&self, node: u64, pid: Option<u32>) {
        let mut pids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pid.and_then(|pid| pids.insert(node, pid));
    }

    /// The process of a member.
    #[must_use]
    pub fn of(&self, node: u64) -> Option<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&node).copied()
    }
}
