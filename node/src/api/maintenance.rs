//! `MaintenanceService`: backups of the answering node, and comparisons of all members.
//!
//! It knows no file and no hash; [`crate::backup`] and [`crate::compare`] do. Copying and reading run beside the worker
//! threads, and end when the caller goes away.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use muster_domain::policy::ReadScope;
use muster_domain::{Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::create_backup_response::Part;
use muster_proto::v1::maintenance_service_server::MaintenanceService;
use muster_proto::v1::verify_cluster_response;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::read::Read;
use super::status::{Failure, Transport};
use crate::backup::source::Copying;
use crate::broken_disk;
use crate::node::Services;
use crate::tasks;

/// Hashes that a caller may name.
const HAVE_MAX: usize = 65_536;
/// Messages made ahead of what the caller has taken.
const AHEAD: usize = 8;

/// Backups and comparisons.
pub(crate) struct MaintenanceApi(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl MaintenanceService for MaintenanceApi {
    type CreateBackupStream = ReceiverStream<Result<v1::CreateBackupResponse, Status>>;
    type VerifyClusterStream = ReceiverStream<Result<v1::VerifyClusterResponse, Status>>;

    async fn create_backup(
        &self,
        request: Request<v1::CreateBackupRequest>,
    ) -> Result<Response<Self::CreateBackupStream>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        // A backup holds everything, tokens included.
        read.allow(ReadScope::Tokens)?;
        let known = known(&request)?;
        read.view(request.read).await?;
        let copying = read.services.backups.begin().ok_or_else(|| {
            Failure::Other(Transport::QueueFull, "another backup of this node is being made".to_owned())
        })?;
        let (messages, stream) = mpsc::channel(AHEAD);
        tasks::spawn("backup", async move {
            tasks::blocking(move || copy(&copying, &known, &messages)).await;
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn verify_cluster(
        &self,
        request: Request<v1::VerifyClusterRequest>,
    ) -> Result<Response<Self::VerifyClusterStream>, Status> {
        let (read, v1::VerifyClusterRequest {}) = Read::begin(&self.0, request)?;
        read.allow(ReadScope::Tokens)?;
        let view = read.view(None).await?;
        let (messages, stream) = mpsc::channel(AHEAD);
        tasks::spawn("verify-cluster", async move {
            let (tell, mut told) = mpsc::channel(AHEAD);
            let part = |part| Ok(v1::VerifyClusterResponse { part: Some(part) });
            let telling = async {
                while let Some(member) = told.recv().await {
                    if messages.send(part(verify_cluster_response::Part::Member(member))).await.is_err() {
                        return;
                    }
                }
            };
            let (mut verdict, ()) = tokio::join!(read.services.compare.all_members(view.revision(), tell), telling);
            verdict.header = read.header(verdict.revision);
            // Nobody may be there any more to hear it.
            let _heard = messages.send(part(verify_cluster_response::Part::Verdict(verdict))).await.is_ok();
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

fn known(request: &v1::CreateBackupRequest) -> Result<BTreeSet<[u8; 32]>, Failure> {
    if request.have_blake3.len() > HAVE_MAX {
        let message = format!("have_blake3 names {} files, at most {HAVE_MAX} are taken", request.have_blake3.len());
        return Err(Rejection::new(Reason::TooMany, "have_blake3", message).into());
    }
    let hash = |(index, bytes): (usize, &bytes::Bytes)| {
        <[u8; 32]>::try_from(&bytes[..]).map_err(|_| {
            let field = format!("have_blake3[{index}]");
            let message = format!("{field} has {} bytes, a BLAKE3 hash has 32", bytes.len());
            Failure::from(Rejection::new(Reason::InvalidField, field, message))
        })
    };
    request.have_blake3.iter().enumerate().map(hash).collect()
}

type Messages = mpsc::Sender<Result<v1::CreateBackupResponse, Status>>;

/// Makes the copy and sends it. Ends quietly when nobody listens any more.
fn copy(copying: &Copying, known: &BTreeSet<[u8; 32]>, messages: &Messages) {
    let give = |part| messages.blocking_send(Ok(v1::CreateBackupResponse { part: Some(part) })).is_ok();
    let sent = copying.copy().and_then(|manifest| {
        if !give(Part::Manifest(muster_backup::seal(&manifest).into())) {
            return Ok(());
        }
        copying.send(&manifest, known, |file, offset, data| {
            give(Part::Chunk(v1::BackupChunk { file, offset, data: data.into() }))
        })
    });
    if let Err(error) = sent {
        let _heard = messages.blocking_send(Err(fault(&error))).is_ok();
    }
}

fn fault(error: &io::Error) -> Status {
    broken_disk::end_if_met("making a backup", error);
    tracing::error!(%error, "a backup could not be made");
    Failure::Other(Transport::StorageFault, "the copy could not be made; the node's log says why".to_owned()).into()
}
