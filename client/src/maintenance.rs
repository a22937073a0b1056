//! Calls that copy or compare whole nodes. Each is a stream from one node, and is not begun anew by itself: what it told
//! so far belongs to that node.

use tokio::time::{Instant, sleep, timeout};
use tonic::{Request, Response, Status, Streaming};

use crate::connection::Client;
use crate::error::CallError;
use crate::proto;
use crate::proto::maintenance_service_client::MaintenanceServiceClient;
use crate::retry::{Kind, Verdict, judge};

type Stub = MaintenanceServiceClient<tonic::transport::Channel>;

/// Backups and comparisons.
#[derive(Debug, Clone)]
pub struct Maintenance {
    client: Client,
}

/// The answers of one node, as they come.
#[derive(Debug)]
pub struct Answers<A> {
    operation: &'static str,
    endpoint: String,
    stream: Streaming<A>,
}

impl Client {
    /// Backups and comparisons.
    #[must_use]
    pub fn maintenance(&self) -> Maintenance {
        Maintenance { client: self.clone() }
    }
}

impl Maintenance {
    /// Copies the state of the node that answers. First the manifest comes, then the files that are not named as known.
    ///
    /// # Errors
    /// When no endpoint begins it in time.
    pub async fn create_backup(
        &self,
        request: proto::CreateBackupRequest,
    ) -> Result<Answers<proto::CreateBackupResponse>, CallError> {
        self.begin("create_backup", request, |mut stub, request| async move { stub.create_backup(request).await }).await
    }

    /// Compares all members; one message for each of them, and then the verdict.
    ///
    /// # Errors
    /// When no endpoint begins it in time.
    pub async fn verify_cluster(&self) -> Result<Answers<proto::VerifyClusterResponse>, CallError> {
        let request = proto::VerifyClusterRequest {};
        self.begin("verify_cluster", request, |mut stub, request| async move { stub.verify_cluster(request).await })
            .await
    }

    async fn begin<Q, A, F, R>(&self, operation: &'static str, message: Q, call: F) -> Result<Answers<A>, CallError>
    where
        Q: Clone,
        F: Fn(Stub, Request<Q>) -> R,
        R: Future<Output = Result<Response<Streaming<A>>, Status>>,
    {
        let endpoints = &self.client.shared().endpoints;
        let policy = self.client.retry_policy();
        let deadline = Instant::now() + policy.deadline;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let node = endpoints.preferred();
            let stub = Stub::new(node.channel.clone()).max_decoding_message_size(crate::MESSAGE_BYTES_MAX);
            let attempt = call(stub, self.client.authorized(message.clone()));
            let status = match timeout(policy.attempt_timeout, attempt).await {
                Ok(Ok(answer)) => {
                    let (endpoint, stream) = (node.address.clone(), answer.into_inner());
                    return Ok(Answers { operation, endpoint, stream });
                }
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded(format!("no answer within {:?}", policy.attempt_timeout)),
            };
            let wait = policy.wait(attempts, None);
            let again = attempts < policy.attempts_max && Instant::now() + wait < deadline;
            if judge(Kind::Read, &status) == Verdict::Final || !again {
                return Err(CallError::new(operation, false, &node.address, attempts, &status));
            }
            self.client.leave(&node);
            sleep(wait).await;
        }
    }
}

impl<A> Answers<A> {
    /// The node that answers.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The next answer; `None` after the last one.
    ///
    /// # Errors
    /// When the stream broke.
    pub async fn next(&mut self) -> Result<Option<A>, CallError> {
        let failed = |status: Status| CallError::new(self.operation, false, &self.endpoint, 1, &status);
        self.stream.message().await.map_err(failed)
    }
}
