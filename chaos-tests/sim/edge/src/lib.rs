//! The edge agent's own sources from the store up to the keeper, compiled against simulated doors: `std`, `tokio`, `redb` and `fs4`
//! are the crates in `../doors`. The clock is another one ([`clock`]), because an operation carries the time at which it was queued.
//!
//! Left out: the socket and its services, bridges, the configuration. [`simulated`] stands in for `agent.rs` and `session.rs`.
#![allow(clippy::all, missing_docs, unreachable_pub, dead_code, unused_imports, reason = "linted where they belong")]

extern crate muster_sim_std as std;

pub mod clock;
pub mod simulated;

#[path = "../../../../client/edge/src/contents.rs"]
pub mod contents;
#[path = "../../../../client/edge/src/failpoint.rs"]
mod failpoint;
#[path = "../../../../client/edge/src/index.rs"]
pub mod index;
#[path = "../../../../client/edge/src/keeper/mod.rs"]
mod keeper;
#[path = "../../../../client/edge/src/protocol/mod.rs"]
pub mod protocol;
#[path = "../../../../client/edge/src/published.rs"]
mod published;
#[path = "../../../../client/edge/src/queue.rs"]
pub mod queue;
#[path = "../../../../client/edge/src/rules/mod.rs"]
pub mod rules;
#[path = "../../../../client/edge/src/store/mod.rs"]
pub mod store;
#[path = "../../../../client/edge/src/submission.rs"]
mod submission;

pub use submission::Refused;
