//! One line of an import, with IoT Hub's import modes. It composes what devices, modules and twins decide, and knows no
//! file and no line numbers.
//!
//! - Identity and twin change together or not at all; their etags are judged separately.
//! - What a line says already is no change: importing a file again changes nothing.
//! - What IoT Hub's format cannot say stays as it is: keys that are null, and Device Registry's fields that are empty.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decide::{check_etag, living};
use crate::device::{DeviceDefinition, Endpoints};
use crate::json::Json;
use crate::module::ModuleDefinition;
use crate::twin::{Section, replace_change};
use crate::{At, Body, Change, Key, Limits, Record, Rejection, States};
use crate::{device, module};

/// IoT Hub's `importMode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ImportMode {
    /// Create, or replace what exists.
    #[default]
    CreateOrUpdate,
    /// Only create.
    Create,
    /// Only replace.
    Update,
    /// Only replace, and only at this etag.
    UpdateIfMatchEtag,
    /// Create, or replace at this etag.
    CreateOrUpdateIfMatchEtag,
    /// Delete, whatever the etag.
    Delete,
    /// Delete at this etag.
    DeleteIfMatchEtag,
    /// Only the twin.
    UpdateTwin,
    /// Only the twin, and only at this twin etag.
    UpdateTwinIfMatchEtag,
}

/// The identity on a line.
#[derive(Debug, Clone, PartialEq)]
pub enum ImportIdentity {
    /// A device.
    Device(Box<DeviceDefinition>),
    /// A module of the device.
    Module {
        /// Its id.
        module: String,
        /// What it is.
        definition: ModuleDefinition,
    },
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportLine {
    /// What to do.
    pub mode: ImportMode,
    /// Namespace.
    pub namespace: String,
    /// The device's id.
    pub device: String,
    /// Identity of the device or module.
    pub identity: ImportIdentity,
    /// Expected etag of the identity; empty and `*` match any.
    pub etag: String,
    /// Expected etag of the twin; empty and `*` match any.
    pub twin_etag: String,
    /// New tags as JSON text; a module's twin may have them too. `$metadata` and `$version` members are ignored.
    pub tags: Option<String>,
    /// New desired section as JSON text.
    pub desired: Option<String>,
    /// New reported section as JSON text.
    pub reported: Option<String>,
}

impl ImportMode {
    fn judges_etags(self) -> bool {
        match self {
            Self::UpdateIfMatchEtag
            | Self::CreateOrUpdateIfMatchEtag
            | Self::DeleteIfMatchEtag
            | Self::UpdateTwinIfMatchEtag => true,
            Self::CreateOrUpdate | Self::Create | Self::Update | Self::Delete | Self::UpdateTwin => false,
        }
    }
}

impl ImportLine {
    /// The device or module that the line is about.
    #[must_use]
    pub fn key(&self) -> Key {
        match &self.identity {
            ImportIdentity::Device(_) => Key::Device(self.namespace.clone(), self.device.clone()),
            ImportIdentity::Module { module, .. } => {
                Key::Module(self.namespace.clone(), self.device.clone(), module.clone())
            }
        }
    }

    /// The identity's etag, in the modes that judge it.
    fn identity_etag(&self) -> Option<&str> {
        self.mode.judges_etags().then_some(self.etag.as_str())
    }

    /// The twin's etag, in the modes that judge it.
    fn twin_etag(&self) -> Option<&str> {
        self.mode.judges_etags().then_some(self.twin_etag.as_str())
    }
}

/// Decides one line. No change at all means that everything is as the line says.
pub(crate) fn decide(
    states: &dyn States,
    line: &ImportLine,
    at: At,
    limits: &Limits,
) -> Result<Vec<Change>, Rejection> {
    let exists = living(states, &line.key()).is_some();
    match line.mode {
        ImportMode::Create => create(states, line, at, limits),
        ImportMode::CreateOrUpdate | ImportMode::CreateOrUpdateIfMatchEtag if !exists => {
            create(states, line, at, limits)
        }
        ImportMode::CreateOrUpdate
        | ImportMode::CreateOrUpdateIfMatchEtag
        | ImportMode::Update
        | ImportMode::UpdateIfMatchEtag => {
            let identity = update_identity(states, line, at)?;
            let twin = update_twin(states, line, at, limits)?;
            Ok(identity.into_iter().chain(twin).collect())
        }
        ImportMode::Delete | ImportMode::DeleteIfMatchEtag => delete(states, line, at),
        ImportMode::UpdateTwin | ImportMode::UpdateTwinIfMatchEtag => {
            if !exists {
                return Err(Rejection::not_found(line.key()));
            }
            Ok(update_twin(states, line, at, limits)?.into_iter().collect())
        }
    }
}

fn create(states: &dyn States, line: &ImportLine, at: At, limits: &Limits) -> Result<Vec<Change>, Rejection> {
    let (namespace, device) = (line.namespace.as_str(), line.device.as_str());
    let [identity, twin] = match &line.identity {
        ImportIdentity::Device(definition) => device::created(states, namespace, device, definition, at)?,
        ImportIdentity::Module { module, definition } => {
            module::created(states, namespace, device, module, definition, at)?
        }
    };
    let filled = fill_twin(twin.event.key.clone(), &twin.after, line, at, limits)?;
    Ok([identity, twin].into_iter().chain(filled).collect())
}

fn update_identity(states: &dyn States, line: &ImportLine, at: At) -> Result<Option<Change>, Rejection> {
    match &line.identity {
        ImportIdentity::Device(definition) => device::revised(
            states,
            &line.namespace,
            &line.device,
            line.identity_etag(),
            |current| keep_unsaid((**definition).clone(), current),
            at,
        ),
        ImportIdentity::Module { definition, .. } => {
            module::revised(states, line.key(), line.identity_etag(), definition.clone(), at)
        }
    }
}

fn update_twin(states: &dyn States, line: &ImportLine, at: At, limits: &Limits) -> Result<Option<Change>, Rejection> {
    if line.tags.is_none() && line.desired.is_none() && line.reported.is_none() {
        return Ok(None);
    }
    let found = line.key().twin().and_then(|key| living(states, &key).map(|record| (key, record)));
    let Some((key, record)) = found else { return Err(Rejection::not_found(line.key())) };
    check_etag(line.twin_etag(), &record).map_err(|mut refusal| {
        refusal.field = "twin_etag".to_owned();
        refusal
    })?;
    fill_twin(key, &record, line, at, limits)
}

fn delete(states: &dyn States, line: &ImportLine, at: At) -> Result<Vec<Change>, Rejection> {
    match &line.identity {
        ImportIdentity::Device(_) => device::deleted(states, &line.namespace, &line.device, line.identity_etag(), at),
        ImportIdentity::Module { .. } => module::deleted(states, line.key(), line.identity_etag(), at),
    }
}

/// Replaces the sections that the line gives and that differ.
fn fill_twin(
    key: Key,
    record: &Arc<Record>,
    line: &ImportLine,
    at: At,
    limits: &Limits,
) -> Result<Option<Change>, Rejection> {
    let Body::Twin(twin) = &record.body else { return Err(Rejection::not_found(key)) };
    let tags = difference("tags_json", line.tags.as_deref(), &twin.tags)?;
    let desired = difference("desired_json", line.desired.as_deref(), &twin.desired)?;
    let reported = difference("reported_json", line.reported.as_deref(), &twin.reported)?;
    if tags.is_none() && desired.is_none() && reported.is_none() {
        return Ok(None);
    }
    replace_change(key, record, tags, desired, reported, at, limits).map(Some)
}

/// The section as JSON text without IoT Hub's traces, if it is given and is not what the twin holds.
fn difference(field: &str, text: Option<&str>, section: &Section) -> Result<Option<String>, Rejection> {
    let Some(text) = text else { return Ok(None) };
    let mut members = Json::parse_object(field, text)?;
    members.remove("$version");
    remove_metadata(&mut members);
    if section.holds(&members) { Ok(None) } else { Ok(Some(Json::Object(members).to_string())) }
}

fn remove_metadata(members: &mut BTreeMap<String, Json>) {
    members.remove("$metadata");
    for value in members.values_mut() {
        if let Json::Object(members) = value {
            remove_metadata(members);
        }
    }
}

/// Takes from the current definition what IoT Hub's format has no word for and the line leaves empty.
fn keep_unsaid(mut line: DeviceDefinition, current: &DeviceDefinition) -> DeviceDefinition {
    for (said, kept) in [
        (&mut line.external_device_id, &current.external_device_id),
        (&mut line.manufacturer, &current.manufacturer),
        (&mut line.model, &current.model),
        (&mut line.operating_system, &current.operating_system),
        (&mut line.operating_system_version, &current.operating_system_version),
        (&mut line.discovered_device_ref, &current.discovered_device_ref),
        (&mut line.attributes, &current.attributes),
        (&mut line.edge, &current.edge),
        (&mut line.site, &current.site),
    ] {
        if said.is_empty() {
            said.clone_from(kept);
        }
    }
    if line.endpoints == Endpoints::default() {
        line.endpoints.clone_from(&current.endpoints);
    }
    line
}
