//! The cluster's side by the rules of `sync.md`, in memory and without faults of its own: what the agent is tested against.
//!
//! It keeps a log of every effect, so that tests can count them.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::feature::FEATURE_LEVEL;
use muster_domain::scope::{ScopeHash, content_hash, item_hash};
use muster_domain::{Key, Limits};
use muster_edge::protocol::Loss;
use muster_edge::queue::name_of;
use muster_edge::rules::View;
use muster_proto::v1;
use muster_proto::v1::resource::Resource;
use muster_proto::v1::sync_operation::Operation;
use muster_proto::v1::sync_request::Message as Said;
use muster_proto::v1::sync_response::Message;
use prost::Message as _;

/// Items of one message.
const FRAME_ITEMS: usize = 7;
/// Entries are told of ranges with at most so many items; small, so that repairs have levels.
const ENTRIES_MAX: u64 = 4;
/// Parts of a range.
const PARTS: usize = 4;

/// An operation that took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) incarnation: Vec<u8>,
    pub(crate) sequence: u64,
    pub(crate) name: String,
    pub(crate) text: String,
}

#[derive(Debug, Default, Clone)]
struct Record {
    incarnation: Vec<u8>,
    /// Those that another one replaced.
    past: Vec<Vec<u8>>,
    epoch: u64,
    session: Vec<u8>,
    last_sequence: u64,
    refusals: Vec<v1::SyncRefusal>,
    /// All epochs from this one on are of `session`, and nothing was sent in them; 0: something was.
    unused_since: u64,
}

/// The cluster.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    pub(crate) cluster_id: String,
    pub(crate) revision: u64,
    pub(crate) scope: BTreeMap<String, v1::SyncItem>,
    /// Names that left the scope, with the revision.
    left: BTreeMap<String, u64>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) refused: Vec<(u64, String)>,
    pub(crate) window_operations: u32,
    pub(crate) comparisons: u64,
    /// Operations are not answered, as if no quorum were there.
    pub(crate) hold_results: bool,
    /// The oldest revision whose changes are known: below it everything is sent.
    pub(crate) floor: u64,
    /// Items sent, to all streams.
    pub(crate) items_sent: u64,
    /// What edges said they hold by content.
    pub(crate) verified: Vec<v1::SyncVerified>,
    /// As the welcome tells them.
    pub(crate) limits: Option<v1::SyncLimits>,
    record: Record,
    /// What welcomes say.
    pub(crate) feature_level: u32,
}

/// What one stream is at.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    epoch: u64,
    /// From where it began, and its newest mark: an edge that says more than that is wrong.
    cursor: u64,
    newest_mark: u64,
    /// Everything up to here was sent.
    sent: u64,
    /// The mark that has to agree before more is sent, and the scope as of it.
    checked: Option<(v1::SyncMark, BTreeMap<String, v1::SyncItem>)>,
    window_items: u64,
    sent_items: u64,
    received_items: u64,
    backlog: Vec<v1::SyncItem>,
    /// Contents are compared at the checked mark.
    verifying: bool,
    pub(crate) agreed: Option<u64>,
}

impl Cloud {
    pub(crate) fn new() -> Self {
        Self {
            cluster_id: "c1".to_owned(),
            revision: 0,
            scope: BTreeMap::new(),
            left: BTreeMap::new(),
            effects: Vec::new(),
            refused: Vec::new(),
            window_operations: 3,
            comparisons: 0,
            hold_results: false,
            floor: 0,
            items_sent: 0,
            verified: Vec::new(),
            limits: None,
            record: Record::default(),
            feature_level: FEATURE_LEVEL,
        }
    }

    /// A device with its twin, or its next change.
    pub(crate) fn put_device(&mut self, id: &str, desired: &str) {
        self.revision += 1;
        let name = format!("namespaces/plant1/devices/{id}");
        let device = v1::Device { name: name.clone(), version: self.revision, ..v1::Device::default() };
        self.put(name.clone(), Resource::Device(device));
        let name = format!("{name}/twin");
        let before = match self.scope.get(&name).and_then(|item| item.resource.clone()?.resource) {
            Some(Resource::Twin(twin)) => twin,
            _ => v1::Twin { name: name.clone(), ..v1::Twin::default() },
        };
        let desired =
            v1::SectionDocument { json: desired.to_owned(), version: self.revision, ..v1::SectionDocument::default() };
        let twin = v1::Twin { desired: Some(desired), version: before.version + 1, ..before };
        self.put(name, Resource::Twin(twin));
    }

    fn put(&mut self, name: String, resource: Resource) {
        self.left.remove(&name);
        let resource = Some(v1::Resource { resource: Some(resource) });
        self.scope.insert(name.clone(), v1::SyncItem { name, revision: self.revision, resource });
    }

    /// The device and its twin go to another edge.
    pub(crate) fn move_away(&mut self, id: &str) {
        self.revision += 1;
        for name in [format!("namespaces/plant1/devices/{id}"), format!("namespaces/plant1/devices/{id}/twin")] {
            self.scope.remove(&name);
            self.left.insert(name, self.revision);
        }
    }

    /// The same cluster, founded anew from a backup.
    pub(crate) fn restore_elsewhere(&mut self) {
        self.cluster_id = "c2".to_owned();
    }

    /// What was answered is forgotten.
    pub(crate) fn forget_sequences(&mut self) {
        self.record.last_sequence = 0;
    }

    pub(crate) fn sum(&self) -> ScopeHash {
        sum(&self.scope)
    }

    pub(crate) fn open_epoch(&self) -> u64 {
        self.record.epoch
    }

    /// Takes in a message of a stream; `Err` ends it.
    pub(crate) fn hear(
        &mut self,
        stream: &mut Option<Stream>,
        request: v1::SyncRequest,
    ) -> Result<Vec<v1::SyncResponse>, Loss> {
        let said = request.message.ok_or_else(|| refusal("", "an empty message"))?;
        let mut out = Vec::new();
        match (said, stream.as_mut()) {
            (Said::Hello(hello), None) => {
                let mut opened = self.welcome(&hello, &mut out)?;
                self.begin_down(&mut opened, hello.cursor, &mut out);
                *stream = Some(opened);
            }
            (Said::Operations(_), Some(_)) if self.hold_results => {}
            (Said::Operations(operations), Some(stream)) => {
                assert_eq!(operations.epoch, stream.epoch, "an edge sends in the epoch of its stream (S2)");
                out.push(self.apply(operations)?);
            }
            (Said::Received(received), Some(stream)) => self.received(stream, &received, &mut out),
            (Said::Compare(compare), Some(stream)) => out.push(self.compare(stream, &compare)),
            (Said::Fetch(fetch), Some(stream)) => fetch_items(stream, &fetch, &mut out),
            (Said::Verified(verified), Some(stream)) => {
                assert!(stream.verifying, "it was asked");
                stream.verifying = !verified.is_over;
                self.verified.push(verified);
            }
            (said, _) => return Err(refusal("", &format!("out of place: {said:?}"))),
        }
        Ok(out.into_iter().map(|message| v1::SyncResponse { message: Some(message) }).collect())
    }

    fn welcome(&mut self, hello: &v1::SyncHello, out: &mut Vec<Message>) -> Result<Stream, Loss> {
        if !hello.cluster_id.is_empty() && hello.cluster_id != self.cluster_id {
            return Err(refusal("CLUSTER_MISMATCH", "another cluster"));
        }
        if hello.cursor > self.revision {
            return Err(refusal("CURSOR_FROM_THE_FUTURE", "a cursor of the future"));
        }
        let record = &mut self.record;
        if hello.incarnation != record.incarnation {
            if hello.epoch != 0 || record.past.contains(&hello.incarnation.to_vec()) {
                return Err(refusal("EDGE_REPLACED", "another store"));
            }
            let mut past = std::mem::take(&mut record.past);
            past.push(std::mem::take(&mut record.incarnation));
            *record =
                Record { epoch: record.epoch, incarnation: hello.incarnation.to_vec(), past, ..Record::default() };
        } else {
            let unused = record.unused_since != 0;
            let same = unused && hello.session == record.session;
            let earlier = unused && (record.unused_since..record.epoch).contains(&hello.epoch);
            if hello.epoch != record.epoch && !same && !earlier || hello.sent_sequence < record.last_sequence {
                return Err(refusal("EDGE_REPLACED", "another copy"));
            }
        }
        record.epoch += 1;
        if record.session != hello.session || record.unused_since == 0 {
            record.unused_since = record.epoch;
        }
        record.session = hello.session.to_vec();
        self.revision += 1;
        out.push(Message::Welcome(v1::SyncWelcome {
            header: Some(v1::ResponseHeader {
                cluster_id: self.cluster_id.clone(),
                revision: self.revision,
                ..v1::ResponseHeader::default()
            }),
            epoch: self.record.epoch,
            last_sequence: self.record.last_sequence,
            refusals: self.record.refusals.clone(),
            window_operations: self.window_operations,
            heartbeat_ms: 1_000,
            limits: self.limits,
            feature_level: self.feature_level,
        }));
        Ok(Stream { epoch: self.record.epoch, window_items: hello.window_items.into(), ..Stream::default() })
    }

    /// Items above the cursor, then a mark that asks for a check.
    fn begin_down(&mut self, stream: &mut Stream, cursor: u64, out: &mut Vec<Message>) {
        let cursor = if cursor + 1 < self.floor { 0 } else { cursor };
        stream.cursor = cursor;
        stream.backlog = self.scope.values().filter(|item| item.revision > cursor).cloned().collect();
        stream.checked = Some((self.mark(true), self.scope.clone()));
        stream.sent = self.revision;
        self.send_backlog(stream, out);
    }

    fn mark(&self, check: bool) -> v1::SyncMark {
        let sum = self.sum();
        v1::SyncMark { revision: self.revision, items: sum.items(), scope_hash: sum.to_bytes().to_vec().into(), check }
    }

    fn send_backlog(&mut self, stream: &mut Stream, out: &mut Vec<Message>) {
        while !stream.backlog.is_empty() {
            let room = (stream.received_items + stream.window_items).saturating_sub(stream.sent_items);
            let count = usize::try_from(room).unwrap_or(0).min(FRAME_ITEMS).min(stream.backlog.len());
            if count == 0 {
                return;
            }
            stream.sent_items += count as u64;
            self.items_sent += count as u64;
            out.push(Message::Items(v1::SyncItems { items: stream.backlog.drain(..count).collect() }));
        }
        let mark = stream.checked.as_ref().map_or_else(|| self.mark(false), |(mark, _)| mark.clone());
        stream.newest_mark = mark.revision;
        out.push(Message::Mark(mark));
    }

    /// What changed since the last mark, if the stream is free for it.
    pub(crate) fn live(&mut self, stream: &mut Stream) -> Vec<v1::SyncResponse> {
        let mut out = Vec::new();
        if stream.checked.is_none() && stream.backlog.is_empty() && stream.sent < self.revision {
            let new = |revision: u64| revision > stream.sent;
            let mut items: Vec<_> = self.scope.values().filter(|item| new(item.revision)).cloned().collect();
            let gone = self.left.iter().filter(|(_, revision)| new(**revision));
            items.extend(gone.map(|(name, revision)| v1::SyncItem {
                name: name.clone(),
                revision: *revision,
                resource: None,
            }));
            items.sort_by_key(|item| item.revision);
            stream.backlog = items;
            stream.sent = self.revision;
            self.send_backlog(stream, &mut out);
        }
        out.into_iter().map(|message| v1::SyncResponse { message: Some(message) }).collect()
    }

    /// Asks an edge that is in step to compare contents.
    pub(crate) fn verify(&mut self, stream: &mut Stream, id: u64) -> Vec<v1::SyncResponse> {
        assert!(stream.checked.is_none() && stream.backlog.is_empty() && stream.sent == self.revision, "in step");
        let mark = self.mark(true);
        stream.checked = Some((mark.clone(), self.scope.clone()));
        stream.verifying = true;
        let verify = Message::Verify(v1::SyncVerify { id });
        [verify, Message::Mark(mark)].map(|message| v1::SyncResponse { message: Some(message) }).into()
    }

    fn apply(&mut self, operations: v1::SyncOperations) -> Result<Message, Loss> {
        if operations.epoch != self.record.epoch {
            return Err(refusal("EPOCH_FENCED", "an older epoch"));
        }
        if operations.first_sequence > self.record.last_sequence + 1 {
            return Err(refusal("SEQUENCE_GAP", "a gap"));
        }
        let known = self.record.last_sequence;
        self.record.unused_since = 0;
        for (sequence, operation) in (operations.first_sequence..).zip(operations.operations) {
            if sequence <= known {
                continue;
            }
            self.revision += 1;
            if let Err((reason, message)) = self.apply_one(sequence, &operation) {
                self.refused.push((sequence, reason.clone()));
                self.record.refusals.push(v1::SyncRefusal { sequence, reason, message });
            }
            self.record.last_sequence = sequence;
        }
        Ok(Message::OperationsResult(v1::SyncOperationsResult {
            last_sequence: self.record.last_sequence,
            refusals: self.record.refusals.clone(),
            revision: self.revision,
        }))
    }

    fn apply_one(&mut self, sequence: u64, operation: &v1::SyncOperation) -> Result<(), (String, String)> {
        let name = name_of(operation).to_owned();
        let outside = || ("OUTSIDE_SCOPE".to_owned(), format!("{name} is not in the scope"));
        if let Some(key @ (Key::DiscoveredDevice(..) | Key::DiscoveredAsset(..))) = Key::parse(&name) {
            return self.apply_discovery(sequence, key, operation);
        }
        let item = self.scope.get(&name).ok_or_else(outside)?;
        let device = self.scope.get(name.trim_end_matches("/twin"));
        let refused = |error: muster_domain::Rejection| (error.reason.code().to_owned(), error.message);
        let view = View::of_item(item, device).map_err(refused)?;
        let after = view.with(operation, 0, &Limits::default()).map_err(refused)?;
        let resource = Some(after.resource());
        let revision = self.revision;
        self.scope.insert(name.clone(), v1::SyncItem { name: name.clone(), revision, resource });
        let text = match &operation.operation {
            Some(Operation::Report(report)) => report.reported_json.clone(),
            _ => String::new(),
        };
        let incarnation = self.record.incarnation.clone();
        self.effects.push(Effect { incarnation, sequence, name, text });
        Ok(())
    }

    /// Judges it as if nothing was known of the thing.
    fn apply_discovery(
        &mut self,
        sequence: u64,
        key: Key,
        operation: &v1::SyncOperation,
    ) -> Result<(), (String, String)> {
        let name = key.to_string();
        let refused = |error: muster_domain::Rejection| (error.reason.code().to_owned(), error.message);
        View::of_discovered(key, self.feature_level).with(operation, 0, &Limits::default()).map_err(refused)?;
        let (incarnation, text) = (self.record.incarnation.clone(), String::new());
        self.effects.push(Effect { incarnation, sequence, name, text });
        Ok(())
    }

    fn received(&mut self, stream: &mut Stream, received: &v1::SyncReceived, out: &mut Vec<Message>) {
        let newest = stream.newest_mark.max(stream.cursor);
        assert!(received.cursor <= newest, "cursor {} was told of a stream at {newest}", received.cursor);
        assert!(received.items <= stream.sent_items, "more items were told than sent");
        stream.received_items = received.items;
        if let Some((mark, scope)) = &stream.checked
            && received.agrees
            && received.cursor >= mark.revision
            && !stream.verifying
        {
            assert_eq!(sum(scope).items(), mark.items, "a mark is of its scope");
            stream.checked = None;
        }
        if received.agrees {
            stream.agreed = Some(received.cursor);
        }
        if !stream.backlog.is_empty() {
            self.send_backlog(stream, out);
        }
    }

    fn compare(&mut self, stream: &Stream, compare: &v1::SyncCompare) -> Message {
        self.comparisons += 1;
        let scope = stream.checked.as_ref().map_or(&self.scope, |(_, scope)| scope);
        let held = entries(scope, compare.contents);
        let mut differences = Vec::new();
        for asked in &compare.ranges {
            let own = sum_of(&held, &asked.start, &asked.end);
            if own == *asked {
                continue;
            }
            let (start, end) = (asked.start.clone(), asked.end.clone());
            let mut difference = v1::SyncDifference { start, end, ..v1::SyncDifference::default() };
            if own.items <= ENTRIES_MAX {
                difference.entries = within(&held, &asked.start, &asked.end).cloned().collect();
            } else {
                difference.parts = parts(&held, asked);
            }
            differences.push(difference);
        }
        Message::Differences(v1::SyncDifferences { revision: compare.revision, differences })
    }
}

/// What is compared, in the order of names.
fn entries(scope: &BTreeMap<String, v1::SyncItem>, contents: bool) -> Vec<v1::SyncEntry> {
    let entries = scope.values().map(|item| {
        let hash = if contents { content_hash(&item.encode_to_vec()) } else { item_hash(&item.name, item.revision) };
        v1::SyncEntry { name: item.name.clone(), revision: item.revision, hash: hash.to_vec().into() }
    });
    entries.collect()
}

fn within<'e>(entries: &'e [v1::SyncEntry], start: &'e str, end: &'e str) -> impl Iterator<Item = &'e v1::SyncEntry> {
    entries.iter().filter(move |entry| entry.name.as_str() >= start && (end.is_empty() || entry.name.as_str() < end))
}

fn sum_of(entries: &[v1::SyncEntry], start: &str, end: &str) -> v1::SyncRange {
    let mut sum = ScopeHash::default();
    within(entries, start, end).for_each(|entry| sum.add(&entry.hash[..].try_into().expect("32 bytes")));
    let hash = sum.to_bytes().to_vec().into();
    v1::SyncRange { start: start.to_owned(), end: end.to_owned(), items: sum.items(), hash }
}

fn parts(entries: &[v1::SyncEntry], range: &v1::SyncRange) -> Vec<v1::SyncRange> {
    let names: Vec<&str> = within(entries, &range.start, &range.end).map(|entry| entry.name.as_str()).collect();
    let size = names.len().div_ceil(PARTS);
    let mut starts = vec![range.start.as_str()];
    starts.extend(names.iter().skip(size).step_by(size));
    let ends = starts.iter().skip(1).copied().chain([range.end.as_str()]).collect::<Vec<_>>();
    starts.into_iter().zip(ends).map(|(start, end)| sum_of(entries, start, end)).collect()
}

fn fetch_items(stream: &mut Stream, fetch: &v1::SyncFetch, out: &mut Vec<Message>) {
    let Some((mark, scope)) = &stream.checked else { return };
    let names: BTreeSet<&String> = fetch.names.iter().collect();
    let items = names.into_iter().map(|name| {
        scope.get(name).cloned().unwrap_or_else(|| v1::SyncItem {
            name: name.clone(),
            revision: mark.revision,
            resource: None,
        })
    });
    stream.sent_items += fetch.names.len() as u64;
    out.push(Message::Items(v1::SyncItems { items: items.collect() }));
}

fn sum(scope: &BTreeMap<String, v1::SyncItem>) -> ScopeHash {
    let mut sum = ScopeHash::default();
    scope.values().for_each(|item| sum.add(&item_hash(&item.name, item.revision)));
    sum
}

fn refusal(reason: &str, message: &str) -> Loss {
    Loss { reason: reason.to_owned(), message: message.to_owned(), ..Loss::default() }
}
