//! The public gRPC API: one file per noun, each RPC about ten lines of decode, ask, encode.
//!
//! ```text
//! write:  message ─ write.rs (caller, request id, body hash) ─ decode ─ authorize ─ propose ─ record as of the revision
//! read:   message ─ read.rs (caller) ─ decode ─ authorize ─ view (pages.rs for lists) ─ encode
//! ```
//!
//! It decides nothing and stores nothing: rules of resources are the domain's, rules of requests are in `fields`, and
//! `status` alone turns what went wrong into codes and details. It knows no TLS and no token; [`crate::authorize`] has
//! put the caller into each request before a handler sees it.
//!
//! - Malformed input ends here, names its field, and changes nothing.
//! - Every answer names the revision it is true at.

use std::sync::Arc;

use muster_proto::v1::asset_service_server::AssetServiceServer;
use muster_proto::v1::cluster_service_server::ClusterServiceServer;
use muster_proto::v1::cursor_service_server::CursorServiceServer;
use muster_proto::v1::device_service_server::DeviceServiceServer;
use muster_proto::v1::discovery_service_server::DiscoveryServiceServer;
use muster_proto::v1::edge_service_server::EdgeServiceServer;
use muster_proto::v1::history_service_server::HistoryServiceServer;
use muster_proto::v1::maintenance_service_server::MaintenanceServiceServer;
use muster_proto::v1::member_service_server::MemberServiceServer;
use muster_proto::v1::namespace_service_server::NamespaceServiceServer;
use muster_proto::v1::query_service_server::QueryServiceServer;
use muster_proto::v1::retention_service_server::RetentionServiceServer;
use muster_proto::v1::saved_query_service_server::SavedQueryServiceServer;
use muster_proto::v1::site_service_server::SiteServiceServer;
use muster_proto::v1::twin_service_server::TwinServiceServer;
use tonic::server::NamedService;
use tonic::service::{LayerExt, Routes};
use tower::util::MapResponseLayer;

use crate::node::Services;

mod aggregate;
mod aggregate_request;
mod asset;
mod batch;
mod cluster;
mod cursor;
mod deadline;
mod device;
mod device_batch;
mod device_import;
mod device_keys;
mod discovery;
mod edge;
mod edge_verification;
mod fields;
mod history;
mod maintenance;
mod malformed;
mod member;
mod module;
mod namespace;
mod pages;
mod query;
mod query_text;
mod query_watch;
mod query_watch_aggregate;
mod read;
mod retention;
mod saved_query;
mod site;
pub mod status;
mod sync;
mod sync_service;
mod twin;
mod twin_batch;
mod twin_stream;
mod watch;
mod watch_request;
mod watch_service;
mod write;

/// The full names of all services, for the health service.
pub const SERVICE_NAMES: [&str; 17] = [
    NamespaceServiceServer::<namespace::NamespaceApi>::NAME,
    DeviceServiceServer::<device::DeviceApi>::NAME,
    TwinServiceServer::<twin::TwinApi>::NAME,
    AssetServiceServer::<asset::AssetApi>::NAME,
    HistoryServiceServer::<history::HistoryApi>::NAME,
    ClusterServiceServer::<cluster::ClusterApi>::NAME,
    CursorServiceServer::<cursor::CursorApi>::NAME,
    watch_service::WatchServer::NAME,
    MemberServiceServer::<member::MemberApi>::NAME,
    RetentionServiceServer::<retention::RetentionApi>::NAME,
    MaintenanceServiceServer::<maintenance::MaintenanceApi>::NAME,
    QueryServiceServer::<query::QueryApi>::NAME,
    SavedQueryServiceServer::<saved_query::SavedQueryApi>::NAME,
    EdgeServiceServer::<edge::EdgeApi>::NAME,
    SiteServiceServer::<site::SiteApi>::NAME,
    sync_service::SyncServer::NAME,
    DiscoveryServiceServer::<discovery::DiscoveryApi>::NAME,
];

/// All services. A message that comes in has at most `message_bytes_max` bytes; one that goes out is bounded by the sizes
/// of pages and documents.
#[must_use]
pub fn routes(services: Arc<Services>, message_bytes_max: usize) -> Routes {
    let mut routes = Routes::builder();
    let clear = MapResponseLayer::new(malformed::clarify_response);
    macro_rules! add {
        ($server:ident, $api:path) => {
            let server = $server::new($api(Arc::clone(&services))).max_decoding_message_size(message_bytes_max);
            routes.add_service(clear.named_layer(server));
        };
    }
    add!(NamespaceServiceServer, namespace::NamespaceApi);
    add!(DeviceServiceServer, device::DeviceApi);
    add!(TwinServiceServer, twin::TwinApi);
    add!(AssetServiceServer, asset::AssetApi);
    add!(HistoryServiceServer, history::HistoryApi);
    add!(ClusterServiceServer, cluster::ClusterApi);
    add!(CursorServiceServer, cursor::CursorApi);
    let watches = watch_service::WatchServer::new(Arc::clone(&services), message_bytes_max);
    routes.add_service(clear.named_layer(watches));
    add!(MemberServiceServer, member::MemberApi);
    add!(RetentionServiceServer, retention::RetentionApi);
    add!(MaintenanceServiceServer, maintenance::MaintenanceApi);
    add!(QueryServiceServer, query::QueryApi);
    add!(SavedQueryServiceServer, saved_query::SavedQueryApi);
    add!(EdgeServiceServer, edge::EdgeApi);
    add!(SiteServiceServer, site::SiteApi);
    let edges = sync_service::SyncServer::new(Arc::clone(&services), message_bytes_max);
    routes.add_service(clear.named_layer(edges));
    add!(DiscoveryServiceServer, discovery::DiscoveryApi);
    routes.routes()
}
