//! Which events are wanted: by resource, kind, type, actor, and by what of a twin they may have changed.
//!
//! It looks at events only, never at records, so that the answer is the same whenever it is asked. "May have changed": a
//! patch names what it sets, so it is judged by its text; a replacement or the end of a twin may change anything in the
//! sections concerned. Invariant: what did change is never filtered out by section or path.

use muster_domain::{Event, EventKind, Key};
use muster_planted::{self as planted, Bug};
use serde_json::Value;

/// Whose events.
#[derive(Debug, Clone, PartialEq)]
pub enum EventScope {
    /// All.
    All,
    /// Everything in a namespace, and the namespace itself.
    Namespace(String),
    /// One resource.
    Resource(Key),
    /// Resources whose full name begins so.
    Prefix(String),
}

impl EventScope {
    /// The namespace that all of the scope lies in, if there is one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Namespace(namespace) => Some(namespace),
            Self::Resource(key) => key.namespace(),
            // `namespaces/plant1` is the beginning of other namespaces' names too.
            Self::Prefix(prefix) => Some(prefix.strip_prefix("namespaces/")?.split_once('/')?.0),
        }
    }

    /// Whether the scope holds `key`.
    #[must_use]
    pub fn holds(&self, key: &Key) -> bool {
        match self {
            Self::All => true,
            Self::Namespace(namespace) if planted::is(Bug::NamespacePrefix) => {
                key.namespace().is_some_and(|own| own.starts_with(namespace.as_str()))
            }
            Self::Namespace(namespace) => key.namespace() == Some(namespace),
            Self::Resource(resource) => key == resource,
            Self::Prefix(prefix) => key.to_string().starts_with(prefix),
        }
    }
}

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceType {
    /// A namespace.
    Namespace,
    /// A device.
    Device,
    /// A module.
    Module,
    /// A twin of a device or module.
    Twin,
    /// An asset.
    Asset,
    /// A saved query.
    SavedQuery,
    /// A site.
    Site,
    /// An edge.
    Edge,
    /// A device that an edge discovered.
    DiscoveredDevice,
    /// An asset that an edge discovered.
    DiscoveredAsset,
}

impl ResourceType {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 10] = [
        Self::Namespace,
        Self::Device,
        Self::Module,
        Self::Twin,
        Self::Asset,
        Self::SavedQuery,
        Self::Site,
        Self::Edge,
        Self::DiscoveredDevice,
        Self::DiscoveredAsset,
    ];

    /// The type of what `key` names; `None` for what belongs to the cluster.
    #[must_use]
    pub fn of(key: &Key) -> Option<Self> {
        match key {
            Key::Namespace(_) => Some(Self::Namespace),
            Key::Device(..) => Some(Self::Device),
            Key::Module(..) => Some(Self::Module),
            Key::DeviceTwin(..) | Key::ModuleTwin(..) => Some(Self::Twin),
            Key::Asset(..) => Some(Self::Asset),
            Key::SavedQuery(..) => Some(Self::SavedQuery),
            Key::Site(..) => Some(Self::Site),
            Key::Edge(..) => Some(Self::Edge),
            Key::DiscoveredDevice(..) => Some(Self::DiscoveredDevice),
            Key::DiscoveredAsset(..) => Some(Self::DiscoveredAsset),
            _ => None,
        }
    }
}

/// A section of a twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TwinSection {
    /// The back end's notes.
    Tags,
    /// What the back end wants.
    Desired,
    /// What the device says.
    Reported,
}

impl TwinSection {
    /// All of them with their names.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Tags, "tags"), (Self::Desired, "desired"), (Self::Reported, "reported")];
}

/// A place in a twin: a section and names below it.
#[derive(Debug, Clone, PartialEq)]
pub struct TwinPath {
    /// The section.
    pub section: TwinSection,
    /// From the section down; empty is the section itself.
    pub names: Vec<String>,
}

/// Which events. Empty lists let everything through.
#[derive(Debug, Clone, PartialEq)]
pub struct EventFilter {
    /// Whose.
    pub scope: EventScope,
    /// Kinds, or families such as `twin.*`.
    pub kinds: Vec<String>,
    /// Types of resources.
    pub types: Vec<ResourceType>,
    /// Only of this actor.
    pub actor: Option<String>,
    /// Only what may have changed one of these sections of a twin.
    pub sections: Vec<TwinSection>,
    /// Only what may have changed this place of a twin.
    pub path: Option<TwinPath>,
    /// Kinds left out.
    pub except: Vec<&'static str>,
}

impl EventFilter {
    /// Everything in `scope`.
    #[must_use]
    pub fn of(scope: EventScope) -> Self {
        let (kinds, types, sections, except) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { scope, kinds, types, actor: None, sections, path: None, except }
    }

    /// Whether an event of `actor` is wanted.
    #[must_use]
    pub fn wants(&self, actor: &str, event: &Event) -> bool {
        self.wants_actor(actor) && self.wants_event(event)
    }

    pub(super) fn wants_actor(&self, actor: &str) -> bool {
        self.actor.as_ref().is_none_or(|wanted| wanted == actor)
    }

    pub(super) fn wants_event(&self, event: &Event) -> bool {
        let name = event.kind.name();
        self.scope.holds(&event.key)
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| matches_kind(kind, name)))
            && !self.except.contains(&name)
            && (self.types.is_empty() || ResourceType::of(&event.key).is_some_and(|own| self.types.contains(&own)))
            && (self.sections.is_empty() || self.sections.iter().any(|section| touches(&event.kind, *section, &[])))
            && self.path.as_ref().is_none_or(|path| touches(&event.kind, path.section, &path.names))
    }
}

fn matches_kind(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(family) => kind.starts_with(family),
        None => kind == pattern,
    }
}

/// Whether the event may have changed what lies at, below or above `names` in `section`.
fn touches(event: &EventKind, section: TwinSection, names: &[String]) -> bool {
    match event {
        EventKind::TwinCreated | EventKind::TwinDeleted => true,
        EventKind::TwinPatched { tags, desired } => match section {
            TwinSection::Tags => names_in(tags.as_deref(), names),
            TwinSection::Desired => names_in(desired.as_deref(), names),
            TwinSection::Reported => false,
        },
        EventKind::TwinReplaced { tags, desired, reported } => match section {
            TwinSection::Tags => tags.is_some(),
            TwinSection::Desired => desired.is_some(),
            TwinSection::Reported => reported.is_some(),
        },
        EventKind::TwinReported(patch) => section == TwinSection::Reported && names_in(Some(patch), names),
        _ => false,
    }
}

/// Whether a merge patch names the place, something below it, or replaces something above it.
fn names_in(patch: Option<&str>, names: &[String]) -> bool {
    let Some(patch) = patch else { return false };
    if names.is_empty() {
        return true;
    }
    // It was checked when it was accepted; what cannot be read must not be missed.
    let Ok(value) = serde_json::from_str::<Value>(patch) else { return true };
    let mut place = &value;
    for name in names {
        match place {
            Value::Object(members) => match members.get(name) {
                Some(below) => place = below,
                None => return false,
            },
            // A value, or null, in place of an object that may have held the name.
            _ => return true,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(desired: &str) -> EventKind {
        EventKind::TwinPatched { tags: None, desired: Some(desired.to_owned()) }
    }

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn a_patch_touches_what_it_names_and_what_it_replaces() {
        let patch = patched(r#"{"fw":{"version":"2"},"mode":null}"#);
        for (names, expected) in [
            ("fw", true),
            ("fw.version", true),
            ("fw.version.major", true),
            ("fw.build", false),
            ("mode", true),
            ("mode.speed", true),
            ("other", false),
        ] {
            assert_eq!(touches(&patch, TwinSection::Desired, &path(names)), expected, "{names}");
        }
        assert!(!touches(&patch, TwinSection::Tags, &[]), "tags were not patched");
        assert!(!touches(&patch, TwinSection::Reported, &path("fw")));
    }

    #[test]
    fn the_beginning_and_the_end_of_a_twin_touch_everything() {
        for kind in [EventKind::TwinCreated, EventKind::TwinDeleted] {
            assert!(touches(&kind, TwinSection::Reported, &path("a.b")));
        }
        let replaced = EventKind::TwinReplaced { tags: None, desired: Some("{}".to_owned()), reported: None };
        assert!(touches(&replaced, TwinSection::Desired, &path("a")));
        assert!(!touches(&replaced, TwinSection::Tags, &path("a")));
        assert!(!touches(&EventKind::DeviceDeleted, TwinSection::Tags, &[]), "a device has no sections");
    }

    #[test]
    fn a_namespace_holds_nothing_of_one_whose_name_begins_with_its_own() {
        let scope = EventScope::Namespace("plant1".to_owned());
        for (namespace, expected) in [("plant1", true), ("plant10", false), ("plant", false)] {
            for key in [Key::Namespace(namespace.to_owned()), Key::Device(namespace.to_owned(), "d".to_owned())] {
                assert_eq!(scope.holds(&key), expected, "{key}");
            }
        }
    }

    #[test]
    fn filters_must_agree() {
        let twin = Key::DeviceTwin("plant1".to_owned(), "pump7".to_owned());
        let event = Event { key: twin, kind: patched(r#"{"a":1}"#) };
        let all = EventFilter::of(EventScope::Prefix("namespaces/plant1/devices/pump".to_owned()));
        assert!(all.wants("user:a", &event));
        let refusing = [
            EventFilter { scope: EventScope::Prefix("namespaces/plant1/devices/valve".to_owned()), ..all.clone() },
            EventFilter { kinds: vec!["device.*".to_owned()], ..all.clone() },
            EventFilter { except: vec!["twin.patched"], ..all.clone() },
            EventFilter { types: vec![ResourceType::Device], ..all.clone() },
            EventFilter { actor: Some("user:b".to_owned()), ..all.clone() },
            EventFilter { sections: vec![TwinSection::Tags], ..all.clone() },
            EventFilter { path: Some(TwinPath { section: TwinSection::Desired, names: path("b") }), ..all },
        ];
        for filter in refusing {
            assert!(!filter.wants("user:a", &event), "{filter:?}");
        }
    }
}
