//! `muster edge …`.

use std::pin::pin;

use clap::{Args, Subcommand};
use futures::{StreamExt, TryStreamExt};
use muster_client::{names, proto};
use prost_types::FieldMask;

use crate::args::{EtagFlag, Globals, ListFlags, WriteFlags};
use crate::exit::UsageError;
use crate::output::{self, Listing, talk};
use crate::session::Session;
use crate::shapes::edge::{connection, status_to_json, to_json};

/// Verbs of `muster edge`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create an edge
    #[command(after_help = "Example:\n  muster edge create press-hall -n plant1 --display-name 'Press hall'\n  \
        muster token create --role edge -n plant1 --edge press-hall > press-hall.token")]
    Create {
        /// Its id: a-z, 0-9 and -
        id: String,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        write: WriteFlags,
    },
    /// Show an edge
    Get {
        /// Its id
        id: String,
    },
    /// List edges
    List {
        /// Only ids that begin so
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Change the fields given
    #[command(after_help = "Example:\n  muster edge update press-hall --enabled false")]
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
    /// Show how far an edge is, or all edges
    #[command(
        after_help = "What is known of a link is known to the node that serves it, so that one is asked as well; when it does\n\
        not answer, the connection is `unknown`."
    )]
    Status {
        /// Its id [default: all, in a table]
        id: Option<String>,
        /// Only ids that begin so
        #[arg(long, conflicts_with = "id", default_value = "", hide_default_value = true)]
        prefix: String,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Prove that cluster and edge hold the same contents as of one revision, and repair the edge where they do not
    #[command(
        after_help = "Reads everything on both sides. The exit code is 0 when both held the same, and 1 when something differed, also\n\
        when the edge was repaired. The edge must be connected."
    )]
    Verify {
        /// Its id
        id: String,
    },
    /// Delete an edge; what names it goes on naming it, and has no edge
    Delete {
        /// Its id
        id: String,
        #[command(flatten)]
        etag: EtagFlag,
        #[command(flatten)]
        write: WriteFlags,
    },
}

/// What can be said about an edge.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Fields {
    /// Whether its agent may connect
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
    /// Name for people; at most 256 characters
    #[arg(long)]
    display_name: Option<String>,
    /// What it is for; at most 1,024 characters
    #[arg(long)]
    description: Option<String>,
    /// Attributes as a JSON object; replaces all
    #[arg(long, value_name = "JSON")]
    attributes: Option<String>,
}

impl Fields {
    fn apply(self, name: String) -> (proto::Edge, FieldMask) {
        let given = [
            ("enabled", self.enabled.is_some()),
            ("display_name", self.display_name.is_some()),
            ("description", self.description.is_some()),
            ("attributes_json", self.attributes.is_some()),
        ];
        let paths = given.into_iter().filter(|(_, given)| *given).map(|(path, _)| path.to_owned()).collect();
        let edge = proto::Edge {
            name,
            enabled: self.enabled,
            display_name: self.display_name.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            attributes_json: self.attributes.unwrap_or_default(),
            ..Default::default()
        };
        (edge, FieldMask { paths })
    }
}

/// Runs a verb.
pub(crate) async fn run(globals: &Globals, verb: Verb) -> anyhow::Result<()> {
    let session = Session::open(globals)?;
    let edges = session.client.edges();
    let name = |id: &str| names::edge(&session.namespace, id);
    let shown = match verb {
        Verb::Create { id, fields, write } => {
            let (edge, _) = fields.apply(String::new());
            let request = proto::CreateEdgeRequest {
                parent: session.parent(),
                edge_id: id,
                edge: Some(edge),
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            edges.create(request).await?.edge
        }
        Verb::Get { id } => edges.get(proto::GetEdgeRequest { name: name(&id), read: session.read }).await?.edge,
        Verb::List { prefix, list } => return print_list(&session, prefix, &list).await,
        Verb::Update { id, fields, etag, write } => {
            let (edge, mask) = fields.apply(name(&id));
            if mask.paths.is_empty() {
                return Err(UsageError("nothing to change: give at least one field".to_owned()).into());
            }
            let request = proto::UpdateEdgeRequest {
                edge: Some(edge),
                update_mask: Some(mask),
                etag: etag.etag,
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            edges.update(request).await?.edge
        }
        Verb::Status { id: Some(id), .. } => {
            let request = proto::GetEdgeStatusRequest { name: name(&id), read: session.read };
            let status = edges.status_where_served(request).await?.unwrap_or_default();
            return Ok(output::document(session.format, &status_to_json(&status))?);
        }
        Verb::Status { id: None, prefix, list } => return print_statuses(&session, prefix, &list).await,
        Verb::Verify { id } => return crate::edge_verification::run(&session, name(&id)).await,
        Verb::Delete { id, etag, write } => {
            let request = proto::DeleteEdgeRequest {
                name: name(&id),
                etag: etag.etag,
                request_id: write.request_id,
                validate_only: write.validate_only,
            };
            edges.delete(request).await?;
            let verdict = if write.validate_only { "can be deleted" } else { "deleted" };
            talk(format_args!("edge {id} {verdict}"));
            return Ok(());
        }
    };
    if let Some(edge) = shown {
        output::one(session.format, &to_json(&edge))?;
    }
    Ok(())
}

async fn print_list(session: &Session, prefix: String, list: &ListFlags) -> anyhow::Result<()> {
    let request = proto::ListEdgesRequest {
        parent: session.parent(),
        page_size: list.page_size(),
        prefix,
        read: session.read,
        ..Default::default()
    };
    let mut found = pin!(session.client.edges().list_all(request).take(list.bound()));
    let mut listing = Listing::new(session.format, &["EDGE", "ENABLED", "DISPLAY NAME", "DESCRIPTION", "ETAG"]);
    while let Some(edge) = found.try_next().await? {
        listing.push(
            || to_json(&edge),
            || {
                vec![
                    names::last(&edge.name).to_owned(),
                    edge.enabled.unwrap_or(true).to_string(),
                    edge.display_name.clone(),
                    edge.description.clone(),
                    edge.etag.clone(),
                ]
            },
        )?;
    }
    Ok(listing.finish()?)
}

async fn print_statuses(session: &Session, prefix: String, list: &ListFlags) -> anyhow::Result<()> {
    let request = proto::ListEdgeStatusesRequest {
        parent: session.parent(),
        page_size: list.page_size(),
        prefix,
        read: session.read,
        ..Default::default()
    };
    let found = session.client.edges().statuses_where_served(request).await?;
    let header = &["EDGE", "CONNECTION", "NODE", "EPOCH", "OPENED", "LAG", "ITEMS", "AGREES", "QUEUED", "REFUSED"];
    let mut listing = Listing::new(session.format, header);
    for status in found.into_iter().take(list.bound()) {
        listing.push(|| status_to_json(&status), || cells(&status))?;
    }
    Ok(listing.finish()?)
}

/// A row; what is not known is left empty.
fn cells(status: &proto::EdgeStatus) -> Vec<String> {
    let of_session = |tell: fn(&proto::EdgeSession) -> String| status.session.as_ref().map(tell).unwrap_or_default();
    let of_presence = |tell: fn(&proto::EdgePresence) -> String| status.presence.as_ref().map(tell).unwrap_or_default();
    vec![
        names::last(&status.name).to_owned(),
        connection(status).to_owned(),
        of_session(|session| session.node_id.to_string()),
        of_session(|session| session.epoch.to_string()),
        of_session(|session| session.open_time.as_ref().map(ToString::to_string).unwrap_or_default()),
        of_presence(|presence| presence.lag_revisions.to_string()),
        of_presence(|presence| presence.items.to_string()),
        of_presence(|presence| presence.agrees.to_string()),
        of_presence(|presence| presence.queued_operations.to_string()),
        of_session(|session| session.refusals.len().to_string()),
    ]
}
