//! Lists from their first page to the end, as one stream. A page is asked for when the one before it is used up.

use std::future::Future;

use futures::stream::{Stream, StreamExt, TryStreamExt, iter, try_unfold};

use crate::error::CallError;
use crate::proto;

/// A request whose answer comes in pages.
pub trait ListRequest: Clone {
    /// The answer.
    type Page;
    /// What is listed.
    type Item;
    /// Sets where the next page begins.
    fn set_page_token(&mut self, token: String);
    /// Takes a page apart: its items, and the token of the next page (empty at the end).
    fn take(page: Self::Page) -> (Vec<Self::Item>, String);
}

/// All items of a list.
pub(crate) fn all<Q, F, R>(request: Q, page: F) -> impl Stream<Item = Result<Q::Item, CallError>>
where
    Q: ListRequest,
    F: Fn(Q) -> R,
    R: Future<Output = Result<Q::Page, CallError>>,
{
    try_unfold((Some(request), page), |(request, page)| async move {
        let Some(mut request) = request else { return Ok(None) };
        let (items, token) = Q::take(page(request.clone()).await?);
        let next = if token.is_empty() {
            None
        } else {
            request.set_page_token(token);
            Some(request)
        };
        Ok(Some((iter(items).map(Ok), (next, page))))
    })
    .try_flatten()
}

macro_rules! lists {
    ($($noun:ty, $call:ident, $all:ident: $request:ident -> $page:ident, $items:ident: $item:ident;)*) => {$(
        impl ListRequest for proto::$request {
            type Page = proto::$page;
            type Item = proto::$item;
            fn set_page_token(&mut self, token: String) {
                self.page_token = token;
            }
            fn take(page: Self::Page) -> (Vec<Self::Item>, String) {
                (page.$items, page.next_page_token)
            }
        }

        impl $noun {
            /// Every page in turn, from the token in `request` to the end.
            pub fn $all(&self, request: proto::$request) -> impl Stream<Item = Result<proto::$item, CallError>> + Send + use<> {
                let noun = self.clone();
                all(request, move |request| {
                    let noun = noun.clone();
                    async move { noun.$call(request).await }
                })
            }
        }
    )*};
}

lists! {
    crate::Namespaces, list, list_all: ListNamespacesRequest -> ListNamespacesResponse, namespaces: Namespace;
    crate::Devices, list, list_all: ListDevicesRequest -> ListDevicesResponse, devices: Device;
    crate::Modules, list, list_all: ListModulesRequest -> ListModulesResponse, modules: Module;
    crate::Assets, list, list_all: ListAssetsRequest -> ListAssetsResponse, assets: Asset;
    crate::History, list_events, list_all: ListEventsRequest -> ListEventsResponse, events: Event;
    crate::Cursors, list, list_all: ListCursorsRequest -> ListCursorsResponse, cursors: Cursor;
    crate::SavedQueries, list, list_all: ListSavedQueriesRequest -> ListSavedQueriesResponse, queries: SavedQuery;
    crate::Edges, list, list_all: ListEdgesRequest -> ListEdgesResponse, edges: Edge;
    crate::Edges, list_statuses, list_statuses_all:
        ListEdgeStatusesRequest -> ListEdgeStatusesResponse, statuses: EdgeStatus;
    crate::Discovery, list_devices, list_devices_all:
        ListDiscoveredDevicesRequest -> ListDiscoveredDevicesResponse, discovered_devices: DiscoveredDevice;
    crate::Discovery, list_assets, list_assets_all:
        ListDiscoveredAssetsRequest -> ListDiscoveredAssetsResponse, discovered_assets: DiscoveredAsset;
    crate::Sites, list, list_all: ListSitesRequest -> ListSitesResponse, sites: Site;
    crate::Cluster, list_tokens, list_tokens_all: ListTokensRequest -> ListTokensResponse, tokens: Token;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pages_follow_each_other_to_the_end() {
        let items: Vec<String> = all(proto::ListNamespacesRequest::default(), |request| async move {
            let (names, next): (&[&str], &str) = match request.page_token.as_str() {
                "" => (&["a", "b"], "1"),
                "1" => (&[], "2"),
                _ => (&["c"], ""),
            };
            let namespace = |name: &&str| proto::Namespace { name: (*name).to_owned(), ..Default::default() };
            Ok(proto::ListNamespacesResponse {
                namespaces: names.iter().map(namespace).collect(),
                next_page_token: next.to_owned(),
                ..Default::default()
            })
        })
        .map_ok(|namespace| namespace.name)
        .try_collect()
        .await
        .expect("no page fails");
        assert_eq!(items, ["a", "b", "c"]);
    }
}
