//! Cursors: named places in the event log, so that a consumer goes on anywhere. It knows no events.
//!
//! A cursor only moves forward, and never beyond the newest revision: what it says was dealt with did exist.

use muster_planted::{self as planted, Bug};

use crate::decide::{check_etag, living};
use crate::{At, Body, Change, EventKind, Key, Operation, Reason, Record, Rejection, States};
use crate::{ids, limits, namespace, text};

/// A cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// What it is for; at most 128 characters.
    pub description: String,
    /// Everything up to this revision is dealt with.
    pub acknowledged: u64,
}

impl Cursor {
    pub(crate) fn evolve(&self, event: &EventKind) -> Self {
        match event {
            EventKind::CursorAcknowledged(revision) => Self { acknowledged: *revision, ..self.clone() },
            _ => self.clone(),
        }
    }
}

/// Decides operations on cursors.
pub(crate) fn decide(states: &dyn States, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
    match operation {
        Operation::CreateCursor { namespace, cursor, description, acknowledged } => {
            create(states, namespace, cursor, description, *acknowledged, at)
        }
        Operation::AcknowledgeCursor { namespace, cursor, revision } => {
            acknowledge(states, &key(namespace, cursor), *revision, at)
        }
        Operation::DeleteCursor { namespace, cursor, etag } => {
            let key = key(namespace, cursor);
            let Some(record) = living(states, &key) else { return Err(Rejection::not_found(key)) };
            check_etag(etag.as_deref(), &record)?;
            Ok(vec![Change::new(key, EventKind::CursorDeleted, Some(&record), at)])
        }
        _ => Ok(Vec::new()),
    }
}

fn key(namespace: &str, cursor: &str) -> Key {
    Key::Cursor(namespace.to_owned(), cursor.to_owned())
}

fn create(
    states: &dyn States,
    namespace: &str,
    cursor: &str,
    description: &str,
    acknowledged: Option<u64>,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    ids::check_cursor("cursor_id", cursor)?;
    if !namespace.is_empty() {
        namespace::check_open(states, namespace)?;
    }
    text::check_chars("description", description, limits::REASON_CHARS_MAX)?;
    let newest = at.revision - 1;
    let acknowledged = acknowledged.unwrap_or(newest);
    check_past("acknowledged_revision", acknowledged, newest)?;
    let key = key(namespace, cursor);
    let before = states.get(&key);
    if before.as_ref().is_some_and(|record| record.is_alive()) {
        return Err(Rejection::already_exists("cursor_id", key));
    }
    let cursor = Cursor { description: description.to_owned(), acknowledged };
    Ok(vec![Change::new(key, EventKind::CursorCreated(cursor), before.as_deref(), at)])
}

fn acknowledge(states: &dyn States, key: &Key, revision: u64, at: At) -> Result<Vec<Change>, Rejection> {
    let Some(record) = living(states, key) else { return Err(Rejection::not_found(key)) };
    let Record { body: Body::Cursor(cursor), .. } = &*record else { return Err(Rejection::not_found(key)) };
    check_past("revision", revision, at.revision - 1)?;
    if revision < cursor.acknowledged && !planted::is(Bug::CursorGoesBack) {
        let message =
            format!("{key} has acknowledged revision {} already and cannot go back to {revision}", cursor.acknowledged);
        return Err(Rejection::new(Reason::CursorBackwards, "revision", message));
    }
    if revision == cursor.acknowledged {
        return Ok(Vec::new());
    }
    Ok(vec![Change::new(key.clone(), EventKind::CursorAcknowledged(revision), Some(&record), at)])
}

fn check_past(field: &str, revision: u64, newest: u64) -> Result<(), Rejection> {
    if revision <= newest {
        return Ok(());
    }
    let message = format!("{field} {revision} lies in the future: the newest revision is {newest}");
    Err(Rejection::new(Reason::InvalidField, field, message))
}
