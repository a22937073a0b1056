//! All members at one revision, and the first record in which two differ.
//!
//! Each member hashes what it holds as of the revision, also when it has gone on since, so writes need not stop.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use muster_proto::peer::v1 as peer;
use muster_proto::v1::{ClusterVerdict, MemberDigest};
use prost::Message;
use tokio::sync::mpsc;

use super::{Compare, DIGEST_MAX, DIGEST_METHOD, RECORDS_METHOD};
use crate::node::hex;
use crate::store::digest::{Digest, RecordHash};
use crate::store::keys;

/// Records that are compared at once.
const PAGE: u32 = 10_000;

impl Compare {
    /// Compares all members at `revision`. `tell` hears of each as it is done.
    pub async fn all_members(self: &Arc<Self>, revision: u64, tell: mpsc::Sender<MemberDigest>) -> ClusterVerdict {
        let members = self.raft.status().members;
        let mut running: FuturesUnordered<_> = members
            .iter()
            .map(|member| {
                let id = member.id;
                async move { (id, self.digest_of(id, revision).await) }
            })
            .collect();
        let mut digests = BTreeMap::new();
        let mut missing = None;
        while let Some((node_id, found)) = running.next().await {
            let told = match &found {
                Ok(digest) => MemberDigest {
                    node_id,
                    error: String::new(),
                    revision,
                    chain_hash: hex(&digest.chain),
                    state_hash: hex(&digest.state),
                    records: digest.records,
                },
                Err(error) => MemberDigest { node_id, error: error.clone(), ..MemberDigest::default() },
            };
            if tell.send(told).await.is_err() {
                // Nobody listens any more.
                return ClusterVerdict::default();
            }
            match found {
                Ok(digest) => {
                    digests.insert(node_id, digest);
                }
                Err(error) => missing = missing.or(Some(format!("node {node_id} could not be compared: {error}"))),
            }
        }
        let difference = self.first_difference(revision, &digests).await;
        let agree = difference.is_none() && missing.is_none();
        let first_difference = difference.or(missing).unwrap_or_default();
        ClusterVerdict { header: None, revision, agree, first_difference }
    }

    async fn digest_of(&self, id: u64, revision: u64) -> Result<Digest, String> {
        if id == self.raft.node_id() {
            return self.digest(revision).await;
        }
        let question = peer::DigestQuestion { revision }.encode_to_vec();
        let answer: peer::DigestAnswer = self.ask(id, DIGEST_METHOD, question).await?;
        let hash = |bytes: &Bytes| <[u8; 32]>::try_from(&bytes[..]).map_err(|_| "a hash of another length".to_owned());
        let range = |range: &peer::DigestRange| Ok::<_, String>((range.prefix.to_vec(), hash(&range.state_hash)?));
        Ok(Digest {
            chain: hash(&answer.chain_hash)?,
            state: hash(&answer.state_hash)?,
            records: answer.records,
            ranges: answer.ranges.iter().map(range).collect::<Result<_, _>>()?,
        })
    }

    async fn ask<M: Message + Default>(&self, id: u64, method: &str, question: Vec<u8>) -> Result<M, String> {
        let answer = self.raft.peers().call_within(DIGEST_MAX, id, method, question.into()).await;
        let answer = answer.map_err(|status| format!("{:?}: {}", status.code(), status.message()))?;
        M::decode(answer).map_err(|error| error.to_string())
    }

    async fn first_difference(&self, revision: u64, digests: &BTreeMap<u64, Digest>) -> Option<String> {
        let mut members = digests.iter();
        let (first, expected) = members.next()?;
        let (other, found) = members.find(|(_, digest)| *digest != expected)?;
        if found.chain != expected.chain {
            return Some(format!(
                "nodes {first} and {other} have different chain hashes at revision {revision}: {} and {}",
                hex(&expected.chain),
                hex(&found.chain)
            ));
        }
        let by_prefix = |digest: &Digest| digest.ranges.iter().cloned().collect::<BTreeMap<_, _>>();
        let (here, there) = (by_prefix(expected), by_prefix(found));
        let prefixes: std::collections::BTreeSet<_> = here.keys().chain(there.keys()).collect();
        let prefix = prefixes.into_iter().find(|prefix| here.get(*prefix) != there.get(*prefix))?;
        match self.first_record(revision, prefix, *first, *other).await {
            Ok(record) => {
                Some(format!("nodes {first} and {other} hold different records at revision {revision}: {record}"))
            }
            Err(error) => Some(format!(
                "nodes {first} and {other} hold different records at revision {revision}; the first could not be found: \
                 {error}"
            )),
        }
    }

    /// The first record from `from` on in which two nodes differ.
    async fn first_record(&self, revision: u64, from: &[u8], one: u64, two: u64) -> Result<String, String> {
        let mut from = from.to_vec();
        loop {
            let here = self.records_of(one, revision, &from).await?;
            let there = self.records_of(two, revision, &from).await?;
            let pairs = here.iter().zip(&there);
            if let Some((here, there)) = pairs.clone().find(|(here, there)| here != there) {
                let key = if here.key <= there.key { &here.key } else { &there.key };
                let side = |node: u64, record: &RecordHash| match record.key == *key {
                    true => format!("node {node} has it as of revision {}", record.revision),
                    false => format!("node {node} does not have it"),
                };
                return Ok(format!("{}: {}, {}", name(key), side(one, here), side(two, there)));
            }
            if here.len() != there.len() {
                let (node, more, common) =
                    if here.len() > there.len() { (two, &here, there.len()) } else { (one, &there, here.len()) };
                let key = more.get(common).map_or_else(String::new, |record| name(&record.key));
                return Ok(format!("{key}: node {node} does not have it"));
            }
            // Both pages are the same, and so are the last keys.
            let Some(last) = here.last() else { return Err("no record differs any more".to_owned()) };
            from.clone_from(&last.key);
            from.push(0);
        }
    }

    async fn records_of(&self, id: u64, revision: u64, from: &[u8]) -> Result<Vec<RecordHash>, String> {
        if id == self.raft.node_id() {
            return self.records(revision, from.to_vec(), PAGE as usize).await;
        }
        let question = peer::RecordsQuestion { revision, from_key: from.to_vec().into(), records_max: PAGE };
        let answer: peer::RecordsAnswer = self.ask(id, RECORDS_METHOD, question.encode_to_vec()).await?;
        let record = |record: peer::RecordHash| {
            let hash = record.hash[..].try_into().map_err(|_| "a hash of another length".to_owned())?;
            Ok(RecordHash { key: record.key.to_vec(), hash, revision: record.revision })
        };
        answer.records.into_iter().map(record).collect()
    }
}

fn name(key: &[u8]) -> String {
    keys::parse_state(key).map_or_else(|| format!("the key {key:02x?}"), |key| key.to_string())
}
