//! A revision as it is shared by all who follow it: its events, each encoded at most once for each way of showing it.
//!
//! It knows how an event is shown and not who looks. Invariant: to a device nothing is shown but its twin's desired and
//! reported properties: no tags, no actor, no origin, no request id.

use std::sync::{Mutex, OnceLock, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use muster_domain::{Event, Key};
use muster_planted::{self as planted, Bug};
use muster_proto::v1;
use prost::Message;

use crate::convert;
use crate::convert::twin::Parts;
use crate::read::{RevisionEntry, StoreError, View};

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    User,
    Device,
}

impl Audience {
    /// The parts of a twin it sees.
    pub(crate) fn parts(self) -> Parts {
        Parts { tags: self == Self::User, ..Parts::ALL }
    }
}

/// Which images come with an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Images {
    pub(crate) before: bool,
    pub(crate) after: bool,
}

impl Images {
    pub(crate) fn any(self) -> bool {
        self.before || self.after
    }
}

/// An entry of the log and its encoded events.
#[derive(Debug)]
pub(super) struct Published {
    entry: RevisionEntry,
    stored_bytes: usize,
    encoded: Vec<Encoded>,
}

#[derive(Debug, Default)]
struct Encoded {
    for_users: OnceLock<Bytes>,
    for_devices: OnceLock<Bytes>,
    with_images: Mutex<Vec<(Audience, Images, Bytes)>>,
}

impl Published {
    pub(super) fn new(entry: RevisionEntry, stored_bytes: usize) -> Self {
        let encoded = entry.events.iter().map(|_| Encoded::default()).collect();
        Self { entry, stored_bytes, encoded }
    }

    #[cfg(test)]
    pub(super) fn empty(revision: u64, stored_bytes: usize) -> Self {
        let nobody = String::new;
        let (actor, origin, request_id) = (nobody(), nobody(), nobody());
        let (events, previous) = (Vec::new(), Vec::new());
        Self::new(RevisionEntry { revision, time_ms: 0, actor, origin, request_id, events, previous }, stored_bytes)
    }

    pub(super) fn revision(&self) -> u64 {
        self.entry.revision
    }

    pub(super) fn stored_bytes(&self) -> usize {
        self.stored_bytes
    }

    pub(super) fn actor(&self) -> &str {
        &self.entry.actor
    }

    pub(super) fn events(&self) -> &[Event] {
        &self.entry.events
    }

    /// The event at `at` as a `WatchEvent` without images. `index` is its number among all events of the revision.
    pub(super) fn encoded(&self, at: usize, index: u32, audience: Audience) -> Bytes {
        let encoded = &self.encoded[at];
        let once = match audience {
            Audience::User => &encoded.for_users,
            Audience::Device => &encoded.for_devices,
        };
        once.get_or_init(|| {
            let event = Some(show(&self.entry, &self.entry.events[at], index, audience));
            v1::WatchEvent { event, before: None, after: None }.encode_to_vec().into()
        })
        .clone()
    }

    /// The same with images. Reads records, perhaps from the disk: not for threads that drive tasks.
    pub(super) fn encoded_with(
        &self,
        at: usize,
        index: u32,
        audience: Audience,
        images: Images,
        view: &View,
    ) -> Result<Bytes, StoreError> {
        let ready = || self.encoded[at].with_images.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, bytes)) = ready().iter().find(|(of, with, _)| (*of, *with) == (audience, images)) {
            return Ok(bytes.clone());
        }
        let key = &self.entry.events[at].key;
        let image = |wanted: bool, revision: u64| match wanted {
            true => resource(view, key, revision, audience),
            false => Ok(None),
        };
        let before = image(images.before, self.revision() - 1)?;
        let after = image(images.after, self.revision())?;
        // The encodings of messages, one after the other, are the encoding of their union.
        let rest = v1::WatchEvent { event: None, before, after };
        let event = self.encoded(at, index, audience);
        let mut bytes = BytesMut::with_capacity(event.len() + rest.encoded_len());
        bytes.put(event);
        bytes.put(rest.encode_to_vec().as_slice());
        let bytes = bytes.freeze();
        ready().push((audience, images, bytes.clone()));
        Ok(bytes)
    }
}

fn show(entry: &RevisionEntry, event: &Event, index: u32, audience: Audience) -> v1::Event {
    match audience {
        Audience::User => convert::event::to_proto(entry, event, index),
        Audience::Device => convert::event::for_device(entry, event, index),
    }
}

/// A resource as of a revision, as the audience may see it.
fn resource(view: &View, key: &Key, revision: u64, audience: Audience) -> Result<Option<v1::Resource>, StoreError> {
    let record = match view.get_at(key, revision) {
        // Older than what is kept.
        Err(StoreError::Compacted { .. }) => None,
        found => found?,
    };
    let parts = if planted::is(Bug::ImagesWithTags) { Parts::ALL } else { audience.parts() };
    Ok(record.and_then(|record| convert::resource::to_proto(key, &record, parts)))
}
