//! A comparison of contents with a connected edge, in its session: what the edge says it holds is held against the scope as of
//! the mark at which it said so. Section 6 of `sync.md`.
//!
//! It knows who is asked, and not who asks. Invariants:
//!
//! - Both sides speak of one revision, that of a mark which the session holds until the comparison is over.
//! - What is told of the cluster is read from the store for it.

use muster_domain::scope::ScopeHash;
use muster_domain::{Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::sync_response::Message as Told;
use prost::Message;

use super::down::Down;
use super::repair::Entry;
use super::repairing::{NAME_BYTES_MAX, Repair};
use super::{SyncError, content, field_path};
use crate::node::hex;
use crate::read::Reader;

/// A comparison that is asked for, or under way.
pub(super) struct Verify {
    id: u64,
    /// As of this revision or a later one.
    from: u64,
    /// The mark at which it is made, once that was sent.
    pub(super) mark: Option<u64>,
    /// What cluster and edge hold as of the mark.
    found: Option<(ScopeHash, ScopeHash)>,
}

impl Verify {
    pub(super) fn new(id: u64, from: u64) -> Self {
        Self { id, from, mark: None, found: None }
    }

    /// Whether it is to be made at a mark of this revision, which is about to be sent.
    pub(super) fn wants(&self, revision: u64) -> bool {
        self.mark.is_none() && revision >= self.from
    }

    /// Goes before the mark.
    pub(super) fn question(&mut self, revision: u64) -> Told {
        self.mark = Some(revision);
        Told::Verify(v1::SyncVerify { id: self.id })
    }

    /// The edge repairs something older first.
    pub(super) fn put_off(&mut self) {
        if self.found.is_none() {
            self.mark = None;
        }
    }
}

impl Down {
    /// Takes in what the edge holds. When the comparison is over: what came of it.
    pub(super) async fn verified(
        &mut self,
        reader: &Reader,
        verified: v1::SyncVerified,
    ) -> Result<Option<v1::VerifyEdgeResponse>, SyncError> {
        let Some(verify) = self.verify.as_mut().filter(|verify| verify.id == verified.id) else {
            return Err(invalid("verified.id", "verified.id is none that was asked for").into());
        };
        if verify.mark != Some(verified.revision) {
            return Err(invalid("verified.revision", "verified.revision must be that of the mark after verify").into());
        }
        let held = verified.first_held.as_ref();
        if held.is_some_and(|held| held.name.is_empty() || held.name.len() > NAME_BYTES_MAX) {
            let field = "verified.first_held.name";
            return Err(invalid(field, &format!("{field} must have 1 to {NAME_BYTES_MAX} bytes")).into());
        }
        let edge = sum_of(&verified)?;
        if !verified.is_over {
            let cluster = self.scope_contents(reader, verified.revision).await?;
            if let Some(verify) = &mut self.verify {
                verify.found = Some((cluster, edge));
            }
            return Ok(None);
        }
        let Some((cluster, before)) = verify.found else {
            return Err(invalid("verified.is_over", "verified.is_over comes after what was held before").into());
        };
        self.verify = None;
        let first_difference = match &verified.first_held {
            Some(held) => Some(self.difference(reader, verified.revision, held).await?),
            None => None,
        };
        Ok(Some(v1::VerifyEdgeResponse {
            agree: before == cluster && verified.differences == 0,
            cluster: Some(contents(&cluster)),
            edge: Some(contents(&before)),
            differences: verified.differences,
            first_difference,
            repaired: Some(contents(&edge)),
            agree_now: edge == cluster,
            // What is left is the caller's to fill in.
            header: Some(v1::ResponseHeader { revision: verified.revision, ..v1::ResponseHeader::default() }),
            ..v1::VerifyEdgeResponse::default()
        }))
    }

    /// Reads the scope as of a mark that is held; the comparisons that follow use what was read.
    async fn scope_contents(&mut self, reader: &Reader, mark: u64) -> Result<ScopeHash, SyncError> {
        let view = reader.local_for_followers();
        let repair = self.repair_at(mark, "verified.revision")?;
        let mut sum = ScopeHash::default();
        repair.contents(&view).await?.iter().for_each(|entry| sum.add(&entry.hash));
        Ok(sum)
    }

    /// How an item of the edge differs from the scope's.
    async fn difference(
        &mut self,
        reader: &Reader,
        mark: u64,
        held: &v1::SyncItem,
    ) -> Result<v1::EdgeDifference, SyncError> {
        let view = reader.local_for_followers();
        let repair = self.repair_at(mark, "verified.revision")?;
        let own = find(repair, &view, &held.name).await?;
        let due = repair.due(&held.name);
        let item = match due.revision {
            Some(_) => content::read(&view, mark, vec![due]).await?.pop(),
            None => None,
        };
        let resource = |item: &v1::SyncItem| item.resource.as_ref().map(Message::encode_to_vec);
        let field = match (item.as_ref().and_then(resource), resource(held)) {
            (Some(own), Some(other)) => field_path::first_difference(&own, &other, "muster.v1.Resource"),
            _ => String::new(),
        };
        let held_hash = held.resource.as_ref().map(|_| muster_domain::scope::content_hash(&held.encode_to_vec()));
        Ok(v1::EdgeDifference {
            name: held.name.clone(),
            cluster_revision: own.as_ref().map_or(0, |own| own.revision),
            edge_revision: held.revision,
            field,
            cluster_hash: own.map(|own| hex(&own.hash)).unwrap_or_default(),
            edge_hash: held_hash.map(|hash| hex(&hash)).unwrap_or_default(),
        })
    }
}

async fn find(repair: &mut Repair, view: &crate::read::View, name: &str) -> Result<Option<Entry>, SyncError> {
    let entries = repair.contents(view).await?;
    let found = entries.binary_search_by(|entry| (*entry.name).cmp(name));
    Ok(found.ok().map(|at| entries[at].clone()))
}

fn sum_of(verified: &v1::SyncVerified) -> Result<ScopeHash, Rejection> {
    let hash = <&[u8; 32]>::try_from(&verified.content_hash[..]);
    let hash = hash.map_err(|_| invalid("verified.content_hash", "verified.content_hash must have 32 bytes"))?;
    Ok(ScopeHash::from_parts(verified.items, hash))
}

fn contents(sum: &ScopeHash) -> v1::EdgeContents {
    v1::EdgeContents { items: sum.items(), content_hash: hex(&sum.to_bytes()) }
}

fn invalid(field: &str, message: &str) -> Rejection {
    Rejection::new(Reason::InvalidField, field, message)
}
