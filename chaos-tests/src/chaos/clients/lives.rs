//! Creates and deletes devices again and again, and patches them while they are there.

use muster_client::{names, proto};
use rand::Rng;

use super::{DEVICES, Hand, MORTALS, device, patch_of, pause};
use crate::history::{Kind, Op, Outcome};
use crate::workload::NAMESPACE;

pub(super) async fn run(mut hand: Hand) {
    while hand.goes_on() {
        let number = DEVICES + hand.chance.random_range(0..MORTALS);
        match hand.chance.random_range(0..3) {
            0 => create(&hand, number).await,
            1 => delete(&hand, number).await,
            _ => patch(&mut hand, number).await,
        }
        pause().await;
    }
}

pub(super) async fn create(hand: &Hand, number: u32) {
    let op = hand.begin(Kind::Create, number, 0);
    let request = proto::CreateDeviceRequest {
        parent: names::namespace(NAMESPACE),
        device_id: device(number),
        ..Default::default()
    };
    let answer = hand.client.devices().create(request).await;
    end(hand, op, answer.map(|answer| answer.header).map_err(|error| hand.judge(&error)));
}

async fn delete(hand: &Hand, number: u32) {
    let op = hand.begin(Kind::Delete, number, 0);
    let request = proto::DeleteDeviceRequest { name: names::device(NAMESPACE, &device(number)), ..Default::default() };
    let answer = hand.client.devices().delete(request).await;
    end(hand, op, answer.map(|answer| answer.header).map_err(|error| hand.judge(&error)));
}

async fn patch(hand: &mut Hand, number: u32) {
    let value = hand.value();
    let mut op = hand.begin(Kind::Patch, number, value);
    let answer = hand.client.twins().patch(patch_of(number, value)).await;
    if let Ok(answer) = &answer {
        op.version = answer.version;
    }
    end(hand, op, answer.map(|answer| answer.header).map_err(|error| hand.judge(&error)));
}

fn end(hand: &Hand, op: Op, answer: Result<Option<proto::ResponseHeader>, Outcome>) {
    let (outcome, revision) = match answer {
        Ok(header) => (Outcome::Ok, header.map(|header| header.revision).unwrap_or_default()),
        Err(outcome) => (outcome, 0),
    };
    hand.end(Op { outcome, revision, ..op });
}
