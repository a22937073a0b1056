//! `muster asset …`. Definitions come from files, in Device Registry's shape.

use std::path::{Path, PathBuf};
use std::pin::pin;

use clap::{Args, Subcommand};
use futures::{StreamExt, TryStreamExt};
use muster_client::{names, proto};
use prost_types::FieldMask;
use serde_json::json;

use crate::args::{EtagFlag, Globals, ListFlags, WriteFlags};
use crate::device::refuse_unread;
use crate::exit::UsageError;
use crate::import::manifests::{self, Resource};
use crate::output::{self, Listing, talk};
use crate::session::Session;
use crate::shapes::asset::{status_from_fields, status_to_json, to_json};
use crate::shapes::fields::Fields;

/// Verbs of `muster asset`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create an asset from a file
    #[command(after_help = FILE_HELP)]
    Create(Define),
    /// Show an asset
    Get {
        /// Its name
        name: String,
    },
    /// List assets
    List {
        /// Only names that begin so
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
        /// Only assets of this device
        #[arg(long, default_value = "", hide_default_value = true)]
        device: String,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Replace an asset's definition with a file's
    #[command(after_help = FILE_HELP)]
    Update(Define),
    /// Switch an asset on
    Enable(Change),
    /// Switch an asset off
    Disable(Change),
    /// Delete an asset
    Delete(Change),
    /// Show an asset's status, or report it (the edge's side) with --file
    Status {
        /// Its name
        name: String,
        /// Report what this file says, in Device Registry's shape: {config: {version}, datasets: [{name, error}], …}
        #[arg(long, short = 'f', value_name = "FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        write: WriteFlags,
    },
}

const FILE_HELP: &str = "The file is YAML or JSON: a Device Registry resource (apiVersion, kind: Asset, metadata, spec),\n\
    or its spec alone together with --name.\n\nExample:\n  muster asset create --name boiler-1 -f boiler.yaml";

/// Arguments of `create` and `update`.
#[derive(Debug, Args)]
pub(crate) struct Define {
    /// The definition; `-` reads stdin
    #[arg(long, short = 'f', value_name = "FILE")]
    file: PathBuf,
    /// The asset's name [default: the one in the file]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    etag: EtagFlag,
    #[command(flatten)]
    write: WriteFlags,
}

/// Arguments of verbs that need no more than a name.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// The asset's name
    name: String,
    #[command(flatten)]
    etag: EtagFlag,
    #[command(flatten)]
    write: WriteFlags,
}

/// Runs a verb.
pub(crate) async fn run(globals: &Globals, verb: Verb) -> anyhow::Result<()> {
    let session = Session::open(globals)?;
    let assets = session.client.assets();
    let shown = match verb {
        Verb::Create(define) => {
            if !define.etag.etag.is_empty() {
                return Err(UsageError("--etag makes no sense for something that does not exist yet".to_owned()).into());
            }
            let (name, asset) = definition(&define.file, define.name)?;
            let request = proto::CreateAssetRequest {
                parent: session.parent(),
                asset_id: name,
                asset: Some(asset),
                request_id: define.write.request_id,
                validate_only: define.write.validate_only,
            };
            assets.create(request).await?.asset
        }
        Verb::Update(define) => {
            let (name, asset) = definition(&define.file, define.name)?;
            let mut paths = vec!["definition".to_owned()];
            if asset.enabled.is_some() {
                paths.push("enabled".to_owned());
            }
            let request = proto::UpdateAssetRequest {
                asset: Some(proto::Asset { name: names::asset(&session.namespace, &name), ..asset }),
                update_mask: Some(FieldMask { paths }),
                etag: define.etag.etag,
                request_id: define.write.request_id,
                validate_only: define.write.validate_only,
            };
            assets.update(request).await?.asset
        }
        Verb::Get { name } => assets.get(get(&session, &name)).await?.asset,
        Verb::List { prefix, device, list } => return print_list(&session, prefix, device, &list).await,
        Verb::Enable(change) => assets.enable(change.set_enabled(&session)).await?.asset,
        Verb::Disable(change) => assets.disable(change.set_enabled(&session)).await?.asset,
        Verb::Delete(change) => {
            let request = proto::DeleteAssetRequest {
                name: names::asset(&session.namespace, &change.name),
                etag: change.etag.etag,
                request_id: change.write.request_id,
                validate_only: change.write.validate_only,
            };
            assets.delete(request).await?;
            let verdict = if change.write.validate_only { "can be deleted" } else { "deleted" };
            talk(format_args!("asset {} {verdict}", change.name));
            return Ok(());
        }
        Verb::Status { name, file, write } => {
            let asset = match file {
                None => assets.get(get(&session, &name)).await?.asset,
                Some(path) => {
                    let mut unread = Vec::new();
                    let mut fields = Fields::new("", manifests::read_one(&path)?)?;
                    let status = status_from_fields(&mut fields, &mut unread)?;
                    fields.ignore(&["updateTime"]);
                    fields.finish(&mut unread);
                    refuse_unread("the status", &unread)?;
                    let request = proto::UpdateAssetStatusRequest {
                        name: names::asset(&session.namespace, &name),
                        status: Some(status),
                        request_id: write.request_id,
                        validate_only: write.validate_only,
                    };
                    assets.update_status(request).await?.asset
                }
            };
            let json = asset.and_then(|asset| asset.status).map_or_else(|| json!({}), |status| status_to_json(&status));
            return Ok(output::document(session.format, &json)?);
        }
    };
    if let Some(asset) = shown {
        output::document(session.format, &to_json(&asset))?;
    }
    Ok(())
}

impl Change {
    fn set_enabled(self, session: &Session) -> proto::SetAssetEnabledRequest {
        proto::SetAssetEnabledRequest {
            name: names::asset(&session.namespace, &self.name),
            etag: self.etag.etag,
            request_id: self.write.request_id,
            validate_only: self.write.validate_only,
        }
    }
}

fn get(session: &Session, name: &str) -> proto::GetAssetRequest {
    proto::GetAssetRequest { name: names::asset(&session.namespace, name), read: session.read }
}

/// The one asset that a file defines, with its name.
fn definition(path: &Path, name: Option<String>) -> anyhow::Result<(String, proto::Asset)> {
    let value = manifests::read_one(path)?;
    let (found, asset) = if value.get("kind").is_some() {
        let read = manifests::resource(value)?;
        refuse_unread("the resource", &read.unread)?;
        match read.resource {
            Resource::Asset(asset) => (Some(read.name), *asset),
            Resource::Device(_) => {
                return Err(UsageError(format!("{} defines a device, not an asset", path.display())).into());
            }
        }
    } else {
        let mut unread = Vec::new();
        let asset = manifests::asset_from_spec(Fields::new("", value)?, &mut unread)?;
        refuse_unread("the definition", &unread)?;
        (None, asset)
    };
    match name.or(found) {
        Some(name) => Ok((name, asset)),
        None => Err(UsageError(format!("{} names no asset; give --name", path.display())).into()),
    }
}

async fn print_list(session: &Session, prefix: String, device_id: String, list: &ListFlags) -> anyhow::Result<()> {
    let request = proto::ListAssetsRequest {
        parent: session.parent(),
        page_size: list.page_size(),
        prefix,
        device_id,
        read: session.read,
        ..Default::default()
    };
    let mut found = pin!(session.client.assets().list_all(request).take(list.bound()));
    let mut listing =
        Listing::new(session.format, &["ASSET", "DEVICE", "ENDPOINT", "ENABLED", "DATASETS", "VERSION", "ETAG"]);
    while let Some(asset) = found.try_next().await? {
        listing.push(
            || to_json(&asset),
            || {
                let definition = asset.definition.clone().unwrap_or_default();
                let reference = definition.device_ref.unwrap_or_default();
                vec![
                    names::last(&asset.name).to_owned(),
                    reference.device_name,
                    reference.endpoint_name,
                    asset.enabled.unwrap_or(true).to_string(),
                    definition.datasets.len().to_string(),
                    asset.version.to_string(),
                    asset.etag.clone(),
                ]
            },
        )?;
    }
    Ok(listing.finish()?)
}
