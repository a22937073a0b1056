//! What the back end says of an edge, and the rules for it.

use crate::limits::{DESCRIPTION_CHARS_MAX, TEXT_CHARS_MAX};
use crate::{Rejection, attributes, text};

/// What the back end says of an edge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EdgeDefinition {
    /// Whether it may connect, and send.
    pub enabled: bool,
    /// At most 256 characters.
    pub display_name: String,
    /// At most 1,024 characters.
    pub description: String,
    /// JSON object as text; at most 8 KiB. Empty means `{}`.
    pub attributes: String,
}

/// A field of [`EdgeDefinition`] that an update may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeField {
    /// `enabled`
    Enabled,
    /// `display_name`
    DisplayName,
    /// `description`
    Description,
    /// `attributes_json`
    Attributes,
}

impl EdgeField {
    /// All of them, with their names in an update mask.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Enabled, "enabled"),
        (Self::DisplayName, "display_name"),
        (Self::Description, "description"),
        (Self::Attributes, "attributes_json"),
    ];
}

/// An edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// What the back end says of it.
    pub definition: EdgeDefinition,
    /// Grows by one with each change.
    pub version: u64,
}

impl EdgeDefinition {
    /// The same in its one form, if it keeps the rules. Fields are named below `edge`.
    pub(super) fn checked(mut self) -> Result<Self, Rejection> {
        let within = |refusal: Rejection| refusal.within("edge");
        text::check_chars("display_name", &self.display_name, TEXT_CHARS_MAX).map_err(within)?;
        text::check_chars("description", &self.description, DESCRIPTION_CHARS_MAX).map_err(within)?;
        self.attributes = attributes::normalized("attributes_json", &self.attributes).map_err(within)?;
        Ok(self)
    }

    /// With the given fields of `new`.
    pub(super) fn merged(&self, new: &Self, fields: &[EdgeField]) -> Self {
        let mut merged = self.clone();
        for field in fields {
            match field {
                EdgeField::Enabled => merged.enabled = new.enabled,
                EdgeField::DisplayName => merged.display_name.clone_from(&new.display_name),
                EdgeField::Description => merged.description.clone_from(&new.description),
                EdgeField::Attributes => merged.attributes.clone_from(&new.attributes),
            }
        }
        merged
    }
}
