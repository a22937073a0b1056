//! What is written and read: the same names and the same values for every system.
//!
//! Invariants:
//! - The value is [`PATCH_BYTES`] long whatever the counter, and no two patches of a program run are the same, so each
//!   of them changes something.
//! - The choice of devices is the same in every run and for every system: it is seeded by the client's number.

use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Namespace of the measured fleet.
pub(crate) const NAMESPACE: &str = "bench";

/// Length of every patch, in bytes: what etcd stores as the value, and what we get as `desired_json`.
pub(crate) const PATCH_BYTES: usize = 213;

/// A plausible patch of desired properties; the counter is the setting that changes.
const PATCH_HEAD: &str = concat!(
    r#"{"firmware":{"channel":"stable","version":"4.18.2","window":"02:00-04:00"},"#,
    r#""telemetry":{"intervalSeconds":30,"topics":["temperature","humidity","co2"]},"#,
    r#""limits":{"low":-12,"high":81},"rollout":"#
);

/// Name of the twin of a device; in etcd, the key.
pub(crate) fn twin_name(device: u32) -> String {
    format!("namespaces/{NAMESPACE}/devices/{}/twin", device_id(device))
}

/// Id of a device by its number.
pub(crate) fn device_id(device: u32) -> String {
    format!("sensor-{device:07}")
}

/// The patch with this number.
pub(crate) fn patch(counter: u64) -> String {
    let digits = PATCH_BYTES - PATCH_HEAD.len() - 3;
    format!("{PATCH_HEAD}\"{counter:0digits$x}\"}}")
}

/// Choices made so far: the upper half of every patch's number.
static CHOICES: AtomicU64 = AtomicU64::new(0);

/// One client's endless choice of devices, and the numbers of its patches.
#[derive(Debug)]
pub(crate) struct Choice {
    random: SmallRng,
    devices: u32,
    counter: u64,
}

impl Choice {
    pub(crate) fn new(client: usize, devices: u32) -> Self {
        let counter = CHOICES.fetch_add(1, Ordering::Relaxed) << 32;
        Self { random: SmallRng::seed_from_u64(client as u64), devices, counter }
    }

    /// The next device, evenly among all.
    pub(crate) fn device(&mut self) -> u32 {
        self.random.random_range(0..self.devices)
    }

    /// The next number of a patch; no other choice gives the same.
    pub(crate) fn count(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_patch_is_json_of_the_same_length_and_its_own_content() {
        for counter in [0, 1, 999_999, u64::MAX] {
            let text = patch(counter);
            assert_eq!(text.len(), PATCH_BYTES);
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
        }
        assert_ne!(patch(1), patch(2));
    }

    #[test]
    fn clients_choose_the_same_devices_each_run_and_never_the_same_patch() {
        let (mut one, mut again) = (Choice::new(1, 1000), Choice::new(1, 1000));
        let devices: Vec<u32> = (0..50).map(|_| one.device()).collect();
        assert_eq!(devices, (0..50).map(|_| again.device()).collect::<Vec<_>>());
        assert!(devices.iter().all(|device| *device < 1000));
        assert_ne!(one.count(), again.count());
    }
}
