//! The shape of what the cloud defines of an asset, after Azure Device Registry. It holds no rules; those are in `check`.

/// The device and the endpoint an asset is reached through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceRef {
    /// Device id in the same namespace.
    pub device: String,
    /// Inbound endpoint of that device.
    pub endpoint: String,
}

/// Where data goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The kind of target, with what it needs.
    pub target: Target,
    /// Seconds; 0 means the target's default.
    pub ttl_seconds: u64,
}

/// Kinds of targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An MQTT topic.
    Mqtt {
        /// Required, at most 512 characters.
        topic: String,
        /// Quality of service 0 or 1, if set.
        qos: Option<u8>,
        /// Whether the broker keeps the message, if set.
        retain: Option<bool>,
    },
    /// A key of the broker's state store.
    BrokerStateStore {
        /// Required, at most 512 characters.
        key: String,
    },
    /// A path in storage.
    Storage {
        /// Required, at most 512 characters.
        path: String,
    },
}

/// One value of a dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataPoint {
    /// Unique in the dataset.
    pub name: String,
    /// Required.
    pub data_source: String,
    /// Free text.
    pub configuration: String,
    /// A type.
    pub type_ref: String,
}

/// Values that are read together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dataset {
    /// Unique among datasets.
    pub name: String,
    /// Where it comes from.
    pub data_source: String,
    /// Free text.
    pub configuration: String,
    /// Where it goes.
    pub destinations: Vec<Destination>,
    /// A type.
    pub type_ref: String,
    /// Its values.
    pub data_points: Vec<DataPoint>,
}

/// Something the asset announces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssetEvent {
    /// Unique in the group.
    pub name: String,
    /// Where it comes from.
    pub data_source: String,
    /// Free text.
    pub configuration: String,
    /// Where it goes: not the state store.
    pub destinations: Vec<Destination>,
    /// A type.
    pub type_ref: String,
}

/// Events that belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventGroup {
    /// Unique among event groups.
    pub name: String,
    /// Where they come from.
    pub data_source: String,
    /// Free text.
    pub configuration: String,
    /// A type.
    pub type_ref: String,
    /// Where events without destinations go: not the state store.
    pub default_destinations: Vec<Destination>,
    /// Its events.
    pub events: Vec<AssetEvent>,
}

/// A flow of data, such as video.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssetStream {
    /// Unique among streams.
    pub name: String,
    /// Free text.
    pub configuration: String,
    /// Where it goes: not the state store.
    pub destinations: Vec<Destination>,
    /// A type.
    pub type_ref: String,
}

/// What an action does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ActionType {
    /// Calls a method.
    #[default]
    Call,
    /// Reads a value.
    Read,
    /// Writes a value.
    Write,
}

/// Something the asset can be told to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManagementAction {
    /// Unique in the group.
    pub name: String,
    /// Required.
    pub target_uri: String,
    /// What it does.
    pub action_type: ActionType,
    /// Topic of its requests.
    pub topic: String,
    /// Seconds; 0 takes the group's default.
    pub timeout_seconds: u32,
    /// Free text.
    pub configuration: String,
    /// A type.
    pub type_ref: String,
}

/// Actions that belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManagementGroup {
    /// Unique among management groups.
    pub name: String,
    /// Topic of actions without one.
    pub default_topic: String,
    /// Seconds; 0 means 100.
    pub default_timeout_seconds: u32,
    /// Its actions.
    pub actions: Vec<ManagementAction>,
    /// Where they come from.
    pub data_source: String,
    /// Free text.
    pub configuration: String,
    /// A type.
    pub type_ref: String,
}

/// What the cloud defines of an asset.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AssetDefinition {
    /// How it is reached; required.
    pub device_ref: DeviceRef,
    /// At most 256 characters, as the texts below; URIs at most 512, description 1,024.
    pub external_asset_id: String,
    /// Name for people.
    pub display_name: String,
    /// Text for people.
    pub description: String,
    /// Who made it.
    pub manufacturer: String,
    /// Where they are.
    pub manufacturer_uri: String,
    /// Model name.
    pub model: String,
    /// Product code.
    pub product_code: String,
    /// Serial number.
    pub serial_number: String,
    /// Hardware revision.
    pub hardware_revision: String,
    /// Software revision.
    pub software_revision: String,
    /// Where its documentation is.
    pub documentation_uri: String,
    /// Types.
    pub asset_type_refs: Vec<String>,
    /// JSON object as text; at most 8 KiB. Empty means `{}`.
    pub attributes: String,
    /// Discovered assets it was made from.
    pub discovered_asset_refs: Vec<String>,
    /// Taken where a dataset has none; free text, as the three below.
    pub default_datasets_configuration: String,
    /// Taken where an event has none.
    pub default_events_configuration: String,
    /// Taken where a stream has none.
    pub default_streams_configuration: String,
    /// Taken where a management group has none.
    pub default_management_groups_configuration: String,
    /// Taken where a dataset has none.
    pub default_datasets_destinations: Vec<Destination>,
    /// Taken where an event has none: not the state store.
    pub default_events_destinations: Vec<Destination>,
    /// Taken where a stream has none: not the state store.
    pub default_streams_destinations: Vec<Destination>,
    /// Data to read.
    pub datasets: Vec<Dataset>,
    /// Events to listen to.
    pub event_groups: Vec<EventGroup>,
    /// Streams to forward.
    pub streams: Vec<AssetStream>,
    /// Actions to offer.
    pub management_groups: Vec<ManagementGroup>,
    /// The edge that holds it, by its id in the same namespace; empty: that of its site, or of its device.
    pub edge: String,
    /// Where it is: a site, by its id in the same namespace; may be empty.
    pub site: String,
}
