//! The pure core of Muster: commands go in, events or a rejection come out, and events make records.
//!
//! ```text
//! decide(states, operation, at)  ->  [Change { event, after }] | Rejection
//! evolve(before, event, at)      ->  after
//! ```
//!
//! It does not know time, chance, disks, networks, async or protobuf: whatever comes from outside arrives as a plain
//! value inside a [`Command`] or an [`At`]. Invariants:
//!
//! - `decide` and `evolve` are functions of their arguments: the same log gives the same records on every machine.
//! - For every [`Change`] that `decide` returns, `evolve(before, &change.event, at) == change.after`.
//! - An event concerns exactly one [`Key`], so a record is the fold of the events of its key.
//! - Neither function panics, whatever the input.

pub mod asset;
pub mod cluster;
pub mod cursor;
pub mod device;
pub mod discovery;
pub mod edge;
pub mod feature;
pub mod ids;
pub mod import;
pub mod json;
pub mod limits;
pub mod module;
pub mod namespace;
pub mod node;
pub mod policy;
pub mod rejection;
pub mod retention;
pub mod saved_query;
pub mod scope;
pub mod site;
pub mod token;
pub mod twin;

mod attributes;
mod command;
mod decide;
mod event;
mod evolve;
mod key;
mod operation;
mod record;
mod text;

pub use command::Command;
pub use decide::{Change, States, decide};
pub use event::{Event, EventKind};
pub use evolve::evolve;
pub use key::Key;
pub use limits::Limits;
pub use operation::Operation;
pub use record::{Body, Record, Tombstone};
pub use rejection::{Reason, Rejection};

/// When an accepted command takes effect: stamped by the leader, the same on every replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The revision the command gets if it is accepted.
    pub revision: u64,
    /// The leader's clock, milliseconds since 1970-01-01 UTC; never decreases along the log.
    pub time_ms: u64,
}
