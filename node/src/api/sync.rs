//! `SyncService`: one stream for each connected edge. What is said on it is `crate::sync`'s business; here it gets its caller and
//! its statuses.
//!
//! - What is refused before `welcome` is the status of the call.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use muster_proto::v1;
use muster_proto::v1::sync_service_server::SyncService;
use tonic::{Request, Response, Status, Streaming};

use super::malformed::clarify;
use super::read::Read;
use super::status::{Failure, Transport};
use crate::node::Services;
use crate::sync::SyncError;

/// Edges.
pub(crate) struct SyncApi(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl SyncService for SyncApi {
    type SyncStream = Pin<Box<dyn Stream<Item = Result<v1::SyncResponse, Status>> + Send>>;

    async fn sync(&self, request: Request<Streaming<v1::SyncRequest>>) -> Result<Response<Self::SyncStream>, Status> {
        let (read, inbound) = Read::begin(&self.0, request)?;
        let session = read.services.sync.open(read.caller, inbound.boxed()).await.map_err(status)?;
        let told = stream::unfold(Some(session), |session| async move {
            let mut session = session?;
            match session.next().await {
                Ok(Some(message)) => Some((Ok(message), Some(session))),
                Ok(None) => None,
                Err(error) => Some((Err(status(error)), None)),
            }
        });
        Ok(Response::new(Box::pin(told)))
    }
}

fn status(error: SyncError) -> Status {
    let message = error.to_string();
    let failure = match error {
        SyncError::Rejected(rejection) => {
            metrics::counter!("muster_sync_ended_total", "reason" => rejection.reason.code()).increment(1);
            rejection.into()
        }
        SyncError::Propose(error) => error.into(),
        SyncError::Read(error) => error.into(),
        SyncError::Store(error) => error.into(),
        SyncError::Full(_) => Failure::Other(Transport::QueueFull, message),
        SyncError::Stopping => Failure::Other(Transport::Stopping, message),
        SyncError::Silent => Failure::Other(Transport::EdgeSilent, message),
        SyncError::Overtaken => Failure::Other(Transport::SyncOvertaken, message),
        SyncError::Broken(status) => return clarify(status),
    };
    failure.into()
}
