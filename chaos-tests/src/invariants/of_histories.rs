//! The list of those that look at the history of a run, for all who ask them: storms of real processes and the simulation.

use super::evidence::Evidence;
use super::{
    acknowledged_at_its_revision, batches_are_whole, conditions_hold_at_commit, failed_never_appears, linearizable,
    lives_go_on, nothing_unasked, reads_tell_their_revision, real_time_order,
};

/// A check of a history; returns how much it looked at.
pub type Check = fn(&Evidence) -> anyhow::Result<u64>;

/// All checks of histories, with their names.
pub const CHECKS: [(&str, Check); 9] = [
    ("acknowledged_at_its_revision", acknowledged_at_its_revision::check),
    ("failed_never_appears", failed_never_appears::check),
    ("nothing_unasked", nothing_unasked::check),
    ("real_time_order", real_time_order::check),
    ("reads_tell_their_revision", reads_tell_their_revision::check),
    ("conditions_hold_at_commit", conditions_hold_at_commit::check),
    ("batches_are_whole", batches_are_whole::check),
    ("lives_go_on", lives_go_on::check),
    ("linearizable", linearizable::check),
];
