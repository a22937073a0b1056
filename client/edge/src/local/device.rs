//! `DeviceService` at the edge: reads of devices and modules.

use muster_domain::{Key, Reason, Rejection};
use muster_proto::v1;
use muster_proto::v1::device_service_server::DeviceService;
use muster_proto::v1::resource::Resource;
use tonic::{Request, Response, Status};

use super::Local;
use super::reads::{Page, fits, key};
use super::refusal::{of_the_cluster, rejected, unreadable};

const DEVICE: &str = "namespaces/{namespace}/devices/{device}";
const MODULE: &str = "namespaces/{namespace}/devices/{device}/modules/{module}";

#[tonic::async_trait]
impl DeviceService for Local {
    async fn get_device(&self, request: Request<v1::GetDeviceRequest>) -> Result<Response<v1::DeviceResponse>, Status> {
        let request = request.into_inner();
        let key = key("name", &request.name, DEVICE, |key| Some(key).filter(|key| matches!(key, Key::Device(..))))?;
        let header = self.fresh(request.read).await?;
        let Resource::Device(device) = self.held(&key)? else { return Err(Status::internal("the item is no device")) };
        Ok(Response::new(v1::DeviceResponse { header: Some(header), device: Some(device) }))
    }

    async fn list_devices(
        &self,
        request: Request<v1::ListDevicesRequest>,
    ) -> Result<Response<v1::ListDevicesResponse>, Status> {
        let v1::ListDevicesRequest { parent, page_size, page_token, prefix, status, read, edge, site } =
            request.into_inner();
        let namespace = self.namespace(&parent)?;
        let wanted = match v1::DeviceStatus::try_from(status) {
            Ok(v1::DeviceStatus::Unspecified) => None,
            Ok(status) => Some(status),
            Err(_) => {
                let message = format!("status has the unknown value {status}");
                return Err(rejected(&Rejection::new(Reason::InvalidField, "status", message)));
            }
        };
        let asked = ["ListDevices", &parent, &prefix, &status.to_string(), &edge, &site];
        let page = Page::open(page_size, &page_token, &asked)?;
        let header = self.fresh(read).await?;
        let folder = format!("namespaces/{namespace}/devices/");
        let keep = |item: &v1::SyncItem| match item.resource.as_ref().and_then(|resource| resource.resource.as_ref()) {
            Some(Resource::Device(device)) => {
                wanted.is_none_or(|wanted| is(device, wanted)) && fits(&edge, &device.edge) && fits(&site, &device.site)
            }
            _ => false,
        };
        let is_device = |name: &str| !name[folder.len()..].contains('/');
        let listed = self.handle.list(&format!("{folder}{prefix}"), page.after.as_deref(), page.size, is_device, keep);
        let listed = listed.map_err(|error| unreadable(&error))?;
        let devices = listed.items.into_iter().filter_map(|item| match item.resource?.resource? {
            Resource::Device(device) => Some(device),
            _ => None,
        });
        let (devices, next_page_token) = (devices.collect(), page.token(listed.next_after));
        Ok(Response::new(v1::ListDevicesResponse { header: Some(header), devices, next_page_token }))
    }

    async fn get_module(&self, request: Request<v1::GetModuleRequest>) -> Result<Response<v1::ModuleResponse>, Status> {
        let request = request.into_inner();
        let key = key("name", &request.name, MODULE, |key| Some(key).filter(|key| matches!(key, Key::Module(..))))?;
        let header = self.fresh(request.read).await?;
        let Resource::Module(module) = self.held(&key)? else { return Err(Status::internal("the item is no module")) };
        Ok(Response::new(v1::ModuleResponse { header: Some(header), module: Some(module) }))
    }

    async fn list_modules(
        &self,
        request: Request<v1::ListModulesRequest>,
    ) -> Result<Response<v1::ListModulesResponse>, Status> {
        let v1::ListModulesRequest { parent, page_size, page_token, read } = request.into_inner();
        let device = key("parent", &parent, DEVICE, |key| Some(key).filter(|key| matches!(key, Key::Device(..))))?;
        let page = Page::open(page_size, &page_token, &["ListModules", &parent])?;
        let header = self.fresh(read).await?;
        self.held(&device)?;
        let folder = format!("{device}/modules/");
        let is_module = |name: &str| !name[folder.len()..].contains('/');
        let listed = self.handle.list(&folder, page.after.as_deref(), page.size, is_module, |_| true);
        let listed = listed.map_err(|error| unreadable(&error))?;
        let modules = listed.items.into_iter().filter_map(|item| match item.resource?.resource? {
            Resource::Module(module) => Some(module),
            _ => None,
        });
        let (modules, next_page_token) = (modules.collect(), page.token(listed.next_after));
        Ok(Response::new(v1::ListModulesResponse { header: Some(header), modules, next_page_token }))
    }

    async fn create_device(&self, _: Request<v1::CreateDeviceRequest>) -> Result<Response<v1::DeviceResponse>, Status> {
        Err(of_the_cluster("CreateDevice"))
    }

    async fn update_device(&self, _: Request<v1::UpdateDeviceRequest>) -> Result<Response<v1::DeviceResponse>, Status> {
        Err(of_the_cluster("UpdateDevice"))
    }

    async fn enable_device(
        &self,
        _: Request<v1::SetDeviceStatusRequest>,
    ) -> Result<Response<v1::DeviceResponse>, Status> {
        Err(of_the_cluster("EnableDevice"))
    }

    async fn disable_device(
        &self,
        _: Request<v1::SetDeviceStatusRequest>,
    ) -> Result<Response<v1::DeviceResponse>, Status> {
        Err(of_the_cluster("DisableDevice"))
    }

    async fn delete_device(
        &self,
        _: Request<v1::DeleteDeviceRequest>,
    ) -> Result<Response<v1::DeleteDeviceResponse>, Status> {
        Err(of_the_cluster("DeleteDevice"))
    }

    async fn regenerate_keys(
        &self,
        _: Request<v1::RegenerateKeysRequest>,
    ) -> Result<Response<v1::DeviceKeysResponse>, Status> {
        Err(of_the_cluster("RegenerateKeys"))
    }

    async fn get_device_keys(
        &self,
        _: Request<v1::GetDeviceKeysRequest>,
    ) -> Result<Response<v1::DeviceKeysResponse>, Status> {
        Err(of_the_cluster("GetDeviceKeys"))
    }

    async fn batch_create_devices(
        &self,
        _: Request<v1::BatchCreateDevicesRequest>,
    ) -> Result<Response<v1::BatchDevicesResponse>, Status> {
        Err(of_the_cluster("BatchCreateDevices"))
    }

    async fn batch_update_devices(
        &self,
        _: Request<v1::BatchUpdateDevicesRequest>,
    ) -> Result<Response<v1::BatchDevicesResponse>, Status> {
        Err(of_the_cluster("BatchUpdateDevices"))
    }

    async fn batch_delete_devices(
        &self,
        _: Request<v1::BatchDeleteDevicesRequest>,
    ) -> Result<Response<v1::BatchDevicesResponse>, Status> {
        Err(of_the_cluster("BatchDeleteDevices"))
    }

    async fn create_module(&self, _: Request<v1::CreateModuleRequest>) -> Result<Response<v1::ModuleResponse>, Status> {
        Err(of_the_cluster("CreateModule"))
    }

    async fn update_module(&self, _: Request<v1::UpdateModuleRequest>) -> Result<Response<v1::ModuleResponse>, Status> {
        Err(of_the_cluster("UpdateModule"))
    }

    async fn delete_module(
        &self,
        _: Request<v1::DeleteModuleRequest>,
    ) -> Result<Response<v1::DeleteModuleResponse>, Status> {
        Err(of_the_cluster("DeleteModule"))
    }

    async fn import_devices(
        &self,
        _: Request<v1::ImportDevicesRequest>,
    ) -> Result<Response<v1::BatchDevicesResponse>, Status> {
        Err(of_the_cluster("ImportDevices"))
    }
}

fn is(device: &v1::Device, wanted: v1::DeviceStatus) -> bool {
    let status = match device.status() {
        v1::DeviceStatus::Unspecified => v1::DeviceStatus::Enabled,
        status => status,
    };
    status == wanted
}
