//! An asset as far as rules look at it: the names of its parts, its version, and its status.

use muster_domain::Rejection;
use muster_domain::asset::{
    Asset, AssetDefinition, AssetEvent, AssetStream, Dataset, EventGroup, ManagementAction, ManagementGroup,
};
use muster_proto::v1;

use super::asset_status;
use super::twin::timestamp;

pub(super) fn from_proto(shown: &v1::Asset) -> Result<Asset, Rejection> {
    let status = shown.status.clone().unwrap_or_default();
    let status_updated_ms = status.update_time.as_ref().map_or(0, super::twin::millis);
    Ok(Asset {
        definition: shown.definition.as_ref().map(parts).unwrap_or_default(),
        enabled: shown.enabled.unwrap_or(true),
        uuid: shown.uuid.clone(),
        version: shown.version,
        last_transition_ms: 0,
        status: asset_status::from_proto(status)?,
        status_updated_ms,
    })
}

/// A definition with the names of the parts that can have a status.
fn parts(shown: &v1::AssetDefinition) -> AssetDefinition {
    let datasets = shown.datasets.iter().map(|part| Dataset { name: part.name.clone(), ..Dataset::default() });
    let events = shown.event_groups.iter().map(|group| EventGroup {
        name: group.name.clone(),
        events: group
            .events
            .iter()
            .map(|part| AssetEvent { name: part.name.clone(), ..AssetEvent::default() })
            .collect(),
        ..EventGroup::default()
    });
    let streams = shown.streams.iter().map(|part| AssetStream { name: part.name.clone(), ..AssetStream::default() });
    let actions = shown.management_groups.iter().map(|group| ManagementGroup {
        name: group.name.clone(),
        actions: group
            .actions
            .iter()
            .map(|part| ManagementAction { name: part.name.clone(), ..ManagementAction::default() })
            .collect(),
        ..ManagementGroup::default()
    });
    AssetDefinition {
        datasets: datasets.collect(),
        event_groups: events.collect(),
        streams: streams.collect(),
        management_groups: actions.collect(),
        ..AssetDefinition::default()
    }
}

/// The message with the asset's status in place of its own.
pub(super) fn to_proto(shown: &v1::Asset, asset: &Asset) -> v1::Asset {
    let update_time = Some(asset.status_updated_ms).filter(|ms| *ms > 0).map(timestamp);
    let status = v1::AssetStatus { update_time, ..asset_status::to_proto(&asset.status) };
    v1::Asset { status: Some(status), ..shown.clone() }
}
