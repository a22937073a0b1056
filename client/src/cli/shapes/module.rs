//! A module as JSON, after IoT Hub.

use muster_client::names;
use muster_client::proto::Module;
use serde_json::{Map, Value};

use super::{authentication, put, time};

/// A module as `muster module get --output json` shows it.
pub(crate) fn to_json(module: &Module) -> Value {
    let mut object = Map::new();
    put(&mut object, "namespace", names::part(&module.name, "namespaces").unwrap_or_default());
    put(&mut object, "deviceId", names::part(&module.name, "devices").unwrap_or_default());
    put(&mut object, "moduleId", names::last(&module.name));
    put(&mut object, "generationId", module.generation_id.as_str());
    put(&mut object, "etag", module.etag.as_str());
    put(&mut object, "version", module.version);
    put(&mut object, "managedBy", module.managed_by.as_str());
    put(&mut object, "authentication", authentication::to_json(module.authentication.as_ref()));
    put(&mut object, "createTime", time(module.create_time.as_ref()));
    put(&mut object, "updateTime", time(module.update_time.as_ref()));
    Value::Object(object)
}
