//! Calls about how much of the past is kept.

use crate::calls::noun;

noun! {
    /// Event retention, of the cluster and of namespaces.
    Retention, retention, RetentionServiceClient in retention_service_client;
    /// What is set, and the oldest revision that can be read.
    read get(GetRetentionRequest) -> RetentionResponse = get_retention;
    /// Sets or takes away a policy.
    write update(UpdateRetentionRequest) -> RetentionResponse = update_retention;
    /// Closes the past below a revision.
    write compact(CompactEventsRequest) -> RetentionResponse = compact_events;
}
