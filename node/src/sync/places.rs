//! Which edge each device and asset of a namespace belongs to, and what that depends on.
//!
//! It does not know how an edge is found (the domain's `edge_of` does), only what was found. Devices and assets without edge, site
//! and device take no room. Invariants:
//!
//! - A thing lies in at most one edge's group.
//! - Whatever has to be looked at again when a site or a device changes is in its group.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::scope::Name;

/// Where a thing belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Placed {
    /// The edge whose scope holds it.
    pub(super) edge: Option<Arc<str>>,
    /// The site that decides it, or would if it had an edge.
    pub(super) site: Option<Arc<str>>,
    /// The device it goes with, for an asset without a site or edge of its own; its full name.
    pub(super) device: Option<Name>,
}

/// Full names of devices and assets.
type Group = HashSet<Name>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Places {
    things: HashMap<Name, Placed>,
    edges: HashMap<Arc<str>, Group>,
    sites: HashMap<Arc<str>, Group>,
    followers: HashMap<Name, Group>,
}

impl Places {
    /// Puts a thing where it belongs from now on; answers with the edge it belonged to before.
    pub(super) fn put(&mut self, thing: &Name, placed: Placed) -> Option<Arc<str>> {
        let before = self.things.remove(thing).unwrap_or_default();
        if before != placed {
            leave(&mut self.edges, before.edge.as_ref(), thing);
            leave(&mut self.sites, before.site.as_ref(), thing);
            leave(&mut self.followers, before.device.as_ref(), thing);
        }
        if placed != Placed::default() {
            let placed = Placed {
                edge: enter(&mut self.edges, placed.edge, thing),
                site: enter(&mut self.sites, placed.site, thing),
                device: enter(&mut self.followers, placed.device, thing),
            };
            self.things.insert(Arc::clone(thing), placed);
        }
        before.edge
    }

    /// The edge a thing belongs to.
    pub(super) fn edge_of(&self, thing: &str) -> Option<&Arc<str>> {
        self.things.get(thing)?.edge.as_ref()
    }

    /// All that belongs to an edge.
    pub(super) fn of_edge(&self, edge: &str) -> impl Iterator<Item = &Name> {
        self.edges.get(edge).into_iter().flatten()
    }

    /// Assets that go with a device.
    pub(super) fn followers(&self, device: &str) -> Vec<Name> {
        self.followers.get(device).into_iter().flatten().cloned().collect()
    }

    /// What lies at each site that decides it.
    pub(super) fn at_sites(&self) -> impl Iterator<Item = (&Arc<str>, &HashSet<Name>)> {
        self.sites.iter()
    }
}

/// Joins a group; the group's own copy of its name is kept instead of another one.
fn enter(groups: &mut HashMap<Arc<str>, Group>, group: Option<Arc<str>>, thing: &Name) -> Option<Arc<str>> {
    let group = group?;
    let own = groups.get_key_value(&group).map_or(group, |(own, _)| Arc::clone(own));
    groups.entry(Arc::clone(&own)).or_default().insert(Arc::clone(thing));
    Some(own)
}

fn leave(groups: &mut HashMap<Arc<str>, Group>, group: Option<&Arc<str>>, thing: &Name) {
    let Some(group) = group else { return };
    if let Some(things) = groups.get_mut(group) {
        things.remove(thing);
        if things.is_empty() {
            groups.remove(group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(text: &str) -> Option<Arc<str>> {
        Some(Arc::from(text))
    }

    fn of(places: &Places, edge: &str) -> Vec<String> {
        let mut names: Vec<_> = places.of_edge(edge).map(ToString::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn a_thing_that_moves_leaves_its_old_groups() {
        let mut places = Places::default();
        let (pump, press): (Name, Name) = (Arc::from("pump"), Arc::from("press"));
        assert_eq!(places.put(&pump, Placed { edge: own("a"), site: own("hall"), device: None }), None);
        places.put(&press, Placed { edge: own("a"), site: None, device: own("pump") });
        assert_eq!((of(&places, "a"), places.followers("pump")), (vec!["press".into(), "pump".into()], vec![press]));
        assert_eq!(places.put(&pump, Placed { edge: own("b"), site: None, device: None }), own("a"));
        assert_eq!((of(&places, "a"), of(&places, "b")), (vec!["press".to_owned()], vec!["pump".to_owned()]));
        assert_eq!(places.at_sites().count(), 0);
        assert_eq!(places.edge_of("pump").map(|edge| &**edge), Some("b"));
    }

    #[test]
    fn what_belongs_nowhere_takes_no_room() {
        let mut places = Places::default();
        let pump: Name = Arc::from("pump");
        places.put(&pump, Placed { edge: None, site: own("hall"), device: None });
        assert_eq!(
            places.at_sites().map(|(_, things)| things.len()).sum::<usize>(),
            1,
            "it may get an edge by its site"
        );
        places.put(&pump, Placed::default());
        assert!(places.things.is_empty() && places.edges.is_empty() && places.sites.is_empty());
    }
}
