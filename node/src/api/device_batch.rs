//! Batches of devices: decoding of their elements. How a batch is carried out is [`super::batch`]'s business.

use muster_domain::{Key, Reason, Rejection};
use muster_proto::v1;

use super::batch::{self, Element};
use super::status::Failure;
use super::write::Write;
use super::{device, fields};

const LIST: &str = "requests";

/// Creates devices. Keys that are left out are made; they are read with `GetDeviceKeys`.
pub(crate) async fn create(
    write: Write,
    request: v1::BatchCreateDevicesRequest,
) -> Result<v1::BatchDevicesResponse, Failure> {
    let namespace = begin(&write, &request.parent, request.requests.len())?;
    let keys = device::key_maker(&write.services);
    let elements = request.requests.into_iter().map(|request| {
        let named = Key::Device(namespace.clone(), request.device_id.clone()).to_string();
        let decoded =
            check_parent(&request.parent, &namespace).and_then(|()| device::create(keys, namespace.clone(), request));
        Element::new(&named, decoded)
    });
    finish(&write, elements.collect(), request.atomic).await
}

/// Updates devices, each with its own mask and etag.
pub(crate) async fn update(
    write: Write,
    request: v1::BatchUpdateDevicesRequest,
) -> Result<v1::BatchDevicesResponse, Failure> {
    let namespace = begin(&write, &request.parent, request.requests.len())?;
    let keys = device::key_maker(&write.services);
    let elements = request.requests.into_iter().map(|request| {
        let named = request.device.as_ref().map(|device| device.name.clone()).unwrap_or_default();
        let decoded =
            device::update(keys, request).and_then(|decoded| batch::check_inside("device.name", &namespace, decoded));
        Element::new(&named, decoded)
    });
    finish(&write, elements.collect(), request.atomic).await
}

/// Deletes devices, each with its own etag.
pub(crate) async fn delete(
    write: Write,
    request: v1::BatchDeleteDevicesRequest,
) -> Result<v1::BatchDevicesResponse, Failure> {
    let namespace = begin(&write, &request.parent, request.requests.len())?;
    let elements = request.requests.into_iter().map(|request| {
        let named = request.name.clone();
        let decoded = device::delete(request).and_then(|decoded| batch::check_inside("name", &namespace, decoded));
        Element::new(&named, decoded)
    });
    finish(&write, elements.collect(), request.atomic).await
}

fn begin(write: &Write, parent: &str, len: usize) -> Result<String, Rejection> {
    batch::check_len(LIST, len, write.services.settings.batch_items_max)?;
    fields::namespace("parent", parent)
}

async fn finish(write: &Write, elements: Vec<Element>, atomic: bool) -> Result<v1::BatchDevicesResponse, Failure> {
    let (header, results) = batch::run(write, LIST, elements, atomic).await?;
    Ok(v1::BatchDevicesResponse { header, results })
}

/// The parent of an element may be left out; one that is given must be the batch's.
fn check_parent(given: &str, namespace: &str) -> Result<(), Rejection> {
    if given.is_empty() || given.strip_prefix("namespaces/") == Some(namespace) {
        return Ok(());
    }
    let message = format!("parent must be the batch's, namespaces/{namespace}, or empty");
    Err(Rejection::new(Reason::InvalidField, "parent", message))
}
