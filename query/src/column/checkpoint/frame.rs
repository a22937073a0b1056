//! Bytes in frames that each carry their length and hash. The hash covers the number of the frame too, so that none can be
//! left out, repeated or moved; an empty frame is the end.

use std::io::{self, Read, Write};

use super::CheckpointError;

/// Bytes of a frame at most.
const FRAME: usize = 64 * 1024;

fn hash(number: u64, content: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&number.to_le_bytes()).update(content);
    *hasher.finalize().as_bytes()
}

/// Cuts what is written into frames.
pub(super) struct Frames<'o, W> {
    out: &'o mut W,
    open: Vec<u8>,
    number: u64,
}

impl<'o, W: Write> Frames<'o, W> {
    pub(super) fn new(out: &'o mut W) -> Self {
        Self { out, open: Vec::with_capacity(FRAME), number: 0 }
    }

    pub(super) fn bytes(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while self.open.len() + bytes.len() >= FRAME {
            let (now, later) = bytes.split_at(FRAME - self.open.len());
            self.open.extend_from_slice(now);
            self.close()?;
            bytes = later;
        }
        self.open.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn byte(&mut self, value: u8) -> io::Result<()> {
        self.bytes(&[value])
    }

    pub(super) fn u32(&mut self, value: u32) -> io::Result<()> {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u64(&mut self, value: u64) -> io::Result<()> {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn len(&mut self, value: usize) -> io::Result<()> {
        self.u64(value as u64)
    }

    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.len(text.len())?;
        self.bytes(text.as_bytes())
    }

    fn close(&mut self) -> io::Result<()> {
        let len = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        self.out.write_all(&len.to_le_bytes())?;
        self.out.write_all(&hash(self.number, &self.open))?;
        self.out.write_all(&self.open)?;
        self.number += 1;
        self.open.clear();
        Ok(())
    }

    /// Writes what is left, and the end.
    pub(super) fn end(mut self) -> io::Result<()> {
        if !self.open.is_empty() {
            self.close()?;
        }
        self.close()
    }
}

/// Gives back what was cut into frames; nothing of a frame before its hash was found right.
pub(super) struct Unframed<'i, R> {
    from: &'i mut R,
    open: Vec<u8>,
    /// How much of the open frame was taken.
    taken: usize,
    number: u64,
}

impl<'i, R: Read> Unframed<'i, R> {
    pub(super) fn new(from: &'i mut R) -> Self {
        Self { from, open: Vec::new(), taken: 0, number: 0 }
    }

    fn next(&mut self) -> Result<(), CheckpointError> {
        let (mut len, mut expected) = ([0; 4], [0; 32]);
        exactly(self.from, &mut len)?;
        exactly(self.from, &mut expected)?;
        let len = u32::from_le_bytes(len) as usize;
        if len > FRAME {
            return Err(CheckpointError::Damaged("a frame is too long"));
        }
        self.open.resize(len, 0);
        exactly(self.from, &mut self.open)?;
        if hash(self.number, &self.open) != expected {
            return Err(CheckpointError::Damaged("a frame is not what was written"));
        }
        (self.taken, self.number) = (0, self.number + 1);
        Ok(())
    }

    /// Hands out the next `len` bytes piece by piece.
    fn pieces(&mut self, mut len: usize, mut take: impl FnMut(&[u8])) -> Result<(), CheckpointError> {
        while len > 0 {
            if self.taken == self.open.len() {
                self.next()?;
                if self.open.is_empty() {
                    return Err(CheckpointError::Damaged("it ends too early"));
                }
            }
            let piece = &self.open[self.taken..self.open.len().min(self.taken + len)];
            take(piece);
            len -= piece.len();
            self.taken += piece.len();
        }
        Ok(())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], CheckpointError> {
        let (mut out, mut at) = ([0; N], 0);
        self.pieces(N, |piece| {
            out[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        })?;
        Ok(out)
    }

    /// So many bytes; memory grows with those that are there.
    pub(super) fn bytes(&mut self, len: usize) -> Result<Vec<u8>, CheckpointError> {
        let mut out = Vec::with_capacity(len.min(FRAME));
        self.pieces(len, |piece| out.extend_from_slice(piece))?;
        Ok(out)
    }

    pub(super) fn byte(&mut self) -> Result<u8, CheckpointError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, CheckpointError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, CheckpointError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn len(&mut self) -> Result<usize, CheckpointError> {
        usize::try_from(self.u64()?).map_err(|_| CheckpointError::Damaged("a length is too large"))
    }

    pub(super) fn text(&mut self) -> Result<String, CheckpointError> {
        let len = self.len()?;
        String::from_utf8(self.bytes(len)?).map_err(|_| CheckpointError::Damaged("a text is not UTF-8"))
    }

    /// Nothing but the end is left.
    pub(super) fn end(&mut self) -> Result<(), CheckpointError> {
        if self.taken < self.open.len() {
            return Err(CheckpointError::Damaged("it goes on after its end"));
        }
        self.next()?;
        if self.open.is_empty() { Ok(()) } else { Err(CheckpointError::Damaged("it goes on after its end")) }
    }
}

fn exactly(from: &mut impl Read, out: &mut [u8]) -> Result<(), CheckpointError> {
    from.read_exact(out).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => CheckpointError::Damaged("it ends too early"),
        _ => CheckpointError::Io(error),
    })
}
