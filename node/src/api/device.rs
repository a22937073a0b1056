//! `DeviceService`: devices one by one. Modules, keys, batches and imports have files of their own beside this one.
//!
//! It knows no rule of devices; `decide` does.

use std::sync::Arc;

use muster_domain::device::{DeviceField, DeviceStatus};
use muster_domain::{Body, Key, Operation, Record, Rejection};
use muster_proto::v1;
use muster_proto::v1::device_service_server::DeviceService;
use tonic::{Request, Response, Status};

use super::fields::{self, Shape};
use super::pages::{Asked, Page};
use super::read::{Read, existing};
use super::status::Failure;
use super::write::{Done, Write, required};
use super::{device_batch, device_import, device_keys, module};
use crate::convert;
use crate::convert::keys::{AbsentKeys, KeyMaker};
use crate::node::Services;
use crate::read::ListRange;

/// Devices and modules.
pub(crate) struct DeviceApi(pub(crate) Arc<Services>);

#[tonic::async_trait]
impl DeviceService for DeviceApi {
    async fn create_device(
        &self,
        request: Request<v1::CreateDeviceRequest>,
    ) -> Result<Response<v1::DeviceResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "CreateDevice", request)?;
        let namespace = fields::namespace("parent", &request.parent).map_err(Failure::from)?;
        let (key, operation) = create(key_maker(&self.0), namespace, request).map_err(Failure::from)?;
        let done = write.single(operation).await?;
        Ok(Response::new(created(&done, &key)?))
    }

    async fn get_device(&self, request: Request<v1::GetDeviceRequest>) -> Result<Response<v1::DeviceResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        let key = fields::name("name", &request.name, Shape::Device).map_err(Failure::from)?;
        read.allow_resource(&key)?;
        let view = read.view(request.read).await?;
        let device = convert::device::to_proto(&key, &*existing(&view, &key)?);
        Ok(Response::new(v1::DeviceResponse { header: read.header(view.revision()), device }))
    }

    async fn list_devices(
        &self,
        request: Request<v1::ListDevicesRequest>,
    ) -> Result<Response<v1::ListDevicesResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(list(&read, request).await?))
    }

    async fn update_device(
        &self,
        request: Request<v1::UpdateDeviceRequest>,
    ) -> Result<Response<v1::DeviceResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "UpdateDevice", request)?;
        let (key, operation) = update(key_maker(&self.0), request).map_err(Failure::from)?;
        let done = write.single(operation).await?;
        Ok(Response::new(answer(&done, &key)?))
    }

    async fn enable_device(
        &self,
        request: Request<v1::SetDeviceStatusRequest>,
    ) -> Result<Response<v1::DeviceResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "EnableDevice", request)?;
        Ok(Response::new(set_status(write, request, DeviceStatus::Enabled).await?))
    }

    async fn disable_device(
        &self,
        request: Request<v1::SetDeviceStatusRequest>,
    ) -> Result<Response<v1::DeviceResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "DisableDevice", request)?;
        Ok(Response::new(set_status(write, request, DeviceStatus::Disabled).await?))
    }

    async fn delete_device(
        &self,
        request: Request<v1::DeleteDeviceRequest>,
    ) -> Result<Response<v1::DeleteDeviceResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "DeleteDevice", request)?;
        let (_, operation) = delete(request).map_err(Failure::from)?;
        let done = write.single(operation).await?;
        Ok(Response::new(v1::DeleteDeviceResponse { header: done.header() }))
    }

    async fn regenerate_keys(
        &self,
        request: Request<v1::RegenerateKeysRequest>,
    ) -> Result<Response<v1::DeviceKeysResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "RegenerateKeys", request)?;
        Ok(Response::new(device_keys::regenerate(write, request).await?))
    }

    async fn get_device_keys(
        &self,
        request: Request<v1::GetDeviceKeysRequest>,
    ) -> Result<Response<v1::DeviceKeysResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(device_keys::get(&read, request).await?))
    }

    async fn batch_create_devices(
        &self,
        request: Request<v1::BatchCreateDevicesRequest>,
    ) -> Result<Response<v1::BatchDevicesResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "BatchCreateDevices", request)?;
        Ok(Response::new(device_batch::create(write, request).await?))
    }

    async fn batch_update_devices(
        &self,
        request: Request<v1::BatchUpdateDevicesRequest>,
    ) -> Result<Response<v1::BatchDevicesResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "BatchUpdateDevices", request)?;
        Ok(Response::new(device_batch::update(write, request).await?))
    }

    async fn batch_delete_devices(
        &self,
        request: Request<v1::BatchDeleteDevicesRequest>,
    ) -> Result<Response<v1::BatchDevicesResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "BatchDeleteDevices", request)?;
        Ok(Response::new(device_batch::delete(write, request).await?))
    }

    async fn create_module(
        &self,
        request: Request<v1::CreateModuleRequest>,
    ) -> Result<Response<v1::ModuleResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "CreateModule", request)?;
        Ok(Response::new(module::create(write, request).await?))
    }

    async fn get_module(&self, request: Request<v1::GetModuleRequest>) -> Result<Response<v1::ModuleResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(module::get(&read, request).await?))
    }

    async fn list_modules(
        &self,
        request: Request<v1::ListModulesRequest>,
    ) -> Result<Response<v1::ListModulesResponse>, Status> {
        let (read, request) = Read::begin(&self.0, request)?;
        Ok(Response::new(module::list(&read, request).await?))
    }

    async fn update_module(
        &self,
        request: Request<v1::UpdateModuleRequest>,
    ) -> Result<Response<v1::ModuleResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "UpdateModule", request)?;
        Ok(Response::new(module::update(write, request).await?))
    }

    async fn delete_module(
        &self,
        request: Request<v1::DeleteModuleRequest>,
    ) -> Result<Response<v1::DeleteModuleResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "DeleteModule", request)?;
        Ok(Response::new(module::delete(write, request).await?))
    }

    async fn import_devices(
        &self,
        request: Request<v1::ImportDevicesRequest>,
    ) -> Result<Response<v1::BatchDevicesResponse>, Status> {
        let (write, request) = Write::begin(&self.0, "ImportDevices", request)?;
        Ok(Response::new(device_import::run(write, request).await?))
    }
}

/// The key maker of a node.
pub(crate) fn key_maker(services: &Services) -> KeyMaker<'_> {
    KeyMaker::new(&services.sealer, &*services.ids)
}

/// What a creation asks for; keys and a uuid that are left out are made.
pub(crate) fn create(
    keys: KeyMaker<'_>,
    namespace: String,
    request: v1::CreateDeviceRequest,
) -> Result<(Key, Operation), Rejection> {
    let device = request.device_id;
    muster_domain::ids::check_device("device_id", &device)?;
    let key = Key::Device(namespace.clone(), device.clone());
    let given = request.device.unwrap_or_default();
    let mut definition = convert::device::definition(given, &key, keys, AbsentKeys::Make)?;
    if definition.uuid.is_empty() {
        definition.uuid = keys.ids().uuid();
    }
    Ok((key, Operation::CreateDevice { namespace, device, definition: Box::new(definition) }))
}

/// What an update asks for; keys that are left out stay. So does the authentication as a whole when it is left out and
/// not named by the mask.
pub(crate) fn update(keys: KeyMaker<'_>, request: v1::UpdateDeviceRequest) -> Result<(Key, Operation), Rejection> {
    let mask = request.update_mask.unwrap_or_default();
    let mut fields = fields::mask(Some(&mask), &DeviceField::ALL)?;
    let given = required("device", request.device)?;
    if given.authentication.is_none() && !mask.paths.iter().any(|path| path == "authentication") {
        fields.retain(|field| *field != DeviceField::Authentication);
    }
    let key = fields::name("device.name", &given.name, Shape::Device)?;
    let definition = convert::device::definition(given, &key, keys, AbsentKeys::Keep)?;
    let (namespace, device) = fields::device_parts(&key);
    let (definition, etag) = (Box::new(definition), fields::etag(request.etag));
    Ok((key, Operation::UpdateDevice { namespace, device, definition, fields, etag }))
}

pub(crate) fn delete(request: v1::DeleteDeviceRequest) -> Result<(Key, Operation), Rejection> {
    let key = fields::name("name", &request.name, Shape::Device)?;
    let (namespace, device) = fields::device_parts(&key);
    Ok((key, Operation::DeleteDevice { namespace, device, etag: fields::etag(request.etag) }))
}

async fn set_status(
    write: Write,
    request: v1::SetDeviceStatusRequest,
    status: DeviceStatus,
) -> Result<v1::DeviceResponse, Failure> {
    let key = fields::name("name", &request.name, Shape::Device)?;
    let (namespace, device) = fields::device_parts(&key);
    let (reason, etag) = (request.reason, fields::etag(request.etag));
    let done = write.single(Operation::SetDeviceStatus { namespace, device, status, reason, etag }).await?;
    answer(&done, &key)
}

async fn list(read: &Read, request: v1::ListDevicesRequest) -> Result<v1::ListDevicesResponse, Failure> {
    let v1::ListDevicesRequest { parent, page_size, page_token, prefix, status, read: options, edge, site } = request;
    let namespace = &fields::namespace("parent", &parent)?;
    // Unspecified means enabled on a device, but any in a filter.
    let wanted = match status {
        0 => None,
        status => Some(convert::device::status("status", status)?),
    };
    let key = Key::Namespace(namespace.clone());
    read.allow_resource(&key)?;
    let filters = &[parent.as_str(), &prefix, &status.to_string(), &edge, &site];
    let asked = Asked { rpc: "ListDevices", filters, page_size, page_token: &page_token, read: options };
    let page = Page::open(read, asked).await?;
    page.check_parent(&key)?;
    let keep = move |record: &Record| match &record.body {
        Body::Device(device) => {
            let is = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
            let definition = &device.definition;
            wanted.is_none_or(|wanted| definition.status == wanted)
                && is(&edge, &definition.edge)
                && is(&site, &definition.site)
        }
        _ => false,
    };
    let listed = page.list(ListRange::Devices { namespace, prefix: &prefix }, move |_, record| keep(record)).await?;
    let devices = listed.show(|id| Key::Device(namespace.clone(), id.to_owned()), convert::device::to_proto);
    let (header, next_page_token) = (read.header(page.revision), listed.next_page_token);
    Ok(v1::ListDevicesResponse { header, devices, next_page_token })
}

fn answer(done: &Done, key: &Key) -> Result<v1::DeviceResponse, Failure> {
    let record = done.record(key)?;
    let device = record.and_then(|record| convert::device::to_proto(key, &record));
    Ok(v1::DeviceResponse { header: done.header(), device })
}

/// The answer to the call that made the device: the only one that holds its keys unasked.
fn created(done: &Done, key: &Key) -> Result<v1::DeviceResponse, Failure> {
    let mut answer = answer(done, key)?;
    let Some(record) = done.record(key)? else { return Ok(answer) };
    let authentication = answer.device.as_mut().and_then(|device| device.authentication.as_mut());
    if let (Body::Device(device), Some(authentication)) = (&record.body, authentication) {
        authentication.symmetric_key =
            convert::keys::open(&done.services.sealer, key, &device.definition.authentication)?;
    }
    Ok(answer)
}

#[cfg(test)]
mod tests;
