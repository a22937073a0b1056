//! The file of flushes: what a crash leaves of it is read up to the first record that is not whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;

use crate::db::Change;

const NAME: &str = "000002.sst";
const HEADER: usize = 12;

/// The open file.
pub(crate) struct Flushes(File);

/// What it holds.
pub(crate) struct Found {
    pub(crate) batches: Vec<Vec<Change>>,
    pub(crate) whole_bytes: u64,
}

pub(crate) fn read(dir: &Path) -> io::Result<Found> {
    let bytes = match std::fs::read(dir.join(NAME)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut found = Found { batches: Vec::new(), whole_bytes: 0 };
    let mut rest = bytes.as_slice();
    while let Some((batch, bytes)) = first(rest) {
        found.batches.push(batch);
        found.whole_bytes += bytes as u64;
        rest = &rest[bytes..];
    }
    Ok(found)
}

fn first(bytes: &[u8]) -> Option<(Vec<Change>, usize)> {
    let length = usize::try_from(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?)).ok()?;
    let sum = u64::from_be_bytes(bytes.get(4..HEADER)?.try_into().ok()?);
    let body = bytes.get(HEADER..HEADER + length)?;
    (sum_of(body) == sum).then(|| Some((decode(body)?, HEADER + length)))?
}

/// Also over the length, so that zeros are no record.
fn sum_of(body: &[u8]) -> u64 {
    std::trace::number_of(body) ^ (body.len() as u64 + 1)
}

impl Flushes {
    pub(crate) fn open(dir: &Path, whole_bytes: u64) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).append(true).open(dir.join(NAME))?;
        if file.metadata()?.len() > whole_bytes {
            file.set_len(whole_bytes)?;
        }
        // What is read is taken for durable, also if the process before could not sync it.
        file.sync_all()?;
        Ok(Self(file))
    }

    pub(crate) fn add(&mut self, batch: &[Change]) -> io::Result<()> {
        let body = encode(batch);
        let mut record = u32::try_from(body.len()).map_err(io::Error::other)?.to_be_bytes().to_vec();
        record.extend(sum_of(&body).to_be_bytes());
        record.extend(body);
        self.0.write_all(&record)?;
        self.0.sync_data()
    }
}

pub(crate) fn encode(batch: &[Change]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut put = |kind: u8, family: usize, parts: &[&[u8]]| {
        body.push(kind);
        body.push(u8::try_from(family).unwrap_or(u8::MAX));
        for part in parts {
            body.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            body.extend(*part);
        }
    };
    for change in batch {
        match change {
            Change::Put(family, key, value) => put(1, *family, &[key, value]),
            Change::Delete(family, key) => put(2, *family, &[key]),
            Change::DeleteRange(family, from, to) => put(3, *family, &[from, to]),
        }
    }
    body
}

pub(crate) fn decode(mut body: &[u8]) -> Option<Vec<Change>> {
    let mut batch = Vec::new();
    while let [kind, family, rest @ ..] = body {
        body = rest;
        let family = usize::from(*family);
        let mut part = || {
            let length = usize::try_from(u32::from_be_bytes(body.get(..4)?.try_into().ok()?)).ok()?;
            let part = Bytes::copy_from_slice(body.get(4..4 + length)?);
            body = &body[4 + length..];
            Some(part)
        };
        batch.push(match kind {
            1 => Change::Put(family, part()?, part()?),
            2 => Change::Delete(family, part()?),
            3 => Change::DeleteRange(family, part()?, part()?),
            _ => return None,
        });
    }
    body.is_empty().then_some(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_end_is_left_out_and_nothing_before_it() {
        std::disk::make("flushes", 1);
        let dir = Path::new("/sim/flushes");
        let mut file = Flushes::open(dir, 0).unwrap();
        let a = || Bytes::from_static(b"a");
        let batches = [vec![Change::Put(1, a(), Bytes::from_static(b"1"))], vec![Change::Delete(1, a())]];
        batches.iter().for_each(|batch| file.add(batch).unwrap());
        let whole = std::fs::read(dir.join(NAME)).unwrap();
        for length in 0..whole.len() {
            std::fs::write(dir.join(NAME), &whole[..length]).unwrap();
            let found = read(dir).unwrap();
            assert_eq!(found.batches, batches[..found.batches.len()]);
            assert!(found.whole_bytes <= length as u64);
        }
        std::fs::write(dir.join(NAME), [whole.as_slice(), &[0; 64]].concat()).unwrap();
        assert_eq!(read(dir).unwrap().batches, batches);
    }
}
