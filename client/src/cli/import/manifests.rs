//! Device Registry's custom resources in YAML: several documents, `kind: List`, today's API group and the classic one.
//!
//! A classic AssetEndpointProfile becomes a device with one inbound endpoint of the same name.

use std::path::Path;

use anyhow::Context as _;
use muster_client::proto::{
    Asset, Authentication, AuthenticationType, Device, DeviceStatus, Endpoints, InboundEndpoint,
};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::refusals::Refusal;
use crate::shapes::asset::{classic_from_fields, definition_from_fields};
use crate::shapes::device::registry_from_fields;
use crate::shapes::endpoints::authentication_from_fields;
use crate::shapes::fields::{Fields, ShapeError};

const TODAY: [&str; 2] =
    ["namespaces.deviceregistry.microsoft.com/v1", "namespaces.deviceregistry.microsoft.com/v1beta1"];
const CLASSIC: &str = "deviceregistry.microsoft.com/v1";
/// Lists inside lists are refused beyond this.
const LIST_DEPTH_MAX: usize = 3;
/// Largest manifest, bytes.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What a manifest defines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Resource {
    Device(Box<Device>),
    Asset(Box<Asset>),
}

impl Resource {
    /// The word for its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Device(_) => "device",
            Self::Asset(_) => "asset",
        }
    }
}

/// A resource as it was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manifest {
    /// Line its document begins on; 0 when it does not come from a file.
    pub(crate) line: u64,
    pub(crate) name: String,
    /// `metadata.namespace`.
    pub(crate) namespace: Option<String>,
    pub(crate) resource: Resource,
    /// Members that mean nothing here.
    pub(crate) unread: Vec<String>,
}

impl Manifest {
    /// How the entry is called in messages.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.resource.kind(), self.name)
    }
}

/// Reads all resources of a file.
pub(crate) fn parse(text: &str) -> Vec<Result<Manifest, Refusal>> {
    let documents: Vec<Spanned<Value>> = match serde_saphyr::from_multiple_with_options(text, options()) {
        Ok(documents) => documents,
        Err(error) => {
            let line = error.location().map_or(1, |location| location.line());
            return vec![Err(Refusal::new(line, "", "NOT_YAML", format!("is not YAML: {error}")))];
        }
    };
    let mut found = Vec::new();
    for document in documents {
        flatten(document.referenced.line(), document.value, 0, &mut found);
    }
    found
}

fn options() -> serde_saphyr::Options {
    // Messages go into one line of the error file.
    serde_saphyr::options! { with_snippet: false }
}

fn flatten(line: u64, value: Value, depth: usize, found: &mut Vec<Result<Manifest, Refusal>>) {
    match value {
        Value::Null => {}
        Value::Object(mut members) if members.get("items").is_some_and(Value::is_array) => {
            if depth == LIST_DEPTH_MAX {
                found.push(Err(Refusal::new(line, "", "INVALID_ENTRY", "lists lie too deep in lists")));
            } else if let Some(Value::Array(items)) = members.remove("items") {
                for item in items {
                    flatten(line, item, depth + 1, found);
                }
            }
        }
        value => {
            let id = || {
                let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
                format!("{}/{}", text(value.get("kind")).to_lowercase(), text(value.pointer("/metadata/name")))
            };
            let id = id();
            found.push(resource(value).map(|manifest| Manifest { line, ..manifest }).map_err(|error| {
                let reason =
                    if error.path == "kind" || error.path == "apiVersion" { "UNKNOWN_KIND" } else { "INVALID_ENTRY" };
                Refusal { field: error.path.clone(), ..Refusal::new(line, id, reason, error.to_string()) }
            }));
        }
    }
}

/// Reads one resource.
pub(crate) fn resource(value: Value) -> Result<Manifest, ShapeError> {
    let mut fields = Fields::new("", value)?;
    let group = fields.required("apiVersion")?;
    let kind = fields.required("kind")?;
    let mut metadata = fields.object("metadata")?;
    let name = metadata.required("name")?;
    let namespace = Some(metadata.text("namespace")?).filter(|namespace| !namespace.is_empty());
    let mut spec = fields.object("spec")?;
    // Made by the server here, or by the edge.
    spec.ignore(&["version", "lastTransitionTime", "provisioningState"]);
    let mut unread = Vec::new();
    let is_today = TODAY.contains(&group.as_str());
    let resource = match kind.as_str() {
        "Device" if is_today => Resource::Device(Box::new(device(spec, &mut unread)?)),
        "Asset" if is_today => Resource::Asset(Box::new(asset(spec, &mut unread, definition_from_fields)?)),
        "Asset" if group == CLASSIC => Resource::Asset(Box::new(asset(spec, &mut unread, classic_from_fields)?)),
        "AssetEndpointProfile" if group == CLASSIC => Resource::Device(Box::new(profile(&name, spec, &mut unread)?)),
        _ if is_today || group == CLASSIC => {
            return Err(ShapeError::new("kind", format!("`{kind}` of {group} is not known here")));
        }
        _ => {
            let rule = format!("`{group}` is not one of {}, {}, {CLASSIC}", TODAY[0], TODAY[1]);
            return Err(ShapeError::new("apiVersion", rule));
        }
    };
    Ok(Manifest { line: 0, name, namespace, resource, unread })
}

/// Reads an asset's definition without the resource around it, in either shape.
pub(crate) fn asset_from_spec(mut spec: Fields, unread: &mut Vec<String>) -> Result<Asset, ShapeError> {
    spec.ignore(&["version", "lastTransitionTime", "provisioningState"]);
    let classic = spec.has("assetEndpointProfileRef");
    asset(spec, unread, if classic { classic_from_fields } else { definition_from_fields })
}

fn asset(
    mut spec: Fields,
    unread: &mut Vec<String>,
    definition: fn(&mut Fields, &mut Vec<String>) -> Result<muster_client::proto::AssetDefinition, ShapeError>,
) -> Result<Asset, ShapeError> {
    let asset = Asset {
        definition: Some(definition(&mut spec, unread)?),
        enabled: spec.bool("enabled")?,
        uuid: spec.text("uuid")?,
        ..Default::default()
    };
    spec.finish(unread);
    Ok(asset)
}

fn device(mut spec: Fields, unread: &mut Vec<String>) -> Result<Device, ShapeError> {
    let mut device = described_device();
    if spec.bool("enabled")? == Some(false) {
        device.status = DeviceStatus::Disabled.into();
    }
    registry_from_fields(&mut spec, &mut device, unread)?;
    spec.finish(unread);
    Ok(device)
}

/// A device that Device Registry describes: connectors reach it, and it does not authenticate with keys of its own.
fn described_device() -> Device {
    Device {
        status: DeviceStatus::Enabled.into(),
        authentication: Some(Authentication { r#type: AuthenticationType::None.into(), ..Default::default() }),
        ..Default::default()
    }
}

fn profile(name: &str, mut spec: Fields, unread: &mut Vec<String>) -> Result<Device, ShapeError> {
    let mut device = described_device();
    device.uuid = spec.text("uuid")?;
    device.discovered_device_ref = spec.text("discoveredAssetEndpointProfileRef")?;
    let authentication = authentication_from_fields(spec.object("authentication")?, unread)?;
    let endpoint = InboundEndpoint {
        address: spec.required("targetAddress")?,
        endpoint_type: spec.required("endpointProfileType")?,
        additional_configuration: spec.text("additionalConfiguration")?,
        authentication: Some(authentication),
        ..Default::default()
    };
    device.endpoints = Some(Endpoints { inbound: [(name.to_owned(), endpoint)].into(), ..Default::default() });
    spec.finish(unread);
    Ok(device)
}

/// Reads a file with one document, YAML or JSON (which is YAML).
pub(crate) fn read_one(path: &Path) -> anyhow::Result<Value> {
    let text = crate::twin::read_text(path)?;
    let mut documents: Vec<Value> = serde_saphyr::from_multiple_with_options(&text, options())
        .with_context(|| format!("{} is neither YAML nor JSON", path.display()))?;
    documents.retain(|document| !document.is_null());
    anyhow::ensure!(documents.len() == 1, "{} must hold one document, not {}", path.display(), documents.len());
    Ok(documents.swap_remove(0))
}

#[cfg(test)]
mod tests {
    use muster_client::proto::endpoint_authentication::Method;

    use super::*;

    const DEVICE: &str = "apiVersion: namespaces.deviceregistry.microsoft.com/v1beta1\nkind: Device\nmetadata:\n  name: oven\n  namespace: plant-1\n\
        spec:\n  enabled: false\n  version: 7\n  attributes:\n    line: 3\n  endpoints:\n    inbound:\n      opc:\n        address: opc.tcp://oven\n\
        \x20       endpointType: Microsoft.OpcUa\n        version: 1.2\n        authentication:\n          method: Anonymous\n";

    fn ok(found: Vec<Result<Manifest, Refusal>>) -> Vec<Manifest> {
        found.into_iter().map(|manifest| manifest.expect("is valid")).collect()
    }

    #[test]
    fn several_documents_are_read_with_their_lines() {
        let asset = "apiVersion: namespaces.deviceregistry.microsoft.com/v1\nkind: Asset\nmetadata: {name: a}\n\
                     spec: {deviceRef: {deviceName: oven, endpointName: opc}, enabled: true}\n";
        let found = ok(parse(&format!("# a comment\n---\n{DEVICE}---\n---\n{asset}")));
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].line, found[0].id().as_str()), (3, "device/oven"));
        assert_eq!(found[0].namespace.as_deref(), Some("plant-1"));
        assert_eq!(found[1].namespace, None);
        let Resource::Device(device) = &found[0].resource else { panic!("is a device") };
        assert_eq!(device.status(), DeviceStatus::Disabled);
        assert_eq!(device.attributes_json, r#"{"line":3}"#);
        let endpoint = &device.endpoints.as_ref().expect("has one").inbound["opc"];
        assert_eq!(endpoint.version, "1.2");
        assert_eq!(endpoint.authentication.as_ref().expect("has one").method(), Method::Anonymous);
        let Resource::Asset(asset) = &found[1].resource else { panic!("is an asset") };
        assert_eq!(asset.enabled, Some(true));
    }

    #[test]
    fn lists_are_taken_apart() {
        let indented: String = DEVICE.lines().map(|line| format!("  {line}\n")).collect();
        let list = format!("apiVersion: v1\nkind: List\nitems:\n-{}", &indented[1..]);
        let found = ok(parse(&list));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, "oven");
    }

    #[test]
    fn classic_resources_become_those_of_today() {
        let text = "apiVersion: deviceregistry.microsoft.com/v1\nkind: AssetEndpointProfile\nmetadata: {name: opc-1}\n\
            spec:\n  targetAddress: opc.tcp://plc:50000\n  endpointProfileType: Microsoft.OpcUa\n  uuid: u\n  authentication:\n    method: UsernamePassword\n\
            \x20   usernamePasswordCredentials: {usernameSecretName: s/u, passwordSecretName: s/p}\n\
            ---\napiVersion: deviceregistry.microsoft.com/v1\nkind: Asset\nmetadata: {name: thermo}\n\
            spec: {assetEndpointProfileRef: opc-1, datasets: [{name: d}]}\n";
        let found = ok(parse(text));
        let Resource::Device(device) = &found[0].resource else { panic!("is a device") };
        let endpoint = &device.endpoints.as_ref().expect("has one").inbound["opc-1"];
        assert_eq!(
            (endpoint.address.as_str(), endpoint.endpoint_type.as_str()),
            ("opc.tcp://plc:50000", "Microsoft.OpcUa")
        );
        assert_eq!(endpoint.authentication.as_ref().expect("has one").password_secret_name, "s/p");
        let Resource::Asset(asset) = &found[1].resource else { panic!("is an asset") };
        let reference =
            asset.definition.as_ref().and_then(|definition| definition.device_ref.clone()).expect("has one");
        assert_eq!((reference.device_name.as_str(), reference.endpoint_name.as_str()), ("opc-1", "opc-1"));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_line() {
        let refusal = |text: &str| parse(text).pop().expect("one entry").expect_err("must be refused");
        let unknown = refusal("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n");
        assert_eq!(
            (unknown.id.as_str(), unknown.reason.as_str(), unknown.field.as_str()),
            ("pod/x", "UNKNOWN_KIND", "apiVersion")
        );
        let kind = refusal("apiVersion: deviceregistry.microsoft.com/v1\nkind: Schema\nmetadata: {name: x}\n");
        assert_eq!(kind.field, "kind");
        let broken = refusal("a: 1\nb: [\n");
        assert_eq!(broken.reason, "NOT_YAML");
        assert!(broken.line >= 2, "{broken:?}");
        let shape = refusal(
            "---\napiVersion: namespaces.deviceregistry.microsoft.com/v1\nkind: Asset\nmetadata: {name: x}\nspec: {}\n",
        );
        assert_eq!((shape.line, shape.field.as_str()), (2, "spec.deviceRef.deviceName"));
    }

    #[test]
    fn the_published_samples_are_read_whole() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/assets");
        let Ok(files) = std::fs::read_dir(&folder) else {
            crate::output::talk(format_args!("skipped: {} is not here", folder.display()));
            return;
        };
        let mut kinds = Vec::new();
        for file in files {
            let path = file.expect("is readable").path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(path).expect("is readable");
            for manifest in ok(parse(&text)) {
                assert_eq!(manifest.unread, Vec::<String>::new());
                assert_eq!(manifest.namespace.as_deref(), Some("azure-iot-operations"));
                kinds.push(manifest.resource.kind());
            }
        }
        kinds.sort_unstable();
        assert_eq!(kinds, ["asset", "asset", "device"]);
    }
}
