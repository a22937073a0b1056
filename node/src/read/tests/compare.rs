//! A view's answers against the model: single records, lists by pages, events by pages.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_domain::{Event, Key, Record};

use super::Model;
use super::random::{self, DEVICES, NAMESPACES};
use crate::read::{EventFilter, EventScope, ListRange, View};

pub(super) fn check_past(view: &View, model: &Model) {
    for key in random::keys() {
        for (revision, then) in model.iter().enumerate() {
            let found = view.get_at(&key, revision as u64).unwrap();
            assert_eq!(found.as_ref(), then.get(&key), "{key} at revision {revision}");
        }
    }
}

fn ids_of(then: &BTreeMap<Key, Arc<Record>>, id: impl Fn(&Key) -> Option<&str>) -> Vec<(String, Arc<Record>)> {
    then.iter().filter_map(|(key, record)| Some((id(key)?.to_owned(), Arc::clone(record)))).collect()
}

pub(super) async fn check_lists(view: &View, model: &Model) {
    for (revision, then) in model.iter().enumerate().skip(1).step_by(5) {
        let revision = revision as u64;
        let all = list(view, ListRange::Namespaces { prefix: "" }, revision).await;
        let expected = ids_of(then, |key| match key {
            Key::Namespace(namespace) => Some(namespace),
            _ => None,
        });
        assert_eq!(all, expected, "namespaces at {revision}");
        for namespace in NAMESPACES {
            let prefix = "";
            let expected = ids_of(then, |key| match key {
                Key::Device(of, device) if of == namespace => Some(device),
                _ => None,
            });
            let found = list(view, ListRange::Devices { namespace, prefix }, revision).await;
            assert_eq!(found, expected, "devices of {namespace} at {revision}");
            let expected = ids_of(then, |key| match key {
                Key::Asset(of, asset) if of == namespace && asset.starts_with('p') => Some(asset),
                _ => None,
            });
            let found = list(view, ListRange::Assets { namespace, prefix: "p" }, revision).await;
            assert_eq!(found, expected, "assets of {namespace} at {revision}");
            let expected = ids_of(then, |key| match key {
                Key::Site(of, site) if of == namespace => Some(site),
                _ => None,
            });
            let found = list(view, ListRange::Sites { namespace, prefix }, revision).await;
            assert_eq!(found, expected, "sites of {namespace} at {revision}");
            let expected = ids_of(then, |key| match key {
                Key::Edge(of, edge) if of == namespace => Some(edge),
                _ => None,
            });
            let found = list(view, ListRange::Edges { namespace, prefix }, revision).await;
            assert_eq!(found, expected, "edges of {namespace} at {revision}");
            for device in DEVICES {
                let expected = ids_of(then, |key| match key {
                    Key::Module(of, parent, module) if of == namespace && parent == device => Some(module),
                    _ => None,
                });
                let found = list(view, ListRange::Modules { namespace, device }, revision).await;
                assert_eq!(found, expected, "modules of {namespace}/{device} at {revision}");
            }
        }
    }
}

/// All pages of two.
async fn list(view: &View, range: ListRange<'_>, revision: u64) -> Vec<(String, Arc<Record>)> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = view.list(range, revision, after.as_deref(), 2, |_, _| true).await.unwrap();
        assert!(page.records.len() <= 2);
        found.extend(page.records);
        match page.next_after {
            Some(id) => after = Some(id),
            None => return found,
        }
    }
}

/// All events of pages of `limit`: revision, index, event.
pub(super) async fn events(view: &View, scope: EventScope, from: u64, to: u64, limit: usize) -> Vec<(u64, u32, Event)> {
    let filter = EventFilter::of(scope);
    let mut found = Vec::new();
    let mut next = (from, 0);
    loop {
        let page = view.events(filter.clone(), next.0, to, next.1, limit).await.unwrap();
        let before = found.len();
        for (entry, indexes) in page.entries {
            assert_eq!(entry.events.len(), indexes.len());
            found.extend(indexes.into_iter().zip(entry.events).map(|(index, event)| (entry.revision, index, event)));
        }
        assert!(found.len() - before <= limit);
        match page.next {
            Some(at) => next = at,
            None => return found,
        }
    }
}

/// Revisions that delete a key and then create it again.
fn born_again(all: &[(u64, u32, Event)]) -> usize {
    let is = |event: &Event, what: &str| event.kind.name().ends_with(what);
    let again = all.iter().filter(|(revision, index, event)| {
        let before = |(at, earlier, other): &&(u64, u32, Event)| {
            at == revision && earlier < index && other.key == event.key && is(other, ".deleted")
        };
        is(event, ".created") && all.iter().any(|item| before(&item))
    });
    again.count()
}

pub(super) async fn check_events(view: &View) {
    let newest = view.revision();
    let all = events(view, EventScope::All, 1, newest, 1_000_000).await;
    assert!(born_again(&all) >= 3, "keys that are deleted and created in one revision: {}", born_again(&all));
    assert_eq!(events(view, EventScope::All, 1, newest, 3).await, all);
    let namespace = NAMESPACES[0].to_owned();
    let mut expected = all.clone();
    expected.retain(|(_, _, event)| event.key.namespace() == Some(&namespace));
    assert_eq!(events(view, EventScope::Namespace(namespace), 1, newest, 7).await, expected);
    for key in random::keys() {
        for (from, to) in [(1, newest), (newest / 3, newest / 2), (newest / 2, newest / 2)] {
            let mut expected = all.clone();
            expected.retain(|(revision, _, event)| event.key == key && (from..=to).contains(revision));
            for limit in [1, 2, 1_000] {
                let found = events(view, EventScope::Resource(key.clone()), from, to, limit).await;
                assert_eq!(found, expected, "{key} from {from} to {to} by {limit}");
            }
        }
    }
}
