//! Making the tables of all that is stored: from a checkpoint of columns and the records that changed after it, or from all records.
//!
//! It knows no lock and nobody who asks. Invariants:
//! - A checkpoint counts only when the event log says that it lies on this node's history: same revision, same chain hash, every
//!   revision since still there. One that is damaged or of another history is left aside, never half believed.
//! - Either way the tables are the same: a row that changed after the checkpoint is made anew from its records.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_domain::{Key, Record};
use muster_planted::{self as planted, Bug};

use super::checkpoint::{CheckpointFile, Saved};
use super::feed::Changed;
use super::tables::{ChangedRow, Namespaces, Which};
use crate::apply::{CHAIN_START, Position};
use crate::store::error::StoreError;
use crate::store::states::{Scan, States, decode};
use crate::store::{columns, event_log, keys};

/// Fewer changed rows than this never make a checkpoint useless.
const FEW_ROWS: usize = 10_000;

/// The tables as of a position, and the revision of the checkpoint that helped.
pub(super) fn build(
    states: &States,
    position: Position,
    file: Option<&CheckpointFile>,
) -> Result<(Namespaces, Option<u64>), StoreError> {
    let start = crate::raft::now();
    if let Some(saved) = file.and_then(usable)
        && let Some(changed) = changed_since(states, &saved, position)?
    {
        let (mut namespaces, revision) = (saved.namespaces, saved.revision);
        renew(states, &mut namespaces, &changed)?;
        let (rows, renewed, took) = (namespaces.rows(), changed.len(), start.elapsed());
        tracing::info!(rows, renewed, checkpoint = revision, ?took, "views were read from their checkpoint");
        return Ok((namespaces, Some(revision)));
    }
    let namespaces = from_all_records(states)?;
    let rows = namespaces.rows();
    if rows > 0 {
        tracing::info!(rows, took = ?start.elapsed(), "views were built from all records");
    }
    Ok((namespaces, None))
}

fn usable(file: &CheckpointFile) -> Option<Saved> {
    match file.read() {
        Ok(saved) => saved,
        Err(error) => {
            tracing::warn!(%error, "the checkpoint of views is left aside; they are built from all records");
            None
        }
    }
}

/// The records of each row, the definition before the twin.
type Records = BTreeMap<(Which, Arc<str>, String), [Option<Key>; 2]>;

/// Rows that changed after a checkpoint. `None` when it is not of this history, or so many changed that it is of no use.
fn changed_since(states: &States, saved: &Saved, position: Position) -> Result<Option<Records>, StoreError> {
    let db = states.db();
    let is_same_past = chain_at(&db, saved.revision)? == Some(saved.chain) || planted::is(Bug::CheckpointUnchecked);
    let is_ours = saved.revision <= position.revision && is_same_past;
    if !is_ours {
        tracing::info!(checkpoint = saved.revision, "the checkpoint of views is of another history, or too old");
        return Ok(None);
    }
    let most = FEW_ROWS.max(saved.namespaces.rows() / 2);
    let mut rows = Records::new();
    event_log::visit(&db, saved.revision + 1, position.revision, |entry| {
        for event in entry.events {
            if let Some((which, namespace, id)) = Which::row_of(&event.key) {
                let row = (which, Arc::from(namespace), id);
                rows.entry(row).or_insert_with(|| records_of(&event.key));
            }
        }
        Ok(rows.len() <= most)
    })?;
    Ok((rows.len() <= most).then_some(rows))
}

/// The chain hash at a revision, if what follows it is still in the log.
fn chain_at(db: &event_log::Db, revision: u64) -> Result<Option<event_log::ChainHash>, StoreError> {
    if revision == 0 {
        return Ok((event_log::swept(db)?.revision == 1).then_some(CHAIN_START));
    }
    match event_log::chain_hash(db, revision) {
        Err(StoreError::Compacted { .. }) => Ok(None),
        found => found,
    }
}

fn records_of(key: &Key) -> [Option<Key>; 2] {
    match key.clone() {
        Key::Device(namespace, id) | Key::DeviceTwin(namespace, id) => {
            [Some(Key::Device(namespace.clone(), id.clone())), Some(Key::DeviceTwin(namespace, id))]
        }
        Key::Module(namespace, device, id) | Key::ModuleTwin(namespace, device, id) => [
            Some(Key::Module(namespace.clone(), device.clone(), id.clone())),
            Some(Key::ModuleTwin(namespace, device, id)),
        ],
        other => [Some(other), None],
    }
}

/// Makes rows anew from their records as they are now. Those may be of a later revision than asked for; what is applied
/// meanwhile is taken in after that, and ends the same.
fn renew(states: &States, namespaces: &mut Namespaces, rows: &Records) -> Result<(), StoreError> {
    for ((which, namespace, id), records) in rows {
        namespaces.remove(&ChangedRow { namespace: Arc::clone(namespace), which: *which, id: id.clone() });
        for key in records.iter().flatten() {
            if let Some(after) = states.get(key)?.filter(|record| record.is_alive()) {
                namespaces.change(&Changed { key: key.clone(), before: None, after });
            }
        }
    }
    namespaces.remove_empty();
    Ok(())
}

fn from_all_records(states: &States) -> Result<Namespaces, StoreError> {
    let mut namespaces = Namespaces::default();
    // Devices and modules before their twins, so that a row begins with its definition.
    for prefix in keys::view_prefixes() {
        let scan = Scan { family: columns::STATES, prefix: &prefix, after: None };
        scan.run(&states.db(), |key, stored| {
            let record: Record = decode(key, stored)?;
            if let Some(key) = keys::parse_state(key).filter(|_| record.is_alive()) {
                namespaces.change(&Changed { key, before: None, after: Arc::new(record) });
            }
            Ok(true)
        })?;
    }
    Ok(namespaces)
}
