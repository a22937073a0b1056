//! What a request asks: a text of its own, or what a saved query says. It knows no language.
//!
//! - Exactly one of both is given.
//! - Whatever goes on over several calls or messages tells one text, never a mix of an old and a new one: pages go on with
//!   the text of the first, streams end when it is another one.

use muster_domain::{Body, Key, Reason, Record, Rejection};

use super::fields::{self, Shape};
use super::read::Read;
use super::status::{Failure, Transport};
use crate::read::{Consistency, ScanError, StoreError, View};

/// Where the text comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wording {
    /// The request itself.
    Own(String),
    /// A saved query.
    Saved(Key),
}

/// A text.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) text: String,
    /// For saved queries: the revision of the change that made it so.
    pub(super) at: Option<u64>,
}

impl Said {
    /// The field of the request that it comes from.
    pub(super) fn field(&self) -> &'static str {
        if self.at.is_some() { "saved_query" } else { "text" }
    }
}

impl Wording {
    /// From the fields `text` and `saved_query` of a request about `namespace`.
    pub(super) fn of(namespace: &str, text: &str, saved_query: &str) -> Result<Self, Rejection> {
        let invalid = |field: &str, message: String| Err(Rejection::new(Reason::InvalidField, field, message));
        if saved_query.is_empty() {
            if text.is_empty() {
                return invalid("text", "text is required, or saved_query instead of it".to_owned());
            }
            return Ok(Self::Own(text.to_owned()));
        }
        if !text.is_empty() {
            let message = "saved_query cannot be given together with text: exactly one of both says what is asked";
            return invalid("saved_query", message.to_owned());
        }
        let key = fields::name("saved_query", saved_query, Shape::SavedQuery)?;
        if key.namespace() != Some(namespace) {
            let message = format!("saved_query must be of the namespace in parent, namespaces/{namespace}, is {key}");
            return invalid("saved_query", message);
        }
        Ok(Self::Saved(key))
    }

    /// The text now.
    pub(super) fn said(&self, view: &View) -> Result<Said, Failure> {
        match self {
            Self::Own(text) => Ok(Said { text: text.clone(), at: None }),
            Self::Saved(key) => match view.get_at(key, view.revision())?.as_deref().and_then(said) {
                Some(said) => Ok(said),
                None => Err(Rejection { field: "saved_query".to_owned(), ..Rejection::not_found(key) }.into()),
            },
        }
    }

    /// The text that an earlier page was told for, which the change at `revision` made.
    pub(super) async fn said_at(&self, read: &Read, revision: u64) -> Result<Said, Failure> {
        let key = match self {
            Self::Own(text) => return Ok(Said { text: text.clone(), at: None }),
            Self::Saved(key) => key,
        };
        // The answer may be as of an earlier revision than its text.
        let view = read.services.reader.view(Consistency::MinRevision(revision)).await?;
        match view.look_back(key, revision).await {
            Ok(record) => record.as_deref().and_then(said).ok_or_else(|| changed(key)),
            Err(ScanError::Store(StoreError::Compacted { .. })) => Err(changed(key)),
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses to go on with `said` when it was another text at `revision`.
    pub(super) async fn check_same_at(&self, view: &View, said: &Said, revision: u64) -> Result<(), Failure> {
        let Self::Saved(key) = self else { return Ok(()) };
        let then = view.look_back(key, revision).await?;
        same(key, then.as_deref(), said)
    }

    /// Refuses to go on with `said` when it is another text by now. Asked after what is about to be told was found, so
    /// that nothing is told from beyond the change.
    pub(super) fn check_still(&self, view: &View, said: &Said) -> Result<(), Failure> {
        let Self::Saved(key) = self else { return Ok(()) };
        same(key, view.get(key)?.as_deref(), said)
    }
}

fn said(record: &Record) -> Option<Said> {
    let Body::SavedQuery(query) = &record.body else { return None };
    Some(Said { text: query.definition.text.clone(), at: Some(record.updated_revision) })
}

fn same(key: &Key, record: Option<&Record>, told: &Said) -> Result<(), Failure> {
    match record.and_then(said) {
        Some(said) if said.text == told.text => Ok(()),
        _ => Err(changed(key)),
    }
}

fn changed(key: &Key) -> Failure {
    let message = format!("{key} has another text by now, or is gone: begin again to ask what it says now");
    Failure::Other(Transport::SavedQueryChanged, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_says_what_is_asked() {
        let hot = "namespaces/plant1/queries/hot";
        let key = Key::SavedQuery("plant1".to_owned(), "hot".to_owned());
        assert_eq!(Wording::of("plant1", "SELECT", ""), Ok(Wording::Own("SELECT".to_owned())));
        assert_eq!(Wording::of("plant1", "", hot), Ok(Wording::Saved(key)));
        for (text, saved, field) in [
            ("", "", "text"),
            ("SELECT", hot, "saved_query"),
            ("", "hot", "saved_query"),
            ("", "namespaces/plant1/devices/hot", "saved_query"),
            ("", "namespaces/plant2/queries/hot", "saved_query"),
        ] {
            let refusal = Wording::of("plant1", text, saved).expect_err(saved);
            assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::InvalidField, field), "{text:?} {saved:?}");
        }
    }
}
