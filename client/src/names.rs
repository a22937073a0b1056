//! Full names of resources, put together and taken apart. It checks no character rules: the server owns them.

/// `namespaces/{namespace}`
#[must_use]
pub fn namespace(namespace: &str) -> String {
    format!("namespaces/{namespace}")
}

/// `namespaces/{namespace}/devices/{device}`
#[must_use]
pub fn device(namespace: &str, device: &str) -> String {
    format!("namespaces/{namespace}/devices/{device}")
}

/// `namespaces/{namespace}/devices/{device}/modules/{module}`
#[must_use]
pub fn module(namespace: &str, device: &str, module: &str) -> String {
    format!("namespaces/{namespace}/devices/{device}/modules/{module}")
}

/// `namespaces/{namespace}/devices/{device}/twin`
#[must_use]
pub fn twin(namespace: &str, device: &str) -> String {
    format!("namespaces/{namespace}/devices/{device}/twin")
}

/// `namespaces/{namespace}/devices/{device}/modules/{module}/twin`
#[must_use]
pub fn module_twin(namespace: &str, device: &str, module: &str) -> String {
    format!("namespaces/{namespace}/devices/{device}/modules/{module}/twin")
}

/// `namespaces/{namespace}/assets/{asset}`
#[must_use]
pub fn asset(namespace: &str, asset: &str) -> String {
    format!("namespaces/{namespace}/assets/{asset}")
}

/// `namespaces/{namespace}/queries/{query}`
#[must_use]
pub fn saved_query(namespace: &str, query: &str) -> String {
    format!("namespaces/{namespace}/queries/{query}")
}

/// `namespaces/{namespace}/edges/{edge}`
#[must_use]
pub fn edge(namespace: &str, edge: &str) -> String {
    format!("namespaces/{namespace}/edges/{edge}")
}

/// `namespaces/{namespace}/sites/{site}`
#[must_use]
pub fn site(namespace: &str, site: &str) -> String {
    format!("namespaces/{namespace}/sites/{site}")
}

/// `namespaces/{namespace}/edges/{edge}/discoveredDevices/{device}`
#[must_use]
pub fn discovered_device(namespace: &str, edge: &str, device: &str) -> String {
    format!("namespaces/{namespace}/edges/{edge}/discoveredDevices/{device}")
}

/// `namespaces/{namespace}/edges/{edge}/discoveredAssets/{asset}`
#[must_use]
pub fn discovered_asset(namespace: &str, edge: &str, asset: &str) -> String {
    format!("namespaces/{namespace}/edges/{edge}/discoveredAssets/{asset}")
}

/// The last id in a name: the device of a device's name, the namespace of a namespace's. A twin's name gives `twin`.
#[must_use]
pub fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The id that follows `collection` in a name, such as `devices` in a module's name.
#[must_use]
pub fn part<'a>(name: &'a str, collection: &str) -> Option<&'a str> {
    let mut segments = name.split('/');
    while let Some(segment) = segments.next() {
        let id = segments.next();
        if segment == collection {
            return id;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_name_come_back() {
        let name = module_twin("plant1", "devices", "edge");
        assert_eq!(part(&name, "namespaces"), Some("plant1"));
        assert_eq!(part(&name, "devices"), Some("devices"));
        assert_eq!(part(&name, "modules"), Some("edge"));
        assert_eq!(part(&name, "assets"), None);
        assert_eq!(last(&device("plant1", "pump7")), "pump7");
    }
}
