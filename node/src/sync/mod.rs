//! Edges that keep a part of the registry in step with this cluster; `proto/muster/v1/sync.md` is the protocol.

mod presence;

pub use presence::{Presence, Presences};
