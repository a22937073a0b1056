//! Lists in pages that fit together: every page is told as of the revision of the first one.
//!
//! It knows no noun and not how tokens are written; `muster_query::page` does.
//!
//! - A token binds the RPC, its filters and its caller. The page size may change from page to page.
//! - A page is full when it has `page_size` elements, when their bytes fill an answer, or when the scan behind it was long
//!   enough; only an absent token means the end.

use std::sync::Arc;

use muster_domain::{Body, Key, Record, Rejection};
use muster_proto::v1;
use muster_query::{PageToken, Position, Scope};

use super::fields;
use super::read::Read;
use super::status::{Failure, Transport};
use crate::node::Services;
use crate::read::{Consistency, ListRange, ScanError, StoreError, View};

/// What a list request says of pages, and what binds its tokens.
pub(crate) struct Asked<'a> {
    /// Name of the RPC.
    pub(crate) rpc: &'a str,
    /// Every filter of the request, in a fixed order.
    pub(crate) filters: &'a [&'a str],
    pub(crate) page_size: i32,
    pub(crate) page_token: &'a str,
    pub(crate) read: Option<v1::ReadOptions>,
}

/// A page about to be read.
pub(crate) struct Page {
    /// At least as new as `revision`.
    pub(crate) view: View,
    /// The revision all pages are told as of.
    pub(crate) revision: u64,
    /// Elements wanted.
    pub(crate) size: usize,
    /// Where it begins; `None` for the first page.
    pub(crate) position: Option<Position>,
    /// What the tokens are bound to.
    pub(crate) scope: Scope,
    services: Arc<Services>,
}

impl Page {
    /// Checks size and token and takes the view to read from.
    pub(crate) async fn open(read: &Read, asked: Asked<'_>) -> Result<Self, Failure> {
        let services = Arc::clone(&read.services);
        let size = fields::page_size(asked.page_size, services.settings.page_items_max)?;
        let consistency = fields::consistency(asked.read)?;
        let scope = Scope::new(asked.rpc, &read.caller.principal.actor(), asked.filters);
        if asked.page_token.is_empty() {
            let view = services.reader.view(consistency).await?;
            let revision = view.revision();
            return Ok(Self { view, revision, size, position: None, scope, services });
        }
        let key = page_key(&services.reader.local())?;
        let token = PageToken::decode(asked.page_token, &key, &scope, services.clock.now_ms())?;
        // The past does not change: a node that has reached the revision knows the whole answer.
        let view = services.reader.view(Consistency::MinRevision(token.revision)).await?;
        Ok(Self { view, revision: token.revision, size, position: Some(token.position), scope, services })
    }

    /// The same page of a list that is told as of another revision: the answer itself says which.
    pub(crate) fn told_at(self, revision: u64) -> Self {
        Self { revision, ..self }
    }

    /// The token of the page that begins at `position`; empty without one.
    pub(crate) fn next_token(&self, position: Option<Position>) -> Result<String, Failure> {
        let Some(position) = position else { return Ok(String::new()) };
        let token = PageToken { revision: self.revision, position, issued_at_ms: self.services.clock.now_ms() };
        Ok(token.encode(&page_key(&self.view)?, &self.scope))
    }

    /// Reads the records of this page.
    pub(crate) async fn list(
        &self,
        range: ListRange<'_>,
        keep: impl Fn(&str, &Record) -> bool + Send + 'static,
    ) -> Result<Listed, Failure> {
        self.check_pinned()?;
        let after = match &self.position {
            Some(Position::AfterId(id)) => Some(id.as_str()),
            Some(Position::AtEvent { .. } | Position::AtRow { .. } | Position::AtSavedRow { .. }) | None => None,
        };
        let page = self.view.list(range, self.revision, after, self.size, keep).await?;
        let next_page_token = self.next_token(page.next_after.map(Position::AfterId))?;
        Ok(Listed { records: page.records, next_page_token })
    }

    /// Refuses to go on with a list whose revision lies below the floor by now: it cannot be told any more.
    pub(crate) fn check_pinned(&self) -> Result<(), Failure> {
        let floor = self.view.event_floor()?;
        if self.position.is_none() || self.revision >= floor {
            return Ok(());
        }
        let message = format!(
            "the list is as of revision {}, and the oldest revision kept is {floor} by now: begin it again",
            self.revision
        );
        Err(Failure::Other(Transport::PageTokenExpired, message))
    }

    /// Refuses a list in something that did not exist at the revision of the list.
    pub(crate) fn check_parent(&self, parent: &Key) -> Result<(), Failure> {
        self.check_pinned()?;
        if self.view.get_at(parent, self.revision)?.is_some() {
            return Ok(());
        }
        Err(Rejection { field: "parent".to_owned(), ..Rejection::not_found(parent) }.into())
    }
}

/// The records of one page by their ids, and the token of the next one.
pub(crate) struct Listed {
    pub(crate) records: Vec<(String, Arc<Record>)>,
    pub(crate) next_page_token: String,
}

impl Listed {
    /// Shows each record under the key that `key` makes of its id.
    pub(crate) fn show<T>(&self, key: impl Fn(&str) -> Key, show: impl Fn(&Key, &Record) -> Option<T>) -> Vec<T> {
        self.records.iter().filter_map(|(id, record)| show(&key(id), record)).collect()
    }
}

impl From<ScanError> for Failure {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Read(error) => error.into(),
            ScanError::Store(error) => error.into(),
        }
    }
}

fn page_key(view: &View) -> Result<[u8; 32], Failure> {
    match &view.cluster()?.body {
        Body::Cluster(cluster) => Ok(cluster.page_key),
        _ => Err(StoreError::Inconsistent("the cluster's record holds something else".to_owned()).into()),
    }
}
