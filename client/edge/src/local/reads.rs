//! What all local reads share: names, headers, freshness and pages.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use muster_domain::{Key, Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::read_options::Consistency;
use muster_proto::v1::resource::Resource;
use tonic::{Code, Status};

use super::{Local, refusal};

/// How long a read waits for a revision.
const MIN_REVISION_WAIT: Duration = Duration::from_secs(5);
const PAGE_SIZE_DEFAULT: usize = 100;
const PAGE_SIZE_MAX: usize = 1_000;

impl Local {
    /// Waits until the replica is as fresh as asked for.
    pub(super) async fn fresh(&self, options: Option<v1::ReadOptions>) -> Result<v1::ResponseHeader, Status> {
        let options = options.unwrap_or_default();
        match options.consistency() {
            Consistency::Linearizable => {
                return Err(refusal::of_the_cluster("a linearizable read"));
            }
            Consistency::MinRevision => self.reach(options.min_revision).await?,
            Consistency::Unspecified | Consistency::Local => {}
        }
        Ok(self.header())
    }

    async fn reach(&self, revision: u64) -> Result<(), Status> {
        let mut progress = self.handle.published().progress();
        let waited = tokio::time::timeout(MIN_REVISION_WAIT, progress.wait_for(|cursor| *cursor >= revision)).await;
        if matches!(waited, Ok(Ok(_))) {
            return Ok(());
        }
        let message = format!("the edge is not at revision {revision} yet; it is at {}", self.header().revision);
        Err(refusal::told(Code::Unavailable, "MIN_REVISION_TIMEOUT", &message, "", ""))
    }

    pub(super) fn header(&self) -> v1::ResponseHeader {
        self.handle.published().read(|now| v1::ResponseHeader {
            cluster_id: now.cluster_id.clone(),
            node_id: 0,
            revision: now.cursor,
            raft_term: 0,
        })
    }

    /// A resource that is held.
    pub(super) fn held(&self, key: &Key) -> Result<Resource, Status> {
        let name = key.to_string();
        let found = self.handle.resource(&name).map_err(|error| refusal::unreadable(&error))?;
        let resource = found.and_then(|found| found.resource);
        resource.ok_or_else(|| refusal::refused(&crate::Refused::NotHeld(name)))
    }

    /// The namespace of a `parent`, which must be the edge's.
    pub(super) fn namespace(&self, parent: &str) -> Result<String, Status> {
        match Key::parse(parent) {
            Some(Key::Namespace(namespace)) if self.handle.edge().starts_with(&format!("{parent}/edges/")) => {
                Ok(namespace)
            }
            Some(Key::Namespace(_)) => {
                let message = format!("{parent} is not the namespace of {}", self.handle.edge());
                Err(refusal::rejected(&Rejection::new(Reason::NotFound, "parent", message)))
            }
            _ => Err(misnamed("parent", parent, "namespaces/{namespace}")),
        }
    }
}

/// The key that a name says, if it is of the kind that `fit` lets through.
pub(super) fn key(field: &str, name: &str, shape: &str, fit: impl Fn(Key) -> Option<Key>) -> Result<Key, Status> {
    Key::parse(name).and_then(fit).ok_or_else(|| misnamed(field, name, shape))
}

fn misnamed(field: &str, name: &str, shape: &str) -> Status {
    let shown: String = name.chars().take(200).collect();
    let message = format!("{field} must be {shape}, is `{shown}`");
    refusal::rejected(&Rejection::new(Reason::InvalidField, field, message))
}

/// Whether a filter lets a value through; an empty one lets through all.
pub(super) fn fits(filter: &str, value: &str) -> bool {
    filter.is_empty() || filter == value
}

/// Refuses a request id that the cluster would refuse.
pub(super) fn check_request_id(id: &str) -> Result<(), Status> {
    if id.len() <= 128 && id.chars().all(|c| matches!(c, ' '..='~')) {
        return Ok(());
    }
    let message = "request_id must have at most 128 characters of printable ASCII";
    Err(refusal::rejected(&Rejection::new(Reason::InvalidField, "request_id", message)))
}

/// A page of a list: how much of it, and the name that it comes after. Pages are told as of the moment of each.
pub(super) struct Page {
    pub(super) size: usize,
    pub(super) after: Option<String>,
    asked: u32,
}

impl Page {
    /// `asked` is all that a token is bound to: the call and its filters.
    pub(super) fn open(size: i32, token: &str, asked: &[&str]) -> Result<Self, Status> {
        let asked =
            asked.iter().fold(0, |sum, part| crc32c::crc32c_append(crc32c::crc32c_append(sum, part.as_bytes()), &[0]));
        let size = match usize::try_from(size) {
            Ok(0) => PAGE_SIZE_DEFAULT,
            Ok(size) => size.min(PAGE_SIZE_MAX),
            Err(_) => {
                let message = format!("page_size must be 0 to {PAGE_SIZE_MAX}, is {size}");
                return Err(refusal::rejected(&Rejection::new(Reason::InvalidField, "page_size", message)));
            }
        };
        let after = if token.is_empty() { None } else { Some(decode(token, asked).ok_or_else(invalid_token)?) };
        Ok(Self { size, after, asked })
    }

    /// The token of the page that comes after a name.
    pub(super) fn token(&self, after: Option<String>) -> String {
        let Some(after) = after else { return String::new() };
        let mut bytes = self.asked.to_le_bytes().to_vec();
        bytes.extend_from_slice(after.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

fn decode(token: &str, asked: u32) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (bound, after) = bytes.split_at_checked(4)?;
    if bound != asked.to_le_bytes() {
        return None;
    }
    String::from_utf8(after.to_vec()).ok()
}

fn invalid_token() -> Status {
    let message = "page_token is damaged, or was made for another list";
    refusal::told(Code::InvalidArgument, "PAGE_TOKEN_INVALID", message, "page_token", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_the_list_it_was_made_for() {
        let page = Page::open(2, "", &["ListDevices", "namespaces/a", ""]).expect("a first page");
        let token = page.token(Some("namespaces/a/devices/b".to_owned()));
        let next = Page::open(7, &token, &["ListDevices", "namespaces/a", ""]).expect("the next page");
        assert_eq!((next.size, next.after.as_deref()), (7, Some("namespaces/a/devices/b")));
        for wrong in [&["ListDevices", "namespaces/a", "p"][..], &["ListDevices", "namespaces/", "a"]] {
            assert!(Page::open(7, &token, wrong).is_err());
        }
        assert!(Page::open(7, "???", &[]).is_err() && Page::open(-1, "", &[]).is_err());
        assert_eq!(page.token(None), "");
    }
}
