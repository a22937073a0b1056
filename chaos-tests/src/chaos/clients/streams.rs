//! Patches on a stream, many of them without an answer at a time; a stream that breaks leaves its unanswered ones unknown.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use muster_client::{PatchReceiver, PatchSender, proto};
use rand::Rng;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{DEVICES, Hand, patch_of, pause};
use crate::history::{Kind, Op, Outcome};

/// Patches without an answer at a time; more would only wait in the same queues.
const IN_FLIGHT_MAX: usize = 64;
/// A stream that says nothing for so long is left.
const PATIENCE: Duration = Duration::from_secs(5);
/// Patches of one stream, so that streams begin and end all the time.
const PATCHES: u32 = 2_000;

pub(super) async fn run(mut hand: Hand) {
    while hand.goes_on() {
        match hand.client.twins().patch_stream().await {
            Ok((sender, receiver)) => stream(&mut hand, sender, receiver).await,
            Err(_) => pause().await,
        }
    }
}

/// Patches without an answer, oldest first, and room for more of them.
struct Window {
    open: Mutex<VecDeque<Op>>,
    room: Semaphore,
}

impl Window {
    fn push(&self, op: Op) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push_back(op);
    }

    fn pop(&self) -> Option<Op> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

async fn stream(hand: &mut Hand, sender: PatchSender, receiver: PatchReceiver) {
    let window = Window { open: Mutex::default(), room: Semaphore::new(IN_FLIGHT_MAX) };
    let recorder = hand.recorder.clone();
    let hear = hear(receiver, &window, |op| recorder.add(Op { returned_ns: recorder.now_ns(), ..op }));
    tokio::join!(send(hand, sender, &window), hear);
    // Nobody will answer these any more.
    while let Some(op) = window.pop() {
        hand.end(op);
    }
}

async fn send(hand: &mut Hand, mut sender: PatchSender, window: &Window) {
    for _ in 0..PATCHES {
        let Ok(room) = window.room.acquire().await else { return };
        if !hand.goes_on() {
            return;
        }
        // It is given back with the answer.
        room.forget();
        let (device, value) = (hand.chance.random_range(0..DEVICES), hand.value());
        window.push(hand.begin(Kind::StreamedPatch, device, value));
        if sender.send(patch_of(device, value)).await.is_err() {
            return;
        }
    }
}

async fn hear(mut receiver: PatchReceiver, window: &Window, end: impl Fn(Op)) {
    while let Ok(Ok(Some(answer))) = timeout(PATIENCE, receiver.next()).await {
        let Some(op) = window.pop() else { break };
        end(answered(op, &answer));
        window.room.add_permits(1);
    }
    window.room.close();
}

fn answered(op: Op, answer: &proto::PatchTwinStreamResponse) -> Op {
    match &answer.error {
        None => Op { outcome: Outcome::Ok, revision: answer.revision, version: answer.version, ..op },
        // What a stream refuses for want of a leader or of time may have been taken; only the registry's own refusals are sure.
        Some(error) if matches!(error.code, 5 | 6 | 9 | 10) => Op { outcome: Outcome::Refused, ..op },
        Some(_) => Op { outcome: Outcome::Unknown, ..op },
    }
}
