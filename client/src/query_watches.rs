//! Live queries that outlive nodes: a stream that breaks is opened again elsewhere, from the revision it had told completely.
//!
//! - A change may be told again after a break, as the same row; folding what is told gives the answer, whole, at each progress.
//! - What cannot be mended is an error and ends the watcher: a refusal, or a revision below the floor (`COMPACTED`).

use std::sync::Arc;
use std::time::Duration;

use crate::connection::Client;
use crate::endpoints::Node;
use crate::error::CallError;
use crate::proto;
use crate::proto::watch_query_response::Kind as Told;
use crate::resumed::{Patience, Resumed};

const OPERATION: &str = "watch a query";
/// A node that is alive tells something at least every ten seconds.
const SILENCE: Duration = Duration::from_secs(30);

impl Client {
    /// Follows a query; see [`proto::WatchQueryRequest`]. Nothing is connected before [`QueryWatcher::next`].
    #[must_use]
    pub fn watch_query(&self, request: proto::WatchQueryRequest) -> QueryWatcher {
        QueryWatcher { client: self.clone(), request, stream: Resumed::new(self.clone(), OPERATION) }
    }
}

/// One live query, over as many streams as it takes.
#[derive(Debug)]
pub struct QueryWatcher {
    client: Client,
    request: proto::WatchQueryRequest,
    stream: Resumed<proto::WatchQueryResponse>,
}

impl QueryWatcher {
    /// The next message; waits for it. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the server refuses, or when no endpoint answers within the client's deadline.
    pub async fn next(&mut self) -> Result<proto::WatchQueryResponse, CallError> {
        // The first answer may take as long as a query may.
        let patience = Patience { opening: self.client.retry_policy().deadline, silence: SILENCE };
        let (client, request) = (&self.client, &self.request);
        let open = |node: Arc<Node>| async move {
            let stub = proto::query_service_client::QueryServiceClient::new(node.channel.clone());
            stub.max_decoding_message_size(crate::MESSAGE_BYTES_MAX).watch(client.authorized(request.clone())).await
        };
        let message = self.stream.next(patience, open).await?;
        if message.kind() == Told::Progress {
            self.request.resume_revision = message.header.as_ref().map_or(0, |header| header.revision);
        }
        Ok(message)
    }
}
