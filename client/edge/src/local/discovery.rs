//! `DiscoveryService` at the edge: what applications beside it find is queued for the cluster. What became of it is the
//! cluster's to say, so nothing is read here.

use muster_domain::{Key, Reason, Rejection, ids};
use muster_proto::v1;
use muster_proto::v1::discovery_service_server::DiscoveryService;
use muster_proto::v1::resource::Resource;
use muster_proto::v1::sync_operation::Operation;
use tonic::{Request, Response, Status};

use super::Local;
use super::reads::check_request_id;
use super::refusal::{of_the_cluster, refused, rejected};

impl Local {
    /// Namespace and id of a `parent`, which must be this edge.
    fn own_edge(&self, parent: &str) -> Result<(String, String), Status> {
        match Key::parse(parent) {
            Some(Key::Edge(namespace, edge)) if parent == self.handle.edge() => Ok((namespace, edge)),
            _ => {
                let message = format!("parent must be {}, the edge that this agent is", self.handle.edge());
                Err(rejected(&Rejection::new(Reason::InvalidField, "parent", message)))
            }
        }
    }
}

#[tonic::async_trait]
impl DiscoveryService for Local {
    async fn report_discovered_device(
        &self,
        request: Request<v1::ReportDiscoveredDeviceRequest>,
    ) -> Result<Response<v1::DiscoveredDeviceResponse>, Status> {
        let v1::ReportDiscoveredDeviceRequest {
            parent,
            discovered_device_id: id,
            discovered_device,
            request_id,
            validate_only,
        } = request.into_inner();
        let (namespace, edge) = self.own_edge(&parent)?;
        ids::check_device("discovered_device_id", &id).map_err(|refusal| rejected(&refusal))?;
        check_request_id(&request_id)?;
        let name = Key::DiscoveredDevice(namespace, edge, id).to_string();
        let said = discovered_device.map(|said| v1::DiscoveredDevice {
            definition: said.definition,
            discovery_id: said.discovery_id,
            ..v1::DiscoveredDevice::default()
        });
        let operation = Operation::DiscoveredDevice(v1::SyncDiscoveredDevice { name, discovered_device: said });
        let queued = self.handle.discover(operation, request_id, validate_only).await;
        let Some(Resource::DiscoveredDevice(device)) = queued.map_err(|error| refused(&error))?.resource else {
            return Err(Status::internal("what waits is no discovered device"));
        };
        let (header, discovered_device) = (Some(self.header()), Some(device));
        Ok(Response::new(v1::DiscoveredDeviceResponse { header, discovered_device }))
    }

    async fn report_discovered_asset(
        &self,
        request: Request<v1::ReportDiscoveredAssetRequest>,
    ) -> Result<Response<v1::DiscoveredAssetResponse>, Status> {
        let v1::ReportDiscoveredAssetRequest {
            parent,
            discovered_asset_id: id,
            discovered_asset,
            request_id,
            validate_only,
        } = request.into_inner();
        let (namespace, edge) = self.own_edge(&parent)?;
        ids::check_asset("discovered_asset_id", &id).map_err(|refusal| rejected(&refusal))?;
        check_request_id(&request_id)?;
        let name = Key::DiscoveredAsset(namespace, edge, id).to_string();
        let said = discovered_asset.map(|said| v1::DiscoveredAsset {
            definition: said.definition,
            discovery_id: said.discovery_id,
            ..v1::DiscoveredAsset::default()
        });
        let operation = Operation::DiscoveredAsset(v1::SyncDiscoveredAsset { name, discovered_asset: said });
        let queued = self.handle.discover(operation, request_id, validate_only).await;
        let Some(Resource::DiscoveredAsset(asset)) = queued.map_err(|error| refused(&error))?.resource else {
            return Err(Status::internal("what waits is no discovered asset"));
        };
        let (header, discovered_asset) = (Some(self.header()), Some(asset));
        Ok(Response::new(v1::DiscoveredAssetResponse { header, discovered_asset }))
    }

    async fn get_discovered_device(
        &self,
        _: Request<v1::GetDiscoveredRequest>,
    ) -> Result<Response<v1::DiscoveredDeviceResponse>, Status> {
        Err(of_the_cluster("GetDiscoveredDevice"))
    }

    async fn get_discovered_asset(
        &self,
        _: Request<v1::GetDiscoveredRequest>,
    ) -> Result<Response<v1::DiscoveredAssetResponse>, Status> {
        Err(of_the_cluster("GetDiscoveredAsset"))
    }

    async fn list_discovered_devices(
        &self,
        _: Request<v1::ListDiscoveredDevicesRequest>,
    ) -> Result<Response<v1::ListDiscoveredDevicesResponse>, Status> {
        Err(of_the_cluster("ListDiscoveredDevices"))
    }

    async fn list_discovered_assets(
        &self,
        _: Request<v1::ListDiscoveredAssetsRequest>,
    ) -> Result<Response<v1::ListDiscoveredAssetsResponse>, Status> {
        Err(of_the_cluster("ListDiscoveredAssets"))
    }

    async fn accept_discovered_device(
        &self,
        _: Request<v1::AcceptDiscoveredDeviceRequest>,
    ) -> Result<Response<v1::AcceptDiscoveredDeviceResponse>, Status> {
        Err(of_the_cluster("AcceptDiscoveredDevice"))
    }

    async fn accept_discovered_asset(
        &self,
        _: Request<v1::AcceptDiscoveredAssetRequest>,
    ) -> Result<Response<v1::AcceptDiscoveredAssetResponse>, Status> {
        Err(of_the_cluster("AcceptDiscoveredAsset"))
    }

    async fn dismiss_discovered_device(
        &self,
        _: Request<v1::DismissDiscoveredRequest>,
    ) -> Result<Response<v1::DiscoveredDeviceResponse>, Status> {
        Err(of_the_cluster("DismissDiscoveredDevice"))
    }

    async fn dismiss_discovered_asset(
        &self,
        _: Request<v1::DismissDiscoveredRequest>,
    ) -> Result<Response<v1::DiscoveredAssetResponse>, Status> {
        Err(of_the_cluster("DismissDiscoveredAsset"))
    }

    async fn delete_discovered_device(
        &self,
        _: Request<v1::DeleteDiscoveredRequest>,
    ) -> Result<Response<v1::DeleteDiscoveredResponse>, Status> {
        Err(of_the_cluster("DeleteDiscoveredDevice"))
    }

    async fn delete_discovered_asset(
        &self,
        _: Request<v1::DeleteDiscoveredRequest>,
    ) -> Result<Response<v1::DeleteDiscoveredResponse>, Status> {
        Err(of_the_cluster("DeleteDiscoveredAsset"))
    }
}
