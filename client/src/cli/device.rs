//! `muster device …`.

use std::pin::pin;

use clap::{Args, Subcommand, ValueEnum};
use futures::{StreamExt, TryStreamExt};
use muster_client::{names, proto};
use prost_types::FieldMask;
use proto::regenerate_keys_request::Which;
use serde_json::{Map, Value, json};

use crate::args::{EtagFlag, Globals, ListFlags, WriteFlags};
use crate::exit::UsageError;
use crate::output::{self, Listing, talk};
use crate::session::Session;
use crate::shapes::device::{status_name, to_json};
use crate::shapes::{authentication, endpoints, fields, put};

/// Verbs of `muster device`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create a device with an empty twin; prints keys the server made, this once
    #[command(
        after_help = "Example:\n  muster device create pump7 -n plant1 --manufacturer Contoso --attributes '{\"line\":3}'"
    )]
    Create {
        /// Its id: up to 128 letters, digits and - . + % _ # * ? ! ( ) , = @ $ ' : ;
        id: String,
        #[command(flatten)]
        fields: Box<Fields>,
        #[command(flatten)]
        write: WriteFlags,
    },
    /// Show a device, without keys
    Get {
        /// Its id
        id: String,
    },
    /// List devices
    #[command(after_help = "Example:\n  muster device list --status disabled --prefix ams- --output json | wc -l")]
    List {
        /// Only devices of this status
        #[arg(long, value_enum)]
        status: Option<Status>,
        /// Only ids that begin so
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
        /// Only devices whose own edge is this one
        #[arg(long, value_name = "EDGE", default_value = "", hide_default_value = true)]
        edge: String,
        /// Only devices at this very site
        #[arg(long, value_name = "SITE", default_value = "", hide_default_value = true)]
        site: String,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Change the fields given
    #[command(after_help = "Example:\n  muster device update pump7 -n plant1 --edge press-hall")]
    Update {
        /// Its id
        id: String,
        #[command(flatten)]
        fields: Box<Fields>,
        #[command(flatten)]
        etag: EtagFlag,
        #[command(flatten)]
        write: WriteFlags,
    },
    /// Let a device in again
    Enable(SetStatus),
    /// Shut a device out of every call of its own
    Disable(SetStatus),
    /// Delete a device with its modules and twins
    Delete {
        /// Its id
        id: String,
        #[command(flatten)]
        etag: EtagFlag,
        #[command(flatten)]
        write: WriteFlags,
    },
    /// Show the keys of a device or module
    Keys {
        /// Its id
        id: String,
        /// A module of it
        #[arg(long)]
        module: Option<String>,
    },
    /// Make new keys for a device or module and print them
    RegenerateKeys {
        /// Its id
        id: String,
        /// A module of it
        #[arg(long)]
        module: Option<String>,
        /// Which key
        #[arg(long, value_enum)]
        which: WhichKey,
        #[command(flatten)]
        etag: EtagFlag,
        #[command(flatten)]
        write: WriteFlags,
    },
}

/// Arguments of `enable` and `disable`.
#[derive(Debug, Args)]
pub(crate) struct SetStatus {
    /// The device's id
    id: String,
    /// Why; at most 128 characters
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    etag: EtagFlag,
    #[command(flatten)]
    write: WriteFlags,
}

/// IoT Hub's statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Status {
    Enabled,
    Disabled,
}

impl From<Status> for proto::DeviceStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Enabled => Self::Enabled,
            Status::Disabled => Self::Disabled,
        }
    }
}

/// Keys to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhichKey {
    Primary,
    Secondary,
    Both,
}

/// IoT Hub's kinds of authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "camelCase")]
pub(crate) enum AuthenticationKind {
    Sas,
    SelfSigned,
    CertificateAuthority,
    None,
}

/// How a device or module authenticates.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AuthenticationFlags {
    /// How it authenticates [default: sas, with keys made by the server]
    #[arg(long, value_enum)]
    auth: Option<AuthenticationKind>,
    /// File with its authentication in IoT Hub's JSON, for given keys or thumbprints (keys do not belong on a command line)
    #[arg(long, value_name = "FILE", conflicts_with = "auth")]
    auth_file: Option<std::path::PathBuf>,
}

impl AuthenticationFlags {
    pub(crate) fn read(&self) -> anyhow::Result<Option<proto::Authentication>> {
        if let Some(path) = &self.auth_file {
            let value = crate::twin::json_of_file(path)?;
            let mut unread = Vec::new();
            let read = authentication::from_fields(fields::Fields::new("", value)?, &mut unread)?;
            refuse_unread("authentication", &unread)?;
            return Ok(Some(read));
        }
        let kind = self.auth.map(|kind| match kind {
            AuthenticationKind::Sas => proto::AuthenticationType::Sas,
            AuthenticationKind::SelfSigned => proto::AuthenticationType::SelfSigned,
            AuthenticationKind::CertificateAuthority => proto::AuthenticationType::CertificateAuthority,
            AuthenticationKind::None => proto::AuthenticationType::None,
        });
        Ok(kind.map(|kind| proto::Authentication { r#type: kind.into(), ..Default::default() }))
    }
}

/// What a person typed is checked more strictly than what another system exported.
pub(crate) fn refuse_unread(what: &str, unread: &[String]) -> Result<(), UsageError> {
    match unread {
        [] => Ok(()),
        _ => Err(UsageError(format!("{what} has members that are not known: {}", unread.join(", ")))),
    }
}

/// What can be said about a device.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Fields {
    /// Whether it may connect
    #[arg(long, value_enum)]
    status: Option<Status>,
    /// Why; at most 128 characters
    #[arg(long)]
    status_reason: Option<String>,
    #[command(flatten)]
    authentication: AuthenticationFlags,
    /// Whether it is an IoT Edge device
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    iot_edge: Option<bool>,
    /// The edge that holds it; '' for that of its site
    #[arg(long, value_name = "EDGE")]
    edge: Option<String>,
    /// The site it is at; '' for none
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
    /// Scope of the edge device it belongs to
    #[arg(long)]
    device_scope: Option<String>,
    /// Scope of an edge device's parent
    #[arg(long)]
    parent_scope: Option<String>,
    /// Id in another system
    #[arg(long)]
    external_device_id: Option<String>,
    /// Who made it
    #[arg(long)]
    manufacturer: Option<String>,
    /// Model
    #[arg(long)]
    model: Option<String>,
    /// Operating system
    #[arg(long)]
    operating_system: Option<String>,
    /// Its version
    #[arg(long)]
    operating_system_version: Option<String>,
    /// Attributes as a JSON object; replaces all
    #[arg(long, value_name = "JSON")]
    attributes: Option<String>,
    /// File with endpoints in Device Registry's JSON or YAML: {inbound: {NAME: {address, endpointType, …}}}; replaces all
    #[arg(long, value_name = "FILE")]
    endpoints_file: Option<std::path::PathBuf>,
    /// Name of the discovered device it was made from
    #[arg(long)]
    discovered_device_ref: Option<String>,
}

impl Fields {
    fn apply(self, name: String) -> anyhow::Result<(proto::Device, FieldMask)> {
        let authentication = self.authentication.read()?;
        let endpoints = match &self.endpoints_file {
            Some(path) => {
                let mut unread = Vec::new();
                let value = crate::import::manifests::read_one(path)?;
                let read = endpoints::from_fields(fields::Fields::new("", value)?, &mut unread)?;
                refuse_unread("the endpoints file", &unread)?;
                Some(read)
            }
            None => None,
        };
        let given = [
            ("status", self.status.is_some()),
            ("status_reason", self.status_reason.is_some()),
            ("authentication", authentication.is_some()),
            ("iot_edge", self.iot_edge.is_some()),
            ("edge", self.edge.is_some()),
            ("site", self.site.is_some()),
            ("device_scope", self.device_scope.is_some()),
            ("parent_scopes", self.parent_scope.is_some()),
            ("external_device_id", self.external_device_id.is_some()),
            ("manufacturer", self.manufacturer.is_some()),
            ("model", self.model.is_some()),
            ("operating_system", self.operating_system.is_some()),
            ("operating_system_version", self.operating_system_version.is_some()),
            ("attributes_json", self.attributes.is_some()),
            ("endpoints", endpoints.is_some()),
            ("discovered_device_ref", self.discovered_device_ref.is_some()),
        ];
        let paths = given.into_iter().filter(|(_, given)| *given).map(|(path, _)| path.to_owned()).collect();
        let device = proto::Device {
            name,
            status: self.status.map_or(proto::DeviceStatus::Unspecified, Into::into).into(),
            status_reason: self.status_reason.unwrap_or_default(),
            authentication,
            iot_edge: self.iot_edge.unwrap_or_default(),
            edge: self.edge.unwrap_or_default(),
            site: self.site.unwrap_or_default(),
            device_scope: self.device_scope.unwrap_or_default(),
            parent_scopes: self.parent_scope.into_iter().filter(|scope| !scope.is_empty()).collect(),
            external_device_id: self.external_device_id.unwrap_or_default(),
            manufacturer: self.manufacturer.unwrap_or_default(),
            model: self.model.unwrap_or_default(),
            operating_system: self.operating_system.unwrap_or_default(),
            operating_system_version: self.operating_system_version.unwrap_or_default(),
            attributes_json: self.attributes.unwrap_or_default(),
            endpoints,
            discovered_device_ref: self.discovered_device_ref.unwrap_or_default(),
            ..Default::default()
        };
        Ok((device, FieldMask { paths }))
    }
}

/// Runs a verb.
pub(crate) async fn run(globals: &Globals, verb: Verb) -> anyhow::Result<()> {
    let session = Session::open(globals)?;
    let devices = session.client.devices();
    let shown = match verb {
        Verb::Create { id, fields, write } => {
            let (device, _) = fields.apply(String::new())?;
            let request = proto::CreateDeviceRequest {
                parent: session.parent(),
                device_id: id,
                device: Some(device),
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            devices.create(request).await?.device
        }
        Verb::Get { id } => {
            devices.get(proto::GetDeviceRequest { name: session.device(&id), read: session.read }).await?.device
        }
        Verb::List { status, prefix, edge, site, list } => {
            let status = status.map_or(proto::DeviceStatus::Unspecified, Into::into).into();
            let request = proto::ListDevicesRequest { status, prefix, edge, site, ..Default::default() };
            return print_list(&session, request, &list).await;
        }
        Verb::Update { id, fields, etag, write } => {
            let (device, mask) = fields.apply(session.device(&id))?;
            if mask.paths.is_empty() {
                return Err(UsageError("nothing to change: give at least one field".to_owned()).into());
            }
            let request = proto::UpdateDeviceRequest {
                device: Some(device),
                update_mask: Some(mask),
                etag: etag.etag,
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            devices.update(request).await?.device
        }
        Verb::Enable(set) => devices.enable(set.request(&session)).await?.device,
        Verb::Disable(set) => devices.disable(set.request(&session)).await?.device,
        Verb::Delete { id, etag, write } => {
            let request = proto::DeleteDeviceRequest {
                name: session.device(&id),
                etag: etag.etag,
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            devices.delete(request).await?;
            let verdict = if write.validate_only { "can be deleted" } else { "deleted" };
            talk(format_args!("device {id} {verdict}"));
            return Ok(());
        }
        Verb::Keys { id, module } => {
            let name = identity(&session, &id, module.as_deref());
            let answer = devices.keys(proto::GetDeviceKeysRequest { name, read: session.read }).await?;
            return Ok(output::one(session.format, &keys_to_json(&answer))?);
        }
        Verb::RegenerateKeys { id, module, which, etag, write } => {
            let which = match which {
                WhichKey::Primary => Which::Primary,
                WhichKey::Secondary => Which::Secondary,
                WhichKey::Both => Which::Both,
            };
            let request = proto::RegenerateKeysRequest {
                name: identity(&session, &id, module.as_deref()),
                which: which.into(),
                etag: etag.etag,
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            let answer = devices.regenerate_keys(request).await?;
            return Ok(output::one(session.format, &keys_to_json(&answer))?);
        }
    };
    if let Some(device) = shown {
        output::one(session.format, &to_json(&device))?;
    }
    Ok(())
}

impl SetStatus {
    fn request(self, session: &Session) -> proto::SetDeviceStatusRequest {
        proto::SetDeviceStatusRequest {
            name: session.device(&self.id),
            reason: self.reason,
            etag: self.etag.etag,
            request_id: self.write.request_id,
            validate_only: self.write.validate_only,
        }
    }
}

async fn print_list(session: &Session, asked: proto::ListDevicesRequest, list: &ListFlags) -> anyhow::Result<()> {
    let (parent, page_size, read) = (session.parent(), list.page_size(), session.read);
    let request = proto::ListDevicesRequest { parent, page_size, read, ..asked };
    let mut found = pin!(session.client.devices().list_all(request).take(list.bound()));
    let mut listing =
        Listing::new(session.format, &["DEVICE", "STATUS", "AUTH", "MANUFACTURER", "MODEL", "ETAG", "UPDATED"]);
    while let Some(device) = found.try_next().await? {
        listing.push(
            || to_json(&device),
            || {
                let kind = device.authentication.as_ref().map_or_else(Default::default, proto::Authentication::r#type);
                vec![
                    names::last(&device.name).to_owned(),
                    status_name(device.status()).to_owned(),
                    authentication::type_name(kind).to_owned(),
                    device.manufacturer.clone(),
                    device.model.clone(),
                    device.etag.clone(),
                    device.update_time.as_ref().map(ToString::to_string).unwrap_or_default(),
                ]
            },
        )?;
    }
    Ok(listing.finish()?)
}

fn identity(session: &Session, device: &str, module: Option<&str>) -> String {
    match module {
        Some(module) => names::module(&session.namespace, device, module),
        None => session.device(device),
    }
}

fn keys_to_json(answer: &proto::DeviceKeysResponse) -> Value {
    let mut object = Map::new();
    put(&mut object, "deviceId", names::part(&answer.name, "devices").unwrap_or_default());
    put(&mut object, "moduleId", names::part(&answer.name, "modules").unwrap_or_default());
    put(&mut object, "etag", answer.etag.as_str());
    let key = answer.symmetric_key.clone().unwrap_or_default();
    put(&mut object, "symmetricKey", json!({"primaryKey": key.primary_key, "secondaryKey": key.secondary_key}));
    Value::Object(object)
}
