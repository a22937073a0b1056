//! What lies on disk below the node: the state store, its keys and its record format.
//!
//! Nothing here knows Raft, gRPC or what a command means.

pub mod broken;
pub mod checkpoint;
pub mod codec;
pub mod columns;
pub mod content;
pub(crate) mod dead_runs;
pub mod digest;
pub mod durable;
pub mod envelope;
pub mod error;
pub mod event_log;
#[cfg(test)]
pub(crate) mod golden;
pub mod high_water;
pub mod history;
pub mod keys;
pub(crate) mod overlay;
pub(crate) mod replay;
mod rocksdb_log;
pub mod state_db;
pub mod states;
pub mod sweep;
pub mod unlogged;
pub mod unwritten;
pub mod verify;
