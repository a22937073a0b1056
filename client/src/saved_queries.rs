//! Calls about saved queries.

use crate::calls::noun;

noun! {
    /// Saved queries: texts of questions under a name.
    SavedQueries, saved_queries, SavedQueryServiceClient in saved_query_service_client;
    /// Saves a query.
    write create(CreateSavedQueryRequest) -> SavedQueryResponse = create_saved_query;
    /// What a saved query asks.
    read get(GetSavedQueryRequest) -> SavedQueryResponse = get_saved_query;
    /// One page of saved queries; see [`Self::list_all`].
    read list(ListSavedQueriesRequest) -> ListSavedQueriesResponse = list_saved_queries;
    /// Changes a saved query.
    write update(UpdateSavedQueryRequest) -> SavedQueryResponse = update_saved_query;
    /// Deletes a saved query.
    write delete(DeleteSavedQueryRequest) -> DeleteSavedQueryResponse = delete_saved_query;
}
