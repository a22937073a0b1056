//! Chaos: a cluster of real processes, clients that write down what they are told, and a nemesis that breaks things by a plan from
//! a seed. Then everything heals, and the history is held against the event log.
//!
//! ```text
//! plan (seed) ─▶ nemesis ─▶ processes, network, disks, clocks
//!                clients ─▶ history ─┐
//!               watchers ─▶ heard ───┼─▶ invariants ─▶ report
//!           log at the end ─▶ facts ─┘
//! ```
//!
//! - What happens is chosen before the run; when exactly, by the machine. A seed repeats the choices.
//! - The checks trust the clients' own record and nothing else. The log is read through the public API.
//! - Nothing here looks into a process.

pub mod availability;
pub mod clients;
pub mod nemesis;
pub mod plan;
pub mod recovery;
pub mod report;
pub mod resources;
pub mod run;
pub mod watchers;
mod ways;
