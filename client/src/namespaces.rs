//! Calls about namespaces.

use crate::calls::noun;

noun! {
    /// Namespaces, the unit of tenancy.
    Namespaces, namespaces, NamespaceServiceClient in namespace_service_client;
    /// Creates one.
    write create(CreateNamespaceRequest) -> NamespaceResponse = create_namespace;
    /// Reads one.
    read get(GetNamespaceRequest) -> NamespaceResponse = get_namespace;
    /// One page of them; see [`Self::list_all`].
    read list(ListNamespacesRequest) -> ListNamespacesResponse = list_namespaces;
    /// Changes the fields its mask names.
    write update(UpdateNamespaceRequest) -> NamespaceResponse = update_namespace;
    /// Deletes an empty one, or any when forced.
    write delete(DeleteNamespaceRequest) -> DeleteNamespaceResponse = delete_namespace;
}
