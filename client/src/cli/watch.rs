//! `muster watch`: changes as they happen, one line each.

use clap::{Args, ValueEnum};
use muster_client::proto;
use muster_client::proto::watch_response::Content;
use serde_json::{Map, Value, json};

use crate::args::{Format, Globals};
use crate::output::{self, talk};
use crate::session::Session;
use crate::{cursor, history, shapes};

/// Flags of `muster watch`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    muster watch                                     everything in the namespace, from now\n  \
    muster watch devices/pump7/twin --path desired.firmware --after\n  \
    muster watch --prefix devices/pump- --type twin --list --output json\n  \
    muster watch --all --cursor warehouse --ack      go on where the last run stopped")]
pub(crate) struct Arguments {
    /// Only this resource, such as devices/pump7, devices/pump7/twin or assets/boiler-1 [default: everything in the
    /// namespace]
    resource: Option<String>,
    /// Resources whose name begins so, such as devices/pump-
    #[arg(long, conflicts_with = "resource")]
    prefix: Option<String>,
    /// All namespaces and the cluster itself
    #[arg(long, conflicts_with_all = ["resource", "prefix"])]
    all: bool,
    /// First revision [default: after the newest]
    #[arg(long, value_name = "REVISION", default_value_t = 0, hide_default_value = true)]
    from: u64,
    /// First the resources as they are, then what changes
    #[arg(long, conflicts_with_all = ["from", "cursor"])]
    list: bool,
    /// Begin after what this cursor has acknowledged
    #[arg(long, value_name = "CURSOR", conflicts_with = "from")]
    cursor: Option<String>,
    /// Acknowledge at the cursor what was printed; --count then ends after the whole revision of its last event
    #[arg(long, requires = "cursor")]
    ack: bool,
    /// Only events of this kind, such as twin.patched or twin.*; repeat for several
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    /// Only this type of resource; repeat for several
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    types: Vec<Type>,
    /// Only changes of this section of twins; repeat for several
    #[arg(long = "section", value_enum, value_name = "SECTION")]
    sections: Vec<Section>,
    /// Only changes at, below or above this place of a twin, such as desired.firmware.version
    #[arg(long, default_value = "", hide_default_value = true)]
    path: String,
    /// Only changes by this actor, such as token:ci
    #[arg(long, default_value = "", hide_default_value = true)]
    actor: String,
    /// With the resource before each change (JSON output)
    #[arg(long)]
    before: bool,
    /// With the resource after each change (JSON output)
    #[arg(long)]
    after: bool,
    /// Say how far it has come while nothing happens
    #[arg(long)]
    progress: bool,
    /// End after so many events
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
    /// End when everything up to this revision was told
    #[arg(long, value_name = "REVISION")]
    until: Option<u64>,
}

/// Types of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Type {
    Namespace,
    Device,
    Module,
    Twin,
    Asset,
    SavedQuery,
    Edge,
    DiscoveredDevice,
    DiscoveredAsset,
    Site,
}

/// Sections of a twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    Tags,
    Desired,
    Reported,
}

/// Runs the command.
pub(crate) async fn run(globals: &Globals, arguments: Arguments) -> anyhow::Result<()> {
    let session = Session::open(globals)?;
    let spec = spec(&session, &arguments);
    let acknowledge = spec.cursor.clone();
    let request = proto::WatchRequest { watches: vec![spec], read: session.read, ..proto::WatchRequest::default() };
    // Other endpoints take over when this one goes away.
    if let Err(error) = session.client.cluster().learn_members().await {
        talk(format_args!("only the given endpoints are used: {error}"));
    }
    let mut watcher = session.client.watch(request);
    let mut printed = Printed { enough: arguments.count, whole: arguments.ack, ..Printed::default() };
    let mut acknowledged = 0;
    loop {
        let message = tokio::select! {
            message = watcher.next() => message?,
            interrupted = tokio::signal::ctrl_c() => return Ok(interrupted?),
        };
        let Some(content) = message.content else { continue };
        let told = match content {
            Content::Started(started) => {
                talk(format_args!("watching from revision {}", started.from_revision));
                continue;
            }
            Content::Listed(listed) => {
                list(&session, &listed)?;
                (!arguments.ack && listed.complete).then_some(listed.revision)
            }
            Content::Events(events) => printed.show(&session, &events)?,
            Content::Progress(progress) => {
                if arguments.progress {
                    talk(format_args!("everything up to revision {} was told", progress.revision));
                }
                Some(progress.revision)
            }
        };
        // Not for progress alone: an acknowledgement is a revision, and would be progress again.
        if let Some(revision) = told.filter(|_| arguments.ack && printed.count > acknowledged) {
            let name = acknowledge.clone();
            let request = proto::AcknowledgeCursorRequest { name, revision, request_id: String::new() };
            session.client.cursors().acknowledge(request).await?;
            acknowledged = printed.count;
        }
        // A cursor knows whole revisions only, so the end of the last one is awaited where it is to be acknowledged.
        let is_whole = told.is_some() || !printed.whole;
        if (printed.is_enough() && is_whole) || told.zip(arguments.until).is_some_and(|(told, until)| told >= until) {
            return Ok(());
        }
    }
}

/// What was printed so far.
#[derive(Debug, Default)]
struct Printed {
    count: u64,
    /// Of the last event.
    revision: u64,
    /// After so many nothing more is wanted.
    enough: Option<u64>,
    /// Never ends within a revision.
    whole: bool,
}

impl Printed {
    fn is_enough(&self) -> bool {
        self.enough.is_some_and(|enough| self.count >= enough)
    }

    /// Does the next event, of that revision, come too late?
    fn ends_before(&self, revision: u64) -> bool {
        self.is_enough() && !(self.whole && revision == self.revision)
    }

    /// Prints events until there are enough; returns up to which revision everything was told, when that is known.
    fn show(&mut self, session: &Session, events: &proto::WatchEvents) -> anyhow::Result<Option<u64>> {
        for told in &events.events {
            let revision = told.event.as_ref().map_or(self.revision, |event| event.revision);
            if self.ends_before(revision) {
                return Ok(self.whole.then_some(self.revision));
            }
            show(session, told)?;
            (self.count, self.revision) = (self.count + 1, revision);
        }
        Ok((!events.continues).then_some(events.revision))
    }
}

fn spec(session: &Session, arguments: &Arguments) -> proto::WatchSpec {
    let (resource, resource_is_prefix) = match (&arguments.resource, &arguments.prefix) {
        _ if arguments.all => (String::new(), false),
        (Some(resource), _) => (history::full_name(&session.namespace, resource), false),
        (None, Some(prefix)) => (history::full_name(&session.namespace, prefix), true),
        (None, None) => (session.parent(), false),
    };
    let cursor = arguments.cursor.as_ref().map(|id| cursor::full_name(session, id, arguments.all));
    proto::WatchSpec {
        id: 1,
        from_revision: arguments.from,
        list_first: arguments.list,
        cursor: cursor.unwrap_or_default(),
        resource,
        resource_is_prefix,
        kinds: arguments.kinds.clone(),
        types: arguments.types.iter().map(|wanted| type_number(*wanted)).collect(),
        actor: arguments.actor.clone(),
        sections: arguments.sections.iter().map(|wanted| section_number(*wanted)).collect(),
        path: arguments.path.clone(),
        before: arguments.before,
        after: arguments.after,
    }
}

fn type_number(wanted: Type) -> i32 {
    use proto::ResourceType as Known;
    let known = match wanted {
        Type::Namespace => Known::Namespace,
        Type::Device => Known::Device,
        Type::Module => Known::Module,
        Type::Twin => Known::Twin,
        Type::Asset => Known::Asset,
        Type::SavedQuery => Known::SavedQuery,
        Type::Edge => Known::Edge,
        Type::DiscoveredDevice => Known::DiscoveredDevice,
        Type::DiscoveredAsset => Known::DiscoveredAsset,
        Type::Site => Known::Site,
    };
    known.into()
}

fn section_number(wanted: Section) -> i32 {
    use proto::TwinSection as Known;
    let known = match wanted {
        Section::Tags => Known::Tags,
        Section::Desired => Known::Desired,
        Section::Reported => Known::Reported,
    };
    known.into()
}

/// One line an event: a stream has no last row to set columns by.
fn show(session: &Session, told: &proto::WatchEvent) -> anyhow::Result<()> {
    let Some(event) = &told.event else { return Ok(()) };
    if session.format == Format::Json {
        let mut object = match shapes::history::to_json(event) {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        for (name, image) in [("before", &told.before), ("after", &told.after)] {
            if let Some(image) = image {
                object.insert(name.to_owned(), shapes::any(image));
            }
        }
        return Ok(output::line(&Value::Object(object).to_string())?);
    }
    let time = event.time.as_ref().map(ToString::to_string).unwrap_or_default();
    let line = format!("{:<9} {time:<24} {:<24} {}  {}", event.revision, event.kind, event.resource, event.data_json);
    Ok(output::line(&output::printable(&line))?)
}

fn list(session: &Session, listed: &proto::WatchListed) -> anyhow::Result<()> {
    for resource in &listed.resources {
        let shown = shapes::any(resource);
        let line = match session.format {
            Format::Json => json!({ "listed": shown, "revision": listed.revision }).to_string(),
            Format::Table => output::printable(&format!("{:<9} {shown}", "listed")),
        };
        output::line(&line)?;
    }
    if listed.complete {
        talk(format_args!("listed as of revision {}; changes follow", listed.revision));
    }
    Ok(())
}
