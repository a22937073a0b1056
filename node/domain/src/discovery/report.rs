//! Reports: what an edge says of a thing, judged and merged with what it said before.
//!
//! - A report that says what is known already, with the same mark, has no changes.

use std::sync::Arc;

use super::decide::{asset_key, device_key};
use super::{DiscoveredDeviceDefinition, DiscoveredEndpoint, Report, count};
use crate::asset::AssetDefinition;
use crate::decide::living;
use crate::limits::{
    ADDRESS_CHARS_MAX, CONFIGURATION_BYTES_MAX, ENDPOINTS_MAX, METHODS_MAX, REASON_CHARS_MAX, TEXT_CHARS_MAX,
};
use crate::text::{check_bytes, check_chars, check_count, check_name, check_present};
use crate::{At, Body, Change, EventKind, Key, Reason, Record, Rejection, States};
use crate::{attributes, edge, ids, namespace};

/// Decides what an edge says of a device.
pub(crate) fn report_device(
    states: &dyn States,
    (namespace, edge): (&str, &str),
    device: &str,
    report: &Report<DiscoveredDeviceDefinition>,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    ids::check_device("discovered_device_id", device)?;
    check_edge(states, namespace, edge)?;
    let within = |refusal: Rejection| refusal.within("discovered_device");
    check_mark(&report.discovery_id).map_err(within)?;
    let key = device_key(namespace, edge, device);
    let record = living(states, &key);
    let known = match record.as_deref() {
        Some(Record { body: Body::DiscoveredDevice(known), .. }) => Some(&known.report),
        _ => None,
    };
    let mut definition = report.definition.clone();
    definition.check().map_err(|refusal| refusal.within("definition")).map_err(within)?;
    let definition = definition.over(known.map(|known| &known.definition), at);
    definition.check_counts().map_err(|refusal| refusal.within("definition")).map_err(within)?;
    let report = Report { discovery_id: report.discovery_id.clone(), definition };
    if known == Some(&report) {
        return Ok(Vec::new());
    }
    changed(states, (namespace, edge), key, record, EventKind::DiscoveredDeviceReported(Box::new(report)), at)
}

/// Decides what an edge says of an asset.
pub(crate) fn report_asset(
    states: &dyn States,
    (namespace, edge): (&str, &str),
    asset: &str,
    report: &Report<AssetDefinition>,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    ids::check_asset("discovered_asset_id", asset)?;
    check_edge(states, namespace, edge)?;
    let within = |refusal: Rejection| refusal.within("discovered_asset");
    check_mark(&report.discovery_id).map_err(within)?;
    let key = asset_key(namespace, edge, asset);
    let record = living(states, &key);
    let known = match record.as_deref() {
        Some(Record { body: Body::DiscoveredAsset(known), .. }) => Some(&known.report),
        _ => None,
    };
    let mut definition = report.definition.clone();
    check_not_operators(&definition)
        .and_then(|()| definition.check())
        .map_err(|refusal| refusal.within("definition"))
        .map_err(within)?;
    let report = Report { discovery_id: report.discovery_id.clone(), definition };
    if known == Some(&report) {
        return Ok(Vec::new());
    }
    changed(states, (namespace, edge), key, record, EventKind::DiscoveredAssetReported(Box::new(report)), at)
}

/// The change of a thing, and before it of the count when it is another one.
fn changed(
    states: &dyn States,
    (namespace, edge): (&str, &str),
    key: Key,
    record: Option<Arc<Record>>,
    kind: EventKind,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    if let Some(record) = record {
        return Ok(vec![Change::new(key, kind, Some(&record), at)]);
    }
    namespace::check_open(states, namespace)?;
    let count = count::added(states, namespace, edge, at)?;
    let before = states.get(&key);
    Ok(vec![count, Change::new(key, kind, before.as_deref(), at)])
}

fn check_edge(states: &dyn States, namespace: &str, id: &str) -> Result<(), Rejection> {
    edge::check_exists(states, namespace, id, "parent")?;
    edge::check_enabled(states, namespace, id)
}

fn check_mark(discovery_id: &str) -> Result<(), Rejection> {
    check_chars("discovery_id", discovery_id, REASON_CHARS_MAX)
}

/// Where an asset belongs, and what it was made from, is not for its edge to say.
fn check_not_operators(definition: &AssetDefinition) -> Result<(), Rejection> {
    for (field, is_given) in [
        ("edge", !definition.edge.is_empty()),
        ("site", !definition.site.is_empty()),
        ("discovered_asset_refs", !definition.discovered_asset_refs.is_empty()),
    ] {
        if is_given {
            let message = format!("{field} is set when an asset is accepted, and cannot be reported");
            return Err(Rejection::new(Reason::InvalidField, field, message));
        }
    }
    Ok(())
}

impl DiscoveredDeviceDefinition {
    /// Checks everything but the number of endpoints, and brings attributes and methods into their one form.
    fn check(&mut self) -> Result<(), Rejection> {
        for (field, text) in [
            ("external_device_id", &self.external_device_id),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("operating_system", &self.operating_system),
            ("operating_system_version", &self.operating_system_version),
        ] {
            check_chars(field, text, TEXT_CHARS_MAX)?;
        }
        self.attributes = attributes::normalized_for_device("attributes_json", &self.attributes)?;
        let within = |refusal: Rejection| refusal.within("endpoints");
        for (name, endpoint) in &mut self.inbound {
            check_name("inbound", name, TEXT_CHARS_MAX).map_err(within)?;
            endpoint.check().map_err(|refusal| within(refusal.within(name).within("inbound")))?;
        }
        for (name, endpoint) in &self.outbound {
            check_name("outbound_assigned", name, TEXT_CHARS_MAX).map_err(within)?;
            endpoint.check().map_err(|refusal| within(refusal.within(name).within("outbound_assigned")))?;
        }
        Ok(())
    }

    /// With those of earlier reports.
    fn check_counts(&self) -> Result<(), Rejection> {
        check_count("inbound", self.inbound.len(), ENDPOINTS_MAX)
            .and_then(|()| check_count("outbound_assigned", self.outbound.len(), ENDPOINTS_MAX))
            .map_err(|refusal| refusal.within("endpoints"))
    }
}

impl DiscoveredEndpoint {
    fn check(&mut self) -> Result<(), Rejection> {
        check_present("address", &self.address)?;
        check_chars("address", &self.address, ADDRESS_CHARS_MAX)?;
        check_present("endpoint_type", &self.endpoint_type)?;
        check_chars("endpoint_type", &self.endpoint_type, REASON_CHARS_MAX)?;
        check_chars("version", &self.version, REASON_CHARS_MAX)?;
        check_bytes("additional_configuration", &self.additional_configuration, CONFIGURATION_BYTES_MAX)?;
        check_count("supported_authentication_methods", self.supported_methods.len(), METHODS_MAX)?;
        self.supported_methods.sort_unstable();
        self.supported_methods.dedup();
        Ok(())
    }
}
