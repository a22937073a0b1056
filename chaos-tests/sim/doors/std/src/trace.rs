//! What happened in a run, as one number that any difference changes, and as lines in a file when they are asked for.

use ::std::fs::File;
use ::std::io::{BufWriter, Write};
use ::std::sync::{Mutex, MutexGuard, PoisonError};

struct Trace {
    hash: u64,
    notes: u64,
    lines: Option<BufWriter<File>>,
}

static TRACE: Mutex<Trace> = Mutex::new(Trace { hash: 0xCBF2_9CE4_8422_2325, notes: 0, lines: None });

fn trace() -> MutexGuard<'static, Trace> {
    TRACE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes lines into `file` from now on, too.
pub fn into_file(file: File) {
    trace().lines = Some(BufWriter::new(file));
}

/// Adds that something happened: what, and three numbers that say more.
pub fn note(what: &str, numbers: [u64; 3]) {
    let now = crate::baton::now_ns();
    let mut trace = trace();
    let mut hash = trace.hash;
    let mut mix = |number: u64| {
        hash = (hash ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash ^= hash >> 29;
    };
    what.bytes().for_each(|byte| mix(byte.into()));
    mix(now);
    numbers.into_iter().for_each(&mut mix);
    trace.hash = hash;
    trace.notes += 1;
    if let Some(lines) = &mut trace.lines {
        let [one, two, three] = numbers;
        // A trace that cannot be written does not change the run.
        drop(writeln!(lines, "{:>14} {what} {one} {two} {three}", now / 1000));
    }
}

/// A number for a text, to note it.
#[must_use]
pub fn number_of(text: &[u8]) -> u64 {
    let mix = |hash: u64, word: u64| {
        let hash = (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash ^ hash >> 32
    };
    let (words, rest) = text.as_chunks::<8>();
    let hash = words.iter().fold(0xCBF2_9CE4_8422_2325, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(mix(hash, text.len() as u64), |hash, byte| mix(hash, u64::from(*byte)))
}

/// The number of all that happened so far, and how many notes it is made of.
#[must_use]
pub fn so_far() -> (u64, u64) {
    let mut trace = trace();
    if let Some(lines) = &mut trace.lines {
        drop(lines.flush());
    }
    (trace.hash, trace.notes)
}
