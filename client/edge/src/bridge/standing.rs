//! How each bridge is, for those who ask the agent. The bridges write it; it decides nothing.

use std::sync::{Arc, Mutex, PoisonError};

use muster_proto::edge::v1::{FolderStatus, MqttStatus};

/// Something told that others may look at. Clones share it.
#[derive(Debug, Default)]
pub(crate) struct Standing<T>(Arc<Mutex<T>>);

impl<T> Clone for Standing<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Standing<T> {
    pub(crate) fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn get(&self) -> T {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Of the bridges that are set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standings {
    pub(crate) mqtt: Option<Standing<MqttStatus>>,
    pub(crate) folder: Option<Standing<FolderStatus>>,
}
