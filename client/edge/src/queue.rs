//! Operations that wait for the cluster's answer, and those that were answered and whose effect is not seen yet.
//!
//! It knows neither disk nor protocol: the store keeps the same entries under the same keys.
//!
//! ```text
//!   settling (answered, effect not seen) │ sent, unanswered │ never sent
//!                           acknowledged ┘             sent ┘          newest
//! ```
//!
//! - The sequence of an operation is not stored: it follows from its place, the first unanswered one being `acknowledged`
//!   + 1. So numbers have no gap, also when an operation that was never sent is dropped.
//! - Keys only rise and are never used again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use muster_proto::v1;
use muster_proto::v1::sync_operation::Operation;
use prost::Message;

/// An operation with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Orders it.
    pub key: u64,
    /// What is to be done.
    pub operation: Arc<v1::SyncOperation>,
    /// As the application gave it; may be empty.
    pub request_id: String,
}

impl Entry {
    /// Bytes it takes in the queue.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.operation.encoded_len() + self.request_id.len()
    }

    /// The resource that it is about.
    #[must_use]
    pub fn name(&self) -> &str {
        name_of(&self.operation)
    }
}

/// The resource that an operation is about.
#[must_use]
pub fn name_of(operation: &v1::SyncOperation) -> &str {
    match &operation.operation {
        Some(Operation::Report(report)) => &report.name,
        Some(Operation::AssetStatus(status)) => &status.name,
        Some(Operation::DiscoveredDevice(said)) => &said.name,
        Some(Operation::DiscoveredAsset(said)) => &said.name,
        None => "",
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Queue {
    entries: VecDeque<Entry>,
    /// How many entries, from the first on, are answered.
    settling: usize,
    /// Bytes of the unanswered ones.
    bytes: usize,
    /// Keys up to which operations are answered, and the revision at which that was so.
    answers: VecDeque<(u64, u64)>,
    by_name: BTreeMap<String, VecDeque<u64>>,
    by_request_id: BTreeMap<String, u64>,
}

impl Queue {
    /// The queue as it was stored: entries by key, those up to `acknowledged_key` answered as of `revision`.
    #[must_use]
    pub fn restored(entries: Vec<Entry>, acknowledged_key: u64, revision: u64) -> Self {
        let mut queue = Self::default();
        for entry in entries {
            queue.push(entry);
        }
        queue.settle_up_to(acknowledged_key, revision);
        queue
    }

    /// Adds the newest.
    pub fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes();
        self.by_name.entry(entry.name().to_owned()).or_default().push_back(entry.key);
        if !entry.request_id.is_empty() {
            self.by_request_id.insert(entry.request_id.clone(), entry.key);
        }
        self.entries.push_back(entry);
    }

    /// How many are unanswered.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.entries.len() - self.settling
    }

    /// Bytes of the unanswered ones.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.bytes
    }

    /// The unanswered ones from the `skip`th on, in order.
    pub fn waiting_from(&self, skip: usize) -> impl Iterator<Item = &Entry> {
        self.entries.iter().skip(self.settling + skip)
    }

    /// All that is not known to be seen in the items yet, about one resource, in order.
    pub fn pending_of(&self, name: &str) -> impl Iterator<Item = &Entry> {
        let keys = self.by_name.get(name).into_iter().flatten();
        keys.filter_map(|key| self.entry(*key))
    }

    /// How much is pending about one resource.
    #[must_use]
    pub fn pending_count(&self, name: &str) -> usize {
        self.by_name.get(name).map_or(0, VecDeque::len)
    }

    /// Names that something is pending for.
    pub fn pending_names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The operation with this request id, if it is still here.
    #[must_use]
    pub fn with_request_id(&self, request_id: &str) -> Option<&Entry> {
        self.entry(*self.by_request_id.get(request_id)?)
    }

    fn entry(&self, key: u64) -> Option<&Entry> {
        self.entries.binary_search_by_key(&key, |entry| entry.key).ok().map(|place| &self.entries[place])
    }

    /// Drops the `skip`th unanswered one.
    pub fn drop_waiting(&mut self, skip: usize) -> Option<Entry> {
        let entry = self.entries.remove(self.settling + skip)?;
        self.bytes -= entry.bytes();
        self.forget_name(&entry);
        Some(entry)
    }

    /// Notes that the first `count` unanswered ones are answered as of `revision`, those in `refused` (by place) with no.
    /// Returns what is gone at once, the refused ones, and the key of the last one answered.
    pub fn answered(&mut self, count: usize, refused: &[usize], revision: u64) -> (Vec<Entry>, Option<u64>) {
        let count = count.min(self.waiting());
        let last = self.waiting_from(0).take(count).last().map(|entry| entry.key);
        let mut gone = Vec::new();
        for place in (0..count).rev().filter(|place| refused.contains(place)) {
            gone.extend(self.drop_waiting(place));
        }
        if let Some(key) = last {
            self.settle_up_to(key, revision);
        }
        gone.reverse();
        (gone, last)
    }

    fn settle_up_to(&mut self, key: u64, revision: u64) {
        let before = self.settling;
        while self.entries.get(self.settling).is_some_and(|entry| entry.key <= key) {
            self.bytes -= self.entries[self.settling].bytes();
            self.settling += 1;
        }
        if self.settling > before {
            self.answers.push_back((key, revision));
        }
    }

    /// Takes out what the items show by now: they are complete up to `revision`.
    pub fn seen(&mut self, revision: u64) -> Vec<Entry> {
        let mut gone = Vec::new();
        while let Some((key, _)) = self.answers.front().copied().filter(|(_, answered)| *answered <= revision) {
            self.answers.pop_front();
            gone.extend(self.take_settled(key));
        }
        gone
    }

    /// Takes out the oldest settling ones beyond `keep`: too many are worse than a read that does not show them for a moment.
    pub fn trim_settling(&mut self, keep: usize) -> Vec<Entry> {
        let mut gone = Vec::new();
        while self.settling > keep {
            let Some((key, _)) = self.answers.pop_front() else { break };
            gone.extend(self.take_settled(key));
        }
        gone
    }

    fn take_settled(&mut self, key: u64) -> Vec<Entry> {
        let mut gone = Vec::new();
        while self.settling > 0 && self.entries.front().is_some_and(|entry| entry.key <= key) {
            self.settling -= 1;
            if let Some(entry) = self.entries.pop_front() {
                self.forget_name(&entry);
                gone.push(entry);
            }
        }
        gone
    }

    fn forget_name(&mut self, entry: &Entry) {
        if let Some(keys) = self.by_name.get_mut(entry.name()) {
            keys.retain(|key| *key != entry.key);
            if keys.is_empty() {
                self.by_name.remove(entry.name());
            }
        }
        if self.by_request_id.get(&entry.request_id) == Some(&entry.key) {
            self.by_request_id.remove(&entry.request_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: u64, name: &str) -> Entry {
        let report = v1::SyncReport { name: name.to_owned(), reported_json: "{}".to_owned() };
        let operation = v1::SyncOperation { queued_ms: 1, operation: Some(Operation::Report(report)) };
        Entry { key, operation: Arc::new(operation), request_id: format!("r{key}") }
    }

    fn keys<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<u64> {
        entries.map(|entry| entry.key).collect()
    }

    #[test]
    fn what_is_answered_stays_until_the_items_show_it() {
        let mut queue = Queue::restored((1..=5).map(|key| entry(key, "a")).collect(), 0, 0);
        let (refused, last) = queue.answered(3, &[1], 10);
        assert_eq!((keys(refused.iter()), last), (vec![2], Some(3)));
        assert_eq!((queue.waiting(), keys(queue.pending_of("a"))), (2, vec![1, 3, 4, 5]));
        assert!(queue.seen(9).is_empty());
        assert_eq!(keys(queue.seen(10).iter()), [1, 3]);
        assert_eq!((keys(queue.waiting_from(0)), keys(queue.pending_of("a"))), (vec![4, 5], vec![4, 5]));
    }

    #[test]
    fn bytes_are_those_of_what_waits() {
        let mut queue = Queue::default();
        queue.push(entry(1, "a"));
        queue.push(entry(2, "b"));
        assert_eq!(queue.waiting_bytes(), entry(1, "a").bytes() + entry(2, "b").bytes());
        queue.answered(1, &[], 3);
        assert_eq!(queue.waiting_bytes(), entry(2, "b").bytes());
        assert_eq!(queue.drop_waiting(0).map(|entry| entry.key), Some(2));
        assert_eq!((queue.waiting(), queue.waiting_bytes()), (0, 0));
        assert_eq!(queue.pending_names().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn too_many_that_settle_are_let_go_of_oldest_first() {
        let mut queue = Queue::restored((1..=6).map(|key| entry(key, "a")).collect(), 0, 0);
        queue.answered(2, &[], 7);
        queue.answered(2, &[], 8);
        assert_eq!(keys(queue.trim_settling(3).iter()), [1, 2]);
        assert_eq!(keys(queue.seen(8).iter()), [3, 4]);
    }
}
