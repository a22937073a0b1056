//! Reading a store as a whole when it is opened, every record against its checksum.

use std::path::Path;

use muster_proto::stored::v1::EdgeAgentState;
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};

use super::error::read;
use super::{ITEMS, QUEUE, STATE, STATE_KEY, StoreError, record};
use crate::index::Index;
use crate::queue::Entry;

/// What the agent keeps in memory.
#[derive(Debug)]
pub struct Loaded {
    /// Session and queue.
    pub state: EdgeAgentState,
    /// Names and revisions of all items that are whole.
    pub index: Index,
    /// The queue in order.
    pub queue: Vec<Entry>,
    /// Names of items that are damaged.
    pub damaged: Vec<String>,
}

pub(super) fn load(database: &Database, path: &Path, edge: &str) -> Result<Loaded, StoreError> {
    let transaction = database.begin_read().map_err(read)?;
    let state = load_state(&transaction, path)?;
    if state.edge != edge {
        let (found, expected) = (state.edge, edge.to_owned());
        return Err(StoreError::OtherEdge { path: path.to_owned(), found, expected });
    }
    let queue = load_queue(&transaction, path)?;
    check_queue(&state, &queue, path)?;
    let (index, damaged) = load_items(&transaction, path)?;
    Ok(Loaded { state, index, queue, damaged })
}

fn load_state(transaction: &ReadTransaction, path: &Path) -> Result<EdgeAgentState, StoreError> {
    let table = transaction.open_table(STATE).map_err(|error| StoreError::damaged(path, error.to_string()))?;
    let Some(bytes) = table.get(STATE_KEY).map_err(|error| StoreError::damaged(path, error.to_string()))? else {
        return Err(StoreError::damaged(path, "its state is missing"));
    };
    let state = record::decode_state(bytes.value());
    state.map_err(|what| StoreError::damaged(path, format!("its state {what}")))
}

fn load_queue(transaction: &ReadTransaction, path: &Path) -> Result<Vec<Entry>, StoreError> {
    let damaged = |what: String| StoreError::damaged(path, what);
    let table = transaction.open_table(QUEUE).map_err(|error| damaged(error.to_string()))?;
    let mut queue = Vec::new();
    for row in table.iter().map_err(|error| damaged(error.to_string()))? {
        let (key, bytes) = row.map_err(|error| damaged(error.to_string()))?;
        let key = key.value();
        let queued = record::decode_queued(key, bytes.value());
        let queued = queued.map_err(|what| damaged(format!("operation {key} of its queue {what}")))?;
        let operation = queued.operation.ok_or_else(|| damaged(format!("operation {key} of its queue is empty")))?;
        queue.push(Entry { key, operation: operation.into(), request_id: queued.request_id });
    }
    Ok(queue)
}

/// An operation that is missing would shift the numbers of all after it.
fn check_queue(state: &EdgeAgentState, queue: &[Entry], path: &Path) -> Result<(), StoreError> {
    let waiting = queue.iter().filter(|entry| entry.key > state.acknowledged_key).count() as u64;
    let expected = state.newest.checked_sub(state.acknowledged);
    if expected != Some(waiting) || queue.last().is_some_and(|entry| entry.key > state.newest_key) {
        let what = format!(
            "{waiting} operations wait in its queue, but operations {} to {} should",
            state.acknowledged + 1,
            state.newest
        );
        return Err(StoreError::damaged(path, what));
    }
    Ok(())
}

fn load_items(transaction: &ReadTransaction, path: &Path) -> Result<(Index, Vec<String>), StoreError> {
    let torn = |error: redb::StorageError| StoreError::damaged(path, error.to_string());
    let table = transaction.open_table(ITEMS).map_err(|error| StoreError::damaged(path, error.to_string()))?;
    let (mut index, mut damaged) = (Index::default(), Vec::new());
    for row in table.iter().map_err(torn)? {
        let (name, bytes) = row.map_err(torn)?;
        match record::decode_item(name.value(), bytes.value()) {
            Ok(item) => index.insert(&item.name, item.revision),
            Err(what) => {
                tracing::error!(item = name.value(), what, "a stored item is damaged; the cluster will send it again");
                damaged.push(name.value().to_owned());
            }
        }
    }
    Ok((index, damaged))
}
