//! `SyncService`: one stream for each connected edge. What is said on it is `crate::sync`'s business; here it gets its caller and
//! its statuses.
//!
//! - What is refused before `welcome` is the status of the call.

use std::sync::Arc;

use futures::{StreamExt, stream};
use muster_proto::v1;
use tonic::{Request, Status, Streaming};

use super::malformed::clarify;
use super::read::Read;
use super::status::{Failure, Transport};
use super::sync_service::Told;
use crate::node::Services;
use crate::sync::SyncError;

/// Opens a session, and gives what is said on it.
pub(crate) async fn told(
    services: &Arc<Services>,
    request: Request<Streaming<v1::SyncRequest>>,
) -> Result<Told, Status> {
    let (read, inbound) = Read::begin(services, request)?;
    let session = read.services.sync.open(read.caller, inbound.boxed()).await.map_err(status)?;
    let told = stream::unfold(Some(session), |session| async move {
        let mut session = session?;
        match session.next().await {
            Ok(Some(message)) => Some((Ok(message), Some(session))),
            Ok(None) => None,
            Err(error) => Some((Err(status(error)), None)),
        }
    });
    Ok(told.boxed())
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
