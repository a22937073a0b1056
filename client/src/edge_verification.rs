//! Comparing contents with an edge. The call takes as long as reading everything on both sides, so its answer is awaited
//! without the bounds of other calls, and it is made once: what a broken call was told belongs to that node.

use std::time::Duration;

use tonic::Status;

use crate::edges::stub;
use crate::error::CallError;
use crate::{Edges, proto};

const OPERATION: &str = "verify_edge";
/// A node answers, or says why not, within a little more than two minutes.
const ANSWER_MAX: Duration = Duration::from_secs(150);

impl Edges {
    /// Proves that cluster and edge hold the same contents as of one revision, and repairs the edge where they do not.
    ///
    /// # Errors
    /// When the call was refused, the edge is not connected, or there is no answer in time.
    pub async fn verify(&self, request: proto::VerifyEdgeRequest) -> Result<proto::VerifyEdgeResponse, CallError> {
        let node = self.client().shared().endpoints.preferred();
        let asking = async {
            let answers = stub(node.channel.clone()).verify_edge(self.client().authorized(request)).await?;
            let answer = answers.into_inner().message().await?;
            answer.ok_or_else(|| Status::unavailable("the node ended the call without an answer"))
        };
        let answer = tokio::time::timeout(ANSWER_MAX, asking).await;
        let answer =
            answer.unwrap_or_else(|_| Err(Status::deadline_exceeded(format!("no answer within {ANSWER_MAX:?}"))));
        answer.map_err(|status| {
            if status.code() == tonic::Code::Unavailable {
                self.client().leave(&node);
            }
            CallError::new(OPERATION, false, &node.address, 1, &status)
        })
    }
}
