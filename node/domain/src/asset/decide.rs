//! From an operation on an asset to its change.

use std::sync::Arc;

use super::{Asset, AssetDefinition, AssetField, AssetStatus, DeviceRef};
use crate::decide::{check_etag, living};
use crate::{At, Body, Change, EventKind, Key, Operation, Reason, Record, Rejection, States};
use crate::{edge, ids, limits, namespace, site, text};

/// Decides operations on assets.
pub(crate) fn decide(states: &dyn States, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
    let change = match operation {
        Operation::CreateAsset { namespace, asset, definition, enabled, uuid } => {
            created(states, namespace, asset, definition, *enabled, uuid, at)?
        }
        Operation::UpdateAsset { namespace, asset, definition, enabled, fields, etag } => {
            let found = Found::new(states, namespace, asset)?;
            check_etag(etag.as_deref(), &found.record)?;
            found.update(states, namespace, definition, *enabled, fields, at)?
        }
        Operation::DeleteAsset { namespace, asset, etag } => {
            let found = Found::new(states, namespace, asset)?;
            check_etag(etag.as_deref(), &found.record)?;
            found.change(EventKind::AssetDeleted, at)
        }
        Operation::UpdateAssetStatus { namespace, asset, status } => {
            Found::new(states, namespace, asset)?.update_status(status, at)?
        }
        _ => return Ok(Vec::new()),
    };
    Ok(vec![change])
}

/// The creation of an asset.
pub(crate) fn created(
    states: &dyn States,
    namespace: &str,
    id: &str,
    definition: &AssetDefinition,
    enabled: bool,
    uuid: &str,
    at: At,
) -> Result<Change, Rejection> {
    ids::check_asset("asset_id", id)?;
    namespace::check_open(states, namespace)?;
    let key = Key::Asset(namespace.to_owned(), id.to_owned());
    let before = states.get(&key);
    if before.as_ref().is_some_and(|record| record.is_alive()) {
        return Err(Rejection::already_exists("asset_id", key));
    }
    text::check_chars("asset.uuid", uuid, limits::TEXT_CHARS_MAX)?;
    let definition = checked(definition.clone())?;
    check_device_ref(states, namespace, &definition.device_ref)?;
    check_assignment(states, namespace, None, &definition)?;
    let kind = EventKind::AssetCreated { definition: Box::new(definition), enabled, uuid: uuid.to_owned() };
    Ok(Change::new(key, kind, before.as_deref(), at))
}

/// An asset that exists.
struct Found {
    key: Key,
    record: Arc<Record>,
}

impl Found {
    fn new(states: &dyn States, namespace: &str, id: &str) -> Result<Self, Rejection> {
        let key = Key::Asset(namespace.to_owned(), id.to_owned());
        match living(states, &key) {
            Some(record) => Ok(Self { key, record }),
            None => Err(Rejection::not_found(key)),
        }
    }

    fn asset(&self) -> Result<&Asset, Rejection> {
        match &self.record.body {
            Body::Asset(asset) => Ok(asset),
            _ => Err(Rejection::not_found(&self.key)),
        }
    }

    fn change(&self, kind: EventKind, at: At) -> Change {
        Change::new(self.key.clone(), kind, Some(&self.record), at)
    }

    fn update(
        &self,
        states: &dyn States,
        namespace: &str,
        new: &AssetDefinition,
        enabled: Option<bool>,
        fields: &[AssetField],
        at: At,
    ) -> Result<Change, Rejection> {
        let asset = self.asset()?;
        let mut definition = asset.definition.clone();
        for field in fields {
            field.take(&mut definition, new);
        }
        let definition = checked(definition)?;
        if definition.device_ref != asset.definition.device_ref {
            check_device_ref(states, namespace, &definition.device_ref)?;
        }
        check_assignment(states, namespace, Some(&asset.definition), &definition)?;
        let enabled = enabled.unwrap_or(asset.enabled);
        Ok(self.change(EventKind::AssetUpdated { definition: Box::new(definition), enabled }, at))
    }

    fn update_status(&self, status: &AssetStatus, at: At) -> Result<Change, Rejection> {
        let asset = self.asset()?;
        let mut whole = asset.status.clone();
        status
            .check(&asset.definition, asset.version)
            .and_then(|()| {
                whole.take(status);
                whole.check_size()
            })
            .map_err(|refusal| refusal.within("status"))?;
        Ok(self.change(EventKind::AssetStatusUpdated(Box::new(status.clone())), at))
    }
}

fn checked(mut definition: AssetDefinition) -> Result<AssetDefinition, Rejection> {
    definition.check().map_err(|refusal| refusal.within("asset.definition"))?;
    Ok(definition)
}

/// Edge and site must exist when they are set; a name that stays may be of what is gone since.
fn check_assignment(
    states: &dyn States,
    namespace: &str,
    current: Option<&AssetDefinition>,
    new: &AssetDefinition,
) -> Result<(), Rejection> {
    if current.is_none_or(|current| current.edge != new.edge) {
        edge::check_exists(states, namespace, &new.edge, "asset.definition.edge")?;
    }
    if current.is_none_or(|current| current.site != new.site) {
        site::check_exists(states, namespace, &new.site, "asset.definition.site")?;
    }
    Ok(())
}

/// The device and its inbound endpoint must exist.
fn check_device_ref(states: &dyn States, namespace: &str, to: &DeviceRef) -> Result<(), Rejection> {
    let missing = |field: &str, message: String| {
        let field = format!("asset.definition.device_ref.{field}");
        Err(Rejection::new(Reason::ParentNotFound, field, message))
    };
    let key = Key::Device(namespace.to_owned(), to.device.clone());
    match living(states, &key).as_deref() {
        Some(Record { body: Body::Device(device), .. })
            if device.definition.endpoints.inbound.contains_key(&to.endpoint) =>
        {
            Ok(())
        }
        Some(_) => missing("endpoint_name", format!("{key} has no inbound endpoint `{}`", to.endpoint)),
        None => missing("device_name", format!("{key} does not exist")),
    }
}
