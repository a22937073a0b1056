//! Lists as of a revision, in the order of ids.
//!
//! A page ends when it has as many records as asked for, when their bytes fill it, or when the scan behind it was long.

use std::sync::Arc;

use muster_domain::{Key, Record};

use super::{PAGE_BYTES_MAX, ScanError, View};
use crate::store::error::StoreError;
use crate::store::keys::{self, Kind};
use crate::store::states::{Scan, decode};
use crate::store::{codec, columns, history};

/// What one page may cost in records looked at; a page that filters much out, or that lies behind many changes, is cut
/// here and goes on with the next.
const SCAN_MAX: usize = 20_000;
/// As many events, read to find what a record was, cost as much as one record.
const EVENTS_PER_RECORD: usize = 8;

/// What to list.
#[derive(Debug, Clone, Copy)]
pub enum ListRange<'a> {
    /// Namespaces.
    Namespaces {
        /// Only ids that begin so.
        prefix: &'a str,
    },
    /// Devices of a namespace.
    Devices {
        /// The namespace.
        namespace: &'a str,
        /// Only ids that begin so.
        prefix: &'a str,
    },
    /// Modules of a device.
    Modules {
        /// The namespace.
        namespace: &'a str,
        /// The device.
        device: &'a str,
    },
    /// Assets of a namespace.
    Assets {
        /// The namespace.
        namespace: &'a str,
        /// Only ids that begin so.
        prefix: &'a str,
    },
    /// API tokens.
    Tokens,
    /// Saved queries of a namespace.
    SavedQueries {
        /// The namespace.
        namespace: &'a str,
    },
    /// Sites of a namespace.
    Sites {
        /// The namespace.
        namespace: &'a str,
        /// Only ids that begin so.
        prefix: &'a str,
    },
    /// Edges of a namespace.
    Edges {
        /// The namespace.
        namespace: &'a str,
        /// Only ids that begin so.
        prefix: &'a str,
    },
    /// Devices that edges of a namespace discovered. Ids are those of the edge and of the device, parted by the character 0.
    DiscoveredDevices {
        /// The namespace.
        namespace: &'a str,
        /// Only of this edge.
        edge: Option<&'a str>,
    },
    /// Assets that edges of a namespace discovered; as devices.
    DiscoveredAssets {
        /// The namespace.
        namespace: &'a str,
        /// Only of this edge.
        edge: Option<&'a str>,
    },
    /// Cursors of a namespace, or of the cluster.
    Cursors {
        /// The namespace; empty for the cluster.
        namespace: &'a str,
    },
}

impl ListRange<'_> {
    /// The key prefix without the id, and with the beginning of the id.
    fn prefixes(&self) -> (Vec<u8>, Vec<u8>) {
        let (base, id_prefix) = match self {
            Self::Namespaces { prefix } => (keys::namespaces_prefix(), *prefix),
            Self::Devices { namespace, prefix } => (keys::kind_prefix(Kind::Device, namespace), *prefix),
            Self::Modules { namespace, device } => (keys::modules_prefix(namespace, device), ""),
            Self::Assets { namespace, prefix } => (keys::kind_prefix(Kind::Asset, namespace), *prefix),
            Self::Cursors { namespace } => (keys::kind_prefix(Kind::Cursor, namespace), ""),
            Self::SavedQueries { namespace } => (keys::kind_prefix(Kind::SavedQuery, namespace), ""),
            Self::Sites { namespace, prefix } => (keys::kind_prefix(Kind::Site, namespace), *prefix),
            Self::Edges { namespace, prefix } => (keys::kind_prefix(Kind::Edge, namespace), *prefix),
            Self::DiscoveredDevices { namespace, edge } => return discovered(Kind::DiscoveredDevice, namespace, *edge),
            Self::DiscoveredAssets { namespace, edge } => return discovered(Kind::DiscoveredAsset, namespace, *edge),
            Self::Tokens => (keys::tokens_prefix(), ""),
        };
        let mut full = base.clone();
        full.extend_from_slice(id_prefix.as_bytes());
        (base, full)
    }

    /// The discovered thing that an id of this list names.
    #[must_use]
    pub fn discovered(&self, id: &str) -> Option<Key> {
        keys::parse_state(&[self.prefixes().0.as_slice(), id.as_bytes()].concat())
    }
}

fn discovered(kind: Kind, namespace: &str, edge: Option<&str>) -> (Vec<u8>, Vec<u8>) {
    let base = keys::kind_prefix(kind, namespace);
    let full = edge.map_or_else(|| base.clone(), |edge| keys::discovered_prefix(kind, namespace, edge));
    (base, full)
}

/// One page.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    /// Ids and records, in the order of ids.
    pub records: Vec<(String, Arc<Record>)>,
    /// Where the next page begins: after this id. `None` at the end.
    pub next_after: Option<String>,
}

impl View {
    /// One page of `range` as of `revision`: records after the id `after` that `keep` wants, at most `limit`.
    ///
    /// # Errors
    /// When the store fails, or too many scans are running.
    pub async fn list(
        &self,
        range: ListRange<'_>,
        revision: u64,
        after: Option<&str>,
        limit: usize,
        keep: impl Fn(&str, &Record) -> bool + Send + 'static,
    ) -> Result<ListPage, ScanError> {
        let (base, prefix) = range.prefixes();
        let after_key = after.map(|id| [base.as_slice(), id.as_bytes()].concat());
        let view = self.clone();
        let collect = move || {
            let scan = Scan { family: columns::STATES, prefix: &prefix, after: after_key.as_deref() };
            view.collect_list(&scan, base.len(), revision, limit, keep)
        };
        self.scans.run(collect).await
    }

    /// `id_at` is where the id begins in a key.
    fn collect_list(
        &self,
        scan: &Scan<'_>,
        id_at: usize,
        revision: u64,
        limit: usize,
        keep: impl Fn(&str, &Record) -> bool,
    ) -> Result<ListPage, StoreError> {
        let db = self.states.db();
        let mut page = ListPage::default();
        let mut last_id = None;
        let (mut seen, mut bytes) = (0, 0);
        scan.run(&db, |key, stored| {
            if page.records.len() >= limit || seen >= SCAN_MAX {
                page.next_after = last_id.take();
                return Ok(false);
            }
            let current = Arc::new(decode(key, stored)?);
            let id = String::from_utf8_lossy(&key[id_at..]).into_owned();
            let key: Key = keys::parse_state(key)
                .ok_or_else(|| StoreError::Inconsistent("a key in `states` has no known form".to_owned()))?;
            let past = history::record_at(&db, &key, &current, revision)?;
            seen += 1 + past.events_read / EVENTS_PER_RECORD;
            if let Some(record) = past.record.filter(|record| record.is_alive() && keep(&id, record)) {
                let is_current = Arc::ptr_eq(&record, &current);
                bytes += if is_current { stored.len() } else { codec::encode_record(&record).len() };
                if bytes > PAGE_BYTES_MAX && !page.records.is_empty() {
                    page.next_after = last_id.take();
                    return Ok(false);
                }
                page.records.push((id.clone(), record));
            }
            last_id = Some(id);
            Ok(true)
        })?;
        Ok(page)
    }
}
