//! The stream between an edge and a cluster, as a link that does not mend itself: what to do after a break is the edge's
//! business (`sync.md`), which has to begin with another hello.
//!
//! - A link is bound to one node. When it breaks, the next one goes to the next endpoint.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::connection::Client;
use crate::endpoints::Node;
use crate::error::CallError;
use crate::proto;

const OPERATION: &str = "sync";

impl Client {
    /// Opens a link at one endpoint; `outgoing` must hold the hello already, and what is sent later.
    ///
    /// # Errors
    /// When the endpoint cannot be reached or refuses; the next link goes elsewhere.
    pub async fn sync(&self, outgoing: mpsc::Receiver<proto::SyncRequest>) -> Result<SyncLink, CallError> {
        let node = self.shared().endpoints.preferred();
        let mut stub = proto::sync_service_client::SyncServiceClient::new(node.channel.clone())
            .max_decoding_message_size(crate::MESSAGE_BYTES_MAX)
            .max_encoding_message_size(crate::MESSAGE_BYTES_MAX);
        let limit = self.retry_policy().attempt_timeout;
        let opened = tokio::time::timeout(limit, stub.sync(self.authorized(ReceiverStream::new(outgoing)))).await;
        let status = match opened {
            Ok(Ok(answers)) => return Ok(SyncLink { client: self.clone(), node, answers: answers.into_inner() }),
            Ok(Err(status)) => status,
            Err(_) => Status::deadline_exceeded(format!("no answer within {limit:?}")),
        };
        self.leave(&node);
        Err(CallError::new(OPERATION, false, &node.address, 1, &status))
    }
}

/// The half of an open link that hears.
#[derive(Debug)]
pub struct SyncLink {
    client: Client,
    node: Arc<Node>,
    answers: Streaming<proto::SyncResponse>,
}

impl SyncLink {
    /// Where it leads.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.node.address
    }

    /// The next message; `None` when the cluster ended the stream in order.
    ///
    /// # Errors
    /// When the stream broke or was refused; the next link goes elsewhere.
    pub async fn next(&mut self) -> Result<Option<proto::SyncResponse>, CallError> {
        match self.answers.message().await {
            Ok(message) => Ok(message),
            Err(status) => {
                self.leave();
                Err(CallError::new(OPERATION, false, &self.node.address, 1, &status))
            }
        }
    }

    /// Sends the next link elsewhere: this node said goodbye, or went silent.
    pub fn leave(&self) {
        self.client.leave(&self.node);
    }
}
