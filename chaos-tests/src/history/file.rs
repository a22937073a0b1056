//! A history as a file: records of one size, one after the other, so that it can be read again by any program.
//!
//! A record is [`RECORD_BYTES`] bytes, little-endian: client (2), kind (1), outcome (1), device (4), value, condition, revision,
//! version, invoked, returned (8 each).

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::Path;

use anyhow::{Context, bail};

use super::{Kind, Op, Outcome};

/// Bytes of a record.
pub const RECORD_BYTES: usize = 56;

/// Writes a history.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, ops: &[Op]) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path).with_context(|| path.display().to_string())?);
    for op in ops {
        file.write_all(&encode(op))?;
    }
    Ok(file.flush()?)
}

/// Reads a history.
///
/// # Errors
/// When the file cannot be read, or holds something else.
pub fn read(path: &Path) -> anyhow::Result<Vec<Op>> {
    let mut file = BufReader::new(File::open(path).with_context(|| path.display().to_string())?);
    let (mut ops, mut record) = (Vec::new(), [0; RECORD_BYTES]);
    loop {
        match file.read_exact(&mut record) {
            Ok(()) => ops.push(decode(&record)?),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(ops),
            Err(error) => return Err(error.into()),
        }
    }
}

fn encode(op: &Op) -> [u8; RECORD_BYTES] {
    let mut record = [0; RECORD_BYTES];
    record[..2].copy_from_slice(&op.client.to_le_bytes());
    (record[2], record[3]) = (op.kind as u8, op.outcome as u8);
    record[4..8].copy_from_slice(&op.device.to_le_bytes());
    let numbers = [op.value, op.condition, op.revision, op.version, op.invoked_ns, op.returned_ns];
    for (place, number) in record[8..].chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    record
}

fn decode(record: &[u8; RECORD_BYTES]) -> anyhow::Result<Op> {
    let mut numbers =
        record[8..].chunks_exact(8).map(|bytes| bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)));
    let mut next = || numbers.next().unwrap_or_default();
    let Some(kind) = Kind::ALL.into_iter().find(|kind| *kind as u8 == record[2]) else { bail!("kind {}", record[2]) };
    let outcomes = [Outcome::Ok, Outcome::Refused, Outcome::Failed, Outcome::Unknown];
    let Some(outcome) = outcomes.into_iter().find(|outcome| *outcome as u8 == record[3]) else {
        bail!("outcome {}", record[3])
    };
    Ok(Op {
        client: u16::from_le_bytes([record[0], record[1]]),
        kind,
        outcome,
        device: u32::from_le_bytes([record[4], record[5], record[6], record[7]]),
        value: next(),
        condition: next(),
        revision: next(),
        version: next(),
        invoked_ns: next(),
        returned_ns: next(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let op = Op {
            client: 3,
            kind: Kind::ConditionalPatch,
            outcome: Outcome::Unknown,
            device: 70_000,
            value: u64::MAX - 1,
            condition: 12,
            revision: 0,
            version: 9,
            invoked_ns: 1 << 40,
            returned_ns: (1 << 40) + 1,
        };
        let path = folder.path().join("history");
        write(&path, &[op, Op { outcome: Outcome::Ok, ..op }])?;
        assert_eq!(read(&path)?, [op, Op { outcome: Outcome::Ok, ..op }]);
        std::fs::write(&path, [0xff; RECORD_BYTES])?;
        assert!(read(&path).is_err(), "not a record");
        Ok(())
    }
}
