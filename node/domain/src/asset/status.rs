//! What the edge says of an asset: its shape, its rules, and how one message merges into what was said before.
//!
//! - A status is kept for parts of the current definition only.

use std::collections::{BTreeMap, BTreeSet};

use super::{AssetDefinition, ManagementAction};
use crate::limits::{ASSET_BYTES_MAX, DESCRIPTION_CHARS_MAX, REASON_CHARS_MAX, TEXT_CHARS_MAX};
use crate::text::{Texts, check_count};
use crate::{Reason, Rejection};

/// Details of one error.
const DETAILS_MAX: usize = 16;

/// Why a part does not work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusError {
    /// At most 128 characters.
    pub code: String,
    /// At most 1,024 characters.
    pub message: String,
    /// At most 16.
    pub details: Vec<StatusErrorDetail>,
}

/// More about an error; texts of at most 1,024 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusErrorDetail {
    /// Code.
    pub code: String,
    /// To find it in logs.
    pub correlation_id: String,
    /// Anything else.
    pub info: String,
    /// A sentence.
    pub message: String,
}

/// Names a part of an asset: definition and status meet here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AssetPart {
    /// A dataset.
    Dataset(String),
    /// An event: group, name.
    Event(String, String),
    /// A stream.
    Stream(String),
    /// An action: group, name.
    ManagementAction(String, String),
}

/// The schema of a part's messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageSchemaReference {
    /// Registry.
    pub schema_registry_namespace: String,
    /// Schema.
    pub schema_name: String,
    /// Version.
    pub schema_version: String,
}

/// Status of one part; no error means working.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartStatus {
    /// Why it does not work.
    pub error: Option<StatusError>,
    /// Schema of its messages.
    pub message_schema: Option<MessageSchemaReference>,
}

/// What the edge says of an asset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssetStatus {
    /// The definition version it is about; 0 when nothing was said of it.
    pub config_version: u64,
    /// When that was, milliseconds since the epoch; 0 when not said.
    pub config_last_transition_ms: u64,
    /// Why the definition does not work.
    pub config_error: Option<StatusError>,
    /// Status by part.
    pub parts: BTreeMap<AssetPart, PartStatus>,
}

impl AssetPart {
    /// Where its status lies, for the field of a refusal.
    fn path(&self) -> String {
        match self {
            Self::Dataset(name) => format!("datasets.{name}"),
            Self::Event(group, name) => format!("events.{group}.{name}"),
            Self::Stream(name) => format!("streams.{name}"),
            Self::ManagementAction(group, name) => format!("management_actions.{group}.{name}"),
        }
    }
}

impl AssetDefinition {
    /// Every part that can have a status.
    #[must_use]
    pub fn parts(&self) -> BTreeSet<AssetPart> {
        let datasets = self.datasets.iter().map(|dataset| AssetPart::Dataset(dataset.name.clone()));
        let events = self.event_groups.iter().flat_map(|group| {
            group.events.iter().map(|event| AssetPart::Event(group.name.clone(), event.name.clone()))
        });
        let streams = self.streams.iter().map(|stream| AssetPart::Stream(stream.name.clone()));
        let actions = self.management_groups.iter().flat_map(|group| {
            let name = |action: &ManagementAction| action.name.clone();
            group.actions.iter().map(move |action| AssetPart::ManagementAction(group.name.clone(), name(action)))
        });
        datasets.chain(events).chain(streams).chain(actions).collect()
    }
}

impl AssetStatus {
    /// Checks what the edge sent about `definition` at `version`. Fields are named below `status`.
    pub(super) fn check(&self, definition: &AssetDefinition, version: u64) -> Result<(), Rejection> {
        self.check_config(version)?;
        let parts = if self.parts.is_empty() { BTreeSet::new() } else { definition.parts() };
        for (part, status) in &self.parts {
            if !parts.contains(part) {
                let message = "the asset's definition has no such part";
                return Err(Rejection::new(Reason::InvalidField, part.path(), message).within("parts"));
            }
            status.check(&mut Texts::default()).map_err(|refusal| refusal.within(&part.path()).within("parts"))?;
        }
        Ok(())
    }

    fn check_config(&self, version: u64) -> Result<(), Rejection> {
        let invalid = |message: String| Err(Rejection::new(Reason::InvalidField, "config_version", message));
        if self.config_version > version {
            return invalid(format!("the definition's version is {version}, not yet {}", self.config_version));
        }
        if self.config_version == 0 && (self.config_error.is_some() || self.config_last_transition_ms != 0) {
            return invalid("config_version must say which version config_error and its time are about".to_owned());
        }
        match &self.config_error {
            Some(error) => error.check(&mut Texts::default()).map_err(|refusal| refusal.within("config_error")),
            None => Ok(()),
        }
    }

    /// Refuses a status that has grown too large as a whole.
    pub(super) fn check_size(&self) -> Result<(), Rejection> {
        let mut texts = Texts::default();
        if let Some(error) = &self.config_error {
            error.check(&mut texts)?;
        }
        for (part, status) in &self.parts {
            texts.bytes = texts.bytes.saturating_add(part.path().len());
            status.check(&mut texts)?;
        }
        if texts.bytes > ASSET_BYTES_MAX {
            let message = format!(
                "the texts of an asset's status must have at most {ASSET_BYTES_MAX} bytes, would have {}",
                texts.bytes
            );
            return Err(Rejection::new(Reason::TooLarge, "", message));
        }
        Ok(())
    }

    /// Merges what the edge sent: the configuration's part if it speaks of one, and the parts that it names.
    pub(super) fn take(&mut self, sent: &Self) {
        if sent.config_version != 0 {
            self.config_version = sent.config_version;
            self.config_last_transition_ms = sent.config_last_transition_ms;
            self.config_error.clone_from(&sent.config_error);
        }
        for (part, status) in &sent.parts {
            self.parts.insert(part.clone(), status.clone());
        }
    }

    /// Forgets parts that `definition` does not have any more.
    pub(super) fn retain_parts_of(&mut self, definition: &AssetDefinition) {
        if !self.parts.is_empty() {
            let parts = definition.parts();
            self.parts.retain(|part, _| parts.contains(part));
        }
    }
}

impl PartStatus {
    fn check(&self, texts: &mut Texts) -> Result<(), Rejection> {
        if let Some(error) = &self.error {
            error.check(texts).map_err(|refusal| refusal.within("error"))?;
        }
        if let Some(schema) = &self.message_schema {
            schema.check(texts).map_err(|refusal| refusal.within("message_schema_reference"))?;
        }
        Ok(())
    }
}

impl MessageSchemaReference {
    fn check(&self, texts: &mut Texts) -> Result<(), Rejection> {
        texts.optional("schema_registry_namespace", &self.schema_registry_namespace, TEXT_CHARS_MAX)?;
        texts.optional("schema_name", &self.schema_name, TEXT_CHARS_MAX)?;
        texts.optional("schema_version", &self.schema_version, TEXT_CHARS_MAX)
    }
}

impl StatusError {
    fn check(&self, texts: &mut Texts) -> Result<(), Rejection> {
        texts.optional("code", &self.code, REASON_CHARS_MAX)?;
        texts.optional("message", &self.message, DESCRIPTION_CHARS_MAX)?;
        check_count("details", self.details.len(), DETAILS_MAX)?;
        for (index, detail) in self.details.iter().enumerate() {
            detail.check(texts).map_err(|refusal| refusal.within(&format!("[{index}]")).within("details"))?;
        }
        Ok(())
    }
}

impl StatusErrorDetail {
    fn check(&self, texts: &mut Texts) -> Result<(), Rejection> {
        texts.optional("code", &self.code, DESCRIPTION_CHARS_MAX)?;
        texts.optional("correlation_id", &self.correlation_id, DESCRIPTION_CHARS_MAX)?;
        texts.optional("info", &self.info, DESCRIPTION_CHARS_MAX)?;
        texts.optional("message", &self.message, DESCRIPTION_CHARS_MAX)
    }
}
