//! The cluster's rules, applied beside what the edge holds: may an operation be queued, and what does its resource look like
//! with it?
//!
//! The rules themselves are `muster_domain`'s; here is what they need to see: items turned into records, as far as rules look
//! at them, and records turned back into resources. It knows no queue and no store.
//!
//! - An operation that is accepted here is accepted by the cluster too, unless something changed there that the edge does not
//!   know of yet.
//! - Etags and revisions are those of the item: what waits has none.

mod asset;
mod asset_definition;
mod asset_status;
mod discovery;
mod twin;

use std::sync::Arc;

use muster_domain::device::{Authentication, Device, DeviceDefinition, DeviceStatus};
use muster_domain::twin::{Section, Twin};
use muster_domain::{At, Body, Key, Limits, Operation, Reason, Record, Rejection, States};
use muster_proto::v1;
use muster_proto::v1::resource::Resource;
use muster_proto::v1::sync_operation::Operation as Queued;

/// A resource as the rules see it.
#[derive(Debug, Clone)]
pub struct View {
    key: Key,
    record: Arc<Record>,
    /// The device that it is, or is of.
    device: Option<Arc<Record>>,
    /// The item, whose other parts are shown as they are.
    shown: Arc<v1::Resource>,
    /// The cluster's, as far as it counts: for what is discovered.
    feature_level: u32,
}

impl View {
    /// The view of an item without anything that waits; `device` is the item of its device.
    ///
    /// # Errors
    /// When it is no twin and no asset, or cannot be read.
    pub fn of_item(item: &v1::SyncItem, device: Option<&v1::SyncItem>) -> Result<Self, Rejection> {
        let key = Key::parse(&item.name).ok_or_else(|| Rejection::not_found(&item.name))?;
        let body = match item.resource.as_ref().and_then(|resource| resource.resource.as_ref()) {
            Some(Resource::Twin(shown)) => Body::Twin(twin::from_proto(shown)?),
            Some(Resource::Asset(shown)) => Body::Asset(Box::new(asset::from_proto(shown)?)),
            _ => return Err(Rejection::not_found(&item.name)),
        };
        let record = Arc::new(record(item.revision, body));
        let shown = Arc::new(item.resource.clone().unwrap_or_default());
        Ok(Self { key, record, device: device.and_then(device_record).map(Arc::new), shown, feature_level: 0 })
    }

    /// The view with an operation on top.
    ///
    /// # Errors
    /// The refusal that the cluster would give.
    pub fn with(
        &self,
        operation: &v1::SyncOperation,
        expected_version: u64,
        limits: &Limits,
    ) -> Result<Self, Rejection> {
        let decided = self.decided(operation, expected_version)?;
        let at = At { revision: self.record.updated_revision, time_ms: operation.queued_ms.unsigned_abs() };
        let changes =
            muster_domain::decide(self, &decided, at, limits).map_err(|refusal| self.not_welcomed(refusal))?;
        let record = changes.last().map_or_else(|| Arc::clone(&self.record), |change| Arc::clone(&change.after));
        let shown = if changes.is_empty() { Arc::clone(&self.shown) } else { self.shown_with(operation) };
        Ok(Self { record, shown, ..self.clone() })
    }

    /// The view over a newer item of the same twin, `waiting` operations of it not being known to have taken effect: what
    /// the others did is in the item and in this view alike, so nothing is merged again. `None` when it is no twin.
    ///
    /// What somebody else reported of the twin meanwhile shows only when the view is worked out anew.
    #[must_use]
    pub fn over(&self, item: &v1::SyncItem, device: Option<&v1::SyncItem>, waiting: u64) -> Option<Self> {
        let base = Self::of_item(item, device).ok()?;
        let (Body::Twin(own), Body::Twin(newer)) = (&self.record.body, &base.record.body) else { return None };
        let version = newer.reported.version + waiting;
        let reported = Arc::new(Section { version, ..(*own.reported).clone() });
        let body = Body::Twin(Twin { version: newer.version + waiting, reported, ..newer.clone() });
        let record = Arc::new(Record { updated_ms: self.record.updated_ms, body, ..(*base.record).clone() });
        Some(Self { record, ..base })
    }

    fn decided(&self, operation: &v1::SyncOperation, expected_version: u64) -> Result<Operation, Rejection> {
        if let Some(reported) = operation.operation.as_ref().and_then(|operation| self.reported(operation)) {
            return reported;
        }
        match (&operation.operation, &self.key) {
            (Some(Queued::Report(report)), key) if key.is_twin() => Ok(Operation::ReportProperties {
                key: key.clone(),
                reported: report.reported_json.clone(),
                expected_version,
                from_device: false,
            }),
            (Some(Queued::AssetStatus(status)), Key::Asset(namespace, asset)) => {
                let status = status
                    .status
                    .clone()
                    .ok_or_else(|| Rejection::new(Reason::InvalidField, "status", "status is required"))?;
                let status = Box::new(asset_status::from_proto(status)?);
                Ok(Operation::UpdateAssetStatus { namespace: namespace.clone(), asset: asset.clone(), status })
            }
            _ => Err(Rejection::not_found(&self.key)),
        }
    }

    /// The resource as applications see it.
    #[must_use]
    pub fn resource(&self) -> v1::Resource {
        let resource = match (self.shown.resource.as_ref(), &self.record.body) {
            (Some(Resource::Twin(shown)), Body::Twin(twin)) => {
                Some(Resource::Twin(twin::to_proto(shown, twin, self.record.updated_ms)))
            }
            (Some(Resource::Asset(shown)), Body::Asset(asset)) => Some(Resource::Asset(asset::to_proto(shown, asset))),
            (shown, _) => shown.cloned(),
        };
        v1::Resource { resource }
    }
}

impl States for View {
    fn get(&self, key: &Key) -> Option<Arc<Record>> {
        match key {
            Key::Device(..) => self.device.clone(),
            key if *key == self.key => Some(Arc::clone(&self.record)),
            key => self.around(key),
        }
    }

    fn modules(&self, _: &str, _: &str) -> Vec<Key> {
        Vec::new()
    }

    fn assets_of(&self, _: &str, _: &str, _: usize) -> Vec<Key> {
        Vec::new()
    }

    fn sites_of(&self, _: &str, _: &str, _: usize) -> Vec<Key> {
        Vec::new()
    }

    fn discovered_of(&self, _: &str, _: &str, _: usize) -> Vec<Key> {
        Vec::new()
    }

    fn contents(&self, _: &str, _: usize) -> Vec<Key> {
        Vec::new()
    }
}

fn record(revision: u64, body: Body) -> Record {
    Record { created_revision: revision, created_ms: 0, updated_revision: revision, updated_ms: 0, body }
}

/// What rules look at of a device: whether it is enabled.
fn device_record(item: &v1::SyncItem) -> Option<Record> {
    let Some(Resource::Device(device)) = item.resource.as_ref()?.resource.as_ref() else { return None };
    let status = match device.status() {
        v1::DeviceStatus::Disabled => DeviceStatus::Disabled,
        v1::DeviceStatus::Unspecified | v1::DeviceStatus::Enabled => DeviceStatus::Enabled,
    };
    let definition = DeviceDefinition {
        status,
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
        endpoints: Default::default(),
        discovered_device_ref: String::new(),
        uuid: String::new(),
        edge: String::new(),
        site: String::new(),
    };
    let device = Device { definition, status_updated_ms: 0, version: device.version };
    Some(record(item.revision, Body::Device(Box::new(device))))
}

/// The name of the item of the device that a resource is of; `None` for an asset.
#[must_use]
pub fn device_of(key: &Key) -> Option<String> {
    let (namespace, device) = (key.namespace()?, key.device()?);
    Some(Key::Device(namespace.to_owned(), device.to_owned()).to_string())
}

#[cfg(test)]
mod tests;
