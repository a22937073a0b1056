//! Patches on one stream, a bounded number of them unanswered at a time.
//!
//! Still a closed loop: for each answer that came in, one patch goes out. Answers that arrive together are replied to
//! together, as a client would that has a queue of changes. Latency is from sending a patch to reading its answer.

use std::collections::VecDeque;

use muster_proto::v1::PatchTwinStreamResponse;
use tokio::time::Instant;

use super::{PatchStream, patch_request};
use crate::load::{Tally, Window};
use crate::workload::Choice;

/// Runs one stream through the window, then waits for the answers still due.
pub(crate) async fn run(stream: PatchStream, choice: Choice, ids: bool, in_flight: usize, window: Window) -> Tally {
    let mut tally = Tally::default();
    if let Err(error) = talk(&stream, choice, ids, in_flight, window, &mut tally).await {
        tally.failed(error);
    }
    tally
}

async fn talk(
    stream: &PatchStream,
    mut choice: Choice,
    ids: bool,
    in_flight: usize,
    window: Window,
    tally: &mut Tally,
) -> Result<(), String> {
    let mut patches: Vec<_> = (0..in_flight).map(|_| patch_request(&mut choice, ids)).collect();
    let mut unanswered: VecDeque<Instant> = std::iter::repeat_n(Instant::now(), in_flight).collect();
    let (mut requests, mut answers) = stream.stream(&patches).await?;
    let mut finished = false;
    let mut expected = 0;
    while !unanswered.is_empty() {
        patches.clear();
        let mut arrived = Some(answers.next().await?.ok_or("the stream ended early")?);
        let now = Instant::now();
        while let Some(answer) = arrived {
            let sent = unanswered.pop_front().ok_or("an answer to nothing")?;
            check(&answer, expected)?;
            expected += 1;
            tally.answered(&window, sent, now, 1);
            if !window.is_over(now) {
                patches.push(patch_request(&mut choice, ids));
            }
            arrived = answers.next_received()?;
        }
        if !patches.is_empty() {
            unanswered.extend(std::iter::repeat_n(Instant::now(), patches.len()));
            requests.send(&patches)?;
        } else if !finished {
            requests.finish()?;
            finished = true;
        }
    }
    match answers.next().await? {
        None => Ok(()),
        Some(_) => Err("more answers than patches".to_owned()),
    }
}

fn check(answer: &PatchTwinStreamResponse, expected: u64) -> Result<(), String> {
    if let Some(error) = &answer.error {
        return Err(format!("{} ({})", error.message, error.reason));
    }
    if answer.sequence != expected || answer.revision == 0 {
        return Err(format!("answer {} at revision {}, expected answer {expected}", answer.sequence, answer.revision));
    }
    Ok(())
}
