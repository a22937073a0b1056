//! `VerifyEdge`: contents of cluster and edge as of one revision. It knows no edge and no stream of one, [`crate::sync`] does.
//!
//! - The answer takes as long as reading everything on both sides, so it is a stream of one message: no bound on calls ends it.

use std::pin::Pin;

use futures::{Stream, StreamExt, stream};
use muster_domain::{Body, Key};
use muster_proto::v1;
use tonic::Status;

use super::read::{Read, existing};
use super::status::{Failure, Transport};
use crate::sync::Unverified;

/// One answer, when it is there.
pub(crate) type Verified = Pin<Box<dyn Stream<Item = Result<v1::VerifyEdgeResponse, Status>> + Send>>;

/// Asks the node of the edge's newest session to compare, as of now or later.
pub(crate) async fn verify(read: Read, key: Key, namespace: String, edge: String) -> Result<Verified, Failure> {
    let view = read.view(None).await?;
    existing(&view, &key)?;
    let session = view.get(&Key::EdgeSession(namespace.clone(), edge.clone()))?;
    let serving = match session.as_deref().map(|record| &record.body) {
        Some(Body::EdgeSession(session)) => session.node_id,
        _ => return Err(failure(&key, &Unverified::NotConnected("it has never connected".to_owned()))),
    };
    let revision = view.revision();
    let verified = async move {
        let found = read.services.sync.verify((&namespace, &edge), serving, revision).await;
        let mut found = found.map_err(|error| Status::from(failure(&key, &error)))?;
        let revision = found.header.as_ref().map_or(0, |header| header.revision);
        found.header = read.header(revision);
        found.name = key.to_string();
        Ok(found)
    };
    Ok(stream::once(verified).boxed())
}

fn failure(key: &Key, error: &Unverified) -> Failure {
    let transport = match error {
        Unverified::NotConnected(_) => Transport::EdgeNotConnected,
        Unverified::TooOld(_) => Transport::EdgeTooOld,
        Unverified::Silent(_) | Unverified::Unreachable(_) => Transport::EdgeSilent,
        Unverified::Busy(_) => Transport::QueueFull,
    };
    Failure::Other(transport, format!("{key} was not compared: {error}"))
}
