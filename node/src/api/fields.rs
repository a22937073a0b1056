//! Rules for the fields that all requests share: names, page sizes, update masks, request ids, etags, consistency.
//!
//! It knows no resource beyond the shape of its name. Every refusal names the field.

use muster_domain::{Key, Reason, Rejection, ids};
use muster_planted::{self as planted, Bug};
use muster_proto::v1;
use muster_proto::v1::read_options::Consistency as Asked;
use prost_types::FieldMask;

use crate::read::Consistency;

/// Characters in a request id.
pub(crate) const REQUEST_ID_CHARS_MAX: usize = 128;
/// Page size when none is asked for.
pub(crate) const PAGE_SIZE_DEFAULT: usize = 100;
/// What is repeated of a wrong text.
const ECHO_CHARS_MAX: usize = 200;

/// What a name must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Namespace,
    Device,
    Module,
    DeviceOrModule,
    /// The name of the device or module stands for its twin.
    Twin,
    Asset,
    Cursor,
    SavedQuery,
    Site,
    Edge,
    NamespaceOrEdge,
    DiscoveredDevice,
    DiscoveredAsset,
    /// Anything that has a history: all of the above but cursors.
    Resource,
}

impl Shape {
    fn pattern(self) -> &'static str {
        match self {
            Self::Namespace => "namespaces/{namespace}",
            Self::Device => "namespaces/{namespace}/devices/{device}",
            Self::Module => "namespaces/{namespace}/devices/{device}/modules/{module}",
            Self::DeviceOrModule => "namespaces/{namespace}/devices/{device}[/modules/{module}]",
            Self::Twin => "namespaces/{namespace}/devices/{device}[/modules/{module}]/twin",
            Self::Asset => "namespaces/{namespace}/assets/{asset}",
            Self::Cursor => "[namespaces/{namespace}/]cursors/{cursor}",
            Self::SavedQuery => "namespaces/{namespace}/queries/{query}",
            Self::Site => "namespaces/{namespace}/sites/{site}",
            Self::Edge => "namespaces/{namespace}/edges/{edge}",
            Self::NamespaceOrEdge => "namespaces/{namespace}[/edges/{edge}]",
            Self::DiscoveredDevice => "namespaces/{namespace}/edges/{edge}/discoveredDevices/{device}",
            Self::DiscoveredAsset => "namespaces/{namespace}/edges/{edge}/discoveredAssets/{asset}",
            Self::Resource => {
                "namespaces/{namespace}[/devices/{device}[/modules/{module}][/twin], /assets/{asset}, /queries/{query}, /sites/{site} or \
                 /edges/{edge}[/session, /discoveredDevices/{device}, /discoveredAssets/{asset}]]"
            }
        }
    }

    fn fit(self, key: Key) -> Option<Key> {
        let fits = match self {
            Self::Namespace => matches!(key, Key::Namespace(_)),
            Self::Device => matches!(key, Key::Device(..)),
            Self::Module => matches!(key, Key::Module(..)),
            Self::DeviceOrModule => matches!(key, Key::Device(..) | Key::Module(..)),
            Self::Twin => return key.twin(),
            Self::Asset => matches!(key, Key::Asset(..)),
            Self::Cursor => matches!(key, Key::Cursor(..)),
            Self::SavedQuery => matches!(key, Key::SavedQuery(..)),
            Self::Site => matches!(key, Key::Site(..)),
            Self::Edge => matches!(key, Key::Edge(..)),
            Self::NamespaceOrEdge => matches!(key, Key::Namespace(_) | Key::Edge(..)),
            Self::DiscoveredDevice => matches!(key, Key::DiscoveredDevice(..)),
            Self::DiscoveredAsset => matches!(key, Key::DiscoveredAsset(..)),
            Self::Resource => key.namespace().is_some() && !matches!(key, Key::Cursor(..) | Key::NamespaceRetention(_)),
        };
        fits.then_some(key)
    }
}

/// Parses a resource name.
pub(crate) fn name(field: &str, text: &str, shape: Shape) -> Result<Key, Rejection> {
    let key = Key::parse(text).and_then(|key| shape.fit(key)).ok_or_else(|| {
        let message = if text.is_empty() {
            format!("{field} is required: {}", shape.pattern())
        } else {
            format!("{field} must be {}, is `{}`", shape.pattern(), echo(text))
        };
        Rejection::new(Reason::InvalidField, field, message)
    })?;
    check_ids(field, &key)?;
    Ok(key)
}

/// The namespace of a `parent`.
pub(crate) fn namespace(field: &str, text: &str) -> Result<String, Rejection> {
    name(field, text, Shape::Namespace).map(|key| owned(key.namespace()))
}

/// Namespace and device of the name of a device, of its twin or of something in it.
pub(crate) fn device_parts(key: &Key) -> (String, String) {
    (owned(key.namespace()), owned(key.device()))
}

fn owned(part: Option<&str>) -> String {
    part.unwrap_or_default().to_owned()
}

fn check_ids(field: &str, key: &Key) -> Result<(), Rejection> {
    if let Some(namespace) = key.namespace() {
        ids::check_namespace(field, namespace)?;
    }
    if let Some(device) = key.device() {
        ids::check_device(field, device)?;
    }
    match key {
        Key::Module(_, _, module) | Key::ModuleTwin(_, _, module) => ids::check_device(field, module),
        Key::Asset(_, asset) => ids::check_asset(field, asset),
        Key::Cursor(_, cursor) => ids::check_cursor(field, cursor),
        Key::SavedQuery(_, query) => ids::check_saved_query(field, query),
        Key::Site(_, site) => ids::check_site(field, site),
        Key::Edge(_, edge) | Key::EdgeSession(_, edge) | Key::DiscoveryCount(_, edge) => ids::check_edge(field, edge),
        Key::DiscoveredDevice(_, edge, device) => {
            ids::check_edge(field, edge).and_then(|()| ids::check_device(field, device))
        }
        Key::DiscoveredAsset(_, edge, asset) => {
            ids::check_edge(field, edge).and_then(|()| ids::check_asset(field, asset))
        }
        Key::Cluster
        | Key::Token(_)
        | Key::Node(_)
        | Key::Namespace(_)
        | Key::Device(..)
        | Key::DeviceTwin(..)
        | Key::Retention
        | Key::NamespaceRetention(_) => Ok(()),
    }
}

/// A wrong text as it may be repeated in a message.
pub(crate) fn echo(text: &str) -> String {
    let mut shown: String = text.chars().take(ECHO_CHARS_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(ECHO_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// Elements on a page: 0 means the default, more than `max` means `max`.
pub(crate) fn page_size(size: i32, max: usize) -> Result<usize, Rejection> {
    match usize::try_from(size) {
        Ok(0) => Ok(PAGE_SIZE_DEFAULT.min(max)),
        Ok(size) => Ok(size.min(max)),
        Err(_) => {
            let message = format!("page_size must be 0 to {max}, is {size}");
            Err(Rejection::new(Reason::InvalidField, "page_size", message))
        }
    }
}

/// Refuses a request id that is too long or not printable ASCII.
pub(crate) fn check_request_id(id: &str) -> Result<(), Rejection> {
    let invalid = |message: String| Err(Rejection::new(Reason::InvalidField, "request_id", message));
    if id.len() > REQUEST_ID_CHARS_MAX {
        return invalid(format!("request_id must have at most {REQUEST_ID_CHARS_MAX} characters, has {}", id.len()));
    }
    match id.chars().find(|c| !matches!(c, ' '..='~')) {
        Some(c) => invalid(format!("request_id must be printable ASCII, but holds {c:?}")),
        None => Ok(()),
    }
}

/// An expected etag; empty means that any will do.
pub(crate) fn etag(etag: String) -> Option<String> {
    (!etag.is_empty()).then_some(etag)
}

/// The consistency that a read asks for.
pub(crate) fn consistency(options: Option<v1::ReadOptions>) -> Result<Consistency, Rejection> {
    let v1::ReadOptions { consistency, min_revision } = options.unwrap_or_default();
    let asked = Asked::try_from(consistency).map_err(|_| {
        let message = format!("read.consistency has the unknown value {consistency}");
        Rejection::new(Reason::InvalidField, "read.consistency", message)
    })?;
    let consistency = match asked {
        Asked::MinRevision => return Ok(Consistency::MinRevision(min_revision)),
        Asked::Unspecified if planted::is(Bug::LocalByDefault) => Consistency::Local,
        Asked::Unspecified | Asked::Linearizable => Consistency::Linearizable,
        Asked::Local => Consistency::Local,
    };
    if min_revision == 0 {
        return Ok(consistency);
    }
    let message = "read.min_revision counts only with read.consistency MIN_REVISION";
    Err(Rejection::new(Reason::InvalidField, "read.min_revision", message))
}

/// The fields that an update mask names, out of `all`; an empty mask and `*` name all.
pub(crate) fn mask<F: Copy + Ord>(mask: Option<&FieldMask>, all: &[(F, &str)]) -> Result<Vec<F>, Rejection> {
    let paths = mask.map_or(&[][..], |mask| mask.paths.as_slice());
    if paths.is_empty() || paths == ["*"] {
        return Ok(all.iter().map(|(field, _)| *field).collect());
    }
    let find = |path: &String| all.iter().find(|(_, name)| name == path).map(|(field, _)| *field);
    let mut fields = Vec::with_capacity(paths.len().min(all.len()));
    for path in paths {
        let field = find(path).ok_or_else(|| unknown_path(path, all.iter().map(|(_, name)| *name)))?;
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    Ok(fields)
}

fn unknown_path<'a>(path: &str, known: impl Iterator<Item = &'a str>) -> Rejection {
    let mut message = format!("update_mask has the unknown path `{}`", echo(path));
    if let Some(nearest) = nearest(path, known) {
        message.push_str(&format!("; did you mean `{nearest}`?"));
    }
    Rejection::new(Reason::InvalidField, "update_mask", message)
}

/// The most similar of `known`, if one is similar enough to be what was meant.
pub(crate) fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Longer than any name there is: not worth comparing.
    if text.len() > 64 {
        return None;
    }
    let distances = known.map(|name| {
        // `authentication.type` means `authentication`, unless there is a name that differs in one letter only.
        let within = text.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        (if within { 2.min(distance(text, name)) } else { distance(text, name) }, name)
    });
    let (distance, name) = distances.min()?;
    (distance <= 2.max(name.len() / 3)).then_some(name)
}

/// Insertions, deletions and replacements that turn one text into the other (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(!a.eq_ignore_ascii_case(&b));
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests;
