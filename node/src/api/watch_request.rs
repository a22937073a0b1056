//! What a watch asks for: from the message to a filter, with every rule about its fields.
//!
//! It decides who may watch what: users what they may read, a device its own twin without tags. It reads nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use muster_domain::policy::{Principal, ReadScope};
use muster_domain::{Key, Reason, Rejection};
use muster_proto::v1;

use super::fields::{self, Shape, echo};
use super::history::{allow, check_kinds};
use super::read::Read;
use super::status::Failure;
use crate::read::{EventFilter, EventScope, ResourceType, TwinPath, TwinSection, WalkRange};
use crate::watch::{Audience, Images};

/// Watches on one stream.
const WATCHES_MAX: usize = 64;
const INTERVAL_DEFAULT_MS: u32 = 5_000;
const INTERVAL_MS: std::ops::RangeInclusive<u32> = 100..=3_600_000;
const PATH_CHARS_MAX: usize = 512;
/// Left out unless a filter names them: whoever acknowledges what they hear would hear that for ever, and an edge that
/// sends much is heard by what it changes.
const ECHO_KINDS: [&str; 3] = ["cursor.acknowledged", "edge_session.uplink_applied", "discovery.counted"];

/// One watch, checked and allowed.
#[derive(Debug)]
pub(crate) struct WatchAsked {
    pub(crate) id: u64,
    pub(crate) start: Start,
    pub(crate) filter: EventFilter,
    pub(crate) audience: Audience,
    pub(crate) images: Images,
}

/// Where a watch begins.
#[derive(Debug, PartialEq)]
pub(crate) enum Start {
    /// After the newest revision.
    Now,
    /// At this revision.
    Revision(u64),
    /// After what the cursor has acknowledged.
    Cursor(Key),
    /// With the resources as they are.
    List(WalkRange),
}

/// Checks all watches of a request.
pub(crate) fn watches(read: &Read, specs: Vec<v1::WatchSpec>) -> Result<Vec<WatchAsked>, Failure> {
    if !(1..=WATCHES_MAX).contains(&specs.len()) {
        let message = format!("watches must hold 1 to {WATCHES_MAX} elements, holds {}", specs.len());
        return Err(Rejection::new(Reason::TooMany, "watches", message).into());
    }
    let mut ids = BTreeSet::new();
    let check = |(at, spec): (usize, v1::WatchSpec)| {
        let place = format!("watches[{at}]");
        if !ids.insert(spec.id) {
            let message = format!("{place}.id {} names another watch of this call already", spec.id);
            return Err(Rejection::new(Reason::InvalidField, format!("{place}.id"), message).into());
        }
        watch(read, spec).map_err(|failure| match failure {
            Failure::Rejected(rejection) => Failure::Rejected(rejection.within(&place)),
            other => other,
        })
    };
    specs.into_iter().enumerate().map(check).collect()
}

/// How often a quiet watch tells its progress.
pub(crate) fn interval(milliseconds: u32) -> Result<Duration, Rejection> {
    let wanted = if milliseconds == 0 { INTERVAL_DEFAULT_MS } else { milliseconds };
    if INTERVAL_MS.contains(&wanted) {
        return Ok(Duration::from_millis(wanted.into()));
    }
    let (least, most) = INTERVAL_MS.into_inner();
    let message = format!("progress_interval_ms must be {least} to {most} milliseconds, is {milliseconds}");
    Err(Rejection::new(Reason::InvalidField, "progress_interval_ms", message))
}

fn watch(read: &Read, spec: v1::WatchSpec) -> Result<WatchAsked, Failure> {
    let scope = scope(&spec)?;
    let mut sections = sections(&spec.sections)?;
    let path = path(&spec.path)?;
    let audience = match &read.caller.principal {
        Principal::Device { .. } => {
            sections = device_sections(sections, path.as_ref());
            allow_device(read, &scope, &sections, path.as_ref())?;
            Audience::Device
        }
        _ => {
            allow(read, &scope)?;
            Audience::User
        }
    };
    check_kinds(&spec.kinds)?;
    let types = types(&spec.types)?;
    let start = start(read, &spec, &scope, &types)?;
    let except = if spec.kinds.is_empty() { ECHO_KINDS.to_vec() } else { Vec::new() };
    let actor = (!spec.actor.is_empty()).then_some(spec.actor);
    let filter = EventFilter { scope, kinds: spec.kinds, types, actor, sections, path, except };
    let images = Images { before: spec.before, after: spec.after };
    Ok(WatchAsked { id: spec.id, start, filter, audience, images })
}

fn scope(spec: &v1::WatchSpec) -> Result<EventScope, Rejection> {
    if !spec.resource_is_prefix {
        return super::history::scope(&spec.resource);
    }
    const BEGINNING: &str = "namespaces/";
    if spec.resource.len() <= BEGINNING.len() || !spec.resource.starts_with(BEGINNING) {
        let message = format!(
            "resource must be the beginning of names, namespaces/… with at least one more character, is `{}`",
            echo(&spec.resource)
        );
        return Err(Rejection::new(Reason::InvalidField, "resource", message));
    }
    Ok(EventScope::Prefix(spec.resource.clone()))
}

fn start(read: &Read, spec: &v1::WatchSpec, scope: &EventScope, types: &[ResourceType]) -> Result<Start, Failure> {
    let given = [
        (spec.from_revision != 0, "from_revision"),
        (spec.list_first, "list_first"),
        (!spec.cursor.is_empty(), "cursor"),
    ];
    let given: Vec<_> = given.into_iter().filter(|(is_given, _)| *is_given).map(|(_, name)| name).collect();
    if let [first, second, ..] = given.as_slice() {
        let message = format!("{second} cannot be given together with {first}: both say where the watch begins");
        return Err(Rejection::new(Reason::InvalidField, *second, message).into());
    }
    if spec.list_first {
        let types = if types.is_empty() { ResourceType::ALL.to_vec() } else { types.to_vec() };
        return Ok(Start::List(WalkRange { scope: scope.clone(), types }));
    }
    if !spec.cursor.is_empty() {
        let key = fields::name("cursor", &spec.cursor, Shape::Cursor)?;
        read.allow(super::cursor::scope(key.namespace()))?;
        return Ok(Start::Cursor(key));
    }
    Ok(if spec.from_revision == 0 { Start::Now } else { Start::Revision(spec.from_revision) })
}

/// A device that names no sections means all it may see.
fn device_sections(sections: Vec<TwinSection>, path: Option<&TwinPath>) -> Vec<TwinSection> {
    if sections.is_empty() && path.is_none() { vec![TwinSection::Desired, TwinSection::Reported] } else { sections }
}

fn allow_device(
    read: &Read,
    scope: &EventScope,
    sections: &[TwinSection],
    path: Option<&TwinPath>,
) -> Result<(), Failure> {
    let asks_tags = sections.contains(&TwinSection::Tags) || path.is_some_and(|path| path.section == TwinSection::Tags);
    match scope {
        EventScope::Resource(key) if key.is_twin() => read.allow(ReadScope::Twin {
            namespace: key.namespace().unwrap_or_default(),
            device: key.device().unwrap_or_default(),
            section_tags: asks_tags,
        }),
        _ => read.allow(ReadScope::AllNamespaces),
    }
}

fn types(types: &[i32]) -> Result<Vec<ResourceType>, Rejection> {
    let known = |number: i32| {
        Ok(match v1::ResourceType::try_from(number) {
            Ok(v1::ResourceType::Namespace) => ResourceType::Namespace,
            Ok(v1::ResourceType::Device) => ResourceType::Device,
            Ok(v1::ResourceType::Module) => ResourceType::Module,
            Ok(v1::ResourceType::Twin) => ResourceType::Twin,
            Ok(v1::ResourceType::Asset) => ResourceType::Asset,
            Ok(v1::ResourceType::SavedQuery) => ResourceType::SavedQuery,
            Ok(v1::ResourceType::Edge) => ResourceType::Edge,
            Ok(v1::ResourceType::Site) => ResourceType::Site,
            Ok(v1::ResourceType::DiscoveredDevice) => ResourceType::DiscoveredDevice,
            Ok(v1::ResourceType::DiscoveredAsset) => ResourceType::DiscoveredAsset,
            Ok(v1::ResourceType::Unspecified) | Err(_) => return Err(number),
        })
    };
    numbers("types", types, known)
}

fn sections(sections: &[i32]) -> Result<Vec<TwinSection>, Rejection> {
    let known = |number: i32| {
        Ok(match v1::TwinSection::try_from(number) {
            Ok(v1::TwinSection::Tags) => TwinSection::Tags,
            Ok(v1::TwinSection::Desired) => TwinSection::Desired,
            Ok(v1::TwinSection::Reported) => TwinSection::Reported,
            Ok(v1::TwinSection::Unspecified) | Err(_) => return Err(number),
        })
    };
    numbers("sections", sections, known)
}

fn numbers<T: PartialEq>(
    field: &str,
    numbers: &[i32],
    known: impl Fn(i32) -> Result<T, i32>,
) -> Result<Vec<T>, Rejection> {
    let mut found = Vec::new();
    for (at, number) in numbers.iter().enumerate() {
        let one = known(*number).map_err(|number| {
            let field = format!("{field}[{at}]");
            let message = format!("{field} has the unknown value {number}");
            Rejection::new(Reason::InvalidField, field, message)
        })?;
        if !found.contains(&one) {
            found.push(one);
        }
    }
    Ok(found)
}

fn path(text: &str) -> Result<Option<TwinPath>, Rejection> {
    if text.is_empty() {
        return Ok(None);
    }
    let invalid = |message: String| Err(Rejection::new(Reason::InvalidField, "path", message));
    if text.chars().count() > PATH_CHARS_MAX {
        return invalid(format!("path must have at most {PATH_CHARS_MAX} characters, has {}", text.chars().count()));
    }
    let mut parts = text.split('.');
    let first = parts.next().unwrap_or_default();
    let Some((section, _)) = TwinSection::ALL.into_iter().find(|(_, name)| *name == first) else {
        return invalid(format!("path must begin with tags, desired or reported, is `{}`", echo(text)));
    };
    let names: Vec<String> = parts.map(str::to_owned).collect();
    if names.iter().any(String::is_empty) {
        return invalid(format!("path must not have an empty part between its dots, is `{}`", echo(text)));
    }
    Ok(Some(TwinPath { section, names }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_with_a_section() {
        let names = vec!["fw".to_owned(), "version".to_owned()];
        let expected = TwinPath { section: TwinSection::Desired, names };
        assert_eq!(path("desired.fw.version"), Ok(Some(expected)));
        assert_eq!(path(""), Ok(None));
        for bad in ["fw", "desired.", "desired..a", ".a", "properties.desired", &format!("tags.{}", "x".repeat(600))] {
            assert_eq!(path(bad).map_err(|refusal| refusal.field), Err("path".to_owned()), "{bad}");
        }
    }

    #[test]
    fn prefixes_lie_below_namespaces() {
        let spec = |resource: &str| v1::WatchSpec {
            resource: resource.to_owned(),
            resource_is_prefix: true,
            ..v1::WatchSpec::default()
        };
        for bad in ["", "namespaces/", "cluster", "tokens/a", "namespace"] {
            assert_eq!(scope(&spec(bad)).map_err(|refusal| refusal.field), Err("resource".to_owned()), "{bad}");
        }
        let prefix = "namespaces/plant1/devices/pu";
        assert_eq!(scope(&spec(prefix)), Ok(EventScope::Prefix(prefix.to_owned())));
    }

    #[test]
    fn intervals_are_bounded() {
        assert_eq!(interval(0), Ok(Duration::from_secs(5)));
        assert_eq!(interval(100), Ok(Duration::from_millis(100)));
        for bad in [99, 3_600_001] {
            assert_eq!(interval(bad).map_err(|refusal| refusal.field), Err("progress_interval_ms".to_owned()));
        }
    }

    #[test]
    fn unknown_numbers_are_named() {
        assert_eq!(types(&[2, 2, 5]), Ok(vec![ResourceType::Device, ResourceType::Asset]));
        assert_eq!(types(&[2, 9]).map_err(|refusal| refusal.field), Err("types[1]".to_owned()));
        assert_eq!(sections(&[0]).map_err(|refusal| refusal.field), Err("sections[0]".to_owned()));
    }
}
