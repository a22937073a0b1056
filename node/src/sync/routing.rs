//! From the events of a namespace to the scopes of its connected edges: what is remembered between two steps, and one step.
//!
//! ```text
//! event ─ a twin, a module ─────────▶ place of its device ───────▶ the item in that edge's scope
//!         a device, an asset ───────▶ looked at again, with the assets that go with it
//!         a site ───────────────────▶ what lies at sites that have another edge by now is looked at again
//! ```
//!
//! It knows no session and waits for nobody. Reads records, perhaps from the disk: not for threads that drive tasks. Invariants:
//!
//! - After a step every scope is that of its edge as of the step's revision.
//! - Each event costs a look-up or two; records are read only for what may have moved.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use muster_domain::{Event, EventKind, Key};
use muster_planted::{self as planted, Bug};

use super::items;
use super::places::Places;
use super::router::Shared;
use super::scope::{Name, Scope};
use crate::read::{Pinned, StoreError, View};
use crate::watch::Tailing;

/// See the module.
pub(super) struct Routing {
    /// As of when everything here is.
    pub(super) revision: u64,
    places: Places,
    scopes: HashMap<Arc<str>, Weak<Shared>>,
}

/// What names are from a step on, by edge.
type Updates = HashMap<Arc<str>, Vec<(Name, Option<u64>)>>;

impl Routing {
    /// Nothing is known yet; things are put in one by one as of `revision`.
    pub(super) fn new(revision: u64) -> Self {
        Self { revision, places: Places::default(), scopes: HashMap::new() }
    }

    /// Nothing that concerns it happened up to `revision`.
    pub(super) fn at(self, revision: u64) -> Self {
        Self { revision, ..self }
    }

    /// Puts a device or asset where it belongs.
    pub(super) fn put(&mut self, states: &Pinned<'_>, thing: &Key) {
        self.places.put(&Name::from(thing.to_string()), items::placed(states, thing));
    }

    /// The scope of an edge that connects, as of the newest step.
    pub(super) fn join(&mut self, view: &View, edge: &Arc<str>) -> Result<Arc<Shared>, StoreError> {
        let states = view.pinned(self.revision);
        let shared = Arc::new(Shared::new(Scope::new(self.items_of(&states, edge)), self.revision));
        states.finish()?;
        self.scopes.retain(|_, scope| scope.strong_count() > 0);
        self.scopes.insert(Arc::clone(edge), Arc::downgrade(&shared));
        Ok(shared)
    }

    fn items_of(&self, states: &Pinned<'_>, edge: &str) -> BTreeMap<Name, u64> {
        let things = self.places.of_edge(edge).filter_map(|thing| Key::parse(thing));
        things.flat_map(|thing| items::of(states, &thing)).collect()
    }

    /// Whether any of the events may change a scope or a place. Reads nothing.
    pub(super) fn is_concerned(&self, tailing: &Tailing) -> bool {
        tailing.events().any(|(_, event)| match &event.key {
            Key::Site(..) | Key::Device(..) | Key::Asset(..) => true,
            key => items::thing(key).and_then(|thing| self.connected(&thing)).is_some(),
        })
    }

    /// The edge that holds a device or asset, if it is connected.
    fn connected(&self, thing: &Key) -> Option<&Arc<str>> {
        self.places.edge_of(&thing.to_string()).filter(|edge| self.scopes.contains_key(*edge))
    }

    /// Takes in what happened since the newest step.
    pub(super) fn step(&mut self, view: &View, tailing: &Tailing) -> Result<(), StoreError> {
        let states = view.pinned(tailing.upto());
        let mut updates = Updates::new();
        // Before the others: it compares with where things were, and those others move things.
        if tailing.events().any(|(_, event)| matches!(event.key, Key::Site(..))) {
            self.look_at_sites(&states, &mut updates);
        }
        for (revision, event) in tailing.events() {
            if matches!(event.key, Key::Device(..) | Key::Asset(..)) {
                self.look_again(&states, &event.key, &mut updates);
            }
            self.note(revision, event, &mut updates);
        }
        states.finish()?;
        self.revision = tailing.upto();
        for (edge, updates) in updates {
            if let Some(shared) = self.scope(&edge) {
                shared.update(self.revision, |scope| {
                    updates.iter().fold(false, |changed, (name, revision)| scope.set(name, *revision) || changed)
                });
            }
        }
        Ok(())
    }

    /// The item that an event is about.
    fn note(&self, revision: u64, event: &Event, updates: &mut Updates) {
        let Some(thing) = items::thing(&event.key) else { return };
        let Some(edge) = self.connected(&thing) else { return };
        let now = (!ends(&event.kind)).then_some(revision);
        updates.entry(Arc::clone(edge)).or_default().push((event.key.to_string().into(), now));
    }

    /// Finds out where a device or asset belongs by now, and moves it with all that goes with it.
    fn look_again(&mut self, states: &Pinned<'_>, thing: &Key, updates: &mut Updates) {
        let name = Name::from(thing.to_string());
        let now = items::placed(states, thing);
        let edge = now.edge.clone();
        let before = self.places.put(&name, now);
        if before == edge {
            return;
        }
        if let Some(before) = &before
            && !planted::is(Bug::MoveNotTold)
        {
            self.take_out(before, &name, updates);
        }
        if let Some(edge) = edge.filter(|edge| self.scopes.contains_key(edge)) {
            let items = items::of(states, thing).into_iter().map(|(name, revision)| (name, Some(revision)));
            updates.entry(edge).or_default().extend(items);
        }
        for follower in self.places.followers(&name) {
            if let Some(asset) = Key::parse(&follower) {
                self.look_again(states, &asset, updates);
            }
        }
    }

    /// Takes a thing with all that goes with it out of the scope of an edge.
    fn take_out(&self, edge: &Arc<str>, thing: &Name, updates: &mut Updates) {
        let Some(shared) = self.scope(edge) else { return };
        let updates = updates.entry(Arc::clone(edge)).or_default();
        let below = format!("{thing}/");
        let mut names = shared.read(|scope| scope.names_from(&below));
        // What came within this step is not in the scope yet.
        names.extend(updates.iter().map(|(name, _)| name).filter(|name| name.starts_with(&below)).cloned());
        names.push(Arc::clone(thing));
        updates.extend(names.into_iter().map(|name| (name, None)));
    }

    fn look_at_sites(&mut self, states: &Pinned<'_>, updates: &mut Updates) {
        let mut moved = Vec::new();
        for (site, things) in self.places.at_sites() {
            // All devices that a site decides belong to its edge: one that it still decides tells for all, and assets without an
            // edge by their site go with their device.
            let devices =
                things.iter().filter_map(|thing| Key::parse(thing)).filter(|key| matches!(key, Key::Device(..)));
            let mut now = devices.map(|device| (items::placed(states, &device), device));
            let told = now.find(|(placed, _)| placed.site.as_ref() == Some(site));
            let stays =
                told.is_some_and(|(placed, device)| placed.edge.as_ref() == self.places.edge_of(&device.to_string()));
            if !stays {
                moved.extend(things.iter().filter_map(|thing| Key::parse(thing)));
            }
        }
        for thing in moved {
            self.look_again(states, &thing, updates);
        }
    }

    /// Makes everything anew as of the revision of `found`, which holds all places; scopes are compared with what they were.
    pub(super) fn replace(&mut self, view: &View, found: Self) -> Result<(), StoreError> {
        (self.places, self.revision) = (found.places, found.revision);
        let states = view.pinned(self.revision);
        for (edge, shared) in &self.scopes {
            let Some(shared) = shared.upgrade() else { continue };
            let items = self.items_of(&states, edge);
            states.finish()?;
            shared.update(self.revision, |scope| scope.replace(&items));
        }
        Ok(())
    }

    fn scope(&self, edge: &Arc<str>) -> Option<Arc<Shared>> {
        self.scopes.get(edge)?.upgrade()
    }
}

/// Whether the event's resource is gone after it.
fn ends(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::DeviceDeleted | EventKind::ModuleDeleted | EventKind::TwinDeleted | EventKind::AssetDeleted
    )
}

#[cfg(test)]
mod tests;
