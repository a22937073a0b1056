//! `muster cursor …`.

use std::pin::pin;

use clap::Subcommand;
use futures::{StreamExt, TryStreamExt};
use muster_client::proto;
use serde_json::{Map, Value};

use crate::args::{Globals, ListFlags};
use crate::output::{self, Listing, talk};
use crate::session::Session;
use crate::shapes::{put, time};

/// Verbs of `muster cursor`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a cursor in the namespace
    #[command(after_help = "Example:\n  muster cursor create warehouse --from-now --description 'feeds the warehouse'")]
    Create {
        /// Its id: a-z, 0-9 and -
        id: String,
        /// What it is for; at most 128 characters
        #[arg(long, default_value = "", hide_default_value = true)]
        description: String,
        /// Begin after this revision [default: with the oldest event kept]
        #[arg(long, value_name = "REVISION", default_value_t = 0, hide_default_value = true)]
        acknowledged: u64,
        /// Begin after the newest revision
        #[arg(long, conflicts_with = "acknowledged")]
        from_now: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show where a cursor stands
    Get {
        /// Its id
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// List cursors
    List {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Say that everything up to a revision is dealt with
    #[command(after_help = "Example:\n  muster cursor ack warehouse 1200")]
    Ack {
        /// Its id
        id: String,
        /// The revision
        revision: u64,
        #[command(flatten)]
        place: Place,
    },
    /// Delete a cursor
    Delete {
        /// Its id
        id: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Whose cursor.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Place {
    /// The cluster's own cursors, not those of the namespace
    #[arg(long)]
    pub(crate) cluster: bool,
}

impl Place {
    fn parent(self, session: &Session) -> String {
        if self.cluster { String::new() } else { session.parent() }
    }

    fn name(self, session: &Session, id: &str) -> String {
        full_name(session, id, self.cluster)
    }
}

/// A cursor's full name; one that is full already is left alone.
pub(crate) fn full_name(session: &Session, id: &str, cluster: bool) -> String {
    match (id.contains('/'), cluster) {
        (true, _) => id.to_owned(),
        (false, true) => format!("cursors/{id}"),
        (false, false) => format!("{}/cursors/{id}", session.parent()),
    }
}

/// Runs a verb.
pub(crate) async fn run(globals: &Globals, verb: Verb) -> anyhow::Result<()> {
    let session = Session::open(globals)?;
    let cursors = session.client.cursors();
    match verb {
        Verb::Create { id, description, acknowledged, from_now, place } => {
            let request = proto::CreateCursorRequest {
                parent: place.parent(&session),
                cursor_id: id,
                description,
                acknowledged_revision: acknowledged,
                from_now,
                request_id: String::new(),
            };
            show(&session, cursors.create(request).await?.cursor)
        }
        Verb::Get { id, place } => {
            let name = place.name(&session, &id);
            show(&session, cursors.get(proto::GetCursorRequest { name, read: session.read }).await?.cursor)
        }
        Verb::List { place, list } => {
            let request = proto::ListCursorsRequest {
                parent: place.parent(&session),
                page_size: list.page_size(),
                page_token: String::new(),
                read: session.read,
            };
            let mut found = pin!(cursors.list_all(request).take(list.bound()));
            let mut listing = Listing::new(session.format, &["CURSOR", "ACKNOWLEDGED", "MOVED", "DESCRIPTION"]);
            while let Some(cursor) = found.try_next().await? {
                let moved = cursor.update_time.as_ref().map(ToString::to_string).unwrap_or_default();
                let cells = || {
                    let revision = cursor.acknowledged_revision.to_string();
                    vec![
                        muster_client::names::last(&cursor.name).to_owned(),
                        revision,
                        moved,
                        cursor.description.clone(),
                    ]
                };
                listing.push(|| Value::Object(members(&cursor)), cells)?;
            }
            Ok(listing.finish()?)
        }
        Verb::Ack { id, revision, place } => {
            let name = place.name(&session, &id);
            let request = proto::AcknowledgeCursorRequest { name, revision, request_id: String::new() };
            show(&session, cursors.acknowledge(request).await?.cursor)
        }
        Verb::Delete { id, place } => {
            let name = place.name(&session, &id);
            cursors.delete(proto::DeleteCursorRequest { name: name.clone(), ..Default::default() }).await?;
            talk(format_args!("{name} deleted"));
            Ok(())
        }
    }
}

fn show(session: &Session, cursor: Option<proto::Cursor>) -> anyhow::Result<()> {
    Ok(output::one(session.format, &Value::Object(cursor.as_ref().map(members).unwrap_or_default()))?)
}

fn members(cursor: &proto::Cursor) -> Map<String, Value> {
    let mut object = Map::new();
    put(&mut object, "name", cursor.name.as_str());
    // Zero says something: nothing is acknowledged yet.
    object.insert("acknowledgedRevision".to_owned(), cursor.acknowledged_revision.into());
    put(&mut object, "description", cursor.description.as_str());
    put(&mut object, "createTime", time(cursor.create_time.as_ref()));
    put(&mut object, "updateTime", time(cursor.update_time.as_ref()));
    put(&mut object, "etag", cursor.etag.as_str());
    object
}
