//! A cluster of Muster nodes in one process, under faults from a seed. `README.md` in the folder above says what runs for real, what
//! is modelled and what cannot be claimed; decision 0019 says why it is made so.
//!
//! ```text
//! many ── a process for each seed ──▶ run: plan ─▶ world (nodes, net, disks) ◀── nemesis, clients
//!                                              └─▶ checks of history, replicas and healing ─▶ report
//! ```
//!
//! Invariant: nothing here asks the machine for time, chance or order.

pub mod chance;
pub mod checks;
pub mod clients;
pub mod clock;
pub mod edges;
pub mod many;
pub mod nemesis;
pub mod net;
pub mod plan;
pub mod report;
pub mod run;
pub mod watching;
pub mod world;

/// The clients' record, as the chaos tests have it.
#[path = "../../src/history.rs"]
#[allow(dead_code, unused_imports, missing_docs, reason = "linted where it belongs")]
pub mod history;

/// The checks of histories, as the chaos tests have them.
#[allow(dead_code, missing_docs, reason = "linted where they belong")]
pub mod invariants {
    #[path = "../../../src/invariants/acknowledged_at_its_revision.rs"]
    pub mod acknowledged_at_its_revision;
    #[path = "../../../src/invariants/batches_are_whole.rs"]
    pub mod batches_are_whole;
    #[path = "../../../src/invariants/conditions_hold_at_commit.rs"]
    pub mod conditions_hold_at_commit;
    #[path = "../../../src/invariants/edge_reports_count_once.rs"]
    pub mod edge_reports_count_once;
    #[path = "../../../src/invariants/evidence.rs"]
    pub mod evidence;
    #[path = "../../../src/invariants/failed_never_appears.rs"]
    pub mod failed_never_appears;
    #[path = "../../../src/invariants/linearizable.rs"]
    pub mod linearizable;
    #[path = "../../../src/invariants/lives_go_on.rs"]
    pub mod lives_go_on;
    #[path = "../../../src/invariants/nothing_unasked.rs"]
    pub mod nothing_unasked;
    #[path = "../../../src/invariants/one_leader_per_term.rs"]
    pub mod one_leader_per_term;
    #[path = "../../../src/invariants/reads_tell_their_revision.rs"]
    pub mod reads_tell_their_revision;
    #[path = "../../../src/invariants/real_time_order.rs"]
    pub mod real_time_order;
    #[path = "../../../src/invariants/same_revision_same_state.rs"]
    pub mod same_revision_same_state;
}
