//! The only door to chance: random bytes and UUIDs, from a cryptographically strong generator.
//!
//! Deliberately does not know what its bytes become. Below `propose` nobody may call it: what is random enters the
//! Raft log as a value, so that every replica computes the same.

use rand::{RngCore, SeedableRng};
use std::sync::Mutex;

/// Gives random bytes.
pub trait IdsSource: Send + Sync + 'static {
    /// Fills `bytes` with random bytes fit for keys.
    fn fill(&self, bytes: &mut [u8]);

    /// A random (version 4) UUID: lower case, with hyphens.
    fn uuid(&self) -> String {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().hyphenated().to_string()
    }
}

/// The operating system's randomness, stretched by a ChaCha generator per thread that reseeds itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsIds;

impl IdsSource for OsIds {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that may ask the machine for chance")]
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

/// The same bytes for the same seed, for tests only: whoever knows the seed knows every key.
#[derive(Debug)]
pub struct SeededIds(Mutex<rand::rngs::StdRng>);

impl SeededIds {
    /// A source that repeats itself for the same `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(rand::rngs::StdRng::seed_from_u64(seed)))
    }
}

impl IdsSource for SeededIds {
    fn fill(&self, bytes: &mut [u8]) {
        // A panic elsewhere cannot leave a generator half-way: its state is good, poisoned or not.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_version_4_and_differ() {
        let (first, second) = (OsIds.uuid(), OsIds.uuid());
        assert_ne!(first, second);
        assert_eq!(first.len(), 36);
        assert_eq!(first.as_bytes()[14], b'4', "the version digit");
        assert_eq!(first, first.to_lowercase());
    }

    #[test]
    fn a_seed_repeats_itself() {
        assert_eq!(SeededIds::new(7).uuid(), SeededIds::new(7).uuid());
        assert_ne!(SeededIds::new(7).uuid(), SeededIds::new(8).uuid());
    }
}
