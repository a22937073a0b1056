//! `muster export`: devices, then their modules, in IoT Hub's export format, one JSON object a line.
//!
//! - Order is that of the listing: by device id, each device followed by its modules by id. Members of documents are ordered by
//!   name. So two exports of the same content are the same bytes, but for etags, and with `--no-etags` entirely.
//! - `$metadata` and `$version` of twins are left out: they tell of this cluster's clock and history.
//! - Devices are listed as of one revision; their twins are read at that revision or a later one.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use futures::stream::{StreamExt, TryStreamExt, iter};
use indicatif::{ProgressBar, ProgressStyle};
use muster_client::{CallError, Code, names, proto};
use proto::read_options::Consistency;
use proto::{Authentication, AuthenticationType, Device, Module, ReadOptions};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Globals;
use crate::output::talk;
use crate::session::Session;
use crate::shapes::{authentication, device, document};

/// Devices whose twins and modules are read at once.
const DEVICES_AT_ONCE: usize = 16;

/// Arguments of `muster export`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  muster export -n plant1 --output-file plant1.ndjson\n\n\
    Device Registry's fields travel in a member of their own, deviceRegistry; edge and site in members of these names.\n\
    Assets are not part of this format.")]
pub(crate) struct Arguments {
    /// With the devices' keys; keep the file secret
    #[arg(long)]
    include_keys: bool,
    /// Leave eTag and twinETag empty, so that equal content gives equal files
    #[arg(long)]
    no_etags: bool,
    /// Write to this file instead of stdout; it appears when it is whole
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
}

/// One line, members in the order of IoT Hub's documentation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    module_id: Option<String>,
    e_tag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_reason: Option<String>,
    authentication: Value,
    #[serde(rename = "twinETag")]
    twin_etag: String,
    tags: Value,
    properties: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<Value>,
    #[serde(skip_serializing_if = "String::is_empty")]
    device_scope: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parent_scopes: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    edge: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    site: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    managed_by: String,
    #[serde(skip_serializing_if = "Value::is_null")]
    device_registry: Value,
}

/// Runs the command.
pub(crate) async fn run(globals: &Globals, arguments: Arguments) -> anyhow::Result<()> {
    let session = Session::open(globals)?;
    let Some(path) = &arguments.output_file else {
        let mut out = BufWriter::new(io::stdout().lock());
        let lines = write_all(&session, &arguments, &mut out).await?;
        out.flush()?;
        talk(format_args!("{lines} lines exported"));
        return Ok(());
    };
    let context = || format!("cannot write {}", path.display());
    let mut temporary = path.clone().into_os_string();
    temporary.push(".part");
    let mut out = BufWriter::new(private(&temporary).with_context(context)?);
    let lines = write_all(&session, &arguments, &mut out).await?;
    out.into_inner().map_err(|error| error.into_error()).and_then(|file| file.sync_all()).with_context(context)?;
    std::fs::rename(&temporary, path).with_context(context)?;
    talk(format_args!("{lines} lines exported to {}", path.display()));
    Ok(())
}

/// A file for its owner only: it may hold keys.
fn private(path: &std::ffi::OsStr) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

async fn write_all(session: &Session, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<u64> {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} lines, {per_sec}") {
        bar.set_style(style);
    }
    let mut lines = 0;
    let mut request = proto::ListDevicesRequest {
        parent: session.parent(),
        page_size: 500,
        read: session.read,
        ..Default::default()
    };
    loop {
        let page = session.client.devices().list(request.clone()).await?;
        let read = at_least(session.read, page.header.map(|header| header.revision));
        let reader = Reader { session, arguments, read };
        let mut found = iter(page.devices).map(|device| reader.device(device)).buffered(DEVICES_AT_ONCE);
        while let Some(group) = found.try_next().await? {
            for line in group {
                serde_json::to_writer(&mut *out, &line).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
                lines += 1;
                bar.inc(1);
            }
        }
        if page.next_page_token.is_empty() {
            bar.finish_and_clear();
            return Ok(lines);
        }
        request.page_token = page.next_page_token;
    }
}

/// Details need not be fresher than the listing, so that any node can answer at once.
fn at_least(read: Option<ReadOptions>, revision: Option<u64>) -> Option<ReadOptions> {
    match revision {
        Some(min_revision) if read.is_none_or(|read| read.consistency() != Consistency::Local) => {
            Some(ReadOptions { consistency: Consistency::MinRevision.into(), min_revision })
        }
        _ => read,
    }
}

struct Reader<'a> {
    session: &'a Session,
    arguments: &'a Arguments,
    read: Option<ReadOptions>,
}

impl Reader<'_> {
    /// A device's line and those of its modules; none when it was deleted meanwhile.
    async fn device(&self, device: Device) -> Result<Vec<Line>, CallError> {
        let twin_name = format!("{}/twin", device.name);
        let Some(twin) = self.twin(twin_name).await? else { return Ok(Vec::new()) };
        let id = names::last(&device.name).to_owned();
        let request = proto::ListModulesRequest {
            parent: device.name.clone(),
            page_size: 1000,
            read: self.read,
            ..Default::default()
        };
        let modules: Vec<Module> = match self.session.client.modules().list_all(request).try_collect().await {
            Ok(modules) => modules,
            Err(error) if error.code() == Code::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let authentication = self.authentication(&device.name, device.authentication.as_ref()).await?;
        let registry = device::registry_to_json(&device);
        let empty = registry.as_object().is_none_or(serde_json::Map::is_empty);
        let mut lines = vec![Line {
            id: id.clone(),
            module_id: None,
            e_tag: self.etag(&device.etag),
            status: Some(device::status_name(device.status())),
            authentication,
            twin_etag: self.etag(&twin.etag),
            tags: tags(&twin),
            properties: properties(&twin),
            capabilities: Some(json!({"iotEdge": device.iot_edge})),
            status_reason: Some(device.status_reason),
            device_scope: device.device_scope,
            parent_scopes: device.parent_scopes,
            edge: device.edge,
            site: device.site,
            managed_by: String::new(),
            device_registry: if empty { Value::Null } else { registry },
        }];
        for module in modules {
            let Some(twin) = self.twin(format!("{}/twin", module.name)).await? else { continue };
            lines.push(Line {
                id: id.clone(),
                module_id: Some(names::last(&module.name).to_owned()),
                e_tag: self.etag(&module.etag),
                status: None,
                status_reason: None,
                authentication: self.authentication(&module.name, module.authentication.as_ref()).await?,
                twin_etag: self.etag(&twin.etag),
                tags: tags(&twin),
                properties: properties(&twin),
                capabilities: None,
                device_scope: String::new(),
                parent_scopes: Vec::new(),
                edge: String::new(),
                site: String::new(),
                managed_by: module.managed_by,
                device_registry: Value::Null,
            });
        }
        Ok(lines)
    }

    async fn twin(&self, name: String) -> Result<Option<proto::Twin>, CallError> {
        let request = proto::GetTwinRequest { name, omit_metadata: true, read: self.read, ..Default::default() };
        match self.session.client.twins().get(request).await {
            Ok(answer) => Ok(answer.twin),
            Err(error) if error.code() == Code::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The authentication, with keys when asked for and there are any.
    async fn authentication(&self, name: &str, known: Option<&Authentication>) -> Result<Value, CallError> {
        let mut shown = known.cloned().unwrap_or_default();
        shown.symmetric_key = None;
        let sas = matches!(shown.r#type(), AuthenticationType::Sas | AuthenticationType::Unspecified);
        if self.arguments.include_keys && sas {
            let request = proto::GetDeviceKeysRequest { name: name.to_owned(), read: self.read };
            shown.symmetric_key = self.session.client.devices().keys(request).await?.symmetric_key;
        }
        Ok(authentication::to_json(Some(&shown)))
    }

    fn etag(&self, etag: &str) -> String {
        if self.arguments.no_etags { String::new() } else { etag.to_owned() }
    }
}

fn tags(twin: &proto::Twin) -> Value {
    twin.tags.as_ref().map_or_else(|| json!({}), |section| document(&section.json))
}

fn properties(twin: &proto::Twin) -> Value {
    let section = |section: &Option<proto::SectionDocument>| {
        section.as_ref().map_or_else(|| json!({}), |section| document(&section.json))
    };
    json!({"desired": section(&twin.desired), "reported": section(&twin.reported)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_iot_hubs_members_in_its_order() {
        let line = Line {
            id: "pump7".to_owned(),
            module_id: None,
            e_tag: "7".to_owned(),
            status: Some("enabled"),
            status_reason: Some(String::new()),
            authentication: authentication::to_json(None),
            twin_etag: "8".to_owned(),
            tags: json!({"site": "ams"}),
            properties: properties(&proto::Twin::default()),
            capabilities: Some(json!({"iotEdge": false})),
            device_scope: String::new(),
            parent_scopes: Vec::new(),
            edge: String::new(),
            site: "hall-1".to_owned(),
            managed_by: String::new(),
            device_registry: json!({"uuid": "u"}),
        };
        assert_eq!(
            serde_json::to_string(&line).expect("is JSON"),
            "{\"id\":\"pump7\",\"eTag\":\"7\",\"status\":\"enabled\",\"statusReason\":\"\",\"authentication\":{\"symmetricKey\":\
             {\"primaryKey\":null,\"secondaryKey\":null},\"type\":\"sas\",\"x509Thumbprint\":{\"primaryThumbprint\":null,\
             \"secondaryThumbprint\":null}},\"twinETag\":\"8\",\"tags\":{\"site\":\"ams\"},\"properties\":{\"desired\":{},\
             \"reported\":{}},\"capabilities\":{\"iotEdge\":false},\"site\":\"hall-1\",\"deviceRegistry\":{\"uuid\":\"u\"}}"
        );
    }
}
