//! Asset definitions as a whole. It knows neither their parts ([`super::asset_parts`]) nor status
//! ([`super::asset_status`]).

use muster_domain::Rejection;
use muster_domain::asset::{AssetDefinition, DeviceRef};
use muster_proto::v1;

use super::asset_parts::{
    dataset_from_proto, dataset_to_proto, destination_from_proto, destinations_to_proto, event_group_from_proto,
    event_group_to_proto, management_group_from_proto, management_group_to_proto, stream_from_proto, stream_to_proto,
};
use super::each;

/// As a message.
#[must_use]
pub fn asset_definition_to_proto(definition: &AssetDefinition) -> v1::AssetDefinition {
    let AssetDefinition {
        device_ref,
        external_asset_id,
        display_name,
        description,
        manufacturer,
        manufacturer_uri,
        model,
        product_code,
        serial_number,
        hardware_revision,
        software_revision,
        documentation_uri,
        asset_type_refs,
        attributes,
        discovered_asset_refs,
        default_datasets_configuration,
        default_events_configuration,
        default_streams_configuration,
        default_management_groups_configuration,
        default_datasets_destinations,
        default_events_destinations,
        default_streams_destinations,
        datasets,
        event_groups,
        streams,
        management_groups,
        edge,
        site,
    } = definition.clone();
    v1::AssetDefinition {
        device_ref: Some(v1::DeviceRef { device_name: device_ref.device, endpoint_name: device_ref.endpoint }),
        external_asset_id,
        display_name,
        description,
        manufacturer,
        manufacturer_uri,
        model,
        product_code,
        serial_number,
        hardware_revision,
        software_revision,
        documentation_uri,
        asset_type_refs,
        attributes_json: attributes,
        discovered_asset_refs,
        default_datasets_configuration,
        default_events_configuration,
        default_streams_configuration,
        default_management_groups_configuration,
        default_datasets_destinations: destinations_to_proto(default_datasets_destinations),
        default_events_destinations: destinations_to_proto(default_events_destinations),
        default_streams_destinations: destinations_to_proto(default_streams_destinations),
        datasets: datasets.into_iter().map(dataset_to_proto).collect(),
        event_groups: event_groups.into_iter().map(event_group_to_proto).collect(),
        streams: streams.into_iter().map(stream_to_proto).collect(),
        management_groups: management_groups.into_iter().map(management_group_to_proto).collect(),
        edge,
        site,
    }
}

/// From a message; an absent device reference becomes an empty one, which the domain refuses.
///
/// # Errors
/// Names the field by its path in a request, such as `asset.definition.datasets[3].destinations[0].target`.
pub fn asset_definition_from_proto(definition: v1::AssetDefinition) -> Result<AssetDefinition, Rejection> {
    definition_from_proto(definition).map_err(|refusal| refusal.within("asset.definition"))
}

/// From a message; a refusal names the field below the definition.
pub(super) fn definition_from_proto(definition: v1::AssetDefinition) -> Result<AssetDefinition, Rejection> {
    let v1::DeviceRef { device_name, endpoint_name } = definition.device_ref.unwrap_or_default();
    let defaults = |name: &str, items| each(name, items, destination_from_proto);
    Ok(AssetDefinition {
        device_ref: DeviceRef { device: device_name, endpoint: endpoint_name },
        external_asset_id: definition.external_asset_id,
        display_name: definition.display_name,
        description: definition.description,
        manufacturer: definition.manufacturer,
        manufacturer_uri: definition.manufacturer_uri,
        model: definition.model,
        product_code: definition.product_code,
        serial_number: definition.serial_number,
        hardware_revision: definition.hardware_revision,
        software_revision: definition.software_revision,
        documentation_uri: definition.documentation_uri,
        asset_type_refs: definition.asset_type_refs,
        attributes: definition.attributes_json,
        discovered_asset_refs: definition.discovered_asset_refs,
        default_datasets_configuration: definition.default_datasets_configuration,
        default_events_configuration: definition.default_events_configuration,
        default_streams_configuration: definition.default_streams_configuration,
        default_management_groups_configuration: definition.default_management_groups_configuration,
        default_datasets_destinations: defaults(
            "default_datasets_destinations",
            definition.default_datasets_destinations,
        )?,
        default_events_destinations: defaults("default_events_destinations", definition.default_events_destinations)?,
        default_streams_destinations: defaults(
            "default_streams_destinations",
            definition.default_streams_destinations,
        )?,
        datasets: each("datasets", definition.datasets, dataset_from_proto)?,
        event_groups: each("event_groups", definition.event_groups, event_group_from_proto)?,
        streams: each("streams", definition.streams, stream_from_proto)?,
        management_groups: each("management_groups", definition.management_groups, management_group_from_proto)?,
        edge: definition.edge,
        site: definition.site,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_path() {
        let bad = v1::Destination { target: 9, ..Default::default() };
        let dataset = v1::Dataset { destinations: vec![v1::Destination::default(), bad], ..Default::default() };
        let mut definition =
            v1::AssetDefinition { datasets: vec![v1::Dataset::default(), dataset], ..Default::default() };
        let refusal = asset_definition_from_proto(definition.clone()).expect_err("no target");
        assert_eq!(refusal.field, "asset.definition.datasets[1].destinations[0].target");
        definition.datasets[1].destinations.remove(0);
        let refusal = asset_definition_from_proto(definition).expect_err("unknown target");
        assert_eq!(refusal.field, "asset.definition.datasets[1].destinations[0].target");
        assert_eq!(refusal.message, "target has the unknown value 9");
    }
}
