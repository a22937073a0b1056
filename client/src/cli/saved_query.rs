//! `muster query save` and `muster query saved …`; and what a query command asks: a text, or a saved query.

use std::pin::pin;

use clap::{Args, Subcommand};
use futures::{StreamExt, TryStreamExt};
use muster_client::{names, proto};

use crate::args::ListFlags;
use crate::exit::UsageError;
use crate::output::{self, Listing, talk};
use crate::session::Session;
use crate::shapes::saved_query::to_json;

/// What is asked.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// The query; `-` reads it from stdin
    text: Option<String>,
    /// Ask what this saved query says
    #[arg(long, value_name = "NAME", conflicts_with = "text")]
    saved: Option<String>,
}

/// The same, as requests have it: exactly one is not empty.
#[derive(Debug, Clone)]
pub(crate) struct Wording {
    pub(crate) text: String,
    pub(crate) saved_query: String,
}

impl Asked {
    pub(crate) fn wording(&self, session: &Session) -> anyhow::Result<Wording> {
        match (&self.text, &self.saved) {
            (_, Some(id)) => {
                Ok(Wording { text: String::new(), saved_query: names::saved_query(&session.namespace, id) })
            }
            (Some(text), None) => Ok(Wording::own(read(text)?)),
            (None, None) => Err(UsageError("a query is needed, or --saved".to_owned()).into()),
        }
    }
}

impl Wording {
    /// A text that is not saved.
    pub(crate) fn own(text: String) -> Self {
        Self { text, saved_query: String::new() }
    }
}

fn read(text: &str) -> anyhow::Result<String> {
    if text == "-" { crate::twin::read_text(std::path::Path::new("-")) } else { Ok(text.to_owned()) }
}

/// Flags of `muster query save`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    muster query save low-battery \"SELECT deviceId FROM devices WHERE properties.reported.battery < 20\"\n  \
    muster query --saved low-battery --watch")]
pub(crate) struct Save {
    /// Its name: a-z, 0-9 and -
    name: String,
    /// The query; `-` reads it from stdin
    text: String,
    /// What it is for; at most 1,024 characters
    #[arg(long)]
    description: Option<String>,
    /// Change the one that is there; without --description that stays as it is
    #[arg(long)]
    replace: bool,
    /// With --replace: only if it has this etag
    #[arg(long, requires = "replace", default_value = "", hide_default_value = true)]
    etag: String,
}

/// Verbs of `muster query saved`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List saved queries
    List {
        #[command(flatten)]
        list: ListFlags,
    },
    /// Show what a saved query asks
    Get {
        /// Its name
        name: String,
    },
    /// Delete a saved query
    Delete {
        /// Its name
        name: String,
        /// Only if it has this etag
        #[arg(long, default_value = "", hide_default_value = true)]
        etag: String,
    },
}

/// Saves a query.
pub(crate) async fn save(session: &Session, save: Save) -> anyhow::Result<()> {
    let queries = session.client.saved_queries();
    let name = names::saved_query(&session.namespace, &save.name);
    let keeps_description = save.description.is_none();
    let (text, description) = (read(&save.text)?, save.description.unwrap_or_default());
    let query = Some(proto::SavedQuery { name, text, description, ..Default::default() });
    let saved = if save.replace {
        let mut request = proto::UpdateSavedQueryRequest { query, etag: save.etag, ..Default::default() };
        if keeps_description {
            request.update_mask = Some(prost_types::FieldMask { paths: vec!["text".to_owned()] });
        }
        queries.update(request).await?
    } else {
        let (parent, query_id) = (session.parent(), save.name);
        queries.create(proto::CreateSavedQueryRequest { parent, query_id, query, ..Default::default() }).await?
    };
    show(session, saved.query.as_ref())
}

/// Runs a verb of `muster query saved`.
pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let queries = session.client.saved_queries();
    match verb {
        Verb::List { list } => {
            let request = proto::ListSavedQueriesRequest {
                parent: session.parent(),
                page_size: list.page_size(),
                read: session.read,
                ..Default::default()
            };
            let mut found = pin!(queries.list_all(request).take(list.limit.unwrap_or(usize::MAX)));
            let mut listing = Listing::new(session.format, &["QUERY", "DESCRIPTION", "TEXT"]);
            while let Some(query) = found.try_next().await? {
                let cells = || vec![names::last(&query.name).to_owned(), query.description.clone(), query.text.clone()];
                listing.push(|| to_json(&query), cells)?;
            }
            Ok(listing.finish()?)
        }
        Verb::Get { name } => {
            let request =
                proto::GetSavedQueryRequest { name: names::saved_query(&session.namespace, &name), read: session.read };
            show(session, queries.get(request).await?.query.as_ref())
        }
        Verb::Delete { name, etag } => {
            let name = names::saved_query(&session.namespace, &name);
            let request = proto::DeleteSavedQueryRequest { name: name.clone(), etag, ..Default::default() };
            queries.delete(request).await?;
            talk(format_args!("{name} deleted"));
            Ok(())
        }
    }
}

fn show(session: &Session, query: Option<&proto::SavedQuery>) -> anyhow::Result<()> {
    Ok(output::one(session.format, &query.map(to_json).unwrap_or_default())?)
}
