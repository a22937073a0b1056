//! What a seed stands for: how large the cluster is, how it is tuned, what happens to it and how often.
//!
//! Each seed leaves out about half of the kinds of faults ("swarm testing", Groce and others, ISSTA 2012): runs in which all happen
//! at once hide what only a few of them together bring about.

use std::time::Duration;

use muster_sim_std::chance::Chance;

/// What can happen to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A process ends at once; what it wrote stays.
    Kill,
    /// A machine is off at once; what it had not synced suffers.
    PowerCut,
    /// All machines are off at once.
    PowerCutAll,
    /// A machine is off in the middle of work on its disk.
    DieInWork,
    /// A node is stopped in order and started again.
    Stop,
    /// The network falls into two parts.
    Partition,
    /// One way between two nodes is cut.
    OneWay,
    /// The leader is cut off from all others.
    IsolateLeader,
    /// One way between two nodes is slow.
    SlowLink,
    /// Connections between two nodes are reset.
    Reset,
    /// A disk is slow.
    SlowDisk,
    /// A sync fails.
    SyncError,
    /// A write fails.
    WriteError,
    /// A disk is full for a while.
    FullDisk,
    /// A wall clock is set, up to ten years ahead or back.
    ClockJump,
    /// A snapshot is asked for.
    Snapshot,
    /// Leadership is handed over.
    Transfer,
    /// Bits of the log of a node that is off are flipped.
    BitFlip,
    /// An edge's agent ends at once.
    EdgeKill,
    /// An edge is off at once.
    EdgePowerCut,
    /// The lines of all edges are reset.
    EdgeReset,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::Kill,
        Self::PowerCut,
        Self::PowerCutAll,
        Self::DieInWork,
        Self::Stop,
        Self::Partition,
        Self::OneWay,
        Self::IsolateLeader,
        Self::SlowLink,
        Self::Reset,
        Self::SlowDisk,
        Self::SyncError,
        Self::WriteError,
        Self::FullDisk,
        Self::ClockJump,
        Self::Snapshot,
        Self::Transfer,
        Self::BitFlip,
        Self::EdgeKill,
        Self::EdgePowerCut,
        Self::EdgeReset,
    ];

    /// As reports name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::PowerCut => "power-cut",
            Self::PowerCutAll => "power-cut-of-all",
            Self::DieInWork => "death-in-disk-work",
            Self::Stop => "orderly-stop",
            Self::Partition => "partition",
            Self::OneWay => "one-way-cut",
            Self::IsolateLeader => "isolated-leader",
            Self::SlowLink => "slow-link",
            Self::Reset => "connection-reset",
            Self::SlowDisk => "slow-disk",
            Self::SyncError => "sync-error",
            Self::WriteError => "write-error",
            Self::FullDisk => "full-disk",
            Self::ClockJump => "clock-jump",
            Self::Snapshot => "snapshot",
            Self::Transfer => "leader-transfer",
            Self::BitFlip => "bit-flip",
            Self::EdgeKill => "edge-kill",
            Self::EdgePowerCut => "edge-power-cut",
            Self::EdgeReset => "edge-line-reset",
        }
    }
}

/// What is demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Nothing wrong is ever told or kept. Faults go on to the end.
    Safety,
    /// And once faults stop, the cluster heals within a bound.
    Liveness,
    /// One or the other, by the seed.
    Swarm,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Nodes at the beginning.
    pub nodes: u64,
    /// How long faults go on, in simulated time.
    pub length: Duration,
    /// What may happen.
    pub kinds: Vec<Kind>,
    /// Between two faults, on average.
    pub pause_ms: u64,
    /// Whether healing is demanded.
    pub heals: bool,
    /// Clients at work.
    pub clients: u16,
    /// Between two calls of a client, on average.
    pub think_ms: u64,
    /// Delays of the network that is well, microseconds.
    pub net_us: (u64, u64),
    /// The time a disk that is well takes, microseconds.
    pub disk_us: (u64, u64),
    /// Raft's settings, see `RaftSettings`.
    pub heartbeat_ms: u64,
    /// The least election timeout.
    pub election_ms: u64,
    /// Entries between two snapshots.
    pub snapshot_entries: u64,
    /// Entries kept behind a snapshot.
    pub keep_entries: u64,
    /// Bytes of a file of the log.
    pub segment_bytes: usize,
    /// Entries kept in memory.
    pub tail_entries: usize,
    /// Twins kept unwritten.
    pub unwritten_twins: usize,
    /// As much is written to the state between two flushes at most, in bytes.
    pub state_buffer_bytes: usize,
    /// Edges with an agent each.
    pub edges: u64,
}

impl Plan {
    /// Of a seed.
    #[must_use]
    pub fn of(seed: u64, mode: Mode) -> Self {
        let mut chance = Chance::new(seed);
        let mut one_of = |choices: &[u64]| choices[usize::try_from(chance.below(choices.len() as u64)).unwrap_or(0)];
        let nodes = one_of(&[3, 3, 3, 5]);
        let length = Duration::from_secs(one_of(&[3, 6, 10, 16]));
        let pause_ms = one_of(&[100, 200, 400, 1000]);
        let clients = u16::try_from(one_of(&[2, 4, 6])).unwrap_or(2);
        let think_ms = one_of(&[40, 100, 250]);
        let net_us = (200, one_of(&[1_000, 5_000, 15_000]));
        let disk_us = (200, one_of(&[1_000, 5_000, 20_000]));
        let (heartbeat_ms, election_ms) =
            [(50, 250), (100, 400), (150, 600)][usize::try_from(one_of(&[0, 1, 2])).unwrap_or(0)];
        let snapshot_entries = one_of(&[15, 60, 250, 100_000]);
        let keep_entries = one_of(&[0, 5, 50, 20_000]);
        let segment_bytes = usize::try_from(one_of(&[8 << 10, 16 << 10, 64 << 10, 256 << 10])).unwrap_or(8 << 10);
        let tail_entries = usize::try_from(one_of(&[2, 16, 20_000])).unwrap_or(2);
        let unwritten_twins = usize::try_from(one_of(&[2, 8, 1000])).unwrap_or(2);
        let state_buffer_bytes = usize::try_from(one_of(&[4 << 10, 64 << 10, 1 << 20])).unwrap_or(4 << 10);
        let edges = one_of(&[0, 0, 1, 2]);
        let heals = match mode {
            Mode::Safety => false,
            Mode::Liveness => true,
            Mode::Swarm => one_of(&[0, 1]) == 1,
        };
        let mut kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|_| chance.happens(450)).collect();
        if kinds.is_empty() {
            kinds.push(Kind::Kill);
        }
        Self {
            nodes,
            length,
            kinds,
            pause_ms,
            heals,
            clients,
            think_ms,
            net_us,
            disk_us,
            heartbeat_ms,
            election_ms,
            snapshot_entries,
            keep_entries,
            segment_bytes,
            tail_entries,
            unwritten_twins,
            state_buffer_bytes,
            edges,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_left_out_by_some_seeds_and_taken_by_others() {
        let plans: Vec<_> = (0..200).map(|seed| Plan::of(seed, Mode::Swarm)).collect();
        for kind in Kind::ALL {
            let with = plans.iter().filter(|plan| plan.kinds.contains(&kind)).count();
            assert!((40..160).contains(&with), "{}: {with} of 200", kind.name());
        }
        assert!(plans.iter().any(|plan| plan.heals) && plans.iter().any(|plan| !plan.heals));
    }
}
