//! `muster namespace …`.

use std::pin::pin;

use clap::{Args, Subcommand};
use futures::{StreamExt, TryStreamExt};
use muster_client::{names, proto};
use prost_types::FieldMask;

use crate::args::{EtagFlag, Globals, ListFlags, WriteFlags, pair};
use crate::exit::UsageError;
use crate::output::{self, Listing, talk};
use crate::session::Session;
use crate::shapes::namespace::to_json;

/// Verbs of `muster namespace`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create a namespace
    #[command(after_help = "Example:\n  muster namespace create plant1 --display-name 'Plant 1' --label region=eu")]
    Create {
        /// Its id: 3 to 64 lower-case letters, digits and hyphens
        id: String,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        write: WriteFlags,
    },
    /// Show a namespace
    Get {
        /// Its id
        id: String,
    },
    /// List namespaces
    List {
        /// Only ids that begin so
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Change the fields given
    Update {
        /// Its id
        id: String,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        etag: EtagFlag,
        #[command(flatten)]
        write: WriteFlags,
    },
    /// Delete a namespace
    Delete {
        /// Its id
        id: String,
        /// With everything in it
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        etag: EtagFlag,
        #[command(flatten)]
        write: WriteFlags,
    },
}

/// What can be said about a namespace.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Fields {
    /// Name for people
    #[arg(long)]
    display_name: Option<String>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// KEY=VALUE; repeat for several. An update replaces all labels
    #[arg(long = "label", value_parser = pair, value_name = "KEY=VALUE")]
    labels: Vec<(String, String)>,
}

impl Fields {
    fn apply(self, name: String) -> (proto::Namespace, FieldMask) {
        let given = [
            ("display_name", self.display_name.is_some()),
            ("description", self.description.is_some()),
            ("labels", !self.labels.is_empty()),
        ];
        let paths = given.into_iter().filter(|(_, given)| *given).map(|(path, _)| path.to_owned()).collect();
        let namespace = proto::Namespace {
            name,
            display_name: self.display_name.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            labels: self.labels.into_iter().collect(),
            ..Default::default()
        };
        (namespace, FieldMask { paths })
    }
}

/// Runs a verb.
pub(crate) async fn run(globals: &Globals, verb: Verb) -> anyhow::Result<()> {
    let session = Session::open(globals)?;
    let namespaces = session.client.namespaces();
    let shown = match verb {
        Verb::Create { id, fields, write } => {
            let (namespace, _) = fields.apply(String::new());
            let request = proto::CreateNamespaceRequest {
                namespace_id: id,
                namespace: Some(namespace),
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            namespaces.create(request).await?.namespace
        }
        Verb::Get { id } => {
            let request = proto::GetNamespaceRequest { name: names::namespace(&id), read: session.read };
            namespaces.get(request).await?.namespace
        }
        Verb::List { prefix, list } => {
            let request = proto::ListNamespacesRequest {
                page_size: list.page_size(),
                prefix,
                read: session.read,
                ..Default::default()
            };
            let mut found = pin!(namespaces.list_all(request).take(list.bound()));
            let mut listing = Listing::new(session.format, &["NAMESPACE", "DISPLAY NAME", "ETAG", "CREATED"]);
            while let Some(namespace) = found.try_next().await? {
                listing.push(
                    || to_json(&namespace),
                    || {
                        let created = namespace.create_time.as_ref().map(ToString::to_string).unwrap_or_default();
                        let name = names::last(&namespace.name).to_owned();
                        vec![name, namespace.display_name.clone(), namespace.etag.clone(), created]
                    },
                )?;
            }
            return Ok(listing.finish()?);
        }
        Verb::Update { id, fields, etag, write } => {
            let (namespace, mask) = fields.apply(names::namespace(&id));
            if mask.paths.is_empty() {
                return Err(
                    UsageError("nothing to change: give --display-name, --description or --label".to_owned()).into()
                );
            }
            let request = proto::UpdateNamespaceRequest {
                namespace: Some(namespace),
                update_mask: Some(mask),
                etag: etag.etag,
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            namespaces.update(request).await?.namespace
        }
        Verb::Delete { id, force, etag, write } => {
            let request = proto::DeleteNamespaceRequest {
                name: names::namespace(&id),
                etag: etag.etag,
                force,
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            let answer = namespaces.delete(request).await?;
            let verdict = if write.validate_only { "can be deleted" } else { "deleted" };
            talk(format_args!("namespace {id} {verdict}, with {} resources", answer.resources_deleted));
            return Ok(());
        }
    };
    if let Some(namespace) = shown {
        output::one(session.format, &to_json(&namespace))?;
    }
    Ok(())
}
