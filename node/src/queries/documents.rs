//! Whole documents as of a revision, for what columns do not hold.

use std::sync::atomic::{AtomicU64, Ordering};

use muster_domain::Key;
use muster_query::Value;
use muster_query::execute::Documents;

use crate::read::{StoreError, View};
use crate::views::{Which, document};

/// Reads documents of one namespace as of one revision.
pub(crate) struct PastDocuments<'a> {
    view: &'a View,
    namespace: &'a str,
    revision: u64,
    read: AtomicU64,
}

impl<'a> PastDocuments<'a> {
    pub(crate) fn new(view: &'a View, namespace: &'a str, revision: u64) -> Self {
        Self { view, namespace, revision, read: AtomicU64::new(0) }
    }

    /// The document of a row, if it existed then.
    pub(crate) fn get(&self, which: Which, id: &str) -> Result<Option<Value>, StoreError> {
        self.read.fetch_add(1, Ordering::Relaxed);
        let namespace = || self.namespace.to_owned();
        let record = |key: &Key| self.view.get_at(key, self.revision);
        Ok(match which {
            Which::Devices => {
                let key = Key::Device(namespace(), id.to_owned());
                let Some(device) = record(&key)? else { return Ok(None) };
                let twin = record(&Key::DeviceTwin(namespace(), id.to_owned()))?;
                twin.and_then(|twin| document::device(id, &device, &twin))
            }
            Which::Modules => {
                let Some((device, id)) = id.split_once('\0') else { return Ok(None) };
                let key = Key::Module(namespace(), device.to_owned(), id.to_owned());
                let Some(module) = record(&key)? else { return Ok(None) };
                let twin = record(&Key::ModuleTwin(namespace(), device.to_owned(), id.to_owned()))?;
                twin.and_then(|twin| document::module(device, id, &module, &twin))
            }
            Which::Assets => {
                let key = Key::Asset(namespace(), id.to_owned());
                record(&key)?.and_then(|asset| document::asset(id, &asset))
            }
        })
    }
}

impl Documents for PastDocuments<'_> {
    fn document(&self, collection: &'static str, id: &str) -> Result<Option<Value>, String> {
        let Some(which) = Which::named(collection) else { return Ok(None) };
        self.get(which, id).map_err(|error| error.to_string())
    }
}
