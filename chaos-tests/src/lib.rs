//! Clusters of real `musterd` processes under faults, and the checks of Muster's promises.
//!
//! Everything here goes through the real binary, the real store, TLS and the public client. A check says what it found
//! in a sentence; which promise it belongs to is in `README.md`.
#![allow(clippy::disallowed_methods, reason = "tests drive real processes by the real clock")]

pub mod broker;
pub mod built;
pub mod chaos;
pub mod cluster;
pub mod crash_lab;
pub mod edges;
pub mod eventually;
pub mod faults;
pub mod history;
pub mod invariants;
pub mod pids;
pub mod ports;
pub mod workload;
