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
use crate::shapes::asset::{DEFINITION_MASK, status_from_fields, status_to_json, to_json};
use crate::shapes::fields::Fields;

/// Verbs of `muster asset`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create an asset from a file
    #[command(after_help = FILE_HELP)]
    Create(Create),
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
        /// Only assets whose own edge is this one
        #[arg(long, value_name = "EDGE", default_value = "", hide_default_value = true)]
        edge: String,
        /// Only assets at this very site
        #[arg(long, value_name = "SITE", default_value = "", hide_default_value = true)]
        site: String,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Replace an asset's definition with a file's, or move it with --edge and --site
    #[command(after_help = UPDATE_HELP)]
    Update(Update),
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
const UPDATE_HELP: &str = "The file is as for create. What it does not say of edge and site stays.\n\n\
    Examples:\n  muster asset update --name boiler-1 -f boiler.yaml\n  muster asset update --name boiler-1 --edge press-hall";

/// Arguments of `create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The definition; `-` reads stdin
    #[arg(long, short = 'f', value_name = "FILE")]
    file: PathBuf,
    /// The asset's name [default: the one in the file]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    write: WriteFlags,
}

/// Arguments of `update`.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The definition; `-` reads stdin
    #[arg(long, short = 'f', value_name = "FILE")]
    file: Option<PathBuf>,
    /// The asset's name [default: the one in the file]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    etag: EtagFlag,
    #[command(flatten)]
    write: WriteFlags,
}

/// Where an asset is; over what a file says.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The edge that holds it; '' for that of its site, or of its device
    #[arg(long, value_name = "EDGE")]
    edge: Option<String>,
    /// The site it is at; '' for none
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
}

impl Place {
    /// Puts what was given into the definition, and the names of what is said there now into `paths`.
    fn apply(self, definition: &mut proto::AssetDefinition, paths: &mut Vec<String>) {
        for (given, said, path) in
            [(self.edge, &mut definition.edge, "definition.edge"), (self.site, &mut definition.site, "definition.site")]
        {
            if given.is_some() || !said.is_empty() {
                paths.push(path.to_owned());
            }
            if let Some(given) = given {
                *said = given;
            }
        }
    }
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
            let (name, mut asset) = definition(&define.file, define.name)?;
            define.place.apply(asset.definition.get_or_insert_default(), &mut Vec::new());
            let request = proto::CreateAssetRequest {
                parent: session.parent(),
                asset_id: name,
                asset: Some(asset),
                request_id: define.write.request_id,
                validate_only: define.write.validate_only,
            };
            assets.create(request).await?.asset
        }
        Verb::Update(define) => assets.update(update(&session, define)?).await?.asset,
        Verb::Get { name } => assets.get(get(&session, &name)).await?.asset,
        Verb::List { prefix, device, edge, site, list } => {
            let request = proto::ListAssetsRequest { prefix, device_id: device, edge, site, ..Default::default() };
            return print_list(&session, request, &list).await;
        }
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

fn update(session: &Session, define: Update) -> anyhow::Result<proto::UpdateAssetRequest> {
    let mut paths = Vec::new();
    let (name, mut asset) = match (&define.file, define.name) {
        (Some(file), name) => {
            paths.extend(DEFINITION_MASK.map(str::to_owned));
            definition(file, name)?
        }
        (None, Some(name)) => (name, proto::Asset::default()),
        (None, None) => return Err(UsageError("give a file, or --name and what to change".to_owned()).into()),
    };
    define.place.apply(asset.definition.get_or_insert_default(), &mut paths);
    if paths.is_empty() {
        return Err(UsageError("nothing to change: give a file, --edge or --site".to_owned()).into());
    }
    if asset.enabled.is_some() {
        paths.push("enabled".to_owned());
    }
    Ok(proto::UpdateAssetRequest {
        asset: Some(proto::Asset { name: names::asset(&session.namespace, &name), ..asset }),
        update_mask: Some(FieldMask { paths }),
        etag: define.etag.etag,
        request_id: define.write.request_id,
        validate_only: define.write.validate_only,
    })
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

async fn print_list(session: &Session, asked: proto::ListAssetsRequest, list: &ListFlags) -> anyhow::Result<()> {
    let (parent, page_size, read) = (session.parent(), list.page_size(), session.read);
    let request = proto::ListAssetsRequest { parent, page_size, read, ..asked };
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
