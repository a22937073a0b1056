//! What can be asked of a registry: its collections and their members, as `query/docs/language.md` means them. Members that
//! only whole documents hold are listed with each collection: they change with every write, or are different everywhere,
//! so that a column would cost more than it gives.

use std::sync::LazyLock;

use muster_query::{Collection, Relation, Schema};

/// Documents of devices.
pub const DEVICES: &str = "devices";
/// Documents of modules.
pub const MODULES: &str = "devices.modules";
/// Documents of assets.
pub const ASSETS: &str = "assets";

/// All collections.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema { collections: vec![devices(), modules(), assets()] });

const TWIN_SHORTCUTS: &[(&str, &[&str])] =
    &[("desired", &["properties", "desired"]), ("reported", &["properties", "reported"])];

const SECTIONS: [&[&str]; 4] = [
    &["properties", "desired", "$version"],
    &["properties", "desired", "$metadata"],
    &["properties", "reported", "$version"],
    &["properties", "reported", "$metadata"],
];

fn devices() -> Collection {
    Collection {
        name: DEVICES,
        id: &["deviceId"],
        members: &[
            "deviceId",
            "etag",
            "version",
            "generationId",
            "status",
            "statusReason",
            "statusUpdateTime",
            "authenticationType",
            "x509Thumbprint",
            "capabilities",
            "deviceScope",
            "parentScopes",
            "edge",
            "site",
            "externalDeviceId",
            "manufacturer",
            "model",
            "operatingSystem",
            "operatingSystemVersion",
            "attributes",
            "endpoints",
            "discoveredDeviceRef",
            "uuid",
            "deviceVersion",
            "deviceEtag",
            "createTime",
            "updateTime",
            "tags",
            "properties",
        ],
        shortcuts: TWIN_SHORTCUTS,
        relations: &[],
        documents_only: [
            &["etag"] as &[&str],
            &["version"],
            &["generationId"],
            &["statusUpdateTime"],
            &["uuid"],
            &["deviceVersion"],
            &["deviceEtag"],
            &["createTime"],
            &["updateTime"],
        ]
        .into_iter()
        .chain(SECTIONS)
        .collect(),
    }
}

fn modules() -> Collection {
    Collection {
        name: MODULES,
        id: &["deviceId", "moduleId"],
        members: &[
            "deviceId",
            "moduleId",
            "etag",
            "version",
            "generationId",
            "managedBy",
            "authenticationType",
            "x509Thumbprint",
            "createTime",
            "updateTime",
            "tags",
            "properties",
        ],
        shortcuts: TWIN_SHORTCUTS,
        relations: &[],
        documents_only: [&["etag"] as &[&str], &["version"], &["generationId"], &["createTime"], &["updateTime"]]
            .into_iter()
            .chain(SECTIONS)
            .collect(),
    }
}

fn assets() -> Collection {
    Collection {
        name: ASSETS,
        id: &["assetName"],
        members: &[
            "assetName",
            "etag",
            "version",
            "generationId",
            "enabled",
            "uuid",
            "lastTransitionTime",
            "createTime",
            "updateTime",
            "status",
            "deviceRef",
            "externalAssetId",
            "displayName",
            "description",
            "manufacturer",
            "manufacturerUri",
            "model",
            "productCode",
            "serialNumber",
            "hardwareRevision",
            "softwareRevision",
            "documentationUri",
            "edge",
            "site",
            "assetTypeRefs",
            "attributes",
            "discoveredAssetRefs",
            "defaultDatasetsConfiguration",
            "defaultEventsConfiguration",
            "defaultStreamsConfiguration",
            "defaultManagementGroupsConfiguration",
            "defaultDatasetsDestinations",
            "defaultEventsDestinations",
            "defaultStreamsDestinations",
            "datasets",
            "eventGroups",
            "streams",
            "managementGroups",
        ],
        shortcuts: &[],
        relations: &[Relation { name: "device", collection: DEVICES, key: &["deviceRef", "deviceName"] }],
        documents_only: [
            &["etag"] as &[&str],
            &["version"],
            &["generationId"],
            &["uuid"],
            &["lastTransitionTime"],
            &["createTime"],
            &["updateTime"],
        ]
        .into_iter()
        .collect(),
    }
}
