//! Calls about queries.

use crate::MESSAGE_BYTES_MAX;
use crate::calls::noun;
use crate::error::CallError;
use crate::proto::{WatchAggregateResponse, WatchQueryRequest, query_service_client};

noun! {
    /// Queries over a namespace.
    Queries, queries, QueryServiceClient in query_service_client;
    /// One page of an answer.
    read query(QueryRequest) -> QueryResponse = query;
    /// How a query is carried out.
    read explain(ExplainRequest) -> ExplainResponse = explain;
    /// What makes the answer at one revision another than at a second one.
    read diff(DiffQueryRequest) -> DiffQueryResponse = diff;
    /// Groups and what aggregates say of each; [`crate::Aggregation`] puts requests together.
    read aggregate(AggregateRequest) -> AggregateResponse = aggregate;
    /// The paths that hold values.
    read list_paths(ListPathsRequest) -> ListPathsResponse = list_paths;
}

impl crate::Client {
    /// Follows the whole answer of a query; see [`crate::proto::WatchQueryRequest`]. The stream ends with the node: ask again.
    ///
    /// # Errors
    /// When the node refuses, or does not answer in time.
    pub async fn watch_answers(
        &self,
        request: WatchQueryRequest,
    ) -> Result<tonic::Streaming<WatchAggregateResponse>, CallError> {
        let node = self.shared().endpoints.preferred();
        let limit = self.retry_policy().deadline;
        let mut stub = query_service_client::QueryServiceClient::new(node.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX);
        let status = match tokio::time::timeout(limit, stub.watch_aggregate(self.authorized(request))).await {
            Ok(Ok(answers)) => return Ok(answers.into_inner()),
            Ok(Err(status)) => status,
            Err(_) => tonic::Status::deadline_exceeded(format!("no answer within {limit:?}")),
        };
        Err(CallError::new("watch an answer", false, &node.address, 1, &status))
    }
}
