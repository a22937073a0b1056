//! Lines of an import, proto to domain. It reads no file: the client parses IoT Hub's format.

use muster_domain::import::{ImportIdentity, ImportLine, ImportMode};
use muster_domain::module::ModuleDefinition;
use muster_domain::{Key, Rejection};
use muster_proto::v1;

use super::keys::{AbsentKeys, KeyMaker};
use super::{choice, device};

/// The device or module that a line is about.
#[must_use]
pub fn owner(namespace: &str, line: &v1::ImportDevice) -> Key {
    let (namespace, device) = (namespace.to_owned(), line.device_id.clone());
    if line.module_id.is_empty() {
        Key::Device(namespace, device)
    } else {
        Key::Module(namespace, device, line.module_id.clone())
    }
}

/// What a line asks for. `absent` says what becomes of keys that it leaves out.
///
/// # Errors
/// When an enumeration has an unknown value, or the identity is malformed.
pub fn line(
    namespace: &str,
    line: v1::ImportDevice,
    keys: KeyMaker<'_>,
    absent: AbsentKeys,
) -> Result<ImportLine, Rejection> {
    let mode = mode(line.mode)?;
    let owner = owner(namespace, &line);
    let given = line.device.unwrap_or_default();
    let identity = if line.module_id.is_empty() {
        let definition = device::definition(given, &owner, keys, absent)?;
        ImportIdentity::Device(Box::new(definition))
    } else {
        let authentication = device::authentication(given.authentication, &owner, keys, absent)
            .map_err(|refusal| refusal.within("device"))?;
        let definition = ModuleDefinition { managed_by: line.managed_by, authentication };
        ImportIdentity::Module { module: line.module_id, definition }
    };
    Ok(ImportLine {
        mode,
        namespace: namespace.to_owned(),
        device: line.device_id,
        identity,
        etag: line.etag,
        twin_etag: line.twin_etag,
        tags: line.tags_json,
        desired: line.desired_json,
        reported: line.reported_json,
    })
}

fn mode(mode: i32) -> Result<ImportMode, Rejection> {
    Ok(match choice::<v1::ImportMode>("mode", mode)? {
        v1::ImportMode::Unspecified | v1::ImportMode::CreateOrUpdate => ImportMode::CreateOrUpdate,
        v1::ImportMode::Create => ImportMode::Create,
        v1::ImportMode::Update => ImportMode::Update,
        v1::ImportMode::UpdateIfMatchEtag => ImportMode::UpdateIfMatchEtag,
        v1::ImportMode::CreateOrUpdateIfMatchEtag => ImportMode::CreateOrUpdateIfMatchEtag,
        v1::ImportMode::Delete => ImportMode::Delete,
        v1::ImportMode::DeleteIfMatchEtag => ImportMode::DeleteIfMatchEtag,
        v1::ImportMode::UpdateTwin => ImportMode::UpdateTwin,
        v1::ImportMode::UpdateTwinIfMatchEtag => ImportMode::UpdateTwinIfMatchEtag,
    })
}
