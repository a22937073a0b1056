//! What a run is made from: a seed and a number of cuts. Each part of it draws from a source of its own, so that one that
//! draws more often does not change what the others choose.

use std::time::Duration;

use anyhow::Context;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Cuts of the short form.
const CUTS: u64 = 60;
/// From so many cuts on they come faster, so that the long form ends on the same day.
const MANY_CUTS: u64 = 500;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) cuts: u64,
}

impl Plan {
    /// From the environment; a seed of its own without one.
    pub(super) fn read() -> anyhow::Result<Self> {
        let number = |name: &str| {
            let text = std::env::var(name).ok();
            text.map(|text| text.parse::<u64>().with_context(|| format!("{name} must be a number, and is {text}")))
                .transpose()
        };
        let seed = number("MUSTER_SYNC_CHAOS_SEED")?.unwrap_or_else(rand::random);
        Ok(Self { seed, cuts: number("MUSTER_SYNC_CHAOS_CUTS")?.unwrap_or(CUTS) })
    }

    /// Where the choices of `who` come from.
    pub(super) fn chance(&self, who: &str) -> StdRng {
        let name = who.bytes().fold(self.seed, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        StdRng::seed_from_u64(name)
    }

    /// The longest time between two cuts.
    pub(super) fn between_cuts_ms(&self) -> u64 {
        if self.cuts < MANY_CUTS { 400 } else { 80 }
    }

    /// What the cuts may take before the run is given up.
    pub(super) fn limit(&self) -> Duration {
        Duration::from_secs(120) + Duration::from_millis(500 * self.cuts)
    }
}

/// Spaces faults; nothing is expected to have happened after it.
pub(super) async fn pause(chance: &mut StdRng, from_ms: u64, to_ms: u64) {
    let pause = chance.random_range(from_ms..=to_ms);
    tokio::time::sleep(Duration::from_millis(pause)).await;
}
