//! Records as the documents that queries see: IoT Hub's twin of a device or module with Device Registry's description
//! beside it, and assets. Member names are in camel case, as in both services' JSON.
//!
//! It knows no table and no query. Invariants:
//! - No key, sealed key or secret gets in: definitions come from [`crate::convert::event_json`], which has none.
//! - What columns hold ([`device_members`] and the other `…_members`, and a twin's sections) together with what they leave out
//!   ([`super::schema`]) is the whole document.
//! - Members without a value (empty texts, lists and objects of definitions) are left out: they are undefined.

use muster_domain::asset::Asset;
use muster_domain::device::{Authentication, Device, DeviceStatus, Endpoints};
use muster_domain::module::Module;
use muster_domain::twin::render::write_time;
use muster_domain::twin::{self, Section, Twin};
use muster_domain::{Body, Record};
use muster_query::Value;
use serde_json::Value as Json;

use crate::convert::event_json::{asset, identity};

type Members = Vec<(String, Value)>;

/// Members whose inner names are the user's own.
const NAMED_BY_USERS: [&str; 3] = ["inbound", "outbound_assigned", "outbound_unassigned"];

/// The document of a device: its record and that of its twin.
pub(crate) fn device(id: &str, record: &Record, twin: &Record) -> Option<Value> {
    let (Body::Device(device), Body::Twin(body)) = (&record.body, &twin.body) else { return None };
    let mut members = device_members(id, device);
    members.push(("statusUpdateTime".to_owned(), time(device.status_updated_ms)));
    members.push(("deviceVersion".to_owned(), number(device.version)));
    members.push(("deviceEtag".to_owned(), Value::String(record.etag())));
    members.push(("uuid".to_owned(), Value::String(device.definition.uuid.clone())));
    push_life(&mut members, record, twin);
    push_twin(&mut members, body);
    Some(Value::object(members))
}

/// The document of a module.
pub(crate) fn module(device: &str, id: &str, record: &Record, twin: &Record) -> Option<Value> {
    let (Body::Module(module), Body::Twin(body)) = (&record.body, &twin.body) else { return None };
    let mut members = module_members(device, id, module);
    push_life(&mut members, record, twin);
    push_twin(&mut members, body);
    Some(Value::object(members))
}

/// The document of an asset.
pub(crate) fn asset(id: &str, record: &Record) -> Option<Value> {
    let Body::Asset(asset) = &record.body else { return None };
    let mut members = asset_members(id, asset);
    members.push(("etag".to_owned(), Value::String(record.etag())));
    members.push(("version".to_owned(), number(asset.version)));
    members.push(("uuid".to_owned(), Value::String(asset.uuid.clone())));
    members.push(("lastTransitionTime".to_owned(), time(asset.last_transition_ms)));
    members.push(("generationId".to_owned(), Value::String(record.created_revision.to_string())));
    members.push(("createTime".to_owned(), time(record.created_ms)));
    members.push(("updateTime".to_owned(), time(record.updated_ms)));
    Some(Value::object(members))
}

/// What columns hold of a device, but its twin. Field by field, because a start does this for a whole fleet.
pub(crate) fn device_members(id: &str, device: &Device) -> Members {
    let definition = &device.definition;
    let status = match definition.status {
        DeviceStatus::Enabled => "enabled",
        DeviceStatus::Disabled => "disabled",
    };
    let mut members: Members = Vec::with_capacity(8);
    let texts = [
        ("deviceId", id),
        ("status", status),
        ("statusReason", &definition.status_reason),
        ("deviceScope", &definition.device_scope),
        ("externalDeviceId", &definition.external_device_id),
        ("manufacturer", &definition.manufacturer),
        ("model", &definition.model),
        ("operatingSystem", &definition.operating_system),
        ("operatingSystemVersion", &definition.operating_system_version),
        ("discoveredDeviceRef", &definition.discovered_device_ref),
        ("edge", &definition.edge),
        ("site", &definition.site),
    ];
    let told = texts.into_iter().filter(|(_, text)| !text.is_empty());
    members.extend(told.map(|(name, text)| (name.to_owned(), Value::String(text.to_owned()))));
    let iot_edge = ("iotEdge".to_owned(), Value::Bool(definition.iot_edge));
    members.push(("capabilities".to_owned(), Value::Object(vec![iot_edge])));
    push_authentication(&mut members, &definition.authentication);
    if !definition.parent_scopes.is_empty() {
        let scopes = definition.parent_scopes.iter().map(|scope| Value::String(scope.clone()));
        members.push(("parentScopes".to_owned(), Value::Array(scopes.collect())));
    }
    if !definition.attributes.is_empty() || definition.endpoints != Endpoints::default() {
        let rest = camel_members(identity::device(definition)).into_iter();
        members.extend(rest.filter(|(name, _)| name == "attributes" || name == "endpoints"));
    }
    members
}

/// What columns hold of a module, but its twin.
pub(crate) fn module_members(device: &str, id: &str, module: &Module) -> Members {
    let mut members = Members::new();
    members.push(("deviceId".to_owned(), Value::String(device.to_owned())));
    members.push(("moduleId".to_owned(), Value::String(id.to_owned())));
    if !module.definition.managed_by.is_empty() {
        members.push(("managedBy".to_owned(), Value::String(module.definition.managed_by.clone())));
    }
    push_authentication(&mut members, &module.definition.authentication);
    members
}

/// What columns hold of an asset.
pub(crate) fn asset_members(id: &str, asset: &Asset) -> Members {
    let mut members = camel_members(Json::Object(asset::definition(&asset.definition)));
    members.push(("assetName".to_owned(), Value::String(id.to_owned())));
    members.push(("enabled".to_owned(), Value::Bool(asset.enabled)));
    members.push(("status".to_owned(), camel(asset::status(&asset.status), "")));
    members
}

/// A section without `$version` and `$metadata`, as a value.
pub(crate) fn section(section: &Section) -> Value {
    object(section.document.members())
}

/// One value of a section.
pub(crate) fn twin_value(value: twin::Value<'_>) -> Value {
    match value {
        twin::Value::Null => Value::Null,
        twin::Value::Bool(value) => Value::Bool(value),
        twin::Value::Int(value) => Value::Int(value),
        twin::Value::Float(value) => Value::Float(value),
        twin::Value::String(text) => Value::String(text.to_owned()),
        twin::Value::Array(items) => Value::Array(items.map(|item| twin_value(item.value())).collect()),
        twin::Value::Object(members) => object(members),
    }
}

fn object(members: twin::Members<'_>) -> Value {
    // They are ordered by name already.
    Value::Object(members.map(|member| (member.name().to_owned(), twin_value(member.value()))).collect())
}

/// Two lives of an id, and the etag, version and times that clients know from `GetTwin`.
fn push_life(members: &mut Members, record: &Record, twin: &Record) {
    members.push(("etag".to_owned(), Value::String(twin.etag())));
    members.push(("version".to_owned(), number(twin.version())));
    members.push(("generationId".to_owned(), Value::String(record.created_revision.to_string())));
    members.push(("createTime".to_owned(), time(record.created_ms)));
    members.push(("updateTime".to_owned(), time(record.updated_ms.max(twin.updated_ms))));
}

fn push_twin(members: &mut Members, twin: &Twin) {
    members.push(("tags".to_owned(), section(&twin.tags)));
    let sections = [("desired", &twin.desired, true), ("reported", &twin.reported, false)];
    let properties = sections.map(|(name, section, versions)| (name.to_owned(), with_versions(section, versions)));
    members.push(("properties".to_owned(), Value::Object(properties.into())));
}

/// With `$version` and `$metadata`, as IoT Hub shows the sections of `properties`.
fn with_versions(of: &Section, versions: bool) -> Value {
    let Value::Object(mut members) = section(of) else { return Value::Null };
    let mut metadata = String::new();
    of.write_metadata(&mut metadata, versions);
    let metadata = serde_json::from_str(&metadata).unwrap_or(Json::Null);
    members.push(("$metadata".to_owned(), Value::from(&metadata)));
    members.push(("$version".to_owned(), number(of.version)));
    Value::object(members)
}

/// `authenticationType` and `x509Thumbprint`, as in IoT Hub's twins.
fn push_authentication(members: &mut Members, authentication: &Authentication) {
    let kind = match authentication {
        Authentication::Sas { .. } => "sas",
        Authentication::SelfSigned { .. } => "selfSigned",
        Authentication::CertificateAuthority => "certificateAuthority",
        Authentication::None => "none",
    };
    members.push(("authenticationType".to_owned(), Value::String(kind.to_owned())));
    if let Authentication::SelfSigned { primary_thumbprint, secondary_thumbprint } = authentication {
        let thumbprints = [("primaryThumbprint", primary_thumbprint), ("secondaryThumbprint", secondary_thumbprint)];
        let told = thumbprints.into_iter().filter(|(_, text)| !text.is_empty());
        let told = told.map(|(name, text)| (name.to_owned(), Value::String(text.clone()))).collect();
        members.push(("x509Thumbprint".to_owned(), Value::object(told)));
    }
}

fn camel_members(json: Json) -> Members {
    match camel(json, "") {
        Value::Object(members) => members,
        _ => Members::new(),
    }
}

/// Names in camel case, but those that users gave; `within` is the name of the member that the value is.
fn camel(json: Json, within: &str) -> Value {
    match json {
        Json::Object(members) if within == "attributes" => Value::from(&Json::Object(members)),
        Json::Object(members) => {
            let keep = NAMED_BY_USERS.contains(&within);
            let rename = |name: &str| if keep { name.to_owned() } else { camel_name(name) };
            // Inside a name of a user the members are ours again.
            let inner = |name: &str| if keep { String::new() } else { name.to_owned() };
            Value::object(
                members.into_iter().map(|(name, value)| (rename(&name), camel(value, &inner(&name)))).collect(),
            )
        }
        Json::Array(items) => Value::Array(items.into_iter().map(|item| camel(item, "")).collect()),
        other => Value::from(&other),
    }
}

fn camel_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for char in name.chars() {
        match char {
            '_' => upper = true,
            _ if upper => {
                out.extend(char.to_uppercase());
                upper = false;
            }
            _ => out.push(char),
        }
    }
    out
}

fn time(ms: u64) -> Value {
    let mut out = String::new();
    write_time(&mut out, ms);
    Value::String(out)
}

fn number(value: u64) -> Value {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
}
