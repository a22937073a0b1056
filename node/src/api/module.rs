//! The module half of `DeviceService`. It knows no rule of modules; `decide` does.

use muster_domain::module::ModuleField;
use muster_domain::{Body, Key, Operation, Rejection};
use muster_proto::v1;

use super::device::key_maker;
use super::fields::{self, Shape};
use super::pages::{Asked, Page};
use super::read::{Read, existing};
use super::status::Failure;
use super::write::{Done, Write, required};
use crate::convert;
use crate::convert::keys::AbsentKeys;
use crate::node::Services;
use crate::read::ListRange;

/// The answer holds the keys, as that of the creation of a device does.
pub(crate) async fn create(write: Write, request: v1::CreateModuleRequest) -> Result<v1::ModuleResponse, Failure> {
    let parent = fields::name("parent", &request.parent, Shape::Device)?;
    let (namespace, device) = fields::device_parts(&parent);
    let module = request.module_id;
    muster_domain::ids::check_device("module_id", &module)?;
    let key = Key::Module(namespace.clone(), device.clone(), module.clone());
    let given = request.module.unwrap_or_default();
    let definition = convert::module::definition(given, &key, key_maker(&write.services), AbsentKeys::Make)?;
    let done = write.single(Operation::CreateModule { namespace, device, module, definition }).await?;
    created(&done, &key)
}

pub(crate) async fn get(read: &Read, request: v1::GetModuleRequest) -> Result<v1::ModuleResponse, Failure> {
    let key = fields::name("name", &request.name, Shape::Module)?;
    read.allow_resource(&key)?;
    let view = read.view(request.read).await?;
    let module = convert::module::to_proto(&key, &*existing(&view, &key)?);
    Ok(v1::ModuleResponse { header: read.header(view.revision()), module })
}

pub(crate) async fn list(read: &Read, request: v1::ListModulesRequest) -> Result<v1::ListModulesResponse, Failure> {
    let v1::ListModulesRequest { parent, page_size, page_token, read: options } = request;
    let key = fields::name("parent", &parent, Shape::Device)?;
    let (namespace, device) = &fields::device_parts(&key);
    read.allow_resource(&key)?;
    let asked = Asked { rpc: "ListModules", filters: &[&parent], page_size, page_token: &page_token, read: options };
    let page = Page::open(read, asked).await?;
    page.check_parent(&key)?;
    let listed = page.list(ListRange::Modules { namespace, device }, |_, _| true).await?;
    let key_of = |id: &str| Key::Module(namespace.clone(), device.clone(), id.to_owned());
    let modules = listed.show(key_of, convert::module::to_proto);
    let (header, next_page_token) = (read.header(page.revision), listed.next_page_token);
    Ok(v1::ListModulesResponse { header, modules, next_page_token })
}

pub(crate) async fn update(write: Write, request: v1::UpdateModuleRequest) -> Result<v1::ModuleResponse, Failure> {
    let (key, operation) = update_operation(&write.services, request)?;
    let done = write.single(operation).await?;
    answer(&done, &key)
}

/// As with devices, an authentication that is left out and not named by the mask stays.
fn update_operation(services: &Services, request: v1::UpdateModuleRequest) -> Result<(Key, Operation), Rejection> {
    let mask = request.update_mask.unwrap_or_default();
    let mut fields = fields::mask(Some(&mask), &ModuleField::ALL)?;
    let given = required("module", request.module)?;
    if given.authentication.is_none() && !mask.paths.iter().any(|path| path == "authentication") {
        fields.retain(|field| *field != ModuleField::Authentication);
    }
    let key = fields::name("module.name", &given.name, Shape::Module)?;
    let definition = convert::module::definition(given, &key, key_maker(services), AbsentKeys::Keep)?;
    let (namespace, device) = fields::device_parts(&key);
    let (module, etag) = (module_id(&key), fields::etag(request.etag));
    Ok((key, Operation::UpdateModule { namespace, device, module, definition, fields, etag }))
}

pub(crate) async fn delete(
    write: Write,
    request: v1::DeleteModuleRequest,
) -> Result<v1::DeleteModuleResponse, Failure> {
    let key = fields::name("name", &request.name, Shape::Module)?;
    let (namespace, device) = fields::device_parts(&key);
    let (module, etag) = (module_id(&key), fields::etag(request.etag));
    let done = write.single(Operation::DeleteModule { namespace, device, module, etag }).await?;
    Ok(v1::DeleteModuleResponse { header: done.header() })
}

fn module_id(key: &Key) -> String {
    match key {
        Key::Module(_, _, module) | Key::ModuleTwin(_, _, module) => module.clone(),
        _ => String::new(),
    }
}

fn answer(done: &Done, key: &Key) -> Result<v1::ModuleResponse, Failure> {
    let record = done.record(key)?;
    let module = record.and_then(|record| convert::module::to_proto(key, &record));
    Ok(v1::ModuleResponse { header: done.header(), module })
}

fn created(done: &Done, key: &Key) -> Result<v1::ModuleResponse, Failure> {
    let mut answer = answer(done, key)?;
    let Some(record) = done.record(key)? else { return Ok(answer) };
    let authentication = answer.module.as_mut().and_then(|module| module.authentication.as_mut());
    if let (Body::Module(module), Some(authentication)) = (&record.body, authentication) {
        authentication.symmetric_key =
            convert::keys::open(&done.services.sealer, key, &module.definition.authentication)?;
    }
    Ok(answer)
}
