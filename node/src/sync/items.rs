//! What the namespace holds as of a revision, as far as scopes go: where a device or asset belongs, and which items come with it.
//!
//! It asks the domain which edge that is and remembers nothing. Invariant: an item is listed only if it lived at the revision, with
//! the revision of its last change until then.

use std::sync::Arc;

use muster_domain::edge::edge_of;
use muster_domain::{Body, Key, States};

use super::places::Placed;
use super::scope::Name;
use crate::read::Pinned;

/// Where the device or asset belongs.
pub(super) fn placed(states: &Pinned<'_>, thing: &Key) -> Placed {
    let Some(record) = states.get(thing) else { return Placed::default() };
    let (own, site, device) = match &record.body {
        Body::Device(device) => (&device.definition.edge, &device.definition.site, None),
        Body::Asset(asset) => {
            let definition = &asset.definition;
            let device = thing.namespace().map(|namespace| {
                Key::Device(namespace.to_owned(), definition.device_ref.device.clone()).to_string().into()
            });
            (&definition.edge, &definition.site, device)
        }
        _ => return Placed::default(),
    };
    // Its own edge depends on nothing.
    let depends = own.is_empty();
    Placed {
        edge: edge_of(states, thing).map(Arc::from),
        site: (depends && !site.is_empty()).then(|| Arc::from(site.as_str())),
        device: device.filter(|_| depends),
    }
}

/// The device or asset with all that comes with it.
pub(super) fn of(states: &Pinned<'_>, thing: &Key) -> Vec<(Name, u64)> {
    let mut keys = vec![thing.clone()];
    if let Key::Device(namespace, device) = thing {
        keys.extend(states.modules(namespace, device));
        let twins: Vec<Key> = keys.iter().filter_map(Key::twin).collect();
        keys.extend(twins);
    }
    let living = keys.into_iter().filter_map(|key| {
        let record = states.get(&key).filter(|record| record.is_alive())?;
        Some((Name::from(key.to_string()), record.updated_revision))
    });
    living.collect()
}

/// The device or asset that a key is part of; `None` for what is in no scope.
pub(super) fn thing(key: &Key) -> Option<Key> {
    match key {
        Key::Asset(..) => Some(key.clone()),
        Key::Device(namespace, device)
        | Key::DeviceTwin(namespace, device)
        | Key::Module(namespace, device, _)
        | Key::ModuleTwin(namespace, device, _) => Some(Key::Device(namespace.clone(), device.clone())),
        _ => None,
    }
}
