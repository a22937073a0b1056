//! Calls about the past.

use crate::calls::noun;

noun! {
    /// Events, and resources as they were.
    History, history, HistoryServiceClient in history_service_client;
    /// One page of events; see [`Self::list_all`].
    read list_events(ListEventsRequest) -> ListEventsResponse = list_events;
    /// A resource as of a revision.
    read get_at(GetAtRequest) -> GetAtResponse = get_at;
}
