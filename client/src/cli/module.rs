//! `muster module …`.

use std::pin::pin;

use clap::Subcommand;
use futures::{StreamExt, TryStreamExt};
use muster_client::{names, proto};
use prost_types::FieldMask;

use crate::args::{EtagFlag, Globals, ListFlags, WriteFlags};
use crate::device::AuthenticationFlags;
use crate::exit::UsageError;
use crate::output::{self, Listing, talk};
use crate::session::Session;
use crate::shapes::authentication;
use crate::shapes::module::to_json;

/// Verbs of `muster module`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create a module with an empty twin; prints keys the server made, this once
    Create {
        /// The device
        device: String,
        /// The module's id
        id: String,
        /// Who manages it, such as IotEdge
        #[arg(long, default_value = "", hide_default_value = true)]
        managed_by: String,
        #[command(flatten)]
        authentication: AuthenticationFlags,
        #[command(flatten)]
        write: WriteFlags,
    },
    /// Show a module, without keys
    Get {
        /// The device
        device: String,
        /// The module's id
        id: String,
    },
    /// List the modules of a device
    List {
        /// The device
        device: String,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Change the fields given
    Update {
        /// The device
        device: String,
        /// The module's id
        id: String,
        /// Who manages it
        #[arg(long)]
        managed_by: Option<String>,
        #[command(flatten)]
        authentication: AuthenticationFlags,
        #[command(flatten)]
        etag: EtagFlag,
        #[command(flatten)]
        write: WriteFlags,
    },
    /// Delete a module with its twin
    Delete {
        /// The device
        device: String,
        /// The module's id
        id: String,
        #[command(flatten)]
        etag: EtagFlag,
        #[command(flatten)]
        write: WriteFlags,
    },
}

/// Runs a verb.
pub(crate) async fn run(globals: &Globals, verb: Verb) -> anyhow::Result<()> {
    let session = Session::open(globals)?;
    let modules = session.client.modules();
    let shown = match verb {
        Verb::Create { device, id, managed_by, authentication, write } => {
            let request = proto::CreateModuleRequest {
                parent: session.device(&device),
                module_id: id,
                module: Some(proto::Module {
                    managed_by,
                    authentication: authentication.read()?,
                    ..Default::default()
                }),
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            modules.create(request).await?.module
        }
        Verb::Get { device, id } => {
            let name = names::module(&session.namespace, &device, &id);
            modules.get(proto::GetModuleRequest { name, read: session.read }).await?.module
        }
        Verb::List { device, list } => return print_list(&session, &device, &list).await,
        Verb::Update { device, id, managed_by, authentication, etag, write } => {
            let authentication = authentication.read()?;
            let given = [("managed_by", managed_by.is_some()), ("authentication", authentication.is_some())];
            let paths: Vec<String> =
                given.into_iter().filter(|(_, given)| *given).map(|(path, _)| path.to_owned()).collect();
            if paths.is_empty() {
                return Err(UsageError("nothing to change: give --managed-by, --auth or --auth-file".to_owned()).into());
            }
            let name = names::module(&session.namespace, &device, &id);
            let managed_by = managed_by.unwrap_or_default();
            let request = proto::UpdateModuleRequest {
                module: Some(proto::Module { name, managed_by, authentication, ..Default::default() }),
                update_mask: Some(FieldMask { paths }),
                etag: etag.etag,
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            modules.update(request).await?.module
        }
        Verb::Delete { device, id, etag, write } => {
            let request = proto::DeleteModuleRequest {
                name: names::module(&session.namespace, &device, &id),
                etag: etag.etag,
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            modules.delete(request).await?;
            let verdict = if write.validate_only { "can be deleted" } else { "deleted" };
            talk(format_args!("module {id} of device {device} {verdict}"));
            return Ok(());
        }
    };
    if let Some(module) = shown {
        output::one(session.format, &to_json(&module))?;
    }
    Ok(())
}

async fn print_list(session: &Session, device: &str, list: &ListFlags) -> anyhow::Result<()> {
    let request = proto::ListModulesRequest {
        parent: session.device(device),
        page_size: list.page_size(),
        read: session.read,
        ..Default::default()
    };
    let mut found = pin!(session.client.modules().list_all(request).take(list.bound()));
    let mut listing = Listing::new(session.format, &["DEVICE", "MODULE", "MANAGED BY", "AUTH", "ETAG", "UPDATED"]);
    while let Some(module) = found.try_next().await? {
        listing.push(
            || to_json(&module),
            || {
                let kind = module.authentication.as_ref().map_or_else(Default::default, proto::Authentication::r#type);
                vec![
                    device.to_owned(),
                    names::last(&module.name).to_owned(),
                    module.managed_by.clone(),
                    authentication::type_name(kind).to_owned(),
                    module.etag.clone(),
                    module.update_time.as_ref().map(ToString::to_string).unwrap_or_default(),
                ]
            },
        )?;
    }
    Ok(listing.finish()?)
}
