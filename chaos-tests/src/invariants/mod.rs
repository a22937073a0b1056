//! One file per promise. Each check fails with a sentence that says what was promised and what was found.
//!
//! Those that look at the history of a run take [`evidence::Evidence`], know no cluster, and are tested with histories that
//! break them; `of_histories` is the list. The others ask a running cluster.

pub mod acked_writes_survive;
pub mod acknowledged_at_its_revision;
pub mod batches_are_whole;
pub mod chains_agree;
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
pub mod replicas_agree;
pub mod same_revision_same_state;
pub mod watchers_hear_everything;
