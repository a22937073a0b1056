//! Imports: up to a thousand lines in one command, in order, each accepted or refused for itself.
//!
//! It reads no file; the client turns IoT Hub's lines into messages.
//!
//! - A device that a line creates without keys gets new ones; one that it changes keeps the keys it has. Which of the two
//!   it will be is read from this node's state. Should that change before the line is applied, it gets new keys too.
//! - Keys that a line repeats are taken as kept, so that importing the same file twice changes nothing.

use muster_domain::device::Authentication;
use muster_domain::{Body, Key, Operation, Rejection};
use muster_proto::v1;

use super::batch::{self, Element};
use super::device::key_maker;
use super::fields;
use super::status::Failure;
use super::write::Write;
use crate::convert;
use crate::convert::keys::AbsentKeys;
use crate::read::View;

const LIST: &str = "devices";

/// Carries the lines out.
pub(crate) async fn run(write: Write, request: v1::ImportDevicesRequest) -> Result<v1::BatchDevicesResponse, Failure> {
    batch::check_len(LIST, request.devices.len(), write.services.settings.batch_items_max)?;
    let namespace = fields::namespace("parent", &request.parent)?;
    let view = write.services.reader.local();
    let mut elements = Vec::with_capacity(request.devices.len());
    for line in request.devices {
        let key = convert::import::owner(&namespace, &line);
        let decoded = decode(&write, &view, &namespace, &key, line)?;
        elements.push(Element::new(&key.to_string(), decoded.map(|operation| (key, operation))));
    }
    let (header, results) = batch::run(&write, LIST, elements, false).await?;
    Ok(v1::BatchDevicesResponse { header, results })
}

fn decode(
    write: &Write,
    view: &View,
    namespace: &str,
    key: &Key,
    mut line: v1::ImportDevice,
) -> Result<Result<Operation, Rejection>, Failure> {
    if let Err(refusal) = check_ids(&line) {
        return Ok(Err(refusal));
    }
    let current = view.get(key)?;
    let absent = if current.is_some() { AbsentKeys::Keep } else { AbsentKeys::Make };
    if let Some(record) = current {
        match &record.body {
            Body::Device(device) => forget_repeated(write, key, &device.definition.authentication, &mut line),
            Body::Module(module) => forget_repeated(write, key, &module.definition.authentication, &mut line),
            _ => {}
        }
    }
    let decoded = convert::import::line(namespace, line, key_maker(&write.services), absent).map(|mut line| {
        if let muster_domain::import::ImportIdentity::Device(definition) = &mut line.identity
            && definition.uuid.is_empty()
        {
            definition.uuid = write.services.ids.uuid();
        }
        Operation::ImportDevice(Box::new(line))
    });
    Ok(decoded)
}

fn check_ids(line: &v1::ImportDevice) -> Result<(), Rejection> {
    muster_domain::ids::check_device("device_id", &line.device_id)?;
    if line.module_id.is_empty() { Ok(()) } else { muster_domain::ids::check_device("module_id", &line.module_id) }
}

/// Blanks the keys of a line that are those of the record. Sealing them again would look like a change.
fn forget_repeated(write: &Write, key: &Key, authentication: &Authentication, line: &mut v1::ImportDevice) {
    let given = line.device.as_mut().and_then(|device| device.authentication.as_mut());
    let Some(given) = given.and_then(|authentication| authentication.symmetric_key.as_mut()) else { return };
    // A key that does not open here cannot be compared: what is given then replaces it.
    let Ok(Some(current)) = convert::keys::open(&write.services.sealer, key, authentication) else { return };
    for (given, current) in
        [(&mut given.primary_key, current.primary_key), (&mut given.secondary_key, current.secondary_key)]
    {
        if *given == current {
            given.clear();
        }
    }
}
