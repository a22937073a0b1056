//! Keys of devices and modules: making new ones and reading them. The only place beside creation where keys get out.

use muster_domain::device::Authentication;
use muster_domain::policy::ReadScope;
use muster_domain::{Body, Key, Operation, Reason, Record, Rejection};
use muster_proto::v1;
use muster_proto::v1::regenerate_keys_request::Which;

use super::device::key_maker;
use super::fields::{self, Shape};
use super::read::{Read, existing};
use super::status::Failure;
use super::write::Write;
use crate::convert;

/// Makes new keys and answers with those that were made.
pub(crate) async fn regenerate(
    write: Write,
    request: v1::RegenerateKeysRequest,
) -> Result<v1::DeviceKeysResponse, Failure> {
    let key = fields::name("name", &request.name, Shape::DeviceOrModule)?;
    let (primary, secondary) = which(request.which)?;
    let make = |wanted: bool| wanted.then(|| key_maker(&write.services).make(&key));
    let operation = Operation::RegenerateKeys {
        key: key.clone(),
        primary: make(primary),
        secondary: make(secondary),
        etag: fields::etag(request.etag),
    };
    let is_dry_run = write.is_dry_run();
    let done = write.single(operation).await?;
    let mut answer =
        v1::DeviceKeysResponse { header: done.header(), name: key.to_string(), ..v1::DeviceKeysResponse::default() };
    if let Some(record) = done.record(&key)?.filter(|_| !is_dry_run) {
        answer.etag = record.etag();
        let keys = convert::keys::open(&done.services.sealer, &key, authentication(&key, &record)?)?;
        answer.symmetric_key = keys.map(|keys| v1::SymmetricKey {
            primary_key: if primary { keys.primary_key } else { String::new() },
            secondary_key: if secondary { keys.secondary_key } else { String::new() },
        });
    }
    Ok(answer)
}

/// Reads the keys.
pub(crate) async fn get(read: &Read, request: v1::GetDeviceKeysRequest) -> Result<v1::DeviceKeysResponse, Failure> {
    let key = fields::name("name", &request.name, Shape::DeviceOrModule)?;
    read.allow(ReadScope::Keys { namespace: key.namespace().unwrap_or_default() })?;
    let view = read.view(request.read).await?;
    let record = existing(&view, &key)?;
    let symmetric_key = convert::keys::open(&read.services.sealer, &key, authentication(&key, &record)?)?;
    let (header, name, etag) = (read.header(view.revision()), key.to_string(), record.etag());
    Ok(v1::DeviceKeysResponse { header, name, symmetric_key, etag })
}

/// Which keys are asked for: primary, secondary.
fn which(which: i32) -> Result<(bool, bool), Rejection> {
    match Which::try_from(which) {
        Ok(Which::Primary) => Ok((true, false)),
        Ok(Which::Secondary) => Ok((false, true)),
        Ok(Which::Both) => Ok((true, true)),
        Ok(Which::Unspecified) | Err(_) => {
            Err(Rejection::new(Reason::InvalidField, "which", "which is required: PRIMARY, SECONDARY or BOTH"))
        }
    }
}

fn authentication<'a>(key: &Key, record: &'a Record) -> Result<&'a Authentication, Rejection> {
    match &record.body {
        Body::Device(device) => Ok(&device.definition.authentication),
        Body::Module(module) => Ok(&module.definition.authentication),
        _ => Err(Rejection::not_found(key)),
    }
}
