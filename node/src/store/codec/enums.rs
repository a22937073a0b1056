//! Every enum that is stored, number by number. A number that is not known is an error, never a default.

use muster_domain::Reason;
use muster_domain::asset::AssetField;
use muster_domain::device::{DeviceField, DeviceStatus};
use muster_domain::edge::EdgeField;
use muster_domain::import::ImportMode;
use muster_domain::module::ModuleField;
use muster_domain::namespace::NamespaceField;
use muster_domain::node::NodeState;
use muster_domain::policy::Role;
use muster_domain::saved_query::SavedQueryField;
use muster_domain::site::SiteField;
use muster_proto::stored::v1 as stored;

use super::CodecError;

/// An enum of the domain with its stored numbers.
pub(super) trait StoredEnum: Copy {
    /// The number to store.
    fn number(self) -> i32;

    /// What a stored number means.
    fn from_number(number: i32) -> Result<Self, CodecError>;

    /// The numbers of a list.
    fn numbers(list: &[Self]) -> Vec<i32> {
        list.iter().map(|item| item.number()).collect()
    }

    /// What a stored list means.
    fn from_numbers(numbers: &[i32]) -> Result<Vec<Self>, CodecError> {
        numbers.iter().map(|number| Self::from_number(*number)).collect()
    }
}

/// The variants have the same names on both sides; leaving one out does not compile.
macro_rules! stored_enum {
    ($name:ident, $what:literal, [$($variant:ident),+ $(,)?]) => {
        impl StoredEnum for $name {
            fn number(self) -> i32 {
                match self {
                    $(Self::$variant => stored::$name::$variant.into(),)+
                }
            }

            fn from_number(number: i32) -> Result<Self, CodecError> {
                match stored::$name::try_from(number) {
                    $(Ok(stored::$name::$variant) => Ok(Self::$variant),)+
                    Ok(stored::$name::Unspecified) | Err(_) => {
                        Err(CodecError::UnknownNumber { what: $what, number })
                    }
                }
            }
        }
    };
}

stored_enum!(Role, "a role", [Viewer, Operator, Admin, Device, Edge]);
stored_enum!(NodeState, "the state of a node", [Admitted, Joined, Removed]);
stored_enum!(DeviceStatus, "the status of a device", [Enabled, Disabled]);
stored_enum!(NamespaceField, "a field of a namespace", [DisplayName, Description, Labels]);
stored_enum!(SavedQueryField, "a field of a saved query", [Text, Description]);
stored_enum!(SiteField, "a field of a site", [DisplayName, Description, Parent, Edge, Attributes]);
stored_enum!(EdgeField, "a field of an edge", [Enabled, DisplayName, Description, Attributes]);
stored_enum!(ModuleField, "a field of a module", [ManagedBy, Authentication]);
stored_enum!(
    DeviceField,
    "a field of a device",
    [
        Status,
        StatusReason,
        Authentication,
        IotEdge,
        DeviceScope,
        ParentScopes,
        ExternalDeviceId,
        Manufacturer,
        Model,
        OperatingSystem,
        OperatingSystemVersion,
        Attributes,
        Endpoints,
        DiscoveredDeviceRef,
        Edge,
        Site,
    ]
);
stored_enum!(
    ImportMode,
    "an import mode",
    [
        CreateOrUpdate,
        Create,
        Update,
        UpdateIfMatchEtag,
        CreateOrUpdateIfMatchEtag,
        Delete,
        DeleteIfMatchEtag,
        UpdateTwin,
        UpdateTwinIfMatchEtag,
    ]
);
stored_enum!(
    AssetField,
    "a field of an asset",
    [
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
    ]
);
stored_enum!(
    Reason,
    "the reason of a rejection",
    [
        InvalidField,
        InvalidId,
        InvalidJson,
        InvalidDocument,
        NullNotAllowed,
        TooLarge,
        TooMany,
        NotFound,
        ParentNotFound,
        AlreadyExists,
        EtagMismatch,
        DeviceDisabled,
        NamespaceNotEmpty,
        NamespaceDeleting,
        DeviceHasAssets,
        PermissionDenied,
        RequestIdReused,
        BatchAborted,
        AlreadyInitialized,
        CursorBackwards,
        JoinTokenStale,
        NodeRemoved,
        FeatureLevelTooLow,
        EdgeReplaced,
        EpochFenced,
        SequenceGap,
        OutsideScope,
        ClusterMismatch,
        CursorFromTheFuture,
        EdgeDisabled,
        SiteHasSites,
        DiscoveryFull,
        AlreadyAccepted,
    ]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_and_others_are_errors() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(usize::try_from(reason.number()), Ok(index + 1), "the order of ALL is that of the numbers");
            assert_eq!(Reason::from_number(reason.number()), Ok(reason));
        }
        for number in [-1, 0, 99] {
            assert!(Reason::from_number(number).is_err());
            assert!(AssetField::from_number(number).is_err());
            assert!(ImportMode::from_numbers(&[1, number]).is_err());
        }
        for (field, _) in DeviceField::ALL {
            assert_eq!(DeviceField::from_number(field.number()), Ok(field));
        }
    }
}
