//! Sends the entries of a file in batches, several at a time, and notes what is done.
//!
//! - Entries of one device are applied in the file's order: two batches with the same device are never under way together.
//! - A batch covers a range of lines without gaps, blank and refused ones included, so that ranges tell what is done.
//! - At most [`BATCHES_IN_FLIGHT_MAX`] batches are in memory, so a file of any length imports in bounded space.

use std::collections::{BTreeSet, HashSet};
use std::io::BufRead;

use futures::stream::{FuturesUnordered, StreamExt};
use indicatif::ProgressBar;
use muster_client::{CallError, Client, proto};
use prost::Message;

use super::entry::{Entry, parse};
use super::lines::{LINE_BYTES_MAX, Line, Lines};
use super::refusals::{ErrorFile, Refusal};
use super::resume::Resume;

/// Entries in a batch.
const ENTRIES_MAX: usize = 200;
/// Encoded size of a batch, bytes; a node's command may have 1 MiB.
const BATCH_BYTES_MAX: usize = 512 * 1024;
/// Batches under way at once.
const BATCHES_IN_FLIGHT_MAX: usize = 4;

/// Lines that go to the server together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// First line.
    pub(crate) first: u64,
    /// Last line.
    pub(crate) last: u64,
    pub(crate) entries: Vec<Entry>,
    /// Lines that did not get as far as the server.
    pub(crate) refusals: Vec<Refusal>,
    bytes: usize,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.last == 0
    }

    fn is_full(&self) -> bool {
        self.entries.len() + self.refusals.len() >= ENTRIES_MAX || self.bytes >= BATCH_BYTES_MAX
    }

    fn devices(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.import.device_id.as_str())
    }
}

/// Cuts a file into batches.
#[derive(Debug)]
pub(crate) struct Batches<R> {
    lines: Lines<R>,
    /// A line that was read and did not fit.
    held: Option<(u64, Option<Entry>)>,
    /// Members that were passed over, for a note at the end.
    pub(crate) unread: BTreeSet<String>,
}

impl<R: BufRead> Batches<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { lines: Lines::new(reader), held: None, unread: BTreeSet::new() }
    }

    /// The next batch of lines that are not done.
    pub(crate) fn next(&mut self, is_done: impl Fn(u64) -> bool) -> std::io::Result<Option<Batch>> {
        let mut batch = Batch::default();
        loop {
            let (line, parsed) = match self.held.take() {
                Some((line, entry)) => (line, Ok(entry)),
                None => match self.lines.next()? {
                    None => return Ok((!batch.is_empty()).then_some(batch)),
                    // A range ends where lines that are done begin, so that batches fall as they fell before.
                    Some((line, _)) if is_done(line) => {
                        if batch.is_empty() {
                            continue;
                        } else {
                            return Ok(Some(batch));
                        }
                    }
                    Some((line, Line::TooLong)) => {
                        let message = format!("is longer than {} KiB", LINE_BYTES_MAX / 1024);
                        (line, Err(Refusal::new(line, "", "LINE_TOO_LONG", message)))
                    }
                    Some((line, Line::Text(bytes))) => (line, parse(line, &bytes, &mut self.unread)),
                },
            };
            let size = parsed.as_ref().ok().and_then(Option::as_ref).map_or(0, |entry| entry.import.encoded_len());
            if !batch.entries.is_empty() && batch.bytes + size > BATCH_BYTES_MAX {
                self.held = Some((line, parsed.unwrap_or_default()));
                return Ok(Some(batch));
            }
            if batch.is_empty() {
                batch.first = line;
            }
            batch.last = line;
            batch.bytes += size;
            match parsed {
                Ok(Some(entry)) => batch.entries.push(entry),
                Ok(None) => {}
                Err(refusal) => batch.refusals.push(refusal),
            }
            if batch.is_full() {
                return Ok(Some(batch));
            }
        }
    }
}

/// How a file came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    /// Stopped before the end, on request.
    pub(crate) interrupted: bool,
}

/// Sends all batches. `stop` resolves when the person wants to stop; what is under way is finished then.
pub(crate) async fn send<R: BufRead>(
    client: &Client,
    parent: &str,
    batches: &mut Batches<R>,
    resume: &mut Resume,
    errors: &mut ErrorFile,
    bar: &ProgressBar,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Outcome> {
    let mut stop = std::pin::pin!(stop);
    let mut in_flight = FuturesUnordered::new();
    let mut busy: HashSet<String> = HashSet::new();
    let mut outcome = Outcome::default();
    let mut failure: Option<CallError> = None;
    let mut next = batches.next(|line| resume.is_done(line))?;
    loop {
        let may_send = failure.is_none() && !outcome.interrupted && in_flight.len() < BATCHES_IN_FLIGHT_MAX;
        let sendable = |batch: &mut Batch| may_send && !batch.devices().any(|device| busy.contains(device));
        if let Some(batch) = next.take_if(sendable) {
            busy.extend(batch.devices().map(str::to_owned));
            let request_id = resume.request_id(batch.first, batch.last, batch.entries.len());
            in_flight.push(apply(client.clone(), parent.to_owned(), request_id, batch));
            next = batches.next(|line| resume.is_done(line))?;
            continue;
        }
        let (batch, result) = tokio::select! {
            answer = in_flight.next() => match answer {
                Some(answer) => answer,
                None => break,
            },
            () = &mut stop, if !outcome.interrupted => {
                outcome.interrupted = true;
                continue;
            }
        };
        for device in batch.devices() {
            busy.remove(device);
        }
        match result {
            Err(error) => failure = Some(error),
            Ok(refusals) => {
                let refused = refusals.len() as u64;
                let accepted = (batch.entries.len() + batch.refusals.len()) as u64 - refused;
                errors.add(&refusals)?;
                resume.finish(batch.first, batch.last, accepted, refused)?;
                outcome.accepted += accepted;
                outcome.refused += refused;
                bar.inc(batch.last - batch.first + 1);
            }
        }
    }
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(outcome),
    }
}

/// Sends one batch and returns its refusals in order of their lines.
async fn apply(
    client: Client,
    parent: String,
    request_id: String,
    mut batch: Batch,
) -> (Batch, Result<Vec<Refusal>, CallError>) {
    let mut refusals = batch.refusals.clone();
    if !batch.entries.is_empty() {
        match call(&client, parent, request_id, &mut batch.entries, false).await {
            Ok(found) => refusals.extend(found),
            Err(error) => return (batch, Err(error)),
        }
    }
    refusals.sort_by_key(|refusal| refusal.line);
    (batch, Ok(refusals))
}

/// Calls the server with entries, or only has them checked. The entries keep their ids and lose their documents.
pub(crate) async fn call(
    client: &Client,
    parent: String,
    request_id: String,
    entries: &mut [Entry],
    validate_only: bool,
) -> Result<Vec<Refusal>, CallError> {
    let names: Vec<(u64, String)> = entries.iter().map(|entry| (entry.line, entry.id())).collect();
    let devices = entries
        .iter_mut()
        .map(|entry| {
            let device_id = entry.import.device_id.clone();
            std::mem::replace(&mut entry.import, proto::ImportDevice { device_id, ..Default::default() })
        })
        .collect();
    let request = proto::ImportDevicesRequest { parent, devices, request_id, validate_only };
    let answer = client.devices().import(request).await?;
    let refusal = |((line, id), result): ((u64, String), proto::BatchItemResult)| {
        result.error.map(|error| Refusal::of_item(line, id, error))
    };
    Ok(names.into_iter().zip(answer.results).filter_map(refusal).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str) -> String {
        format!("{{\"id\":\"{id}\"}}\n")
    }

    #[test]
    fn batches_cover_all_lines_without_gaps() {
        let mut text = String::new();
        for number in 0..450 {
            text.push_str(&line(&format!("d{number}")));
        }
        text.push_str("\nnot json\n");
        let mut batches = Batches::new(text.as_bytes());
        let mut covered = Vec::new();
        let mut refused = 0;
        while let Some(batch) = batches.next(|_| false).expect("memory is readable") {
            covered.push((batch.first, batch.last, batch.entries.len()));
            refused += batch.refusals.len();
        }
        assert_eq!(covered, [(1, 200, 200), (201, 400, 200), (401, 452, 50)]);
        assert_eq!(refused, 1);
    }

    #[test]
    fn after_an_interruption_batches_fall_as_before() {
        let text: String = (0..600).map(|number| line(&format!("d{number}"))).collect();
        let mut batches = Batches::new(text.as_bytes());
        let done = |line: u64| (1..=200).contains(&line) || (401..=600).contains(&line);
        let batch = batches.next(done).expect("memory is readable").expect("there is one");
        assert_eq!((batch.first, batch.last), (201, 400));
        assert!(batches.next(done).expect("memory is readable").is_none());
    }

    #[test]
    fn large_entries_make_small_batches_and_none_is_lost() {
        let tags = format!("{{\"big\":\"{}\"}}", "x".repeat(200 * 1024));
        let text: String = (0..5).map(|number| format!("{{\"id\":\"d{number}\",\"tags\":{tags}}}\n")).collect();
        let mut batches = Batches::new(text.as_bytes());
        let mut covered = Vec::new();
        while let Some(batch) = batches.next(|_| false).expect("memory is readable") {
            covered.push((batch.first, batch.last, batch.entries.len()));
        }
        assert_eq!(covered, [(1, 2, 2), (3, 4, 2), (5, 5, 1)]);
    }
}
