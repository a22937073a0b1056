//! `DiscoveryService`: what edges discovered. It knows no rule of it, `decide` does; and no stream of edges, [`crate::sync`] does.

use std::sync::Arc;

use muster_domain::policy::ReadScope;
use muster_domain::{Key, Operation, Record, Rejection};
use muster_proto::v1;
use muster_proto::v1::discovery_service_server::DiscoveryService;
use tonic::{Request, Response, Status};

use super::fields::{self, Shape};
use super::pages::{Asked, Page};
use super::read::{Read, existing};
use super::status::Failure;
use super::write::{Done, Write};
use crate::convert::discovery as convert;
use crate::node::Services;
use crate::read::ListRange;

/// What edges discovered.
pub(crate) struct DiscoveryApi(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl DiscoveryService for DiscoveryApi {
    async fn report_discovered_device(
        &self,
        request: Request<v1::ReportDiscoveredDeviceRequest>,
    ) -> Result<Response<v1::DiscoveredDeviceResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "ReportDiscoveredDevice", request)?;
        let (namespace, edge) = edge_of("parent", &request.parent).map_err(Failure::from)?;
        let report = convert::device_report(request.discovered_device.unwrap_or_default()).map_err(Failure::from)?;
        let (device, report) = (request.discovered_device_id, Box::new(report));
        let key = Key::DiscoveredDevice(namespace.clone(), edge.clone(), device.clone());
        let done = write.single(Operation::ReportDiscoveredDevice { namespace, edge, device, report }).await?;
        Ok(Response::new(device_answer(&done, &key)?))
    }

    async fn report_discovered_asset(
        &self,
        request: Request<v1::ReportDiscoveredAssetRequest>,
    ) -> Result<Response<v1::DiscoveredAssetResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "ReportDiscoveredAsset", request)?;
        let (namespace, edge) = edge_of("parent", &request.parent).map_err(Failure::from)?;
        let report = convert::asset_report(request.discovered_asset.unwrap_or_default()).map_err(Failure::from)?;
        let (asset, report) = (request.discovered_asset_id, Box::new(report));
        let key = Key::DiscoveredAsset(namespace.clone(), edge.clone(), asset.clone());
        let done = write.single(Operation::ReportDiscoveredAsset { namespace, edge, asset, report }).await?;
        Ok(Response::new(asset_answer(&done, &key)?))
    }

    async fn get_discovered_device(
        &self,
        request: Request<v1::GetDiscoveredRequest>,
    ) -> Result<Response<v1::DiscoveredDeviceResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let (key, record, revision) = look(&read, request, Shape::DiscoveredDevice).await?;
        let (header, discovered_device) = (read.header(revision), convert::device_to_proto(&key, &record));
        Ok(Response::new(v1::DiscoveredDeviceResponse { header, discovered_device }))
    }

    async fn get_discovered_asset(
        &self,
        request: Request<v1::GetDiscoveredRequest>,
    ) -> Result<Response<v1::DiscoveredAssetResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let (key, record, revision) = look(&read, request, Shape::DiscoveredAsset).await?;
        let (header, discovered_asset) = (read.header(revision), convert::asset_to_proto(&key, &record));
        Ok(Response::new(v1::DiscoveredAssetResponse { header, discovered_asset }))
    }

    async fn list_discovered_devices(
        &self,
        request: Request<v1::ListDiscoveredDevicesRequest>,
    ) -> Result<Response<v1::ListDiscoveredDevicesResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let v1::ListDiscoveredDevicesRequest { parent, page_size, page_token, state, read: options } = request;
        let wanted = Wanted { rpc: "ListDiscoveredDevices", are: Things::Devices, parent, state };
        let listed = list(&read, wanted, page_size, &page_token, options).await?;
        let (header, next_page_token) = (listed.header, listed.next_page_token);
        let shown = listed.records.iter().filter_map(|(key, record)| convert::device_to_proto(key, record));
        let discovered_devices = shown.collect();
        Ok(Response::new(v1::ListDiscoveredDevicesResponse { header, discovered_devices, next_page_token }))
    }

    async fn list_discovered_assets(
        &self,
        request: Request<v1::ListDiscoveredAssetsRequest>,
    ) -> Result<Response<v1::ListDiscoveredAssetsResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let v1::ListDiscoveredAssetsRequest { parent, page_size, page_token, state, read: options } = request;
        let wanted = Wanted { rpc: "ListDiscoveredAssets", are: Things::Assets, parent, state };
        let listed = list(&read, wanted, page_size, &page_token, options).await?;
        let (header, next_page_token) = (listed.header, listed.next_page_token);
        let shown = listed.records.iter().filter_map(|(key, record)| convert::asset_to_proto(key, record));
        let discovered_assets = shown.collect();
        Ok(Response::new(v1::ListDiscoveredAssetsResponse { header, discovered_assets, next_page_token }))
    }

    async fn accept_discovered_device(
        &self,
        request: Request<v1::AcceptDiscoveredDeviceRequest>,
    ) -> Result<Response<v1::AcceptDiscoveredDeviceResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "AcceptDiscoveredDevice", request)?;
        let key = fields::name("name", &request.name, Shape::DiscoveredDevice).map_err(Failure::from)?;
        let (done, id) = accept(&self.0, write, &key, request.device_id, request.etag).await?;
        let real = Key::Device(key.namespace().unwrap_or_default().to_owned(), id);
        let device = done.record(&real)?.and_then(|record| crate::convert::device::to_proto(&real, &record));
        let v1::DiscoveredDeviceResponse { header, discovered_device } = device_answer(&done, &key)?;
        Ok(Response::new(v1::AcceptDiscoveredDeviceResponse { header, discovered_device, device }))
    }

    async fn accept_discovered_asset(
        &self,
        request: Request<v1::AcceptDiscoveredAssetRequest>,
    ) -> Result<Response<v1::AcceptDiscoveredAssetResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "AcceptDiscoveredAsset", request)?;
        let key = fields::name("name", &request.name, Shape::DiscoveredAsset).map_err(Failure::from)?;
        let (done, id) = accept(&self.0, write, &key, request.asset_id, request.etag).await?;
        let real = Key::Asset(key.namespace().unwrap_or_default().to_owned(), id);
        let asset = done.record(&real)?.and_then(|record| crate::convert::asset_resource::to_proto(&real, &record));
        let v1::DiscoveredAssetResponse { header, discovered_asset } = asset_answer(&done, &key)?;
        Ok(Response::new(v1::AcceptDiscoveredAssetResponse { header, discovered_asset, asset }))
    }

    async fn dismiss_discovered_device(
        &self,
        request: Request<v1::DismissDiscoveredRequest>,
    ) -> Result<Response<v1::DiscoveredDeviceResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "DismissDiscoveredDevice", request)?;
        let (done, key) = dismiss(write, request, Shape::DiscoveredDevice).await?;
        Ok(Response::new(device_answer(&done, &key)?))
    }

    async fn dismiss_discovered_asset(
        &self,
        request: Request<v1::DismissDiscoveredRequest>,
    ) -> Result<Response<v1::DiscoveredAssetResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "DismissDiscoveredAsset", request)?;
        let (done, key) = dismiss(write, request, Shape::DiscoveredAsset).await?;
        Ok(Response::new(asset_answer(&done, &key)?))
    }

    async fn delete_discovered_device(
        &self,
        request: Request<v1::DeleteDiscoveredRequest>,
    ) -> Result<Response<v1::DeleteDiscoveredResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "DeleteDiscoveredDevice", request)?;
        let done = delete(write, request, Shape::DiscoveredDevice).await?;
        Ok(Response::new(v1::DeleteDiscoveredResponse { header: done.header() }))
    }

    async fn delete_discovered_asset(
        &self,
        request: Request<v1::DeleteDiscoveredRequest>,
    ) -> Result<Response<v1::DeleteDiscoveredResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "DeleteDiscoveredAsset", request)?;
        let done = delete(write, request, Shape::DiscoveredAsset).await?;
        Ok(Response::new(v1::DeleteDiscoveredResponse { header: done.header() }))
    }
}

/// Namespace and id of a named edge.
fn edge_of(field: &str, name: &str) -> Result<(String, String), Rejection> {
    match fields::name(field, name, Shape::Edge)? {
        Key::Edge(namespace, edge) => Ok((namespace, edge)),
        key => Err(Rejection::not_found(key)),
    }
}

/// Refuses an edge's things to those who may see neither the namespace nor this edge.
fn allow(read: &Read, key: &Key) -> Result<(), Failure> {
    match key {
        Key::DiscoveredDevice(namespace, edge, _)
        | Key::DiscoveredAsset(namespace, edge, _)
        | Key::Edge(namespace, edge) => read.allow(ReadScope::EdgeScope { namespace, edge }),
        key => read.allow(ReadScope::Namespace(key.namespace().unwrap_or_default())),
    }
}

async fn look(
    read: &Read,
    request: v1::GetDiscoveredRequest,
    shape: Shape,
) -> Result<(Key, Arc<Record>, u64), Failure> {
    let key = fields::name("name", &request.name, shape)?;
    allow(read, &key)?;
    let view = read.view(request.read).await?;
    let record = existing(&view, &key)?;
    Ok((key, record, view.revision()))
}

/// What a list is of.
enum Things {
    Devices,
    Assets,
}

/// What a list is asked for.
struct Wanted {
    rpc: &'static str,
    are: Things,
    parent: String,
    state: i32,
}

struct Listed {
    header: Option<v1::ResponseHeader>,
    records: Vec<(Key, Arc<Record>)>,
    next_page_token: String,
}

async fn list(
    read: &Read,
    wanted: Wanted,
    page_size: i32,
    page_token: &str,
    options: Option<v1::ReadOptions>,
) -> Result<Listed, Failure> {
    let Wanted { rpc, are, parent, state } = wanted;
    let key = fields::name("parent", &parent, Shape::NamespaceOrEdge)?;
    allow(read, &key)?;
    let wanted = convert::wanted_state(state)?;
    let state = state.to_string();
    let filters = &[parent.as_str(), &state];
    let page = Page::open(read, Asked { rpc, filters, page_size, page_token, read: options }).await?;
    page.check_parent(&key)?;
    let (namespace, edge) = match &key {
        Key::Edge(namespace, edge) => (namespace.as_str(), Some(edge.as_str())),
        key => (key.namespace().unwrap_or_default(), None),
    };
    let keep = move |_: &str, record: &Record| wanted.is_none_or(|wanted| convert::state_of(record) == Some(wanted));
    let range = match are {
        Things::Devices => ListRange::DiscoveredDevices { namespace, edge },
        Things::Assets => ListRange::DiscoveredAssets { namespace, edge },
    };
    let listed = page.list(range, keep).await?;
    let records = listed.records.into_iter().filter_map(|(id, record)| Some((range.discovered(&id)?, record)));
    let (header, next_page_token) = (read.header(page.revision), listed.next_page_token);
    Ok(Listed { header, records: records.collect(), next_page_token })
}

/// Accepts; says the id of the real resource as well.
async fn accept(
    services: &Services,
    write: Write,
    key: &Key,
    resource: String,
    etag: String,
) -> Result<(Done, String), Failure> {
    let (Key::DiscoveredDevice(_, _, own) | Key::DiscoveredAsset(_, _, own)) = key else {
        return Err(Rejection::not_found(key).into());
    };
    let id = if resource.is_empty() { own.clone() } else { resource.clone() };
    let (uuid, etag) = (services.ids.uuid(), fields::etag(etag));
    let done = write.single(Operation::AcceptDiscovered { key: key.clone(), resource, uuid, etag }).await?;
    Ok((done, id))
}

async fn dismiss(write: Write, request: v1::DismissDiscoveredRequest, shape: Shape) -> Result<(Done, Key), Failure> {
    let key = fields::name("name", &request.name, shape)?;
    let etag = fields::etag(request.etag);
    let done = write.single(Operation::DismissDiscovered { key: key.clone(), etag }).await?;
    Ok((done, key))
}

async fn delete(write: Write, request: v1::DeleteDiscoveredRequest, shape: Shape) -> Result<Done, Failure> {
    let key = fields::name("name", &request.name, shape)?;
    let etag = fields::etag(request.etag);
    write.single(Operation::DeleteDiscovered { key, etag }).await
}

fn device_answer(done: &Done, key: &Key) -> Result<v1::DiscoveredDeviceResponse, Failure> {
    let discovered_device = done.record(key)?.and_then(|record| convert::device_to_proto(key, &record));
    Ok(v1::DiscoveredDeviceResponse { header: done.header(), discovered_device })
}

fn asset_answer(done: &Done, key: &Key) -> Result<v1::DiscoveredAssetResponse, Failure> {
    let discovered_asset = done.record(key)?.and_then(|record| convert::asset_to_proto(key, &record));
    Ok(v1::DiscoveredAssetResponse { header: done.header(), discovered_asset })
}
