//! `muster discovered …`: what edges found, and what becomes of it.

use std::pin::pin;

use clap::{Args, Subcommand, ValueEnum};
use futures::{StreamExt, TryStreamExt};
use muster_client::{Discovery, names, proto};
use proto::DiscoveryState;

use crate::args::{EtagFlag, Globals, ListFlags, WriteFlags};
use crate::exit::UsageError;
use crate::output::{self, Listing, talk};
use crate::session::Session;
use crate::shapes::discovered::{asset_to_json, device_to_json, state};
use crate::shapes::{asset, device};

const COLUMNS: [&str; 8] = ["KIND", "EDGE", "ID", "STATE", "MANUFACTURER", "MODEL", "VERSION", "ACCEPTED AS"];

/// What was discovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A device
    Device,
    /// An asset
    Asset,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    /// Nothing yet
    New,
    /// A device or asset was made from it
    Accepted,
    /// It is not wanted
    Dismissed,
}

/// Which discovered thing.
#[derive(Debug, Clone, Args)]
pub(crate) struct Which {
    /// The edge that found it and its id, EDGE/ID; or its full name
    #[arg(value_name = "EDGE/ID")]
    thing: String,
    /// What it is, unless its full name says so
    #[arg(long, value_enum, default_value = "device")]
    kind: Kind,
}

/// Verbs of `muster discovered`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List what edges discovered: devices, then assets
    #[command(after_help = "Example:\n  muster discovered list --edge press-hall --state new")]
    List {
        /// Only what this edge found
        #[arg(long)]
        edge: Option<String>,
        /// Only those in this state
        #[arg(long, value_enum)]
        state: Option<State>,
        /// Only devices, or only assets
        #[arg(long, value_enum)]
        kind: Option<Kind>,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Show a discovered device or asset
    Get {
        #[command(flatten)]
        which: Which,
    },
    /// Create the device or asset that was discovered
    #[command(after_help = "A device is assigned to the edge that found it. Accept a device before its assets.\n\n\
        Examples:\n  muster discovered accept press-hall/plc-7\n  \
        muster discovered accept --kind asset press-hall/oven-3 --as oven-3-hall-4")]
    Accept {
        #[command(flatten)]
        which: Which,
        /// Its id in the registry [default: the one it was discovered with]
        #[arg(long = "as", value_name = "ID", default_value = "", hide_default_value = true)]
        id: String,
        #[command(flatten)]
        etag: EtagFlag,
        #[command(flatten)]
        write: WriteFlags,
    },
    /// Say that it is not wanted; it comes back only when the edge reports it with another discovery id
    Dismiss {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        etag: EtagFlag,
        #[command(flatten)]
        write: WriteFlags,
    },
    /// Forget it; the next report makes it anew
    Delete {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        etag: EtagFlag,
        #[command(flatten)]
        write: WriteFlags,
    },
}

impl Which {
    /// Kind and full name.
    fn name(&self, namespace: &str) -> Result<(Kind, String), UsageError> {
        if self.thing.starts_with("namespaces/") {
            let is_of = |part: &str| names::part(&self.thing, part).is_some();
            return match (is_of("discoveredDevices"), is_of("discoveredAssets")) {
                (true, false) => Ok((Kind::Device, self.thing.clone())),
                (false, true) => Ok((Kind::Asset, self.thing.clone())),
                _ => Err(UsageError(format!("{} is no discovered device and no discovered asset", self.thing))),
            };
        }
        let Some((edge, id)) = self.thing.split_once('/') else {
            return Err(UsageError(format!("write the edge that found it and its id, EDGE/ID, not {}", self.thing)));
        };
        Ok((
            self.kind,
            match self.kind {
                Kind::Device => names::discovered_device(namespace, edge, id),
                Kind::Asset => names::discovered_asset(namespace, edge, id),
            },
        ))
    }
}

/// Runs a verb.
pub(crate) async fn run(globals: &Globals, verb: Verb) -> anyhow::Result<()> {
    let session = Session::open(globals)?;
    let discovery = session.client.discovery();
    match verb {
        Verb::List { edge, state, kind, list } => print_list(&session, edge.as_deref(), state, kind, &list).await,
        Verb::Get { which } => {
            let (kind, name) = which.name(&session.namespace)?;
            let request = proto::GetDiscoveredRequest { name, read: session.read };
            let shown = match kind {
                Kind::Device => discovery.get_device(request).await?.discovered_device.as_ref().map(device_to_json),
                Kind::Asset => discovery.get_asset(request).await?.discovered_asset.as_ref().map(asset_to_json),
            };
            Ok(output::document(session.format, &shown.unwrap_or_default())?)
        }
        Verb::Accept { which, id, etag, write } => accept(&session, &discovery, &which, id, etag.etag, write).await,
        Verb::Dismiss { which, etag, write } => {
            let (kind, name) = which.name(&session.namespace)?;
            let WriteFlags { request_id, validate_only } = write;
            let request =
                proto::DismissDiscoveredRequest { name: name.clone(), etag: etag.etag, request_id, validate_only };
            match kind {
                Kind::Device => drop(discovery.dismiss_device(request).await?),
                Kind::Asset => drop(discovery.dismiss_asset(request).await?),
            }
            talk(format_args!("{name} {}", if validate_only { "can be dismissed" } else { "dismissed" }));
            Ok(())
        }
        Verb::Delete { which, etag, write } => {
            let (kind, name) = which.name(&session.namespace)?;
            let WriteFlags { request_id, validate_only } = write;
            let request =
                proto::DeleteDiscoveredRequest { name: name.clone(), etag: etag.etag, request_id, validate_only };
            match kind {
                Kind::Device => drop(discovery.delete_device(request).await?),
                Kind::Asset => drop(discovery.delete_asset(request).await?),
            }
            talk(format_args!("{name} {}", if validate_only { "can be deleted" } else { "deleted" }));
            Ok(())
        }
    }
}

/// Prints what was made.
async fn accept(
    session: &Session,
    discovery: &Discovery,
    which: &Which,
    id: String,
    etag: String,
    write: WriteFlags,
) -> anyhow::Result<()> {
    let (kind, name) = which.name(&session.namespace)?;
    let WriteFlags { request_id, validate_only } = write;
    let shown = match kind {
        Kind::Device => {
            let (name, device_id) = (name.clone(), id);
            let request = proto::AcceptDiscoveredDeviceRequest { name, device_id, etag, request_id, validate_only };
            discovery.accept_device(request).await?.device.as_ref().map(device::to_json)
        }
        Kind::Asset => {
            let (name, asset_id) = (name.clone(), id);
            let request = proto::AcceptDiscoveredAssetRequest { name, asset_id, etag, request_id, validate_only };
            discovery.accept_asset(request).await?.asset.as_ref().map(asset::to_json)
        }
    };
    match shown {
        Some(made) => output::document(session.format, &made)?,
        None if validate_only => talk(format_args!("{name} can be accepted")),
        None => talk(format_args!("{name} accepted")),
    }
    Ok(())
}

async fn print_list(
    session: &Session,
    edge: Option<&str>,
    wanted: Option<State>,
    kind: Option<Kind>,
    list: &ListFlags,
) -> anyhow::Result<()> {
    let discovery = session.client.discovery();
    let wanted = wanted.map_or(DiscoveryState::Unspecified, |wanted| match wanted {
        State::New => DiscoveryState::New,
        State::Accepted => DiscoveryState::Accepted,
        State::Dismissed => DiscoveryState::Dismissed,
    });
    let parent = edge.map_or_else(|| session.parent(), |edge| names::edge(&session.namespace, edge));
    let (page_size, state, read) = (list.page_size(), wanted.into(), session.read);
    let mut listing = Listing::new(session.format, &COLUMNS);
    let mut left = list.bound();
    if kind != Some(Kind::Asset) {
        let parent = parent.clone();
        let request = proto::ListDiscoveredDevicesRequest { parent, page_size, state, read, ..Default::default() };
        let mut found = pin!(discovery.list_devices_all(request).take(left));
        while let Some(device) = found.try_next().await? {
            left -= 1;
            let cells = || {
                let said = device.definition.clone().unwrap_or_default();
                let is = told(device.state(), device.changed_since_accepted);
                row("device", &device.name, is, [said.manufacturer, said.model], device.version, &device.accepted_as)
            };
            listing.push(|| device_to_json(&device), cells)?;
        }
    }
    if kind != Some(Kind::Device) {
        let request = proto::ListDiscoveredAssetsRequest { parent, page_size, state, read, ..Default::default() };
        let mut found = pin!(discovery.list_assets_all(request).take(left));
        while let Some(asset) = found.try_next().await? {
            let cells = || {
                let said = asset.definition.clone().unwrap_or_default();
                let is = told(asset.state(), asset.changed_since_accepted);
                row("asset", &asset.name, is, [said.manufacturer, said.model], asset.version, &asset.accepted_as)
            };
            listing.push(|| asset_to_json(&asset), cells)?;
        }
    }
    Ok(listing.finish()?)
}

fn told(is: DiscoveryState, has_changed: bool) -> String {
    let word = state(is);
    if has_changed { format!("{word}, changed since") } else { word.to_owned() }
}

fn row(
    kind: &str,
    name: &str,
    is: String,
    [manufacturer, model]: [String; 2],
    version: u64,
    accepted_as: &str,
) -> Vec<String> {
    let edge = names::part(name, "edges").unwrap_or_default().to_owned();
    let real = if accepted_as.is_empty() { String::new() } else { names::last(accepted_as).to_owned() };
    vec![kind.to_owned(), edge, names::last(name).to_owned(), is, manufacturer, model, version.to_string(), real]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_named_by_edge_and_id_or_in_full() {
        let named = |thing: &str, kind| Which { thing: thing.to_owned(), kind }.name("plant1").ok();
        let device = "namespaces/plant1/edges/hall/discoveredDevices/plc".to_owned();
        let asset = "namespaces/plant1/edges/hall/discoveredAssets/oven".to_owned();
        assert_eq!(named("hall/plc", Kind::Device), Some((Kind::Device, device)));
        assert_eq!(named("hall/oven", Kind::Asset), Some((Kind::Asset, asset.clone())));
        assert_eq!(named(&asset, Kind::Device), Some((Kind::Asset, asset)), "a full name says what it is");
        assert_eq!(named("plc", Kind::Device), None);
        assert_eq!(named("namespaces/plant1/devices/plc", Kind::Device), None);
    }
}
