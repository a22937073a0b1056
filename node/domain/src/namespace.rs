//! Namespaces: the unit of tenancy and authorization. It knows what a namespace holds only through [`States`].

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decide::{check_etag, living};
use crate::limits::{DESCRIPTION_CHARS_MAX, LABELS_MAX, NAMESPACE_DELETE_STEP, TEXT_CHARS_MAX};
use crate::{At, Body, Change, EventKind, Key, Operation, Reason, Record, Rejection, States};
use crate::{device, discovery, edge, ids, retention, saved_query, site, text};

/// Length of a label's key, characters.
const LABEL_KEY_CHARS_MAX: usize = 63;

/// What the back end says of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamespaceDefinition {
    /// At most 256 characters.
    pub display_name: String,
    /// At most 1,024 characters.
    pub description: String,
    /// At most 64; keys of 1 to 63, values of up to 256 characters.
    pub labels: BTreeMap<String, String>,
}

/// A field of [`NamespaceDefinition`] that an update may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamespaceField {
    /// `display_name`
    DisplayName,
    /// `description`
    Description,
    /// `labels`
    Labels,
}

impl NamespaceField {
    /// All of them, with their names in an update mask.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::DisplayName, "display_name"), (Self::Description, "description"), (Self::Labels, "labels")];
}

/// A namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// What the back end says of it.
    pub definition: NamespaceDefinition,
    /// A forced deletion has begun: nothing may be created in it.
    pub deleting: bool,
}

/// Decides operations on namespaces.
pub(crate) fn decide(states: &dyn States, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
    match operation {
        Operation::CreateNamespace { namespace, definition } => create(states, namespace, definition, at),
        Operation::UpdateNamespace { namespace, definition, fields, etag } => {
            update(states, namespace, definition, fields, etag.as_deref(), at)
        }
        Operation::DeleteNamespace { namespace, etag, force } => delete(states, namespace, etag.as_deref(), *force, at),
        _ => Ok(Vec::new()),
    }
}

/// Refuses to create anything in a namespace that does not exist or is being deleted.
pub(crate) fn check_open(states: &dyn States, id: &str) -> Result<(), Rejection> {
    let key = Key::Namespace(id.to_owned());
    match living(states, &key).as_deref() {
        Some(Record { body: Body::Namespace(namespace), .. }) if namespace.deleting => Err(Rejection::new(
            Reason::NamespaceDeleting,
            "parent",
            format!("{key} is being deleted: nothing can be created in it"),
        )),
        Some(_) => Ok(()),
        None => Err(Rejection::new(Reason::ParentNotFound, "parent", format!("{key} does not exist"))),
    }
}

fn create(states: &dyn States, id: &str, definition: &NamespaceDefinition, at: At) -> Result<Vec<Change>, Rejection> {
    ids::check_namespace("namespace_id", id)?;
    let key = Key::Namespace(id.to_owned());
    let before = states.get(&key);
    if before.as_ref().is_some_and(|record| record.is_alive()) {
        return Err(Rejection::already_exists("namespace_id", key));
    }
    check(definition).map_err(|refusal| refusal.within("namespace"))?;
    Ok(vec![Change::new(key, EventKind::NamespaceCreated(definition.clone()), before.as_deref(), at)])
}

fn update(
    states: &dyn States,
    id: &str,
    new: &NamespaceDefinition,
    fields: &[NamespaceField],
    etag: Option<&str>,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    let key = Key::Namespace(id.to_owned());
    let Some(record) = living(states, &key) else { return Err(Rejection::not_found(key)) };
    let Body::Namespace(namespace) = &record.body else { return Err(Rejection::not_found(key)) };
    check_etag(etag, &record)?;
    let mut definition = namespace.definition.clone();
    for field in fields {
        match field {
            NamespaceField::DisplayName => definition.display_name.clone_from(&new.display_name),
            NamespaceField::Description => definition.description.clone_from(&new.description),
            NamespaceField::Labels => definition.labels.clone_from(&new.labels),
        }
    }
    check(&definition).map_err(|refusal| refusal.within("namespace"))?;
    Ok(vec![Change::new(key, EventKind::NamespaceUpdated(definition), Some(&record), at)])
}

/// Deletes an empty namespace. A forced deletion marks the namespace first, so that nothing new comes in between its
/// steps; each step removes up to [`NAMESPACE_DELETE_STEP`] resources, and the last the namespace.
fn delete(states: &dyn States, id: &str, etag: Option<&str>, force: bool, at: At) -> Result<Vec<Change>, Rejection> {
    let key = Key::Namespace(id.to_owned());
    let Some(record) = living(states, &key) else { return Err(Rejection::not_found(key)) };
    let Body::Namespace(namespace) = &record.body else { return Err(Rejection::not_found(key)) };
    if !namespace.deleting {
        check_etag(etag, &record)?;
    }
    let contents = states.contents(id, NAMESPACE_DELETE_STEP + 1);
    if contents.is_empty() {
        let mut changes = vec![Change::new(key, EventKind::NamespaceDeleted, Some(&record), at)];
        changes.extend(retention::namespace_deletion(states, id, at));
        return Ok(changes);
    }
    if !force {
        return Err(Rejection::new(
            Reason::NamespaceNotEmpty,
            "name",
            format!("{key} still holds {} and perhaps more; set `force` to delete its contents too", contents[0]),
        ));
    }
    let mut changes = Vec::new();
    let mut marked = Arc::clone(&record);
    if !namespace.deleting {
        let mark = Change::new(key.clone(), EventKind::NamespaceDeleting, Some(&record), at);
        marked = Arc::clone(&mark.after);
        changes.push(mark);
    }
    let emptied = delete_contents(states, &contents, &mut changes, at);
    if emptied {
        changes.push(Change::new(key, EventKind::NamespaceDeleted, Some(&marked), at));
        changes.extend(retention::namespace_deletion(states, id, at));
    }
    Ok(changes)
}

/// Deletes as much of `contents` as fits one step, and says whether that was all.
fn delete_contents(states: &dyn States, contents: &[Key], changes: &mut Vec<Change>, at: At) -> bool {
    let mut resources = 0;
    for key in contents {
        let Some(record) = living(states, key) else { continue };
        let deletion = match key {
            Key::Device(namespace, device) => device::deletion(states, namespace, device, &record, at),
            Key::Cursor(..) => vec![Change::new(key.clone(), EventKind::CursorDeleted, Some(&record), at)],
            Key::SavedQuery(..) => vec![saved_query::deletion(key.clone(), &record, at)],
            Key::Site(..) => vec![site::deletion(key.clone(), &record, at)],
            Key::DiscoveredDevice(..) | Key::DiscoveredAsset(..) => vec![discovery::deletion(key.clone(), &record, at)],
            Key::Edge(namespace, edge) => {
                // What it discovered comes before it in the contents.
                let mut ends = edge::deletion(states, namespace, edge, &record, at);
                ends.extend(discovery::ending_of_count(states, namespace, edge, at));
                ends
            }
            _ => vec![Change::new(key.clone(), EventKind::AssetDeleted, Some(&record), at)],
        };
        let is_part = |kind: &EventKind| {
            matches!(kind, EventKind::TwinDeleted | EventKind::EdgeSessionEnded | EventKind::DiscoveryEnded)
        };
        resources += deletion.iter().filter(|change| !is_part(&change.event.kind)).count();
        if resources > NAMESPACE_DELETE_STEP {
            return false;
        }
        changes.extend(deletion);
    }
    true
}

fn check(definition: &NamespaceDefinition) -> Result<(), Rejection> {
    text::check_chars("display_name", &definition.display_name, TEXT_CHARS_MAX)?;
    text::check_chars("description", &definition.description, DESCRIPTION_CHARS_MAX)?;
    text::check_count("labels", definition.labels.len(), LABELS_MAX)?;
    for (label, value) in &definition.labels {
        text::check_name("labels", label, LABEL_KEY_CHARS_MAX)?;
        text::check_chars(label, value, TEXT_CHARS_MAX).map_err(|refusal| refusal.within("labels"))?;
    }
    Ok(())
}
