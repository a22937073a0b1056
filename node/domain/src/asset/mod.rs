//! Assets in the shape of Azure Device Registry: a definition that the cloud owns, a status per part that the edge owns.
//! It knows no connector and no broker; destinations are checked for form only.

use crate::{At, EventKind};

mod check;
mod decide;
mod definition;
mod field;
mod status;

pub(crate) use decide::{created, decide};
pub use definition::{
    ActionType, AssetDefinition, AssetEvent, AssetStream, DataPoint, Dataset, Destination, DeviceRef, EventGroup,
    ManagementAction, ManagementGroup, Target,
};
pub use field::AssetField;
pub use status::{AssetPart, AssetStatus, MessageSchemaReference, PartStatus, StatusError, StatusErrorDetail};

/// An asset.
#[derive(Debug, Clone, PartialEq)]
pub struct Asset {
    /// What the cloud defines.
    pub definition: AssetDefinition,
    /// Whether it is in use.
    pub enabled: bool,
    /// Its uuid; never changes.
    pub uuid: String,
    /// 1 at creation (or where an earlier life left off), +1 with each change of definition or `enabled`.
    pub version: u64,
    /// When the version last rose, milliseconds since the epoch.
    pub last_transition_ms: u64,
    /// What the edge says.
    pub status: AssetStatus,
    /// When the edge last said something, milliseconds since the epoch; 0 means never.
    pub status_updated_ms: u64,
}

impl Asset {
    /// An asset at the start of a life.
    #[must_use]
    pub fn created(definition: AssetDefinition, enabled: bool, uuid: String, version: u64, at: At) -> Self {
        Self {
            definition,
            enabled,
            uuid,
            version,
            last_transition_ms: at.time_ms,
            status: AssetStatus::default(),
            status_updated_ms: 0,
        }
    }

    /// The asset after `event`; an event of another kind leaves it as it is. The version rises only when something
    /// changes, because the edge answers each version with a status.
    #[must_use]
    pub(crate) fn evolve(&self, event: &EventKind, at: At) -> Self {
        let mut after = self.clone();
        match event {
            EventKind::AssetUpdated { definition, enabled } => {
                if **definition != self.definition || *enabled != self.enabled {
                    after.version += 1;
                    after.last_transition_ms = at.time_ms;
                }
                after.definition = (**definition).clone();
                after.enabled = *enabled;
                after.status.retain_parts_of(definition);
            }
            EventKind::AssetStatusUpdated(status) => {
                after.status.take(status);
                after.status_updated_ms = at.time_ms;
            }
            _ => {}
        }
        after
    }
}
