//! `muster history …`.

use std::pin::pin;

use clap::Subcommand;
use futures::{StreamExt, TryStreamExt};
use muster_client::{names, proto};

use crate::args::{Globals, ListFlags};
use crate::output::{self, Listing, talk};
use crate::session::Session;
use crate::shapes;

/// Verbs of `muster history`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List events in revision order
    #[command(after_help = "Examples:\n  \
        muster history list devices/pump7/twin --kind 'twin.*'\n  \
        muster history list --all --from 1000 --actor token:ci --output json")]
    List {
        /// Only of this resource, such as devices/pump7, devices/pump7/twin or assets/boiler-1 [default: everything in
        /// the namespace]
        resource: Option<String>,
        /// Of all namespaces and the cluster itself
        #[arg(long, conflicts_with = "resource")]
        all: bool,
        /// First revision [default: the oldest kept]
        #[arg(long, value_name = "REVISION", default_value_t = 0, hide_default_value = true)]
        from: u64,
        /// Last revision [default: the newest]
        #[arg(long, value_name = "REVISION", default_value_t = 0, hide_default_value = true)]
        to: u64,
        /// Only events of this kind, such as twin.patched or twin.*; repeat for several
        #[arg(long = "kind", value_name = "KIND")]
        kinds: Vec<String>,
        /// Only changes by this actor, such as token:ci
        #[arg(long, default_value = "", hide_default_value = true)]
        actor: String,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Show a resource as it was at a revision
    #[command(after_help = "Example:\n  muster history get devices/pump7/twin --revision 1200")]
    Get {
        /// The resource, such as devices/pump7, devices/pump7/twin or assets/boiler-1
        resource: String,
        /// The revision
        #[arg(long, value_name = "REVISION")]
        revision: u64,
    },
}

/// Runs a verb.
pub(crate) async fn run(globals: &Globals, verb: Verb) -> anyhow::Result<()> {
    let session = Session::open(globals)?;
    match verb {
        Verb::List { resource, all, from, to, kinds, actor, list } => {
            let resource = match (resource, all) {
                (_, true) => String::new(),
                (Some(resource), false) => full_name(&session.namespace, &resource),
                (None, false) => session.parent(),
            };
            let request = proto::ListEventsRequest {
                resource,
                from_revision: from,
                to_revision: to,
                kinds,
                actor,
                page_size: list.page_size(),
                page_token: String::new(),
                read: session.read,
            };
            let mut found = pin!(session.client.history().list_all(request).take(list.bound()));
            let mut listing =
                Listing::new(session.format, &["REVISION", "TIME", "KIND", "RESOURCE", "ACTOR", "ORIGIN"]);
            while let Some(event) = found.try_next().await? {
                listing.push(
                    || shapes::history::to_json(&event),
                    || {
                        vec![
                            event.revision.to_string(),
                            event.time.as_ref().map(ToString::to_string).unwrap_or_default(),
                            event.kind.clone(),
                            event.resource.clone(),
                            event.actor.clone(),
                            event.origin.clone(),
                        ]
                    },
                )?;
            }
            Ok(listing.finish()?)
        }
        Verb::Get { resource, revision } => {
            let name = full_name(&session.namespace, &resource);
            let request = proto::GetAtRequest { name, revision, read: session.read };
            let answer = session.client.history().get_at(request).await?;
            talk(format_args!("as of revision {revision}; made so by revision {}", answer.changed_at));
            let found = answer.resource.as_ref().map(shapes::resource).unwrap_or_default();
            Ok(output::document(session.format, &found)?)
        }
    }
}

/// A name inside the namespace is completed; a full one is left alone.
pub(crate) fn full_name(namespace: &str, resource: &str) -> String {
    if resource.starts_with("namespaces/") {
        return resource.to_owned();
    }
    format!("{}/{resource}", names::namespace(namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed() {
        assert_eq!(full_name("p", "devices/d/twin"), "namespaces/p/devices/d/twin");
        assert_eq!(full_name("p", "namespaces/q"), "namespaces/q");
    }
}
