//! From an operation on a device to its changes, the twin's and the modules' included.

use std::sync::Arc;

use super::{Device, DeviceDefinition, DeviceField, DeviceStatus, SealedKey};
use crate::decide::{check_etag, living};
use crate::{At, Body, Change, EventKind, Key, Operation, Reason, Record, Rejection, States};
use crate::{edge, ids, limits, namespace, site, text};

/// Assets of one device that an update looks through when it removes an endpoint.
const ASSETS_LOOKED_AT_MAX: usize = 100_000;

/// Decides operations on devices.
pub(crate) fn decide(states: &dyn States, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
    match operation {
        Operation::CreateDevice { namespace, device, definition } => {
            Ok(created(states, namespace, device, definition, at)?.into())
        }
        Operation::UpdateDevice { namespace, device, definition, fields, etag } => {
            let found = Found::new(states, namespace, device, etag.as_deref())?;
            let merged = merged(&found.device()?.definition, definition, fields);
            Ok(vec![found.revised_to(states, merged, at)?])
        }
        Operation::SetDeviceStatus { namespace, device, status, reason, etag } => {
            let found = Found::new(states, namespace, device, etag.as_deref())?;
            set_status(&found, *status, reason, at)
        }
        Operation::DeleteDevice { namespace, device, etag } => deleted(states, namespace, device, etag.as_deref(), at),
        Operation::RegenerateKeys { key, primary, secondary, etag } => {
            let Key::Device(namespace, device) = key else {
                return Err(Rejection::new(Reason::InvalidField, "name", format!("{key} has no keys")));
            };
            let found = Found::new(states, namespace, device, etag.as_deref())?;
            regenerate_keys(&found, primary.as_ref(), secondary.as_ref(), at)
        }
        _ => Ok(Vec::new()),
    }
}

/// A device that exists and has the etag that was asked for.
struct Found<'a> {
    namespace: &'a str,
    id: &'a str,
    key: Key,
    record: Arc<Record>,
}

impl<'a> Found<'a> {
    fn new(states: &dyn States, namespace: &'a str, id: &'a str, etag: Option<&str>) -> Result<Self, Rejection> {
        let key = Key::Device(namespace.to_owned(), id.to_owned());
        let Some(record) = living(states, &key) else { return Err(Rejection::not_found(key)) };
        check_etag(etag, &record)?;
        Ok(Self { namespace, id, key, record })
    }

    fn device(&self) -> Result<&Device, Rejection> {
        match &self.record.body {
            Body::Device(device) => Ok(device),
            _ => Err(Rejection::not_found(&self.key)),
        }
    }

    fn change(&self, kind: EventKind, at: At) -> Change {
        Change::new(self.key.clone(), kind, Some(&self.record), at)
    }

    fn revised_to(&self, states: &dyn States, new: DeviceDefinition, at: At) -> Result<Change, Rejection> {
        let definition = self.checked(states, new)?;
        Ok(self.change(EventKind::DeviceUpdated(Box::new(definition)), at))
    }

    /// The definition that `new` becomes: without losing what an update cannot change, and by the rules.
    fn checked(&self, states: &dyn States, mut new: DeviceDefinition) -> Result<DeviceDefinition, Rejection> {
        let current = &self.device()?.definition;
        new.uuid.clone_from(&current.uuid);
        new.authentication.keep_keys(&current.authentication);
        new.settle_scopes(Some(current), self.id, self.record.created_revision)
            .and_then(|()| new.check())
            .map_err(|refusal| refusal.within("device"))?;
        check_assignment(states, self.namespace, Some(current), &new)?;
        self.check_endpoints_in_use(states, current, &new)?;
        Ok(new)
    }

    fn check_endpoints_in_use(
        &self,
        states: &dyn States,
        current: &DeviceDefinition,
        new: &DeviceDefinition,
    ) -> Result<(), Rejection> {
        let removed =
            |name: &String| current.endpoints.inbound.contains_key(name) && !new.endpoints.inbound.contains_key(name);
        if !current.endpoints.inbound.keys().any(removed) {
            return Ok(());
        }
        let assets = states.assets_of(self.namespace, self.id, ASSETS_LOOKED_AT_MAX);
        for key in &assets {
            let Some(record) = living(states, key) else { continue };
            let Body::Asset(asset) = &record.body else { continue };
            let endpoint = &asset.definition.device_ref.endpoint;
            if removed(endpoint) {
                let field = format!("device.endpoints.inbound.{endpoint}");
                let message = format!("{key} refers to endpoint `{endpoint}`: change or delete that asset first");
                return Err(Rejection::new(Reason::InvalidField, field, message));
            }
        }
        if assets.len() >= ASSETS_LOOKED_AT_MAX {
            let message = format!("{} has too many assets to remove one of its endpoints", self.key);
            return Err(Rejection::new(Reason::TooMany, "device.endpoints.inbound", message));
        }
        Ok(())
    }
}

/// The creation of a device and its twin, in this order.
pub(crate) fn created(
    states: &dyn States,
    namespace: &str,
    id: &str,
    definition: &DeviceDefinition,
    at: At,
) -> Result<[Change; 2], Rejection> {
    ids::check_device("device_id", id)?;
    namespace::check_open(states, namespace)?;
    let key = Key::Device(namespace.to_owned(), id.to_owned());
    let before = states.get(&key);
    if before.as_ref().is_some_and(|record| record.is_alive()) {
        return Err(Rejection::already_exists("device_id", key));
    }
    let mut definition = definition.clone();
    definition
        .settle_scopes(None, id, at.revision)
        .and_then(|()| definition.check())
        .map_err(|refusal| refusal.within("device"))?;
    check_assignment(states, namespace, None, &definition)?;
    let twin = Key::DeviceTwin(namespace.to_owned(), id.to_owned());
    let twin_before = states.get(&twin);
    Ok([
        Change::new(key, EventKind::DeviceCreated(Box::new(definition)), before.as_deref(), at),
        Change::new(twin, EventKind::TwinCreated, twin_before.as_deref(), at),
    ])
}

/// Edge and site must exist when they are set; a name that stays may be of what is gone since.
fn check_assignment(
    states: &dyn States,
    namespace: &str,
    current: Option<&DeviceDefinition>,
    new: &DeviceDefinition,
) -> Result<(), Rejection> {
    if current.is_none_or(|current| current.edge != new.edge) {
        edge::check_exists(states, namespace, &new.edge, "device.edge")?;
    }
    if current.is_none_or(|current| current.site != new.site) {
        site::check_exists(states, namespace, &new.site, "device.site")?;
    }
    Ok(())
}

/// The change that gives a device the definition `new`, or nothing when that is what it has.
pub(crate) fn revised(
    states: &dyn States,
    namespace: &str,
    id: &str,
    etag: Option<&str>,
    revise: impl FnOnce(&DeviceDefinition) -> DeviceDefinition,
    at: At,
) -> Result<Option<Change>, Rejection> {
    let found = Found::new(states, namespace, id, etag)?;
    let current = &found.device()?.definition;
    let definition = found.checked(states, revise(current))?;
    if definition == *current {
        return Ok(None);
    }
    Ok(Some(found.change(EventKind::DeviceUpdated(Box::new(definition)), at)))
}

/// The deletion of a device that nothing refers to.
pub(crate) fn deleted(
    states: &dyn States,
    namespace: &str,
    id: &str,
    etag: Option<&str>,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    let found = Found::new(states, namespace, id, etag)?;
    check_no_assets(states, namespace, id)?;
    Ok(deletion(states, namespace, id, &found.record, at))
}

/// The deletion of a device, whatever refers to it: its modules, each with its twin, then its own twin, then itself.
pub(crate) fn deletion(states: &dyn States, namespace: &str, id: &str, record: &Record, at: At) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut delete = |key: Key, kind: EventKind| {
        if let Some(record) = living(states, &key) {
            changes.push(Change::new(key, kind, Some(&record), at));
        }
    };
    for module in states.modules(namespace, id) {
        let twin = module.twin();
        delete(module, EventKind::ModuleDeleted);
        if let Some(twin) = twin {
            delete(twin, EventKind::TwinDeleted);
        }
    }
    delete(Key::DeviceTwin(namespace.to_owned(), id.to_owned()), EventKind::TwinDeleted);
    let key = Key::Device(namespace.to_owned(), id.to_owned());
    changes.push(Change::new(key, EventKind::DeviceDeleted, Some(record), at));
    changes
}

/// Refuses to delete a device while assets refer to it; names three of them.
fn check_no_assets(states: &dyn States, namespace: &str, id: &str) -> Result<(), Rejection> {
    const NAMED: usize = 3;
    let assets = states.assets_of(namespace, id, NAMED + 1);
    if assets.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = assets.iter().take(NAMED).map(Key::to_string).collect();
    let more = if assets.len() > NAMED { " and others" } else { "" };
    let message = format!("{}{more} refer to the device: delete or change them first", names.join(", "));
    Err(Rejection::new(Reason::DeviceHasAssets, "name", message))
}

fn set_status(found: &Found<'_>, status: DeviceStatus, reason: &str, at: At) -> Result<Vec<Change>, Rejection> {
    text::check_chars("reason", reason, limits::REASON_CHARS_MAX)?;
    Ok(vec![found.change(EventKind::DeviceStatusChanged { status, reason: reason.to_owned() }, at)])
}

fn regenerate_keys(
    found: &Found<'_>,
    primary: Option<&SealedKey>,
    secondary: Option<&SealedKey>,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    found.device()?.definition.authentication.check_regenerate(primary, secondary)?;
    let kind = EventKind::DeviceKeysRegenerated { primary: primary.cloned(), secondary: secondary.cloned() };
    Ok(vec![found.change(kind, at)])
}

fn merged(current: &DeviceDefinition, new: &DeviceDefinition, fields: &[DeviceField]) -> DeviceDefinition {
    let mut merged = current.clone();
    for field in fields {
        match field {
            DeviceField::Status => merged.status = new.status,
            DeviceField::StatusReason => merged.status_reason.clone_from(&new.status_reason),
            DeviceField::Authentication => merged.authentication.clone_from(&new.authentication),
            DeviceField::IotEdge => merged.iot_edge = new.iot_edge,
            DeviceField::DeviceScope => merged.device_scope.clone_from(&new.device_scope),
            DeviceField::ParentScopes => merged.parent_scopes.clone_from(&new.parent_scopes),
            DeviceField::ExternalDeviceId => merged.external_device_id.clone_from(&new.external_device_id),
            DeviceField::Manufacturer => merged.manufacturer.clone_from(&new.manufacturer),
            DeviceField::Model => merged.model.clone_from(&new.model),
            DeviceField::OperatingSystem => merged.operating_system.clone_from(&new.operating_system),
            DeviceField::OperatingSystemVersion => {
                merged.operating_system_version.clone_from(&new.operating_system_version);
            }
            DeviceField::Attributes => merged.attributes.clone_from(&new.attributes),
            DeviceField::Endpoints => merged.endpoints.clone_from(&new.endpoints),
            DeviceField::DiscoveredDeviceRef => {
                merged.discovered_device_ref.clone_from(&new.discovered_device_ref);
            }
            DeviceField::Edge => merged.edge.clone_from(&new.edge),
            DeviceField::Site => merged.site.clone_from(&new.site),
        }
    }
    merged
}
