//! Carries out how much of the past is kept.
//!
//! ```text
//! leader:      policies ─ due ─▶ CompactEvents through the log ─▶ floors, the same on every node
//! every node:  floors ─ sweeper ─▶ events and images go from its own disk, at its own pace
//! ```
//!
//! It does not know what a floor means to readers. Invariants:
//!
//! - Only the leader looks at clocks and sizes; below the log there are revisions.
//! - What is swept is never above a floor that this node has applied.

mod due;
mod keeper;
mod sizes;
mod sweeper;

pub use keeper::Keeper;
pub use sweeper::Sweeper;
