//! Items as they travel: a name, its revision as of a moment, and the resource, read from the store.
//!
//! It does not know why an item is wanted. An item of one resource at one revision is encoded for one edge only: no resource is in
//! the scope of two, so there is nothing to share, unlike with watches.

use muster_domain::Key;
use muster_domain::scope::content_hash;
use muster_proto::v1;
use prost::Message;

use super::repair::Entry;
use super::scope::{Due, Name};
use crate::convert;
use crate::convert::twin::Parts;
use crate::read::{ScanError, StoreError, View};

/// Bytes of the items of one message, unless a single one is larger.
const BYTES_MAX: usize = 512 << 10;
/// Items of one message.
pub(super) const ITEMS_MAX: usize = 256;
/// As few as these are read at once: most changes concern one item that is in memory.
const FEW: usize = 4;

/// The first of `due` as of `revision`, as many as fit into a message.
pub(super) async fn read(view: &View, revision: u64, due: Vec<Due>) -> Result<Vec<v1::SyncItem>, ScanError> {
    let is_few = due.len() <= FEW;
    let read = move |view: &View| {
        let mut items = Vec::with_capacity(due.len());
        let mut bytes = 0;
        for due in &due {
            let item = item(view, revision, due)?;
            bytes += item.encoded_len();
            if bytes > BYTES_MAX && !items.is_empty() {
                break;
            }
            items.push(item);
        }
        Ok(items)
    };
    if is_few { read(view).map_err(ScanError::Store) } else { view.beside(read).await }
}

/// One item as of `revision`.
fn item(view: &View, revision: u64, due: &Due) -> Result<v1::SyncItem, StoreError> {
    let name = due.name.to_string();
    let Some(expected) = due.revision else { return Ok(v1::SyncItem { name, revision, resource: None }) };
    let missing = |found| StoreError::Inconsistent(format!("{name} as of {revision} is of {found}, not {expected}"));
    let key = Key::parse(&name).ok_or_else(|| missing(0))?;
    let record = view.get_at(&key, revision)?.ok_or_else(|| missing(0))?;
    if record.updated_revision != expected {
        return Err(missing(record.updated_revision));
    }
    let resource = convert::resource::to_proto(&key, &record, Parts::ALL);
    Ok(v1::SyncItem { name, revision: expected, resource })
}

/// Items with hashes over all they hold, as of `revision`.
pub(super) async fn entries(view: &View, revision: u64, items: Vec<(Name, u64)>) -> Result<Vec<Entry>, ScanError> {
    view.beside(move |view| {
        let entry = |(name, own): (Name, u64)| {
            let due = Due { name: Name::clone(&name), revision: Some(own) };
            let hash = content_hash(&item(view, revision, &due)?.encode_to_vec());
            Ok(Entry { name, revision: own, hash })
        };
        items.into_iter().map(entry).collect()
    })
    .await
}
