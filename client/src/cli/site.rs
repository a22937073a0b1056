//! `muster site …`.

use std::pin::pin;

use clap::{Args, Subcommand};
use futures::{StreamExt, TryStreamExt};
use muster_client::{names, proto};
use prost_types::FieldMask;
use serde_json::Value;

use crate::args::{EtagFlag, Globals, ListFlags, WriteFlags};
use crate::exit::UsageError;
use crate::output::{self, Listing, talk};
use crate::session::Session;
use crate::shapes::put;
use crate::shapes::site::{to_json, tree};

/// Verbs of `muster site`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create a site
    #[command(after_help = "Example:\n  muster site create plant-1 -n acme --display-name 'Plant 1'\n  \
        muster site create press-hall -n acme --within plant-1 --edge press-edge")]
    Create {
        /// Its id: a-z, 0-9 and -
        id: String,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        write: WriteFlags,
    },
    /// Show a site
    Get {
        /// Its id
        id: String,
    },
    /// List sites
    List {
        /// Only ids that begin so
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
        /// Only sites that lie directly within this one
        #[arg(long, value_name = "SITE", default_value = "", hide_default_value = true)]
        within: String,
        /// Only sites that name this edge
        #[arg(long, value_name = "EDGE", default_value = "", hide_default_value = true)]
        edge: String,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Show all sites of the namespace as a tree, each with the edge that serves it
    Tree,
    /// Change the fields given
    #[command(
        after_help = "Another --edge or --within moves what is at the site to another edge, in one revision.\n\n\
        Example:\n  muster site update press-hall --edge press-edge-2"
    )]
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
    /// Delete a site that no other lies within
    Delete {
        /// Its id
        id: String,
        #[command(flatten)]
        etag: EtagFlag,
        #[command(flatten)]
        write: WriteFlags,
    },
}

/// What can be said about a site.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Fields {
    /// Name for people; at most 256 characters
    #[arg(long)]
    display_name: Option<String>,
    /// What it is; at most 1,024 characters
    #[arg(long)]
    description: Option<String>,
    /// The site it lies within; '' for none
    #[arg(long, value_name = "SITE")]
    within: Option<String>,
    /// The edge that serves what is here; '' for that of the site above
    #[arg(long, value_name = "EDGE")]
    edge: Option<String>,
    /// Attributes as a JSON object; replaces all
    #[arg(long, value_name = "JSON")]
    attributes: Option<String>,
}

impl Fields {
    fn apply(self, name: String) -> (proto::Site, FieldMask) {
        let given = [
            ("display_name", self.display_name.is_some()),
            ("description", self.description.is_some()),
            ("parent", self.within.is_some()),
            ("edge", self.edge.is_some()),
            ("attributes_json", self.attributes.is_some()),
        ];
        let paths = given.into_iter().filter(|(_, given)| *given).map(|(path, _)| path.to_owned()).collect();
        let site = proto::Site {
            name,
            display_name: self.display_name.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            parent: self.within.unwrap_or_default(),
            edge: self.edge.unwrap_or_default(),
            attributes_json: self.attributes.unwrap_or_default(),
            ..Default::default()
        };
        (site, FieldMask { paths })
    }
}

/// Runs a verb.
pub(crate) async fn run(globals: &Globals, verb: Verb) -> anyhow::Result<()> {
    let session = Session::open(globals)?;
    let sites = session.client.sites();
    let name = |id: &str| names::site(&session.namespace, id);
    let shown = match verb {
        Verb::Create { id, fields, write } => {
            let (site, _) = fields.apply(String::new());
            let request = proto::CreateSiteRequest {
                parent: session.parent(),
                site_id: id,
                site: Some(site),
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            sites.create(request).await?.site
        }
        Verb::Get { id } => sites.get(proto::GetSiteRequest { name: name(&id), read: session.read }).await?.site,
        Verb::List { prefix, within, edge, list } => {
            let page_size = list.page_size();
            let request = proto::ListSitesRequest { prefix, within, edge, page_size, ..all(&session) };
            return print_list(&session, request, &list).await;
        }
        Verb::Tree => return print_tree(&session).await,
        Verb::Update { id, fields, etag, write } => {
            let (site, mask) = fields.apply(name(&id));
            if mask.paths.is_empty() {
                return Err(UsageError("nothing to change: give at least one field".to_owned()).into());
            }
            let request = proto::UpdateSiteRequest {
                site: Some(site),
                update_mask: Some(mask),
                etag: etag.etag,
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            sites.update(request).await?.site
        }
        Verb::Delete { id, etag, write } => {
            let request = proto::DeleteSiteRequest {
                name: name(&id),
                etag: etag.etag,
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            sites.delete(request).await?;
            let verdict = if write.validate_only { "can be deleted" } else { "deleted" };
            talk(format_args!("site {id} {verdict}"));
            return Ok(());
        }
    };
    if let Some(site) = shown {
        output::one(session.format, &to_json(&site))?;
    }
    Ok(())
}

fn all(session: &Session) -> proto::ListSitesRequest {
    proto::ListSitesRequest { parent: session.parent(), page_size: 1000, read: session.read, ..Default::default() }
}

async fn print_list(session: &Session, request: proto::ListSitesRequest, list: &ListFlags) -> anyhow::Result<()> {
    let mut found = pin!(session.client.sites().list_all(request).take(list.bound()));
    let mut listing = Listing::new(session.format, &["SITE", "WITHIN", "EDGE", "DISPLAY NAME", "ETAG"]);
    while let Some(site) = found.try_next().await? {
        listing.push(
            || to_json(&site),
            || {
                let id = names::last(&site.name).to_owned();
                vec![id, site.parent.clone(), site.edge.clone(), site.display_name.clone(), site.etag.clone()]
            },
        )?;
    }
    Ok(listing.finish()?)
}

/// The order of a tree needs all of them.
async fn print_tree(session: &Session) -> anyhow::Result<()> {
    let sites: Vec<proto::Site> = session.client.sites().list_all(all(session)).try_collect().await?;
    let mut listing = Listing::new(session.format, &["SITE", "SERVED BY", "DISPLAY NAME"]);
    for branch in tree(&sites) {
        listing.push(
            || {
                let mut json = to_json(branch.site);
                if let Value::Object(members) = &mut json {
                    put(members, "depth", branch.depth);
                    put(members, "servedBy", branch.served_by);
                }
                json
            },
            || {
                let id = format!("{}{}", "  ".repeat(branch.depth), names::last(&branch.site.name));
                let edge = match (branch.served_by, branch.site.edge.is_empty()) {
                    ("", _) => "-".to_owned(),
                    (edge, true) => format!("{edge} (from above)"),
                    (edge, false) => edge.to_owned(),
                };
                vec![id, edge, branch.site.display_name.clone()]
            },
        )?;
    }
    Ok(listing.finish()?)
}
