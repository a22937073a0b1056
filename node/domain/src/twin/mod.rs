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

mod check;
mod decide;
mod merge;
pub mod render;

pub use check::{members_size, section_size};
pub(crate) use decide::decide;
pub use decide::replace_change;

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
    /// The document's members.
    pub members: Members,
}

/// A value with the trace of its last change.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// When it was last touched, milliseconds since the epoch.
    pub updated_ms: u64,
    /// The section's version then.
    pub updated_version: u64,
    /// The value.
    pub value: Value,
}

/// A value in a twin: like JSON, but without null, and each member of an object is a [`Node`].
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `true`, `false`
    Bool(bool),
    /// An integer within ±2^52.
    Int(i64),
    /// Any other number; finite.
    Float(f64),
    /// Text; shared between the versions of a twin.
    String(Arc<str>),
    /// A list; a leaf as far as merging and metadata go.
    Array(Vec<Json>),
    /// Members by name.
    Object(Members),
}

/// Members of an object by name. Names are shared between the versions of a twin, so that a change copies little.
pub type Members = BTreeMap<Arc<str>, Node>;

/// A touch: what a changed node remembers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Touch {
    pub(crate) time_ms: u64,
    pub(crate) version: u64,
}

impl Node {
    pub(crate) fn new(value: Value, touch: Touch) -> Self {
        Self { updated_ms: touch.time_ms, updated_version: touch.version, value }
    }
}

impl Section {
    fn created(version_before: u64, at: At) -> Self {
        let version = version_before + 1;
        Self { version, updated_ms: at.time_ms, updated_version: version, members: BTreeMap::new() }
    }

    /// Raises the version and returns what touched nodes remember.
    fn touch(&mut self, at: At) -> Touch {
        self.version += 1;
        self.updated_ms = at.time_ms;
        self.updated_version = self.version;
        Touch { time_ms: at.time_ms, version: self.version }
    }

    /// The document as plain JSON, without traces.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::Object(self.members.iter().map(|(name, node)| (name.to_string(), node.value.to_json())).collect())
    }

    /// Whether the document equals `members`, whatever the traces.
    #[must_use]
    pub fn holds(&self, members: &BTreeMap<String, Json>) -> bool {
        same_members(&self.members, members)
    }
}

impl Value {
    /// The value as plain JSON, without traces.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(value) => Json::Int(*value),
            Self::Float(value) => Json::Float(*value),
            Self::String(value) => Json::String(value.to_string()),
            Self::Array(items) => Json::Array(items.clone()),
            Self::Object(members) => {
                Json::Object(members.iter().map(|(name, node)| (name.to_string(), node.value.to_json())).collect())
            }
        }
    }

    fn is(&self, json: &Json) -> bool {
        match (self, json) {
            (Self::Bool(a), Json::Bool(b)) => a == b,
            (Self::Int(a), Json::Int(b)) => a == b,
            (Self::Float(a), Json::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::String(a), Json::String(b)) => **a == **b,
            (Self::Array(a), Json::Array(b)) => a == b,
            (Self::Object(a), Json::Object(b)) => same_members(a, b),
            (Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::String(_) | Self::Array(_) | Self::Object(_), _) => {
                false
            }
        }
    }
}

fn same_members(nodes: &Members, members: &BTreeMap<String, Json>) -> bool {
    nodes.len() == members.len()
        && nodes.iter().zip(members).all(|((a, node), (b, json))| **a == **b && node.value.is(json))
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
        let parse = |text: &Option<String>| text.as_deref().and_then(|text| Json::parse_object("", text).ok());
        match event {
            EventKind::TwinPatched { tags, desired } => self.merged(parse(tags), parse(desired), None, at),
            EventKind::TwinReported(reported) => self.merged(None, None, Json::parse_object("", reported).ok(), at),
            EventKind::TwinReplaced { tags, desired, reported } => {
                self.replaced(parse(tags), parse(desired), parse(reported), at)
            }
            _ => self.clone(),
        }
    }

    fn merged(&self, tags: Given, desired: Given, reported: Given, at: At) -> Self {
        self.changed(tags, desired, reported, at, |section, patch, touch| {
            merge::merge(&mut section.members, patch, touch);
        })
    }

    fn replaced(&self, tags: Given, desired: Given, reported: Given, at: At) -> Self {
        self.changed(tags, desired, reported, at, |section, members, touch| {
            section.members = merge::nodes(members, touch);
        })
    }

    fn changed(
        &self,
        tags: Given,
        desired: Given,
        reported: Given,
        at: At,
        change: impl Fn(&mut Section, BTreeMap<String, Json>, Touch),
    ) -> Self {
        let mut after = self.clone();
        after.version += 1;
        let sections = [(&mut after.tags, tags), (&mut after.desired, desired), (&mut after.reported, reported)];
        for (section, members) in sections {
            if let Some(members) = members {
                // Copies this section only; the others are shared with the twin before.
                let section = Arc::make_mut(section);
                let touch = section.touch(at);
                change(section, members, touch);
            }
        }
        after
    }
}

type Given = Option<BTreeMap<String, Json>>;

#[cfg(test)]
mod tests;
