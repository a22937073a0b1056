//! Lines of an import, as they lie in the log.

use muster_domain::import::{ImportIdentity, ImportLine, ImportMode};
use muster_proto::stored::v1 as stored;
use muster_proto::stored::v1::import_device::Identity;

use super::CodecError;
use super::enums::StoredEnum;
use super::error::required;
use super::identities::{
    device_definition_from_stored, device_definition_to_stored, module_definition_from_stored,
    module_definition_to_stored,
};

pub(super) fn to_stored(line: ImportLine) -> stored::ImportDevice {
    let identity = match line.identity {
        ImportIdentity::Device(definition) => Identity::DeviceIdentity(device_definition_to_stored(&definition)),
        ImportIdentity::Module { module, definition } => Identity::ModuleIdentity(stored::ImportModule {
            module,
            definition: Some(module_definition_to_stored(&definition)),
        }),
    };
    stored::ImportDevice {
        mode: line.mode.number(),
        namespace: line.namespace,
        device: line.device,
        identity: Some(identity),
        etag: line.etag,
        twin_etag: line.twin_etag,
        tags_json: line.tags,
        desired_json: line.desired,
        reported_json: line.reported,
    }
}

pub(super) fn from_stored(line: stored::ImportDevice) -> Result<ImportLine, CodecError> {
    let what = "a line of an import";
    let identity = match line.identity.ok_or(CodecError::UnknownKind { what })? {
        Identity::DeviceIdentity(definition) => {
            ImportIdentity::Device(Box::new(device_definition_from_stored(definition)?))
        }
        Identity::ModuleIdentity(stored::ImportModule { module, definition }) => {
            let definition = module_definition_from_stored(required(what, "definition", definition)?)?;
            ImportIdentity::Module { module, definition }
        }
    };
    Ok(ImportLine {
        mode: ImportMode::from_number(line.mode)?,
        namespace: line.namespace,
        device: line.device,
        identity,
        etag: line.etag,
        twin_etag: line.twin_etag,
        tags: line.tags_json,
        desired: line.desired_json,
        reported: line.reported_json,
    })
}
