//! Twins: the JSON document of a device or module, in three sections, after IoT Hub.
//!
//! - Every node of a section remembers when and at which section version it was last touched; a change touches the
//!   nodes it names and all above them, so that the removal of a member leaves a trace.
//! - Versions only rise, also over the deletion and re-creation of the id.
//! - Merging is RFC 7396: objects merge member by member, null removes, anything else replaces.
//!
//! It knows no storage and no API; documents arrive as JSON text and leave as JSON text ([`render`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::json::Json;
use crate::{At, Body, EventKind, Tombstone};

mod builder;
mod check;
mod decide;
mod document;
mod merge;
mod parse;
pub mod render;

pub use builder::{Builder, NameTwice};
pub use check::section_size;
pub(crate) use decide::decide;
pub use decide::replace_change;
pub use document::{Document, Member, Members, Touch, Value};

/// A twin. A change copies the sections it touches and shares the others with the twin before.
#[derive(Debug, Clone, PartialEq)]
pub struct Twin {
    /// Counts every change of any section.
    pub version: u64,
    /// The back end's; hidden from the device.
    pub tags: Arc<Section>,
    /// The back end's; the device follows it.
    pub desired: Arc<Section>,
    /// The device's.
    pub reported: Arc<Section>,
}

/// One section of a twin.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    /// IoT Hub's `$version`.
    pub version: u64,
    /// When it last changed, milliseconds since the epoch.
    pub updated_ms: u64,
    /// Its version at that time.
    pub updated_version: u64,
    /// The document.
    pub document: Document,
}

impl Section {
    fn created(version_before: u64, at: At) -> Self {
        let version = version_before + 1;
        Self { version, updated_ms: at.time_ms, updated_version: version, document: Document::default() }
    }

    /// The section after a change, which is told how to touch.
    fn changed(&self, at: At, change: impl FnOnce(&Document, Touch) -> Document) -> Self {
        let version = self.version + 1;
        let document = change(&self.document, Touch { time_ms: at.time_ms, version });
        Self { version, updated_ms: at.time_ms, updated_version: version, document }
    }

    /// The document as plain JSON, without traces.
    #[must_use]
    pub fn to_json(&self) -> Json {
        self.document.to_json()
    }

    /// Whether the document equals `members`, whatever the traces.
    #[must_use]
    pub fn holds(&self, members: &BTreeMap<String, Json>) -> bool {
        let own = self.document.members();
        own.count() == members.len()
            && own.zip(members).all(|(member, (name, json))| member.name() == name && member.value().is(json))
    }
}

impl Twin {
    /// An empty twin; `before` is what the id left behind, so that versions go on.
    #[must_use]
    pub fn created(before: Option<&Body>, at: At) -> Self {
        let last = Self::tombstone(before);
        Self {
            version: last.version + 1,
            tags: Arc::new(Section::created(last.tags_version, at)),
            desired: Arc::new(Section::created(last.desired_version, at)),
            reported: Arc::new(Section::created(last.reported_version, at)),
        }
    }

    /// The counters to keep when `body` is deleted.
    #[must_use]
    pub fn tombstone(body: Option<&Body>) -> Tombstone {
        match body {
            Some(Body::Twin(twin)) => Tombstone {
                version: twin.version,
                tags_version: twin.tags.version,
                desired_version: twin.desired.version,
                reported_version: twin.reported.version,
            },
            Some(Body::Deleted(tombstone)) => *tombstone,
            _ => Tombstone::default(),
        }
    }

    /// The twin after `event`. Text that is not a JSON object changes nothing; `decide` lets none through.
    #[must_use]
    pub(crate) fn evolve(&self, event: &EventKind, at: At) -> Self {
        let parse = |text: &Option<String>| text.as_deref().and_then(|text| Document::parse("", text).ok());
        match event {
            EventKind::TwinPatched { tags, desired } => self.merged(parse(tags), parse(desired), None, at),
            EventKind::TwinReported(reported) => self.merged(None, None, Document::parse("", reported).ok(), at),
            EventKind::TwinReplaced { tags, desired, reported } => {
                self.replaced(parse(tags), parse(desired), parse(reported), at)
            }
            _ => self.clone(),
        }
    }

    fn merged(&self, tags: Given, desired: Given, reported: Given, at: At) -> Self {
        self.changed(tags, desired, reported, at, merge::merged)
    }

    fn replaced(&self, tags: Given, desired: Given, reported: Given, at: At) -> Self {
        self.changed(tags, desired, reported, at, |_, given, touch| merge::replaced(given, touch))
    }

    fn changed(
        &self,
        tags: Given,
        desired: Given,
        reported: Given,
        at: At,
        change: impl Fn(&Document, &Document, Touch) -> Document,
    ) -> Self {
        // The sections that are not given are shared with the twin before.
        let section = |before: &Arc<Section>, given: Given| match given {
            Some(given) => Arc::new(before.changed(at, |document, touch| change(document, &given, touch))),
            None => Arc::clone(before),
        };
        Self {
            version: self.version + 1,
            tags: section(&self.tags, tags),
            desired: section(&self.desired, desired),
            reported: section(&self.reported, reported),
        }
    }
}

type Given = Option<Document>;

#[cfg(test)]
mod tests;
