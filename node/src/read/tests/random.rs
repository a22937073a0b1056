//! Random operations on few resources, so that they are changed, deleted and created again all the time.

use muster_domain::asset::{AssetDefinition, AssetField, DeviceRef};
use muster_domain::device::{Authentication, DeviceDefinition, DeviceStatus, Endpoints, InboundEndpoint};
use muster_domain::module::ModuleDefinition;
use muster_domain::namespace::NamespaceDefinition;
use muster_domain::{Key, Operation};

pub(super) const NAMESPACES: [&str; 2] = ["plant-a", "plant-b"];
pub(super) const DEVICES: [&str; 3] = ["d1", "d2", "d3"];
pub(super) const MODULES: [&str; 2] = ["m1", "m2"];
pub(super) const ASSETS: [&str; 3] = ["oven", "press", "pump"];

/// Numbers that are the same on every run.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }

    pub(super) fn of(&mut self, ids: &[&str]) -> String {
        ids[self.below(ids.len())].to_owned()
    }

    /// The operations of one command; every fifth deletes a device or asset and creates it again, perhaps more than once.
    pub(super) fn operations(&mut self) -> Vec<Operation> {
        let mut operations: Vec<_> = (0..1 + self.below(6)).map(|_| self.operation()).collect();
        if self.below(5) == 0 {
            let (namespace, device, asset) = (self.of(&NAMESPACES), self.of(&DEVICES), self.of(&ASSETS));
            for _ in 0..1 + self.below(2) {
                operations.extend(again(&namespace, &device, &asset));
            }
            operations.truncate(operations.len() - self.below(2));
        }
        operations
    }

    pub(super) fn twin(&mut self) -> Key {
        let (namespace, device) = (self.of(&NAMESPACES), self.of(&DEVICES));
        if self.below(3) == 0 {
            Key::ModuleTwin(namespace, device, self.of(&MODULES))
        } else {
            Key::DeviceTwin(namespace, device)
        }
    }

    pub(super) fn patch(&mut self) -> String {
        let value = self.below(1_000);
        match self.below(4) {
            0 => format!(r#"{{"p{}":null}}"#, self.below(4)),
            _ => format!(r#"{{"p{}":{{"v":{value},"s":"x"}}}}"#, self.below(4)),
        }
    }

    fn operation(&mut self) -> Operation {
        let (namespace, device) = (self.of(&NAMESPACES), self.of(&DEVICES));
        match self.below(48) {
            0..=2 => Operation::CreateNamespace { namespace, definition: NamespaceDefinition::default() },
            3 => Operation::DeleteNamespace { namespace, etag: None, force: self.below(2) == 0 },
            4..=9 => Operation::CreateDevice { namespace, device, definition: Box::new(device_definition()) },
            10..=12 => Operation::DeleteDevice { namespace, device, etag: None },
            13..=15 => Operation::SetDeviceStatus {
                namespace,
                device,
                status: if self.below(2) == 0 { DeviceStatus::Enabled } else { DeviceStatus::Disabled },
                reason: format!("reason {}", self.below(100)),
                etag: None,
            },
            16..=18 => Operation::CreateModule {
                namespace,
                device,
                module: self.of(&MODULES),
                definition: ModuleDefinition { managed_by: String::new(), authentication: Authentication::None },
            },
            19 => Operation::DeleteModule { namespace, device, module: self.of(&MODULES), etag: None },
            20..=22 => Operation::CreateAsset {
                namespace,
                asset: self.of(&ASSETS),
                definition: Box::new(asset_definition(device)),
                enabled: true,
                uuid: "11111111-2222-3333-4444-555555555555".to_owned(),
            },
            23..=24 => Operation::UpdateAsset {
                namespace,
                asset: self.of(&ASSETS),
                definition: Box::new(asset_definition(device)),
                enabled: None,
                fields: vec![AssetField::DeviceRef],
                etag: None,
            },
            25 => Operation::DeleteAsset { namespace, asset: self.of(&ASSETS), etag: None },
            26..=33 => Operation::PatchTwin { key: self.twin(), tags: None, desired: Some(self.patch()), etag: None },
            34..=41 => self.around_edges(),
            _ => Operation::ReportProperties {
                key: self.twin(),
                reported: self.patch(),
                expected_version: 0,
                from_device: false,
            },
        }
    }
}

/// An asset and its device, deleted and created.
fn again(namespace: &str, device: &str, asset: &str) -> [Operation; 4] {
    let (namespace, device, asset) = (namespace.to_owned(), device.to_owned(), asset.to_owned());
    [
        Operation::DeleteAsset { namespace: namespace.clone(), asset: asset.clone(), etag: None },
        Operation::DeleteDevice { namespace: namespace.clone(), device: device.clone(), etag: None },
        Operation::CreateDevice {
            namespace: namespace.clone(),
            device: device.clone(),
            definition: Box::new(device_definition()),
        },
        Operation::CreateAsset {
            namespace,
            asset,
            definition: Box::new(asset_definition(device)),
            enabled: false,
            uuid: String::new(),
        },
    ]
}

/// A device that assets can refer to.
pub(super) fn device_definition() -> DeviceDefinition {
    let endpoint = InboundEndpoint {
        address: "opc.tcp://10.0.0.7:4840".to_owned(),
        endpoint_type: "Microsoft.OpcUa".to_owned(),
        ..InboundEndpoint::default()
    };
    DeviceDefinition {
        status: DeviceStatus::Enabled,
        status_reason: String::new(),
        authentication: Authentication::None,
        iot_edge: false,
        device_scope: String::new(),
        parent_scopes: Vec::new(),
        external_device_id: String::new(),
        manufacturer: String::new(),
        model: String::new(),
        operating_system: String::new(),
        operating_system_version: String::new(),
        attributes: String::new(),
        endpoints: Endpoints { inbound: [("opc".to_owned(), endpoint)].into(), ..Endpoints::default() },
        discovered_device_ref: String::new(),
        uuid: "11111111-2222-3333-4444-555555555555".to_owned(),
        edge: String::new(),
        site: String::new(),
    }
}

/// An asset reached through `device`.
pub(super) fn asset_definition(device: String) -> AssetDefinition {
    AssetDefinition { device_ref: DeviceRef { device, endpoint: "opc".to_owned() }, ..AssetDefinition::default() }
}

/// Every key that the operations can touch.
pub(super) fn keys() -> Vec<Key> {
    let mut keys: Vec<_> = super::edges::keys().collect();
    for namespace in NAMESPACES.map(str::to_owned) {
        keys.push(Key::Namespace(namespace.clone()));
        keys.extend(ASSETS.map(|asset| Key::Asset(namespace.clone(), asset.to_owned())));
        for device in DEVICES.map(str::to_owned) {
            keys.push(Key::Device(namespace.clone(), device.clone()));
            keys.push(Key::DeviceTwin(namespace.clone(), device.clone()));
            for module in MODULES.map(str::to_owned) {
                keys.push(Key::Module(namespace.clone(), device.clone(), module.clone()));
                keys.push(Key::ModuleTwin(namespace.clone(), device.clone(), module));
            }
        }
    }
    keys
}
