//! Modules: parts of a device with an identity and a twin of their own, after IoT Hub. A module has no status.

use std::sync::Arc;

use crate::decide::{check_etag, living};
use crate::device::Authentication;
use crate::{At, Body, Change, EventKind, Key, Operation, Reason, Record, Rejection, States};
use crate::{ids, limits, namespace, text};

/// IoT Hub's own modules, which only an edge device has.
const EDGE_MODULES: [&str; 2] = ["$edgeAgent", "$edgeHub"];

/// What the back end says of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleDefinition {
    /// For example `IotEdge`; at most 128 characters.
    pub managed_by: String,
    /// How it authenticates.
    pub authentication: Authentication,
}

/// A field of [`ModuleDefinition`] that an update may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModuleField {
    /// `managed_by`
    ManagedBy,
    /// `authentication`
    Authentication,
}

impl ModuleField {
    /// All of them, with their names in an update mask.
    pub const ALL: [(Self, &'static str); 2] =
        [(Self::ManagedBy, "managed_by"), (Self::Authentication, "authentication")];
}

/// A module.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    /// What the back end says of it.
    pub definition: ModuleDefinition,
    /// 1 at creation (or where an earlier life left off), +1 with each change.
    pub version: u64,
}

impl Module {
    /// The module after `event`; an event of another kind leaves it as it is.
    #[must_use]
    pub(crate) fn evolve(&self, event: &EventKind) -> Self {
        let mut after = self.clone();
        match event {
            EventKind::ModuleUpdated(definition) => after.definition = definition.clone(),
            EventKind::ModuleKeysRegenerated { primary, secondary } => {
                after.definition.authentication.take_keys(primary.as_ref(), secondary.as_ref());
            }
            _ => return after,
        }
        after.version += 1;
        after
    }
}

impl ModuleDefinition {
    /// Fields are named below `module`.
    fn check(&self) -> Result<(), Rejection> {
        text::check_chars("managed_by", &self.managed_by, limits::REASON_CHARS_MAX)
            .and_then(|()| self.authentication.check())
            .map_err(|refusal| refusal.within("module"))
    }
}

/// Decides operations on modules.
pub(crate) fn decide(states: &dyn States, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
    match operation {
        Operation::CreateModule { namespace, device, module, definition } => {
            Ok(created(states, namespace, device, module, definition, at)?.into())
        }
        Operation::UpdateModule { namespace, device, module, definition, fields, etag } => {
            let found = Found::new(states, module_key(namespace, device, module), etag.as_deref())?;
            let merged = merged(&found.module()?.definition, definition, fields);
            let definition = found.checked(merged)?;
            Ok(vec![found.change(EventKind::ModuleUpdated(definition), at)])
        }
        Operation::DeleteModule { namespace, device, module, etag } => {
            deleted(states, module_key(namespace, device, module), etag.as_deref(), at)
        }
        Operation::RegenerateKeys { key, primary, secondary, etag } => {
            let found = Found::new(states, key.clone(), etag.as_deref())?;
            let authentication = &found.module()?.definition.authentication;
            authentication.check_regenerate(primary.as_ref(), secondary.as_ref())?;
            let (primary, secondary) = (primary.clone(), secondary.clone());
            Ok(vec![found.change(EventKind::ModuleKeysRegenerated { primary, secondary }, at)])
        }
        _ => Ok(Vec::new()),
    }
}

fn module_key(namespace: &str, device: &str, module: &str) -> Key {
    Key::Module(namespace.to_owned(), device.to_owned(), module.to_owned())
}

/// A module that exists and has the etag that was asked for.
struct Found {
    key: Key,
    record: Arc<Record>,
}

impl Found {
    fn new(states: &dyn States, key: Key, etag: Option<&str>) -> Result<Self, Rejection> {
        let Some(record) = living(states, &key) else { return Err(Rejection::not_found(key)) };
        check_etag(etag, &record)?;
        Ok(Self { key, record })
    }

    fn module(&self) -> Result<&Module, Rejection> {
        match &self.record.body {
            Body::Module(module) => Ok(module),
            _ => Err(Rejection::not_found(&self.key)),
        }
    }

    fn checked(&self, mut new: ModuleDefinition) -> Result<ModuleDefinition, Rejection> {
        new.authentication.keep_keys(&self.module()?.definition.authentication);
        new.check()?;
        Ok(new)
    }

    fn change(&self, kind: EventKind, at: At) -> Change {
        Change::new(self.key.clone(), kind, Some(&self.record), at)
    }
}

/// The creation of a module and its twin, in this order.
pub(crate) fn created(
    states: &dyn States,
    namespace: &str,
    device: &str,
    id: &str,
    definition: &ModuleDefinition,
    at: At,
) -> Result<[Change; 2], Rejection> {
    ids::check_device("module_id", id)?;
    namespace::check_open(states, namespace)?;
    check_device(states, namespace, device, id)?;
    let key = module_key(namespace, device, id);
    let before = states.get(&key);
    if before.as_ref().is_some_and(|record| record.is_alive()) {
        return Err(Rejection::already_exists("module_id", key));
    }
    if states.modules(namespace, device).len() >= limits::MODULES_MAX {
        let message = format!("a device has at most {} modules", limits::MODULES_MAX);
        return Err(Rejection::new(Reason::TooMany, "parent", message));
    }
    definition.check()?;
    let twin = Key::ModuleTwin(namespace.to_owned(), device.to_owned(), id.to_owned());
    let twin_before = states.get(&twin);
    Ok([
        Change::new(key, EventKind::ModuleCreated(definition.clone()), before.as_deref(), at),
        Change::new(twin, EventKind::TwinCreated, twin_before.as_deref(), at),
    ])
}

/// The change that gives a module the definition `new`, or nothing when that is what it has.
pub(crate) fn revised(
    states: &dyn States,
    key: Key,
    etag: Option<&str>,
    new: ModuleDefinition,
    at: At,
) -> Result<Option<Change>, Rejection> {
    let found = Found::new(states, key, etag)?;
    let definition = found.checked(new)?;
    if definition == found.module()?.definition {
        return Ok(None);
    }
    Ok(Some(found.change(EventKind::ModuleUpdated(definition), at)))
}

/// The deletion of a module and its twin.
pub(crate) fn deleted(states: &dyn States, key: Key, etag: Option<&str>, at: At) -> Result<Vec<Change>, Rejection> {
    let found = Found::new(states, key, etag)?;
    let mut changes = vec![found.change(EventKind::ModuleDeleted, at)];
    if let Some(twin) = found.key.twin()
        && let Some(record) = living(states, &twin)
    {
        changes.push(Change::new(twin, EventKind::TwinDeleted, Some(&record), at));
    }
    Ok(changes)
}

/// The device must exist, and be an edge device for the modules that only those have.
fn check_device(states: &dyn States, namespace: &str, device: &str, module: &str) -> Result<(), Rejection> {
    let key = Key::Device(namespace.to_owned(), device.to_owned());
    let Some(record) = living(states, &key) else {
        return Err(Rejection::new(Reason::ParentNotFound, "parent", format!("{key} does not exist")));
    };
    let is_edge = matches!(&record.body, Body::Device(device) if device.definition.iot_edge);
    if EDGE_MODULES.contains(&module) && !is_edge {
        let message = format!("only an edge device has a module {module}");
        return Err(Rejection::new(Reason::InvalidField, "module_id", message));
    }
    Ok(())
}

fn merged(current: &ModuleDefinition, new: &ModuleDefinition, fields: &[ModuleField]) -> ModuleDefinition {
    let mut merged = current.clone();
    for field in fields {
        match field {
            ModuleField::ManagedBy => merged.managed_by.clone_from(&new.managed_by),
            ModuleField::Authentication => merged.authentication.clone_from(&new.authentication),
        }
    }
    merged
}
