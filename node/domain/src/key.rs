//! The name of every record. It knows no storage layout; the store maps keys to bytes.

use std::fmt;

/// Names one record of the registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The cluster's own settings.
    Cluster,
    /// An API token, by its id.
    Token(String),
    /// A cursor: namespace, cursor. Without a namespace (empty) it belongs to the cluster.
    Cursor(String, String),
    /// A saved query: namespace, query.
    SavedQuery(String, String),
    /// A namespace, by its id.
    Namespace(String),
    /// A device: namespace, device.
    Device(String, String),
    /// A module: namespace, device, module.
    Module(String, String, String),
    /// A device's twin: namespace, device.
    DeviceTwin(String, String),
    /// A module's twin: namespace, device, module.
    ModuleTwin(String, String, String),
    /// An asset: namespace, asset.
    Asset(String, String),
    /// A node of the cluster, by its id.
    Node(u64),
    /// A site: namespace, site.
    Site(String, String),
    /// An edge: namespace, edge.
    Edge(String, String),
    /// What is kept of an edge's sessions: namespace, edge.
    EdgeSession(String, String),
    /// A device that an edge discovered: namespace, edge, its own id.
    DiscoveredDevice(String, String, String),
    /// An asset that an edge discovered: namespace, edge, its own id.
    DiscoveredAsset(String, String, String),
    /// How many things an edge discovered: namespace, edge.
    DiscoveryCount(String, String),
    /// The cluster's event retention.
    Retention,
    /// A namespace's own event retention.
    NamespaceRetention(String),
}

impl Key {
    /// The namespace the record lives in, or is.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Cluster | Self::Token(_) | Self::Node(_) | Self::Retention => None,
            Self::Cursor(namespace, _) => Some(namespace.as_str()).filter(|namespace| !namespace.is_empty()),
            Self::Namespace(namespace)
            | Self::NamespaceRetention(namespace)
            | Self::Device(namespace, _)
            | Self::Module(namespace, _, _)
            | Self::DeviceTwin(namespace, _)
            | Self::ModuleTwin(namespace, _, _)
            | Self::SavedQuery(namespace, _)
            | Self::Site(namespace, _)
            | Self::Edge(namespace, _)
            | Self::EdgeSession(namespace, _)
            | Self::DiscoveredDevice(namespace, _, _)
            | Self::DiscoveredAsset(namespace, _, _)
            | Self::DiscoveryCount(namespace, _)
            | Self::Asset(namespace, _) => Some(namespace),
        }
    }

    /// The device the record is, belongs to or is part of.
    #[must_use]
    pub fn device(&self) -> Option<&str> {
        match self {
            Self::Cluster
            | Self::Token(_)
            | Self::Cursor(..)
            | Self::SavedQuery(..)
            | Self::Site(..)
            | Self::Edge(..)
            | Self::EdgeSession(..)
            | Self::DiscoveredDevice(..)
            | Self::DiscoveredAsset(..)
            | Self::DiscoveryCount(..)
            | Self::Namespace(_)
            | Self::Asset(_, _)
            | Self::Node(_)
            | Self::Retention
            | Self::NamespaceRetention(_) => None,
            Self::Device(_, device)
            | Self::Module(_, device, _)
            | Self::DeviceTwin(_, device)
            | Self::ModuleTwin(_, device, _) => Some(device),
        }
    }

    /// Parses a full resource name, as [`fmt::Display`] writes it. Ids may hold any character but `/`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let parts: Vec<&str> = name.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return None;
        }
        let own = |text: &str| text.to_owned();
        match parts.as_slice() {
            ["cluster"] => Some(Self::Cluster),
            ["nodes", id] => {
                // One spelling for each: no sign, no leading zero.
                let number = id.parse().ok().filter(|number: &u64| number.to_string() == *id)?;
                Some(Self::Node(number))
            }
            ["tokens", token] => Some(Self::Token(own(token))),
            ["cursors", cursor] => Some(Self::Cursor(String::new(), own(cursor))),
            ["namespaces", ns, "cursors", cursor] => Some(Self::Cursor(own(ns), own(cursor))),
            ["namespaces", ns] => Some(Self::Namespace(own(ns))),
            ["namespaces", ns, "devices", device] => Some(Self::Device(own(ns), own(device))),
            ["namespaces", ns, "devices", device, "twin"] => Some(Self::DeviceTwin(own(ns), own(device))),
            ["namespaces", ns, "devices", device, "modules", module] => {
                Some(Self::Module(own(ns), own(device), own(module)))
            }
            ["namespaces", ns, "devices", device, "modules", module, "twin"] => {
                Some(Self::ModuleTwin(own(ns), own(device), own(module)))
            }
            ["namespaces", ns, "assets", asset] => Some(Self::Asset(own(ns), own(asset))),
            ["namespaces", ns, "queries", query] => Some(Self::SavedQuery(own(ns), own(query))),
            ["namespaces", ns, "sites", site] => Some(Self::Site(own(ns), own(site))),
            ["namespaces", ns, "edges", edge] => Some(Self::Edge(own(ns), own(edge))),
            ["namespaces", ns, "edges", edge, "session"] => Some(Self::EdgeSession(own(ns), own(edge))),
            ["namespaces", ns, "edges", edge, "discoveredDevices", device] => {
                Some(Self::DiscoveredDevice(own(ns), own(edge), own(device)))
            }
            ["namespaces", ns, "edges", edge, "discoveredAssets", asset] => {
                Some(Self::DiscoveredAsset(own(ns), own(edge), own(asset)))
            }
            ["namespaces", ns, "edges", edge, "discovery"] => Some(Self::DiscoveryCount(own(ns), own(edge))),
            ["retention"] => Some(Self::Retention),
            ["namespaces", ns, "retention"] => Some(Self::NamespaceRetention(own(ns))),
            _ => None,
        }
    }

    /// Whether it names a twin.
    #[must_use]
    pub fn is_twin(&self) -> bool {
        matches!(self, Self::DeviceTwin(..) | Self::ModuleTwin(..))
    }

    /// The twin of a device or module; a twin's own key is returned as it is.
    #[must_use]
    pub fn twin(&self) -> Option<Self> {
        match self {
            Self::Device(ns, device) => Some(Self::DeviceTwin(ns.clone(), device.clone())),
            Self::Module(ns, device, module) => Some(Self::ModuleTwin(ns.clone(), device.clone(), module.clone())),
            Self::DeviceTwin(..) | Self::ModuleTwin(..) => Some(self.clone()),
            Self::Cluster
            | Self::Token(_)
            | Self::Cursor(..)
            | Self::SavedQuery(..)
            | Self::Site(..)
            | Self::Edge(..)
            | Self::EdgeSession(..)
            | Self::DiscoveredDevice(..)
            | Self::DiscoveredAsset(..)
            | Self::DiscoveryCount(..)
            | Self::Namespace(_)
            | Self::Asset(..)
            | Self::Node(_)
            | Self::Retention
            | Self::NamespaceRetention(_) => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("cluster"),
            Self::Token(token) => write!(f, "tokens/{token}"),
            Self::Cursor(ns, cursor) if ns.is_empty() => write!(f, "cursors/{cursor}"),
            Self::Cursor(ns, cursor) => write!(f, "namespaces/{ns}/cursors/{cursor}"),
            Self::SavedQuery(ns, query) => write!(f, "namespaces/{ns}/queries/{query}"),
            Self::Namespace(ns) => write!(f, "namespaces/{ns}"),
            Self::Device(ns, device) => write!(f, "namespaces/{ns}/devices/{device}"),
            Self::Module(ns, device, module) => write!(f, "namespaces/{ns}/devices/{device}/modules/{module}"),
            Self::DeviceTwin(ns, device) => write!(f, "namespaces/{ns}/devices/{device}/twin"),
            Self::ModuleTwin(ns, device, module) => {
                write!(f, "namespaces/{ns}/devices/{device}/modules/{module}/twin")
            }
            Self::Asset(ns, asset) => write!(f, "namespaces/{ns}/assets/{asset}"),
            Self::Site(ns, site) => write!(f, "namespaces/{ns}/sites/{site}"),
            Self::Edge(ns, edge) => write!(f, "namespaces/{ns}/edges/{edge}"),
            Self::EdgeSession(ns, edge) => write!(f, "namespaces/{ns}/edges/{edge}/session"),
            Self::DiscoveredDevice(ns, edge, device) => {
                write!(f, "namespaces/{ns}/edges/{edge}/discoveredDevices/{device}")
            }
            Self::DiscoveredAsset(ns, edge, asset) => {
                write!(f, "namespaces/{ns}/edges/{edge}/discoveredAssets/{asset}")
            }
            Self::DiscoveryCount(ns, edge) => write!(f, "namespaces/{ns}/edges/{edge}/discovery"),
            Self::Node(id) => write!(f, "nodes/{id}"),
            Self::Retention => f.write_str("retention"),
            Self::NamespaceRetention(ns) => write!(f, "namespaces/{ns}/retention"),
        }
    }
}
