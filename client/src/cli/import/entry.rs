//! One line of IoT Hub's export format becomes one element of an import. Twin sections keep their text.
//!
//! It checks what the line's shape is; the rules of ids, documents and devices are the server's.

use std::collections::{BTreeMap, BTreeSet};

use muster_client::proto::{Device, ImportDevice, ImportMode};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::refusals::Refusal;
use crate::shapes::fields::{Fields, ShapeError, kind};
use crate::shapes::{authentication, device};

/// IoT Hub's name of each mode.
const MODES: [(&str, ImportMode); 9] = [
    ("createOrUpdate", ImportMode::CreateOrUpdate),
    ("create", ImportMode::Create),
    ("update", ImportMode::Update),
    ("updateIfMatchETag", ImportMode::UpdateIfMatchEtag),
    ("createOrUpdateIfMatchETag", ImportMode::CreateOrUpdateIfMatchEtag),
    ("delete", ImportMode::Delete),
    ("deleteIfMatchETag", ImportMode::DeleteIfMatchEtag),
    ("updateTwin", ImportMode::UpdateTwin),
    ("updateTwinIfMatchETag", ImportMode::UpdateTwinIfMatchEtag),
];

/// A line that can be sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) line: u64,
    pub(crate) import: ImportDevice,
}

impl Entry {
    /// How the entry is called in messages.
    pub(crate) fn id(&self) -> String {
        display_id(&self.import.device_id, &self.import.module_id)
    }
}

fn display_id(device: &str, module: &str) -> String {
    if module.is_empty() { device.to_owned() } else { format!("{device}/{module}") }
}

/// Reads a line; a blank one is none. Adds members that are not known to `unread`.
pub(crate) fn parse(line: u64, bytes: &[u8], unread: &mut BTreeSet<String>) -> Result<Option<Entry>, Refusal> {
    // A file saved on Windows may begin with a byte order mark.
    let bytes = if line == 1 { bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes) } else { bytes };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(bytes).map_err(|error| {
        // Its line number would be 1 in each of them.
        let message = error.to_string().replace(" at line 1 column", " at column");
        Refusal::new(line, "", "NOT_JSON", format!("is not a JSON object: {message}"))
    })?;
    let mut id = String::new();
    read(members, &mut id, unread).map(|import| Some(Entry { line, import })).map_err(|error| {
        let reason = if error.path == "importMode" { "UNKNOWN_IMPORT_MODE" } else { "INVALID_ENTRY" };
        Refusal { field: error.path.clone(), ..Refusal::new(line, id, reason, error.to_string()) }
    })
}

fn read(
    mut members: BTreeMap<String, &RawValue>,
    id: &mut String,
    unread: &mut BTreeSet<String>,
) -> Result<ImportDevice, ShapeError> {
    let tags = section("tags", members.remove("tags"))?;
    let properties = section("properties", members.remove("properties"))?;
    let rest = members
        .into_iter()
        .map(|(name, value)| match serde_json::from_str(value.get()) {
            Ok(value) => Ok((name, value)),
            Err(error) => Err(ShapeError::new(name, format!("cannot be read: {error}"))),
        })
        .collect::<Result<Map<String, Value>, _>>()?;
    let mut fields = Fields::new("", Value::Object(rest))?;
    let mut ignored = Vec::new();

    let device_id = fields.required("id")?;
    let module_id = fields.text("moduleId")?;
    *id = display_id(&device_id, &module_id);
    let mut import = ImportDevice {
        mode: mode(&mut fields)?.into(),
        device_id,
        module_id,
        managed_by: fields.text("managedBy")?,
        etag: fields.text("eTag")?,
        twin_etag: fields.text("twinETag")?,
        device: Some(identity(&mut fields, &mut ignored)?),
        tags_json: tags,
        ..Default::default()
    };
    if let Some(properties) = properties {
        let mut properties: BTreeMap<String, &RawValue> = serde_json::from_str(&properties)
            .map_err(|error| ShapeError::new("properties", format!("cannot be read: {error}")))?;
        import.desired_json = section("properties.desired", properties.remove("desired"))?;
        import.reported_json = section("properties.reported", properties.remove("reported"))?;
        ignored.extend(properties.keys().map(|name| format!("properties.{name}")));
    }
    // Exports of other tools carry what the hub alone makes.
    fields.ignore(&[
        "generationId",
        "statusUpdatedTime",
        "connectionState",
        "connectionStateUpdatedTime",
        "lastActivityTime",
        "cloudToDeviceMessageCount",
    ]);
    fields.finish(&mut ignored);
    unread.extend(ignored);
    Ok(import)
}

fn identity(fields: &mut Fields, ignored: &mut Vec<String>) -> Result<Device, ShapeError> {
    let status = fields.text("status")?;
    let status = device::status_of(&status)
        .ok_or_else(|| ShapeError::new("status", format!("`{status}` is neither enabled nor disabled")))?;
    let mut capabilities = fields.object("capabilities")?;
    let mut device = Device {
        status: status.into(),
        status_reason: fields.text("statusReason")?,
        iot_edge: capabilities.bool("iotEdge")?.unwrap_or_default(),
        device_scope: fields.text("deviceScope")?,
        parent_scopes: fields.texts("parentScopes")?,
        edge: fields.text("edge")?,
        site: fields.text("site")?,
        ..Default::default()
    };
    capabilities.finish(ignored);
    if let Some(value) = fields.value("authentication") {
        device.authentication = Some(authentication::from_fields(Fields::new("authentication", value)?, ignored)?);
    }
    let mut registry = fields.object("deviceRegistry")?;
    device::registry_from_fields(&mut registry, &mut device, ignored)?;
    registry.finish(ignored);
    let attributes = fields.object_text("attributes")?;
    if device.attributes_json.is_empty() {
        device.attributes_json = attributes;
    }
    Ok(device)
}

fn mode(fields: &mut Fields) -> Result<ImportMode, ShapeError> {
    let name = fields.text("importMode")?;
    if name.is_empty() {
        return Ok(ImportMode::CreateOrUpdate);
    }
    let known = MODES.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
    known.map(|(_, mode)| *mode).ok_or_else(|| {
        let all: Vec<&str> = MODES.iter().map(|(name, _)| *name).collect();
        ShapeError::new("importMode", format!("`{name}` is not one of {}", all.join(", ")))
    })
}

/// A section's text; null is absent.
fn section(path: &str, value: Option<&RawValue>) -> Result<Option<String>, ShapeError> {
    let Some(text) = value.map(RawValue::get).filter(|text| *text != "null") else { return Ok(None) };
    if text.starts_with('{') {
        return Ok(Some(text.to_owned()));
    }
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    Err(ShapeError::new(path, format!("must be an object, not {}", kind(&value))))
}

#[cfg(test)]
mod tests {
    use muster_client::proto::{AuthenticationType, DeviceStatus};

    use super::*;

    fn entry(text: &str) -> Result<ImportDevice, Refusal> {
        let mut unread = BTreeSet::new();
        let entry = parse(5, text.as_bytes(), &mut unread)?.expect("is not blank");
        assert_eq!(unread, BTreeSet::new());
        Ok(entry.import)
    }

    #[test]
    fn a_whole_line_is_read_and_sections_keep_their_text() {
        let import = entry(
            r#"{"id":"pump7","eTag":"MQ==","importMode":"createOrUpdateIfMatchETag","status":"disabled","statusReason":"worn",
            "authentication":{"type":"selfSigned","symmetricKey":{"primaryKey":null,"secondaryKey":null},
            "x509Thumbprint":{"primaryThumbprint":"AB","secondaryThumbprint":null}},"twinETag":"AA==",
            "tags":{"z": 1.0, "a":52.32025},"properties":{"desired":{"$version":3},"reported":null},
            "capabilities":{"iotEdge":true},"deviceScope":"s","parentScopes":["p"],"edge":"e1","site":"hall-1",
            "deviceRegistry":{"manufacturer":"Contoso","attributes":{"line":3}}}"#,
        )
        .expect("is valid");
        assert_eq!(import.mode(), ImportMode::CreateOrUpdateIfMatchEtag);
        assert_eq!((import.etag.as_str(), import.twin_etag.as_str()), ("MQ==", "AA=="));
        assert_eq!(import.tags_json.as_deref(), Some(r#"{"z": 1.0, "a":52.32025}"#));
        assert_eq!(import.desired_json.as_deref(), Some(r#"{"$version":3}"#));
        assert_eq!(import.reported_json, None);
        let device = import.device.expect("has an identity");
        assert_eq!(device.status(), DeviceStatus::Disabled);
        assert!(device.iot_edge);
        assert_eq!((device.device_scope.as_str(), device.parent_scopes.len()), ("s", 1));
        assert_eq!((device.edge.as_str(), device.site.as_str()), ("e1", "hall-1"));
        assert_eq!((device.manufacturer.as_str(), device.attributes_json.as_str()), ("Contoso", r#"{"line":3}"#));
        let authentication = device.authentication.expect("has one");
        assert_eq!(authentication.r#type(), AuthenticationType::SelfSigned);
        assert_eq!(authentication.symmetric_key, None);
        assert_eq!(authentication.x509_thumbprint.expect("has one").primary_thumbprint, "AB");
    }

    #[test]
    fn every_mode_is_known_and_the_default_is_create_or_update() {
        for (name, mode) in MODES {
            assert_eq!(entry(&format!(r#"{{"id":"a","importMode":"{name}"}}"#)).expect("is valid").mode(), mode);
        }
        assert_eq!(entry(r#"{"id":"a"}"#).expect("is valid").mode(), ImportMode::CreateOrUpdate);
        assert_eq!(entry(r#"{"id":"a","importMode":null}"#).expect("is valid").mode(), ImportMode::CreateOrUpdate);
    }

    #[test]
    fn refusals_name_line_id_reason_and_field() {
        let refusal = |text: &str| {
            let refusal = entry(text).expect_err("must be refused");
            assert_eq!(refusal.line, 5);
            (refusal.id, refusal.reason, refusal.field)
        };
        let owned = |id: &str, reason: &str, field: &str| (id.to_owned(), reason.to_owned(), field.to_owned());
        assert_eq!(refusal("hello"), owned("", "NOT_JSON", ""));
        assert_eq!(refusal("[1]"), owned("", "NOT_JSON", ""));
        assert_eq!(refusal(r#"{"id":"a""#), owned("", "NOT_JSON", ""));
        assert_eq!(refusal(r#"{"eTag":"x"}"#), owned("", "INVALID_ENTRY", "id"));
        assert_eq!(refusal(r#"{"id":"a","importMode":"upsert"}"#), owned("a", "UNKNOWN_IMPORT_MODE", "importMode"));
        assert_eq!(refusal(r#"{"id":"a","moduleId":"m","status":"on"}"#), owned("a/m", "INVALID_ENTRY", "status"));
        assert_eq!(refusal(r#"{"id":"a","tags":[]}"#), owned("", "INVALID_ENTRY", "tags"));
        assert_eq!(
            refusal(r#"{"id":"a","authentication":{"type":"magic"}}"#),
            owned("a", "INVALID_ENTRY", "authentication.type")
        );
    }

    #[test]
    fn blank_lines_are_none_and_a_byte_order_mark_is_passed_over() {
        let mut unread = BTreeSet::new();
        assert_eq!(parse(1, b"  ", &mut unread), Ok(None));
        assert!(parse(1, b"\xef\xbb\xbf{\"id\":\"a\"}", &mut unread).expect("is valid").is_some());
    }

    #[test]
    fn members_that_are_not_known_are_noticed() {
        let mut unread = BTreeSet::new();
        parse(1, br#"{"id":"a","colour":"red","properties":{"other":{}}}"#, &mut unread).expect("is valid");
        assert_eq!(unread.into_iter().collect::<Vec<_>>(), ["colour", "properties.other"]);
    }
}
