//! Faults of networks, disks and clocks, and of the crowd outside.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use super::{Fault, Who, who};

const TEN_YEARS_S: i64 = 315_576_000;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surrounding {
    /// It neither reaches others nor is reached.
    Isolate(Who),
    /// It reaches nobody, and is reached.
    Silence(Who),
    /// It is not reached, and reaches all.
    Deafen(Who),
    /// It and one other do not reach each other.
    Part(Who),
    /// Each reaches its neighbours only.
    Ring,
    /// What it says and hears takes so many milliseconds.
    Slow(Who, u16),
    /// Its connections are reset again and again.
    Resets(Who),
    /// Its syncs take so many milliseconds.
    SlowDisk(Who, u16),
    /// Its disk is said to be full: writes must be refused, reads go on.
    FullDisk(Who),
    /// Its wall clock is wrong by so many seconds.
    ClockOff(Who, i64),
    /// So many clients come at once.
    ReconnectStorm(u16),
}

impl Fault for Surrounding {
    const KINDS: u32 = 11;

    fn kind(self) -> &'static str {
        match self {
            Self::Isolate(_) => "isolate",
            Self::Silence(_) => "one-way out",
            Self::Deafen(_) => "one-way in",
            Self::Part(_) => "partial partition",
            Self::Ring => "ring",
            Self::Slow(..) => "slow network",
            Self::Resets(_) => "resets",
            Self::SlowDisk(..) => "slow disk",
            Self::FullDisk(_) => "full disk",
            Self::ClockOff(..) => "clock off",
            Self::ReconnectStorm(_) => "reconnect storm",
        }
    }

    fn target(self) -> Option<Who> {
        match self {
            Self::Ring | Self::ReconnectStorm(_) => None,
            Self::Isolate(who)
            | Self::Silence(who)
            | Self::Deafen(who)
            | Self::Part(who)
            | Self::Slow(who, _)
            | Self::Resets(who)
            | Self::SlowDisk(who, _)
            | Self::FullDisk(who)
            | Self::ClockOff(who, _) => Some(who),
        }
    }

    fn hold(self, chance: &mut StdRng) -> Duration {
        match self {
            Self::ReconnectStorm(_) => Duration::ZERO,
            _ => Duration::from_millis(chance.random_range(100..3_000)),
        }
    }

    fn choose(chance: &mut StdRng, kind: u32) -> Self {
        match kind {
            0 => Self::Isolate(who(chance)),
            1 => Self::Silence(who(chance)),
            2 => Self::Deafen(who(chance)),
            3 => Self::Part(who(chance)),
            4 => Self::Ring,
            5 => Self::Slow(who(chance), chance.random_range(1..150)),
            6 => Self::Resets(who(chance)),
            7 => Self::SlowDisk(who(chance), chance.random_range(1..200)),
            8 => Self::FullDisk(who(chance)),
            9 => {
                let by = if chance.random_bool(0.3) { TEN_YEARS_S } else { chance.random_range(1..7_200) };
                Self::ClockOff(who(chance), if chance.random() { by } else { -by })
            }
            _ => Self::ReconnectStorm(chance.random_range(20..150)),
        }
    }

    fn title(self) -> String {
        match self {
            Self::Slow(_, ms) | Self::SlowDisk(_, ms) => format!("{} {ms} ms", self.kind()),
            Self::ClockOff(_, seconds) => format!("{} {seconds} s", self.kind()),
            Self::ReconnectStorm(clients) => format!("{} {clients}", self.kind()),
            _ => self.kind().to_owned(),
        }
    }
}
