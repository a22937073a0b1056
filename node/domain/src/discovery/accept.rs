//! Acceptance: a discovered thing becomes a real resource of its edge, in one change.
//!
//! - The real resource keeps every rule that one created by hand keeps: its own `create` decides it.
//! - What is accepted is what the edge said last, and nothing else: an etag says which word was looked at.

use super::decide::{Found, device_key};
use super::{Acceptance, DiscoveredAsset, DiscoveredDevice, DiscoveryState};
use crate::asset::AssetDefinition;
use crate::decide::living;
use crate::device::{Authentication, DeviceDefinition, DeviceStatus};
use crate::{At, Body, Change, EventKind, Key, Reason, Rejection, States};
use crate::{asset, device, edge};

/// Makes the real resource, under the id `resource` or, when that is empty, the discovered one's.
pub(super) fn decide(
    states: &dyn States,
    found: &Found,
    resource: &str,
    uuid: &str,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    found.check_not_in_use(states, "accept it again")?;
    let id = if resource.is_empty() { &found.id } else { resource };
    let mut changes = match &found.record.body {
        Body::DiscoveredDevice(discovered) => {
            let definition = device_definition(found, discovered, uuid);
            device::created(states, &found.namespace, id, &definition, at)?.to_vec()
        }
        Body::DiscoveredAsset(discovered) => {
            let definition = asset_definition(states, found, discovered);
            let created = asset::created(states, &found.namespace, id, &definition, true, uuid, at);
            vec![created.map_err(|refusal| without_device(found, refusal))?]
        }
        _ => return Err(Rejection::not_found(&found.key)),
    };
    changes.push(found.change(EventKind::DiscoveredAccepted(id.to_owned()), at));
    Ok(changes)
}

/// What the caller named is the discovered asset, not what lies in it.
fn without_device(found: &Found, refusal: Rejection) -> Rejection {
    if refusal.reason != Reason::ParentNotFound || !refusal.field.contains("device_ref") {
        return refusal;
    }
    let message = format!("{}: accept or create the device of {} first", refusal.message, found.key);
    Rejection::new(Reason::ParentNotFound, "name", message)
}

/// The real resource that a discovered thing was accepted as, if it lives: that life of it, and not one made by hand later.
pub(super) fn real(states: &dyn States, key: &Key, state: &DiscoveryState) -> Option<Key> {
    let DiscoveryState::Accepted(Acceptance { resource, revision, .. }) = state else { return None };
    let namespace = key.namespace()?.to_owned();
    let real = match key {
        Key::DiscoveredDevice(..) => Key::Device(namespace, resource.clone()),
        _ => Key::Asset(namespace, resource.clone()),
    };
    let record = living(states, &real)?;
    (record.created_revision == *revision).then_some(real)
}

fn device_definition(found: &Found, discovered: &DiscoveredDevice, uuid: &str) -> DeviceDefinition {
    let said = discovered.report.definition.clone();
    let endpoints = said.endpoints();
    DeviceDefinition {
        status: DeviceStatus::Enabled,
        status_reason: String::new(),
        // It is reached through its edge; whoever wants it to connect by itself says how.
        authentication: Authentication::None,
        iot_edge: false,
        device_scope: String::new(),
        parent_scopes: Vec::new(),
        external_device_id: said.external_device_id,
        manufacturer: said.manufacturer,
        model: said.model,
        operating_system: said.operating_system,
        operating_system_version: said.operating_system_version,
        attributes: said.attributes,
        endpoints,
        discovered_device_ref: found.key.to_string(),
        uuid: uuid.to_owned(),
        edge: found.edge.clone(),
        site: String::new(),
    }
}

fn asset_definition(states: &dyn States, found: &Found, discovered: &DiscoveredAsset) -> AssetDefinition {
    let mut definition = discovered.report.definition.clone();
    definition.discovered_asset_refs = vec![found.key.to_string()];
    // The edge speaks of a device as it named it itself.
    let named = device_key(&found.namespace, &found.edge, &definition.device_ref.device);
    if let Some(record) = living(states, &named)
        && let Body::DiscoveredDevice(device) = &record.body
        && let Some(Key::Device(_, device)) = real(states, &named, &device.state)
    {
        definition.device_ref.device = device;
    }
    let device = Key::Device(found.namespace.clone(), definition.device_ref.device.clone());
    // An asset goes with its device; only one of a device that is elsewhere needs an edge of its own.
    if edge::edge_of(states, &device).as_deref() != Some(found.edge.as_str()) {
        definition.edge.clone_from(&found.edge);
    }
    definition
}
