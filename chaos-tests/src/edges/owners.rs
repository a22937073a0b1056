//! Which edge holds a device, from what is known of devices and sites so far.

use std::collections::BTreeMap;

use serde_json::Value;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    /// Edge and site of a device; either may be empty.
    devices: BTreeMap<String, (String, String)>,
    sites: BTreeMap<String, String>,
}

impl Owners {
    /// A definition of a device, as the history tells it.
    pub(crate) fn device(&mut self, id: String, data: &Value) {
        self.devices.insert(id, (text(data, "edge"), text(data, "site")));
    }

    /// A definition of a site.
    pub(crate) fn site(&mut self, id: String, data: &Value) {
        self.sites.insert(id, text(data, "edge"));
    }

    /// The edge; empty without one.
    pub(crate) fn of(&self, device: &str) -> &str {
        match self.devices.get(device) {
            Some((edge, _)) if !edge.is_empty() => edge,
            Some((_, site)) => self.sites.get(site).map_or("", String::as_str),
            None => "",
        }
    }

    /// What an edge holds.
    pub(crate) fn held_by(&self, edge: &str) -> Vec<&str> {
        self.devices.keys().map(String::as_str).filter(|device| self.of(device) == edge).collect()
    }
}

fn text(data: &Value, member: &str) -> String {
    data[member].as_str().unwrap_or_default().to_owned()
}
