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
pub struct Plan {
    /// Chooses everything.
    pub seed: u64,
    /// It is over after so many cuts.
    pub cuts: u64,
    /// The longest time between two of them.
    pub between_cuts_ms: u64,
}

impl Plan {
    /// From the environment; a seed of its own without one.
    ///
    /// # Errors
    /// When one of the variables is no number.
    pub fn read() -> anyhow::Result<Self> {
        let number = |name: &str| {
            let text = std::env::var(name).ok();
            text.map(|text| text.parse::<u64>().with_context(|| format!("{name} must be a number, and is {text}")))
                .transpose()
        };
        let seed = number("MUSTER_SYNC_CHAOS_SEED")?.unwrap_or_else(rand::random);
        let cuts = number("MUSTER_SYNC_CHAOS_CUTS")?.unwrap_or(CUTS);
        Ok(Self { seed, cuts, between_cuts_ms: if cuts < MANY_CUTS { 400 } else { 80 } })
    }

    /// A plan that others end.
    #[must_use]
    pub fn without_end(seed: u64) -> Self {
        Self { seed, cuts: u64::MAX, between_cuts_ms: 400 }
    }

    /// Where the choices of `who` come from.
    pub(crate) fn chance(&self, who: &str) -> StdRng {
        let name = who.bytes().fold(self.seed, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        StdRng::seed_from_u64(name)
    }

    /// What the cuts may take before the run is given up.
    pub(crate) fn limit(&self) -> Duration {
        Duration::from_secs(120) + Duration::from_millis(self.cuts.saturating_mul(500))
    }
}

/// Spaces faults; nothing is expected to have happened after it.
pub(crate) async fn pause(chance: &mut StdRng, from_ms: u64, to_ms: u64) {
    let pause = chance.random_range(from_ms..=to_ms);
    tokio::time::sleep(Duration::from_millis(pause)).await;
}
