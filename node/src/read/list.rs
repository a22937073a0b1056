//! Lists as of a revision, in the order of ids.

use std::sync::Arc;

use muster_domain::{Key, Record};

use super::View;
use crate::store::error::StoreError;
use crate::store::keys::{self, Kind};
use crate::store::states::{Scan, decode};
use crate::store::{columns, history};

/// Records looked at for one page; a page that filters much out is cut here and goes on with the next.
const SCAN_MAX: usize = 20_000;

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
}

impl ListRange<'_> {
    /// The key prefix without the id, and with the beginning of the id.
    fn prefixes(&self) -> (Vec<u8>, Vec<u8>) {
        let (base, id_prefix) = match self {
            Self::Namespaces { prefix } => (keys::namespaces_prefix(), *prefix),
            Self::Devices { namespace, prefix } => (keys::kind_prefix(Kind::Device, namespace), *prefix),
            Self::Modules { namespace, device } => (keys::modules_prefix(namespace, device), ""),
            Self::Assets { namespace, prefix } => (keys::kind_prefix(Kind::Asset, namespace), *prefix),
            Self::Tokens => (keys::tokens_prefix(), ""),
        };
        let mut full = base.clone();
        full.extend_from_slice(id_prefix.as_bytes());
        (base, full)
    }
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
    /// When the store fails.
    pub fn list(
        &self,
        range: ListRange<'_>,
        revision: u64,
        after: Option<&str>,
        limit: usize,
        keep: &dyn Fn(&str, &Record) -> bool,
    ) -> Result<ListPage, StoreError> {
        let (base, prefix) = range.prefixes();
        let after_key = after.map(|id| [base.as_slice(), id.as_bytes()].concat());
        let db = self.states.db();
        let mut page = ListPage::default();
        let mut last_id = None;
        let mut seen = 0;
        Scan { family: columns::STATES, prefix: &prefix, after: after_key.as_deref() }.run(&db, |key, stored| {
            if page.records.len() >= limit || seen >= SCAN_MAX {
                page.next_after = last_id.take();
                return Ok(false);
            }
            seen += 1;
            let current = Arc::new(decode(key, stored)?);
            let id = String::from_utf8_lossy(&key[base.len()..]).into_owned();
            let key: Key = keys::parse_state(key)
                .ok_or_else(|| StoreError::Inconsistent("a key in `states` has no known form".to_owned()))?;
            let record = history::record_at(&db, &key, &current, revision)?;
            if let Some(record) = record.filter(|record| record.is_alive() && keep(&id, record)) {
                page.records.push((id.clone(), record));
            }
            last_id = Some(id);
            Ok(true)
        })?;
        Ok(page)
    }
}
