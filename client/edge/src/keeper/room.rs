//! What the keeper takes in while the disk is nearly full: nothing new from applications, and nothing at all from the cluster
//! when it is full.

use std::time::Duration;

use super::Keeper;
use crate::protocol::Loss;
use crate::store::Left;
use crate::submission::Refused;

/// How soon a link is tried again.
const AGAIN: Duration = Duration::from_secs(2);

impl Keeper {
    /// Looks how much is free; ends the link of a disk that is full.
    pub(super) fn look_for_room(&mut self) -> Left {
        let left = self.room.left();
        let before = std::mem::replace(&mut self.left, left);
        let free_min_bytes = self.room.free_min_bytes();
        if left > before {
            tracing::error!(?left, free_min_bytes, "the disk of the store is nearly full: new operations are refused");
        } else if left < before {
            tracing::info!(?left, "the disk of the store has room again");
        }
        metrics::gauge!("muster_edge_disk_low").set(f64::from(u8::from(left > Left::Enough)));
        if left == Left::Full
            && let Some(close) = self.link.as_mut().and_then(|link| link.close.take())
        {
            // The link may have ended by itself.
            close.send(self.full()).ok();
        }
        left
    }

    pub(super) fn room_for_a_link(&mut self) -> Result<(), Loss> {
        if self.look_for_room() == Left::Full { Err(self.full()) } else { Ok(()) }
    }

    pub(super) fn room_for_an_operation(&mut self) -> Result<(), Refused> {
        if self.look_for_room() == Left::Enough { Ok(()) } else { Err(Refused::DiskFull(self.room.free_min_bytes())) }
    }

    fn full(&self) -> Loss {
        let message = "the disk of the store is full: there is no link until it has room".to_owned();
        Loss { reason: "EDGE_DISK_FULL".to_owned(), message, retry_after: Some(AGAIN), is_denied: false }
    }
}
