//! Edge devices and the devices behind them, after IoT Hub: an edge device has a scope of its own that never changes; a
//! leaf device names the scope of its edge device. It does not know whether that edge device exists: order of import
//! and deletion of a parent are free, as in IoT Hub.

use super::DeviceDefinition;
use crate::text::{check_chars, check_count, check_name};
use crate::{Reason, Rejection, limits};

impl DeviceDefinition {
    /// Settles `device_scope` and `parent_scopes`: makes the scope of a new edge device, keeps that of an old one, and
    /// takes from a leaf device what only an edge device has. `current` is the definition before an update.
    pub(super) fn settle_scopes(
        &mut self,
        current: Option<&Self>,
        device: &str,
        created_revision: u64,
    ) -> Result<(), Rejection> {
        check_chars("device_scope", &self.device_scope, limits::TEXT_CHARS_MAX)?;
        if self.iot_edge { self.settle_edge(current, device, created_revision) } else { self.settle_leaf(current) }
    }

    fn settle_edge(&mut self, current: Option<&Self>, device: &str, created_revision: u64) -> Result<(), Rejection> {
        match current {
            Some(current) if current.iot_edge => {
                if self.device_scope.is_empty() {
                    self.device_scope.clone_from(&current.device_scope);
                } else if self.device_scope != current.device_scope {
                    let message =
                        format!("the scope of an edge device never changes; it is `{}`", current.device_scope);
                    return Err(Rejection::new(Reason::InvalidField, "device_scope", message));
                }
            }
            // A leaf device that becomes an edge device leaves the scope it was in.
            Some(current) if self.device_scope == current.device_scope => self.device_scope.clear(),
            Some(_) | None => {}
        }
        if self.device_scope.is_empty() {
            self.device_scope = format!("ms-azure-iot-edge://{device}-{created_revision}");
        }
        check_count("parent_scopes", self.parent_scopes.len(), 1)?;
        for scope in &self.parent_scopes {
            check_name("parent_scopes", scope, limits::TEXT_CHARS_MAX)?;
            if *scope == self.device_scope {
                let message = "an edge device cannot be its own parent";
                return Err(Rejection::new(Reason::InvalidField, "parent_scopes", message));
            }
        }
        Ok(())
    }

    fn settle_leaf(&mut self, current: Option<&Self>) -> Result<(), Rejection> {
        if let Some(current) = current {
            if current.iot_edge && self.device_scope == current.device_scope {
                self.device_scope.clear();
            }
            if current.iot_edge && self.parent_scopes == current.parent_scopes {
                self.parent_scopes.clear();
            }
        }
        // IoT Hub's exports repeat a leaf device's scope here.
        if self.parent_scopes.len() == 1 && self.parent_scopes[0] == self.device_scope {
            self.parent_scopes.clear();
        }
        if self.parent_scopes.is_empty() {
            return Ok(());
        }
        let message = "only an edge device has parent_scopes; a leaf device names its edge device in device_scope";
        Err(Rejection::new(Reason::InvalidField, "parent_scopes", message))
    }
}
