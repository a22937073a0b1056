//! A cluster of Muster nodes in one process, under faults from a seed. `README.md` in the folder above says what runs for real, what
//! is modelled and what cannot be claimed; decision 0020 says why it is made so.
//!
//! ```text
//! many ── a process for each seed ──▶ run: plan ─▶ world (nodes, net, disks) ◀── nemesis, clients
//!                                              └─▶ checks of history, replicas and healing ─▶ report
//! ```
//!
//! Invariant: nothing here asks the machine for time, chance or order.
#![allow(clippy::disallowed_methods, reason = "what a simulated network holds is bounded by those who send")]

pub mod checks;
pub mod clients;
pub mod clock;
pub mod edges;
pub mod machine;
pub mod many;
pub mod nemesis;
pub mod net;
pub mod plan;
pub mod report;
pub mod run;
pub mod watching;
pub mod world;

/// The clients' record, as the chaos tests have it.
#[path = "../../src"]
#[allow(dead_code, unused_imports, missing_docs, reason = "linted where it belongs")]
mod chaos {
    pub mod history;
}
pub use chaos::history;

/// The checks, as the chaos tests have them.
#[path = "../../src/invariants"]
#[allow(dead_code, missing_docs, reason = "linted where they belong")]
pub mod invariants {
    pub mod acknowledged_at_its_revision;
    pub mod batches_are_whole;
    pub mod conditions_hold_at_commit;
    pub mod edge_reports_count_once;
    pub mod evidence;
    pub mod failed_never_appears;
    pub mod linearizable;
    pub mod lives_go_on;
    pub mod nothing_unasked;
    pub mod of_histories;
    pub mod one_leader_per_term;
    pub mod reads_tell_their_revision;
    pub mod real_time_order;
    pub mod same_revision_same_state;
}
