//! Faults of processes and of membership.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use super::{Fault, Who, who};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessFault {
    /// `kill -9`, and started again after the hold.
    Kill(Who),
    /// `kill -9` of the leader of a cluster that is whole, and started again only when another node leads.
    LoseLeader,
    /// All at once.
    KillAll,
    /// It does nothing, and does not know.
    Pause(Who),
    /// It is told to stop, and started again.
    StopInOrder(Who),
    /// Leadership is handed over.
    TransferLeadership,
    /// A node joins and becomes a voter, another is removed.
    ReplaceMember(Who),
    /// A sync fails: the node has to end, and is started again.
    FailingSync(Who),
    /// Writes find no space: the node may end, and is started again when there is some.
    NoSpace(Who),
}

impl Fault for ProcessFault {
    const KINDS: u32 = 9;

    fn kind(self) -> &'static str {
        match self {
            Self::Kill(Who::Leader) | Self::LoseLeader => "kill leader",
            Self::Kill(Who::Follower(_)) => "kill follower",
            Self::KillAll => "kill all",
            Self::Pause(_) => "pause",
            Self::StopInOrder(_) => "restart in order",
            Self::TransferLeadership => "transfer leadership",
            Self::ReplaceMember(_) => "replace member",
            Self::FailingSync(_) => "failing sync",
            Self::NoSpace(_) => "no space",
        }
    }

    fn target(self) -> Option<Who> {
        match self {
            Self::LoseLeader => Some(Who::Leader),
            Self::KillAll | Self::TransferLeadership => None,
            Self::Kill(who)
            | Self::Pause(who)
            | Self::StopInOrder(who)
            | Self::ReplaceMember(who)
            | Self::FailingSync(who)
            | Self::NoSpace(who) => Some(who),
        }
    }

    fn hold(self, chance: &mut StdRng) -> Duration {
        let ms = match self {
            Self::KillAll => chance.random_range(0..300),
            // Long enough to need a snapshot afterwards.
            Self::Kill(_) if chance.random_bool(0.2) => chance.random_range(3_000..8_000),
            Self::LoseLeader | Self::TransferLeadership | Self::ReplaceMember(_) => 0,
            Self::Pause(_) => chance.random_range(50..4_000),
            Self::Kill(_) | Self::StopInOrder(_) | Self::FailingSync(_) | Self::NoSpace(_) => {
                chance.random_range(100..3_000)
            }
        };
        Duration::from_millis(ms)
    }

    fn choose(chance: &mut StdRng, kind: u32) -> Self {
        match kind {
            0 | 1 => Self::Kill(Who::Leader),
            2 => Self::Kill(Who::Follower(chance.random())),
            3 => Self::KillAll,
            4 => Self::Pause(who(chance)),
            5 => Self::StopInOrder(who(chance)),
            6 => Self::TransferLeadership,
            7 if chance.random_bool(0.3) => Self::ReplaceMember(who(chance)),
            7 => Self::NoSpace(who(chance)),
            _ => Self::FailingSync(who(chance)),
        }
    }

    fn title(self) -> String {
        self.kind().to_owned()
    }
}
