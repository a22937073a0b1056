//! Calls about edges.

use crate::calls::noun;

noun! {
    /// Edges: agents at a place that keep a part of the registry in step with the cluster.
    Edges, edges, EdgeServiceClient in edge_service_client;
    /// Creates an edge.
    write create(CreateEdgeRequest) -> EdgeResponse = create_edge;
    /// An edge's definition.
    read get(GetEdgeRequest) -> EdgeResponse = get_edge;
    /// One page of edges; see [`Self::list_all`].
    read list(ListEdgesRequest) -> ListEdgesResponse = list_edges;
    /// Changes an edge.
    write update(UpdateEdgeRequest) -> EdgeResponse = update_edge;
    /// Deletes an edge.
    write delete(DeleteEdgeRequest) -> DeleteEdgeResponse = delete_edge;
    /// How far an edge is.
    read status(GetEdgeStatusRequest) -> GetEdgeStatusResponse = get_edge_status;
    /// One page of how far edges are; see [`Self::list_statuses_all`].
    read list_statuses(ListEdgeStatusesRequest) -> ListEdgeStatusesResponse = list_edge_statuses;
}
