//! What is to break, when and for how long: chosen from a seed before anything runs, so that a run can be repeated in what it
//! does, though not in what exactly hits what.
//!
//! - Swarm testing (Groce et al., ISSTA 2012): each seed leaves out some kinds of faults and some it does often, because a
//!   mixture of everything hides what one kind alone would find.
//! - Two lanes run side by side, each one step after the other: one for processes and members, one for networks, disks and
//!   clocks. What is broken in one is broken while the other goes on.

mod processes;
mod surroundings;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

pub use processes::ProcessFault;
pub use surroundings::Surrounding;

/// Which node a fault is for; decided when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The leader of that moment.
    Leader,
    /// One that does not lead; the number chooses.
    Follower(u8),
}

/// Something that breaks, as the report tells it.
pub trait Fault: Copy {
    /// Its kind, for counting.
    fn kind(self) -> &'static str;

    /// The node that it is for; none when it is for several or for all.
    fn target(self) -> Option<Who>;

    /// How long it lasts.
    fn hold(self, chance: &mut StdRng) -> Duration;

    /// A fault of the kind with this number.
    fn choose(chance: &mut StdRng, kind: u32) -> Self;

    /// Numbers of kinds.
    const KINDS: u32;

    /// Kind and measure.
    fn title(self) -> String;
}

/// A fault with its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<F> {
    /// Before it.
    pub pause: Duration,
    /// What breaks.
    pub fault: F,
    /// Until it is mended.
    pub hold: Duration,
}

/// What a run does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Chooses everything.
    pub seed: u64,
    /// Members.
    pub nodes: u64,
    /// Settings of nodes.
    pub settings: String,
    /// Kills, stops, members.
    pub processes: Vec<Step<ProcessFault>>,
    /// Networks, disks, clocks.
    pub surroundings: Vec<Step<Surrounding>>,
}

/// More steps than any run has time for.
const STEPS: usize = 4_000;

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let nodes = if chance.random_bool(0.75) { 3 } else { 5 };
        let settings = settings(&mut chance);
        let calm = chance.random_range(1..=4);
        let processes = lane(&mut chance, calm);
        let surroundings = lane(&mut chance, calm);
        Self { seed, nodes, settings, processes, surroundings }
    }

    /// Kills of the leader and nothing else, for the histogram of failovers.
    #[must_use]
    pub fn of_leader_kills(seed: u64, kills: usize) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let step = |_| Step {
            pause: Duration::from_millis(chance.random_range(0..300)),
            fault: ProcessFault::LoseLeader,
            hold: Duration::ZERO,
        };
        let processes = (0..kills).map(step).collect();
        Self { seed, nodes: 3, settings: String::new(), processes, surroundings: Vec::new() }
    }
}

/// Small snapshots and short logs, so that members that were away get snapshots; sometimes the defaults.
fn settings(chance: &mut StdRng) -> String {
    let raft = match chance.random_range(0..4) {
        0 => String::new(),
        1 => "[raft]\nsnapshot_entries = 5000\nlog_keep_entries = 1000\n".to_owned(),
        2 => "[raft]\nsnapshot_entries = 1000\nlog_keep_entries = 100\nmax_entry_commands = 16\n".to_owned(),
        _ => "[raft]\nsnapshot_entries = 300\nlog_keep_entries = 0\n[storage]\nstate_memtable_bytes = 1048576\n"
            .to_owned(),
    };
    // A dead link of an edge is found while the run still waits for it.
    raft + "[sync]\nheartbeat_ms = 1000\n"
}

fn lane<F: Fault>(chance: &mut StdRng, calm: u64) -> Vec<Step<F>> {
    let all: Vec<u32> = (0..F::KINDS).collect();
    let some: Vec<u32> = all.iter().copied().filter(|_| chance.random_bool(0.6)).collect();
    let chosen = if some.len() < 2 { all } else { some };
    let step = |_| {
        let kind = chosen.choose(chance).copied().unwrap_or_default();
        let pause = Duration::from_millis(chance.random_range(50..=600 * calm));
        let fault = F::choose(chance, kind);
        Step { pause, fault, hold: fault.hold(chance) }
    };
    (0..STEPS).map(step).collect()
}

fn who(chance: &mut StdRng) -> Who {
    if chance.random_bool(0.5) { Who::Leader } else { Who::Follower(chance.random()) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_gives_one_plan_and_seeds_differ() {
        assert_eq!(Plan::new(7), Plan::new(7));
        assert_ne!(Plan::new(7), Plan::new(8));
    }

    #[test]
    fn each_kind_is_in_some_plan() {
        let plans: Vec<Plan> = (0..40).map(Plan::new).collect();
        let processes = plans.iter().flat_map(|plan| &plan.processes).map(|step| step.fault.kind());
        let surroundings = plans.iter().flat_map(|plan| &plan.surroundings).map(|step| step.fault.kind());
        let kinds: BTreeSet<&str> = processes.chain(surroundings).collect();
        assert_eq!(kinds.len(), 20, "{kinds:?}");
        assert!(plans.iter().any(|plan| plan.nodes == 5) && plans.iter().any(|plan| plan.nodes == 3));
    }
}
