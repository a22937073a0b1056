//! The fields of an asset's definition that an update may name. One list, used by the API and by merging.

use super::AssetDefinition;

/// A field of [`AssetDefinition`] that an update may name; listed with its name by [`AssetField::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the field of AssetDefinition of the same name")]
pub enum AssetField {
    DeviceRef,
    ExternalAssetId,
    DisplayName,
    Description,
    Manufacturer,
    ManufacturerUri,
    Model,
    ProductCode,
    SerialNumber,
    HardwareRevision,
    SoftwareRevision,
    DocumentationUri,
    AssetTypeRefs,
    Attributes,
    DiscoveredAssetRefs,
    DefaultDatasetsConfiguration,
    DefaultEventsConfiguration,
    DefaultStreamsConfiguration,
    DefaultManagementGroupsConfiguration,
    DefaultDatasetsDestinations,
    DefaultEventsDestinations,
    DefaultStreamsDestinations,
    Datasets,
    EventGroups,
    Streams,
    ManagementGroups,
    Edge,
    Site,
}

impl AssetField {
    /// All of them, with their names in an update mask (there below `definition.`).
    pub const ALL: [(Self, &'static str); 28] = [
        (Self::DeviceRef, "device_ref"),
        (Self::ExternalAssetId, "external_asset_id"),
        (Self::DisplayName, "display_name"),
        (Self::Description, "description"),
        (Self::Manufacturer, "manufacturer"),
        (Self::ManufacturerUri, "manufacturer_uri"),
        (Self::Model, "model"),
        (Self::ProductCode, "product_code"),
        (Self::SerialNumber, "serial_number"),
        (Self::HardwareRevision, "hardware_revision"),
        (Self::SoftwareRevision, "software_revision"),
        (Self::DocumentationUri, "documentation_uri"),
        (Self::AssetTypeRefs, "asset_type_refs"),
        (Self::Attributes, "attributes_json"),
        (Self::DiscoveredAssetRefs, "discovered_asset_refs"),
        (Self::DefaultDatasetsConfiguration, "default_datasets_configuration"),
        (Self::DefaultEventsConfiguration, "default_events_configuration"),
        (Self::DefaultStreamsConfiguration, "default_streams_configuration"),
        (Self::DefaultManagementGroupsConfiguration, "default_management_groups_configuration"),
        (Self::DefaultDatasetsDestinations, "default_datasets_destinations"),
        (Self::DefaultEventsDestinations, "default_events_destinations"),
        (Self::DefaultStreamsDestinations, "default_streams_destinations"),
        (Self::Datasets, "datasets"),
        (Self::EventGroups, "event_groups"),
        (Self::Streams, "streams"),
        (Self::ManagementGroups, "management_groups"),
        (Self::Edge, "edge"),
        (Self::Site, "site"),
    ];

    /// Gives `definition` this field of `new`.
    pub(super) fn take(self, definition: &mut AssetDefinition, new: &AssetDefinition) {
        match self {
            Self::DeviceRef => definition.device_ref.clone_from(&new.device_ref),
            Self::ExternalAssetId => definition.external_asset_id.clone_from(&new.external_asset_id),
            Self::DisplayName => definition.display_name.clone_from(&new.display_name),
            Self::Description => definition.description.clone_from(&new.description),
            Self::Manufacturer => definition.manufacturer.clone_from(&new.manufacturer),
            Self::ManufacturerUri => definition.manufacturer_uri.clone_from(&new.manufacturer_uri),
            Self::Model => definition.model.clone_from(&new.model),
            Self::ProductCode => definition.product_code.clone_from(&new.product_code),
            Self::SerialNumber => definition.serial_number.clone_from(&new.serial_number),
            Self::HardwareRevision => definition.hardware_revision.clone_from(&new.hardware_revision),
            Self::SoftwareRevision => definition.software_revision.clone_from(&new.software_revision),
            Self::DocumentationUri => definition.documentation_uri.clone_from(&new.documentation_uri),
            Self::AssetTypeRefs => definition.asset_type_refs.clone_from(&new.asset_type_refs),
            Self::Attributes => definition.attributes.clone_from(&new.attributes),
            Self::DiscoveredAssetRefs => definition.discovered_asset_refs.clone_from(&new.discovered_asset_refs),
            Self::DefaultDatasetsConfiguration => {
                definition.default_datasets_configuration.clone_from(&new.default_datasets_configuration)
            }
            Self::DefaultEventsConfiguration => {
                definition.default_events_configuration.clone_from(&new.default_events_configuration)
            }
            Self::DefaultStreamsConfiguration => {
                definition.default_streams_configuration.clone_from(&new.default_streams_configuration)
            }
            Self::DefaultManagementGroupsConfiguration => definition
                .default_management_groups_configuration
                .clone_from(&new.default_management_groups_configuration),
            Self::DefaultDatasetsDestinations => {
                definition.default_datasets_destinations.clone_from(&new.default_datasets_destinations)
            }
            Self::DefaultEventsDestinations => {
                definition.default_events_destinations.clone_from(&new.default_events_destinations)
            }
            Self::DefaultStreamsDestinations => {
                definition.default_streams_destinations.clone_from(&new.default_streams_destinations)
            }
            Self::Datasets => definition.datasets.clone_from(&new.datasets),
            Self::EventGroups => definition.event_groups.clone_from(&new.event_groups),
            Self::Streams => definition.streams.clone_from(&new.streams),
            Self::ManagementGroups => definition.management_groups.clone_from(&new.management_groups),
            Self::Edge => definition.edge.clone_from(&new.edge),
            Self::Site => definition.site.clone_from(&new.site),
        }
    }
}
