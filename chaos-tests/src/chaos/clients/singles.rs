//! Patches one twin, reads one twin, patches under a condition: one call after the other.

use muster_client::{names, proto};
use rand::Rng;

use super::{DEVICES, Hand, device, patch_of, pause, value_in};
use crate::history::{Kind, Outcome};
use crate::workload::NAMESPACE;

/// What a read found.
pub(super) struct Seen {
    etag: String,
    version: u64,
}

pub(super) async fn run(mut hand: Hand) {
    while hand.goes_on() {
        let number = hand.chance.random_range(0..DEVICES);
        let went_well = match hand.chance.random_range(0..100) {
            0..35 => patch(&mut hand, number).await,
            35..50 => patch_on_condition(&mut hand, number).await,
            50..90 => read(&hand, number, Kind::Read).await.is_some(),
            _ => read(&hand, number, Kind::LocalRead).await.is_some(),
        };
        if !went_well {
            pause().await;
        }
    }
}

async fn patch(hand: &mut Hand, number: u32) -> bool {
    let value = hand.value();
    send(hand, hand.begin(Kind::Patch, number, value), patch_of(number, value)).await
}

async fn patch_on_condition(hand: &mut Hand, number: u32) -> bool {
    let Some(seen) = read(hand, number, Kind::LocalRead).await else { return false };
    let value = hand.value();
    let mut op = hand.begin(Kind::ConditionalPatch, number, value);
    op.condition = seen.version;
    send(hand, op, proto::PatchTwinRequest { etag: seen.etag, ..patch_of(number, value) }).await
}

async fn send(hand: &Hand, mut op: crate::history::Op, request: proto::PatchTwinRequest) -> bool {
    match hand.client.twins().patch(request).await {
        Ok(answer) => {
            op.outcome = Outcome::Ok;
            op.revision = answer.header.map(|header| header.revision).unwrap_or_default();
            op.version = answer.version;
        }
        Err(error) => op.outcome = hand.judge(&error),
    }
    hand.end(op);
    matches!(op.outcome, Outcome::Ok | Outcome::Refused)
}

pub(super) async fn read(hand: &Hand, number: u32, kind: Kind) -> Option<Seen> {
    let mut op = hand.begin(kind, number, 0);
    let consistency = match kind {
        Kind::LocalRead => proto::read_options::Consistency::Local,
        _ => proto::read_options::Consistency::Linearizable,
    };
    let request = proto::GetTwinRequest {
        name: names::twin(NAMESPACE, &device(number)),
        omit_metadata: true,
        read: Some(proto::ReadOptions { consistency: consistency.into(), min_revision: 0 }),
        ..Default::default()
    };
    let answer = match hand.client.twins().get(request).await {
        Ok(answer) => answer,
        Err(error) => {
            // A read changes nothing, so that its failure is certain.
            op.outcome = if hand.judge(&error) == Outcome::Refused { Outcome::Refused } else { Outcome::Failed };
            hand.end(op);
            return None;
        }
    };
    let twin = answer.twin.unwrap_or_default();
    op.outcome = Outcome::Ok;
    op.revision = answer.header.map(|header| header.revision).unwrap_or_default();
    op.version = twin.version;
    op.value = twin.desired.and_then(|desired| value_in(&desired.json).ok()).unwrap_or_default();
    hand.end(op);
    Some(Seen { etag: twin.etag, version: twin.version })
}
