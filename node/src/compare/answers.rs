//! What other nodes hear when they compare themselves with this one. Long reads run beside the worker threads.

use std::sync::Arc;

use bytes::Bytes;
use muster_proto::peer::v1 as peer;
use prost::Message;
use tonic::Status;

use super::{CHAIN_METHOD, Compare, DIGEST_METHOD, RECORDS_METHOD};
use crate::read::StoreError;
use crate::store::digest;
use crate::tasks;

/// Most records in one answer.
const RECORDS_MAX: usize = 20_000;

impl Compare {
    /// Answers a question of another node; `None` when it is none of this kind.
    pub async fn answer(self: &Arc<Self>, method: &str, request: Bytes) -> Option<Result<Bytes, Status>> {
        Some(match method {
            CHAIN_METHOD => self.answer_chain(request),
            DIGEST_METHOD => self.answer_digest(request).await,
            RECORDS_METHOD => self.answer_records(request).await,
            _ => return None,
        })
    }

    fn answer_chain(&self, request: Bytes) -> Result<Bytes, Status> {
        let peer::ChainHashQuestion { revision } = decode(request)?;
        let view = self.reader.local();
        let chain = if revision > view.revision() { None } else { view.chain_hash(revision).map_err(fault)? };
        let chain_hash = chain.map_or(Bytes::new(), |chain| Bytes::copy_from_slice(&chain));
        Ok(peer::ChainHashAnswer { chain_hash }.encode_to_vec().into())
    }

    async fn answer_digest(self: &Arc<Self>, request: Bytes) -> Result<Bytes, Status> {
        let peer::DigestQuestion { revision } = decode(request)?;
        let digest = self.digest(revision).await.map_err(Status::unavailable)?;
        let range = |(prefix, hash): (Vec<u8>, [u8; 32])| peer::DigestRange {
            prefix: prefix.into(),
            state_hash: hash.to_vec().into(),
        };
        let answer = peer::DigestAnswer {
            chain_hash: digest.chain.to_vec().into(),
            state_hash: digest.state.to_vec().into(),
            records: digest.records,
            ranges: digest.ranges.into_iter().map(range).collect(),
        };
        Ok(answer.encode_to_vec().into())
    }

    async fn answer_records(self: &Arc<Self>, request: Bytes) -> Result<Bytes, Status> {
        let peer::RecordsQuestion { revision, from_key, records_max } = decode(request)?;
        let limit = (records_max as usize).clamp(1, RECORDS_MAX);
        let records = self.records(revision, from_key.to_vec(), limit).await.map_err(Status::unavailable)?;
        let record = |record: digest::RecordHash| peer::RecordHash {
            key: record.key.into(),
            hash: record.hash.to_vec().into(),
            revision: record.revision,
        };
        Ok(peer::RecordsAnswer { records: records.into_iter().map(record).collect() }.encode_to_vec().into())
    }

    /// What this node holds at `revision`, once it is there; or why that cannot be said.
    pub(super) async fn digest(&self, revision: u64) -> Result<digest::Digest, String> {
        self.reader.reach(revision).await.map_err(|error| error.to_string())?;
        let db = self.state.db();
        let read = tasks::blocking(move || digest::digest(&db, revision)).await.ok_or("the node is stopping")?;
        read.map_err(|error| crate::raft::chain(&error))
    }

    pub(super) async fn records(
        &self,
        revision: u64,
        from: Vec<u8>,
        limit: usize,
    ) -> Result<Vec<digest::RecordHash>, String> {
        self.reader.reach(revision).await.map_err(|error| error.to_string())?;
        let db = self.state.db();
        let read = tasks::blocking(move || digest::record_hashes(&db, revision, &from, limit)).await;
        read.ok_or("the node is stopping")?.map_err(|error| crate::raft::chain(&error))
    }
}

fn decode<M: Message + Default>(request: Bytes) -> Result<M, Status> {
    M::decode(request).map_err(|error| Status::invalid_argument(error.to_string()))
}

fn fault(error: StoreError) -> Status {
    tracing::error!(error = &error as &dyn std::error::Error, "a comparison could not be answered");
    Status::internal("the node's storage failed")
}
