//! Patches several twins in one atomic batch.

use std::collections::BTreeSet;

use muster_client::{names, proto};
use rand::Rng;

use super::{DEVICES, Hand, patch_of, pause};
use crate::history::{Kind, Op, Outcome};
use crate::workload::NAMESPACE;

/// Twins of a batch.
const BATCH: usize = 10;

pub(super) async fn run(mut hand: Hand) {
    let mut batch = 0;
    while hand.goes_on() {
        batch += 1;
        if !patch(&mut hand, batch).await {
            pause().await;
        }
    }
}

async fn patch(hand: &mut Hand, batch: u64) -> bool {
    // Each device once: two patches of one device in one revision would leave its version between them untold.
    let mut devices = BTreeSet::new();
    while devices.len() < BATCH {
        devices.insert(hand.chance.random_range(0..DEVICES));
    }
    let (mut ops, mut requests) = (Vec::new(), Vec::new());
    for device in devices {
        let value = hand.value();
        ops.push(Op { condition: batch, ..hand.begin(Kind::BatchedPatch, device, value) });
        requests.push(patch_of(device, value));
    }
    let request = proto::BatchPatchTwinsRequest {
        parent: names::namespace(NAMESPACE),
        requests,
        atomic: true,
        ..Default::default()
    };
    let (outcome, revision, results) = match hand.client.twins().batch_patch(request).await {
        Ok(answer) => (Outcome::Ok, answer.header.map(|header| header.revision).unwrap_or_default(), answer.results),
        Err(error) => (hand.judge(&error), 0, Vec::new()),
    };
    for (position, op) in ops.into_iter().enumerate() {
        let version = results.get(position).map_or(0, |result| result.version);
        hand.end(Op { outcome, revision, version, ..op });
    }
    outcome == Outcome::Ok
}
