//! Every resource of a scope as of a revision, type after type, a page at a time.
//!
//! Twins are found through their devices and modules: they are written behind their events, so a scan over them would
//! miss the newest. It does not know who asks, nor how resources are shown. Invariant: pages as of the same revision fit
//! together on any node.

use std::sync::Arc;

use muster_domain::{Key, Record};

use super::filter::{EventScope, ResourceType};
use super::{ScanError, View};
use crate::store::error::StoreError;
use crate::store::keys::{self, StateKind};
use crate::store::states::{Scan, decode};
use crate::store::{codec, columns, history};

/// Records looked at for one page.
const SCAN_MAX: usize = 5_000;

/// What is walked.
#[derive(Debug, Clone, PartialEq)]
pub struct WalkRange {
    /// Whose.
    pub scope: EventScope,
    /// In the order of [`ResourceType::ALL`].
    pub types: Vec<ResourceType>,
}

/// How far a walk has come.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WalkPlace {
    /// Kinds of records that are done.
    done: usize,
    /// The last key looked at of the one that is not.
    after: Option<Vec<u8>>,
}

/// One page of a walk.
#[derive(Debug, Clone, Default)]
pub struct WalkPage {
    /// What lived at the revision.
    pub resources: Vec<(Key, Arc<Record>)>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<WalkPlace>,
}

/// The kinds of records that are scanned for a type, and whether their twins are meant.
const STEPS: [(ResourceType, StateKind, bool); 11] = [
    (ResourceType::Namespace, StateKind::Namespace, false),
    (ResourceType::Device, StateKind::Device, false),
    (ResourceType::Module, StateKind::Module, false),
    (ResourceType::Twin, StateKind::Device, true),
    (ResourceType::Twin, StateKind::Module, true),
    (ResourceType::Asset, StateKind::Asset, false),
    (ResourceType::SavedQuery, StateKind::SavedQuery, false),
    (ResourceType::Site, StateKind::Site, false),
    (ResourceType::Edge, StateKind::Edge, false),
    (ResourceType::DiscoveredDevice, StateKind::DiscoveredDevice, false),
    (ResourceType::DiscoveredAsset, StateKind::DiscoveredAsset, false),
];

impl View {
    /// The page of `range` as of `revision` that begins at `place`, with about `bytes_max` bytes of records at most.
    ///
    /// # Errors
    /// When the store fails, or too many scans are running.
    pub async fn walk(
        &self,
        range: WalkRange,
        revision: u64,
        place: WalkPlace,
        bytes_max: usize,
    ) -> Result<WalkPage, ScanError> {
        let view = self.clone();
        self.scans.run(move || view.collect_walk(&range, revision, place, bytes_max)).await
    }

    fn collect_walk(
        &self,
        range: &WalkRange,
        revision: u64,
        place: WalkPlace,
        bytes_max: usize,
    ) -> Result<WalkPage, StoreError> {
        let mut walking = Walking { view: self, range, revision, left: SCAN_MAX, bytes_left: bytes_max };
        let mut page = WalkPage::default();
        if let EventScope::Resource(key) = &range.scope {
            let is_meant = ResourceType::of(key).is_some_and(|of| range.types.contains(&of));
            if let Some(record) = self.get_at(key, revision)?.filter(|_| is_meant) {
                page.resources.push((key.clone(), record));
            }
            return Ok(page);
        }
        let mut place = place;
        while let Some((of, kind, twins)) = STEPS.get(place.done) {
            if range.types.contains(of)
                && let Some(stopped_at) = walking.scan(*kind, *twins, place.after.take(), &mut page)?
            {
                page.next = Some(WalkPlace { done: place.done, after: stopped_at });
                return Ok(page);
            }
            place = WalkPlace { done: place.done + 1, after: None };
        }
        Ok(page)
    }
}

struct Walking<'a> {
    view: &'a View,
    range: &'a WalkRange,
    revision: u64,
    left: usize,
    bytes_left: usize,
}

impl Walking<'_> {
    /// Scans one kind; when the page is full, after which key it goes on.
    fn scan(
        &mut self,
        kind: StateKind,
        twins: bool,
        after: Option<Vec<u8>>,
        page: &mut WalkPage,
    ) -> Result<Option<Option<Vec<u8>>>, StoreError> {
        let db = self.view.states.db();
        let prefix = prefix(kind, &self.range.scope);
        let scan = Scan { family: columns::STATES, prefix: &prefix, after: after.as_deref() };
        let (mut last, mut is_full) = (after.clone(), false);
        scan.run(&db, |stored_key, stored| {
            if self.left == 0 || self.bytes_left == 0 {
                is_full = true;
                return Ok(false);
            }
            self.left -= 1;
            last = Some(stored_key.to_vec());
            let key = keys::parse_state(stored_key)
                .ok_or_else(|| StoreError::Inconsistent("a key in `states` has no known form".to_owned()))?;
            let meant = if twins { key.twin() } else { Some(key.clone()) };
            let Some(meant) = meant.filter(|meant| self.range.scope.holds(meant)) else { return Ok(true) };
            let found = if twins {
                self.view.get_at(&meant, self.revision)?
            } else {
                let current = Arc::new(decode(stored_key, stored)?);
                history::record_at(&db, &key, &current, self.revision)?.record.filter(|record| record.is_alive())
            };
            if let Some(record) = found {
                self.bytes_left = self.bytes_left.saturating_sub(codec::encode_record(&record).len());
                page.resources.push((meant, record));
            }
            Ok(true)
        })?;
        Ok(is_full.then_some(last))
    }
}

/// The narrowest prefix that holds all of the scope.
fn prefix(kind: StateKind, scope: &EventScope) -> Vec<u8> {
    match scope {
        // One resource is looked up, not scanned for.
        EventScope::All | EventScope::Resource(_) => keys::state_prefix(kind, None, ""),
        EventScope::Namespace(namespace) => keys::state_prefix(kind, Some(namespace), ""),
        EventScope::Prefix(prefix) => {
            let mut parts = prefix.strip_prefix("namespaces/").unwrap_or_default().splitn(4, '/');
            match (parts.next(), parts.next(), parts.next()) {
                (Some(namespace), Some("devices" | "assets" | "queries" | "sites" | "edges"), Some(id)) => {
                    keys::state_prefix(kind, Some(namespace), id)
                }
                (Some(namespace), Some(_), _) => keys::state_prefix(kind, Some(namespace), ""),
                _ => keys::state_prefix(kind, None, ""),
            }
        }
    }
}
