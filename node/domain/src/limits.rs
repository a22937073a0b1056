//! Every bound of the core, with its unit. Defaults are IoT Hub's (twins) and Device Registry's (names) numbers.
//!
//! [`Limits`] are part of the replicated state: they are set when the cluster is created, so that every replica
//! decides alike. The constants are fixed.

/// Bounds of twin documents; replicated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of `tags`, bytes as [`crate::twin::section_size`] counts them.
    pub tags_bytes_max: u64,
    /// Size of `desired`, bytes.
    pub desired_bytes_max: u64,
    /// Size of `reported`, bytes.
    pub reported_bytes_max: u64,
    /// Size of one property value, bytes.
    pub value_bytes_max: u64,
    /// Length of a member name, bytes of UTF-8.
    pub key_bytes_max: u64,
    /// Levels of nesting below the section's root.
    pub depth_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tags_bytes_max: 8 * 1024,
            desired_bytes_max: 32 * 1024,
            reported_bytes_max: 32 * 1024,
            value_bytes_max: 4 * 1024,
            key_bytes_max: 1024,
            depth_max: 10,
        }
    }
}

/// A whole twin may be configured up to this size, bytes.
pub const TWIN_BYTES_MAX: u64 = 1024 * 1024;
/// Depth may be configured up to this; the stored form nests three protobuf levels per JSON level.
pub const DEPTH_MAX: u64 = 24;
/// Least integer in a twin: -2^52.
pub const INTEGER_MIN: i64 = -(1 << 52);
/// Greatest integer in a twin: 2^52 - 1.
pub const INTEGER_MAX: i64 = (1 << 52) - 1;
/// Operations in one command.
pub const OPERATIONS_MAX: usize = 1_000;
/// Length of a device or module id, characters.
pub const DEVICE_ID_CHARS_MAX: usize = 128;
/// Modules of one device.
pub const MODULES_MAX: usize = 50;
/// Short descriptive texts (manufacturer, model and the like), characters.
pub const TEXT_CHARS_MAX: usize = 256;
/// Reasons and token descriptions, characters.
pub const REASON_CHARS_MAX: usize = 128;
/// Descriptions, characters.
pub const DESCRIPTION_CHARS_MAX: usize = 1_024;
/// The text of a saved query, characters; as many as a query may have.
pub const QUERY_TEXT_CHARS_MAX: usize = 8_192;
/// Attributes of a device or asset, bytes of JSON.
pub const ATTRIBUTES_BYTES_MAX: usize = 8 * 1024;
/// One free-form configuration text, bytes.
pub const CONFIGURATION_BYTES_MAX: usize = 8 * 1024;
/// Endpoints of each kind on a device.
pub const ENDPOINTS_MAX: usize = 64;
/// Addresses and URIs, characters.
pub const ADDRESS_CHARS_MAX: usize = 512;
/// Elements in each list of an asset: datasets, groups, streams.
pub const ASSET_PARTS_MAX: usize = 1_000;
/// Data points, events or actions in one dataset or group.
pub const ASSET_PART_ITEMS_MAX: usize = 1_000;
/// An asset, bytes as its texts add up.
pub const ASSET_BYTES_MAX: usize = 512 * 1024;
/// Labels of a namespace.
pub const LABELS_MAX: usize = 64;
/// Levels of sites, one inside of another.
pub const SITE_DEPTH_MAX: usize = 8;
/// Operations that an edge sends in one command.
pub const UPLINK_CHANGES_MAX: usize = 256;
/// Newest operations of an edge whose refusals are kept.
pub const REFUSALS_KEPT: u64 = 256;
/// Stores of an edge before its newest one that are known again.
pub const INCARNATIONS_KEPT: usize = 16;
/// The message of a kept refusal, characters; what is longer is cut.
pub const REFUSAL_CHARS_MAX: usize = 256;
/// Discovered devices and assets of one edge that are kept.
pub const DISCOVERED_MAX: u64 = 10_000;
/// Methods of authentication that one report names for an endpoint.
pub const METHODS_MAX: usize = 16;
/// Resources that one step of a forced namespace deletion removes.
pub const NAMESPACE_DELETE_STEP: usize = 500;
