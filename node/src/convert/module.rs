//! Modules, proto to domain and back. It checks no rule; `decide` does.

use muster_domain::module::{Module, ModuleDefinition};
use muster_domain::{Body, Key, Record, Rejection};
use muster_proto::v1;

use super::keys::{AbsentKeys, KeyMaker};
use super::{device, optional_timestamp};

/// What a request says of the module `owner`.
///
/// # Errors
/// When its authentication contradicts itself or a key is malformed.
pub fn definition(
    module: v1::Module,
    owner: &Key,
    keys: KeyMaker<'_>,
    absent: AbsentKeys,
) -> Result<ModuleDefinition, Rejection> {
    let authentication = device::authentication(module.authentication, owner, keys, absent)
        .map_err(|refusal| refusal.within("module"))?;
    Ok(ModuleDefinition { managed_by: module.managed_by, authentication })
}

/// The module of a record, without keys; `None` when the record is of another kind.
#[must_use]
pub fn to_proto(key: &Key, record: &Record) -> Option<v1::Module> {
    let Body::Module(Module { definition, version }) = &record.body else { return None };
    Some(v1::Module {
        name: key.to_string(),
        generation_id: record.created_revision.to_string(),
        etag: record.etag(),
        managed_by: definition.managed_by.clone(),
        authentication: Some(device::authentication_to_proto(&definition.authentication)),
        version: *version,
        create_time: optional_timestamp(record.created_ms),
        update_time: optional_timestamp(record.updated_ms),
    })
}
