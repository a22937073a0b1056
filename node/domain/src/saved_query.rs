//! Saved queries: texts of questions under a name, so that all who ask the same ask it alike. It knows no query language:
//! that a text is a query is found out before a command is proposed.

use crate::decide::{check_etag, living};
use crate::limits::{DESCRIPTION_CHARS_MAX, QUERY_TEXT_CHARS_MAX};
use crate::{At, Body, Change, EventKind, Key, Operation, Record, Rejection, States};
use crate::{ids, namespace, text};

/// What a saved query asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedQueryDefinition {
    /// 1 to 8,192 characters.
    pub text: String,
    /// What it is for; at most 1,024 characters.
    pub description: String,
}

/// A field of [`SavedQueryDefinition`] that an update may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SavedQueryField {
    /// `text`
    Text,
    /// `description`
    Description,
}

impl SavedQueryField {
    /// All of them, with their names in an update mask.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Text, "text"), (Self::Description, "description")];
}

/// A saved query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedQuery {
    /// What it asks.
    pub definition: SavedQueryDefinition,
    /// Grows by one with each change.
    pub version: u64,
}

/// Decides operations on saved queries.
pub(crate) fn decide(states: &dyn States, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
    match operation {
        Operation::CreateSavedQuery { namespace, query, definition } => {
            create(states, namespace, query, definition, at)
        }
        Operation::UpdateSavedQuery { namespace, query, definition, fields, etag } => {
            update(states, key(namespace, query), definition, fields, etag.as_deref(), at)
        }
        Operation::DeleteSavedQuery { namespace, query, etag } => {
            let key = key(namespace, query);
            let Some(record) = living(states, &key) else { return Err(Rejection::not_found(key)) };
            check_etag(etag.as_deref(), &record)?;
            Ok(vec![deletion(key, &record, at)])
        }
        _ => Ok(Vec::new()),
    }
}

/// The end of a saved query.
pub(crate) fn deletion(key: Key, record: &Record, at: At) -> Change {
    Change::new(key, EventKind::SavedQueryDeleted, Some(record), at)
}

fn key(namespace: &str, query: &str) -> Key {
    Key::SavedQuery(namespace.to_owned(), query.to_owned())
}

fn create(
    states: &dyn States,
    namespace: &str,
    query: &str,
    definition: &SavedQueryDefinition,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    ids::check_saved_query("query_id", query)?;
    namespace::check_open(states, namespace)?;
    check(definition)?;
    let key = key(namespace, query);
    let before = states.get(&key);
    if before.as_ref().is_some_and(|record| record.is_alive()) {
        return Err(Rejection::already_exists("query_id", key));
    }
    Ok(vec![Change::new(key, EventKind::SavedQueryCreated(definition.clone()), before.as_deref(), at)])
}

fn update(
    states: &dyn States,
    key: Key,
    new: &SavedQueryDefinition,
    fields: &[SavedQueryField],
    etag: Option<&str>,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    let Some(record) = living(states, &key) else { return Err(Rejection::not_found(key)) };
    let Body::SavedQuery(query) = &record.body else { return Err(Rejection::not_found(key)) };
    check_etag(etag, &record)?;
    let mut definition = query.definition.clone();
    for field in fields {
        match field {
            SavedQueryField::Text => definition.text.clone_from(&new.text),
            SavedQueryField::Description => definition.description.clone_from(&new.description),
        }
    }
    check(&definition)?;
    Ok(vec![Change::new(key, EventKind::SavedQueryUpdated(definition), Some(&record), at)])
}

fn check(definition: &SavedQueryDefinition) -> Result<(), Rejection> {
    let within = |refusal: Rejection| refusal.within("query");
    text::check_present("text", &definition.text).map_err(within)?;
    text::check_chars("text", &definition.text, QUERY_TEXT_CHARS_MAX).map_err(within)?;
    text::check_chars("description", &definition.description, DESCRIPTION_CHARS_MAX).map_err(within)
}
