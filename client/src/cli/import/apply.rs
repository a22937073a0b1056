//! Creates or updates what manifests define, or says what it would do. Devices come before the assets that refer to them.

use std::collections::HashSet;

use muster_client::{CallError, Code, names, proto};
use prost_types::FieldMask;
use proto::{Asset, Device};
use serde_json::{Map, Value, json};

use super::diff::{self, Action, Difference};
use super::dry_run::{Forecast, found, refusal};
use super::manifests::{Manifest, Resource};
use super::refusals::Refusal;
use crate::output::talk;
use crate::session::Session;
use crate::shapes::{asset, device, put};

/// Applies manifests, or runs dry. Returns refusals in the order of the manifests.
pub(crate) struct Apply<'a> {
    pub(crate) session: &'a Session,
    pub(crate) dry_run: bool,
    /// Namespaces that a dry run would make: everything in them is new, and the server cannot check it.
    pub(crate) missing: &'a HashSet<String>,
    /// Devices a dry run would make, by full name.
    pub(crate) made: HashSet<String>,
}

impl Apply<'_> {
    /// Applies one manifest in `namespace`. The inner error is a refusal, the outer one stops the import.
    pub(crate) async fn one(
        &mut self,
        namespace: &str,
        manifest: Manifest,
        forecast: &mut Forecast,
    ) -> anyhow::Result<Result<(), Refusal>> {
        let id = manifest.id();
        let line = manifest.line;
        for member in &manifest.unread {
            talk(format_args!("note: {id}: {member} is not known here and was left out"));
        }
        let result = match manifest.resource {
            Resource::Device(device) => self.device(namespace, &manifest.name, *device).await,
            Resource::Asset(asset) => self.asset(namespace, &manifest.name, *asset).await,
        };
        match result {
            Ok((action, differences)) => {
                forecast.count(action);
                if self.dry_run {
                    diff::print(self.session.format, action, &id.replacen('/', " ", 1), &differences)?;
                } else {
                    let verdict = match action {
                        Action::Create => "created",
                        Action::Update => "updated",
                        Action::Delete => "deleted",
                        Action::Unchanged => "unchanged",
                    };
                    talk(format_args!("{id} {verdict}"));
                }
                Ok(Ok(()))
            }
            Err(error) if is_refusal(&error) => Ok(Err(refusal(line, &id, &error))),
            Err(error) => Err(error.into()),
        }
    }

    async fn device(
        &mut self,
        namespace: &str,
        id: &str,
        wanted: Device,
    ) -> Result<(Action, Vec<Difference>), CallError> {
        let devices = self.session.client.devices();
        let name = names::device(namespace, id);
        let current = match self.missing.contains(namespace) {
            true => None,
            false => {
                let request = proto::GetDeviceRequest { name: name.clone(), read: self.session.read };
                found(devices.get(request).await)?.and_then(|answer| answer.device)
            }
        };
        let Some(current) = current else {
            let differences = diff::compare(&json!({}), &described(&wanted));
            if self.dry_run {
                self.made.insert(name);
            }
            if !self.missing.contains(namespace) {
                let request = proto::CreateDeviceRequest {
                    parent: names::namespace(namespace),
                    device_id: id.to_owned(),
                    device: Some(wanted),
                    validate_only: self.dry_run,
                    ..Default::default()
                };
                devices.create(request).await?;
            }
            return Ok((Action::Create, differences));
        };
        let differences = diff::compare(&described(&current), &described(&wanted));
        if differences.is_empty() {
            return Ok((Action::Unchanged, differences));
        }
        let paths = device::REGISTRY_MASK.map(str::to_owned).to_vec();
        let request = proto::UpdateDeviceRequest {
            device: Some(Device { name, ..wanted }),
            update_mask: Some(FieldMask { paths }),
            // What was compared is what is replaced.
            etag: current.etag,
            validate_only: self.dry_run,
            ..Default::default()
        };
        devices.update(request).await?;
        Ok((Action::Update, differences))
    }

    async fn asset(
        &mut self,
        namespace: &str,
        id: &str,
        mut wanted: Asset,
    ) -> Result<(Action, Vec<Difference>), CallError> {
        let assets = self.session.client.assets();
        let name = names::asset(namespace, id);
        let current = match self.missing.contains(namespace) {
            true => None,
            false => {
                let request = proto::GetAssetRequest { name: name.clone(), read: self.session.read };
                found(assets.get(request).await)?.and_then(|answer| answer.asset)
            }
        };
        let device = wanted.definition.as_ref().and_then(|definition| definition.device_ref.as_ref());
        let device = device.map(|reference| names::device(namespace, &reference.device_name)).unwrap_or_default();
        let Some(current) = current else {
            let differences = diff::compare(&json!({}), &defined(&wanted, wanted.enabled));
            // The server cannot check an asset whose device this very import would make.
            let checkable = !self.missing.contains(namespace) && !self.made.contains(&device);
            if checkable {
                let request = proto::CreateAssetRequest {
                    parent: names::namespace(namespace),
                    asset_id: id.to_owned(),
                    asset: Some(wanted),
                    validate_only: self.dry_run,
                    ..Default::default()
                };
                assets.create(request).await?;
            }
            return Ok((Action::Create, differences));
        };
        stay(&mut wanted, &current);
        let enabled = wanted.enabled;
        let now = if enabled.is_some() { Some(current.enabled.unwrap_or(true)) } else { None };
        let differences = diff::compare(&defined(&current, now), &defined(&wanted, enabled));
        if differences.is_empty() {
            return Ok((Action::Unchanged, differences));
        }
        let mut paths = vec!["definition".to_owned()];
        if enabled.is_some() {
            paths.push("enabled".to_owned());
        }
        if !self.made.contains(&device) {
            let request = proto::UpdateAssetRequest {
                asset: Some(Asset { name, ..wanted }),
                update_mask: Some(FieldMask { paths }),
                etag: current.etag,
                validate_only: self.dry_run,
                ..Default::default()
            };
            assets.update(request).await?;
        }
        Ok((Action::Update, differences))
    }
}

/// Device Registry has no word for edges and sites: what a manifest does not say of them stays as it is.
fn stay(wanted: &mut Asset, current: &Asset) {
    let (Some(wanted), Some(current)) = (&mut wanted.definition, &current.definition) else { return };
    for (said, kept) in [(&mut wanted.edge, &current.edge), (&mut wanted.site, &current.site)] {
        if said.is_empty() {
            said.clone_from(kept);
        }
    }
}

/// A refusal is about this entry; other errors are about the connection, the credentials or the namespace.
fn is_refusal(error: &CallError) -> bool {
    matches!(
        error.code(),
        Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
    )
}

/// What Device Registry says of a device.
fn described(device: &Device) -> Value {
    let mut registry = device::registry_to_json(device);
    if let Value::Object(members) = &mut registry {
        // Made once and never changed.
        members.remove("uuid");
        put(members, "status", device::status_name(device.status()));
    }
    registry
}

fn defined(asset: &Asset, enabled: Option<bool>) -> Value {
    let mut object: Map<String, Value> = asset.definition.as_ref().map(asset::definition_to_json).unwrap_or_default();
    put(&mut object, "enabled", enabled);
    Value::Object(object)
}
