//! One frame: the bytes of one round of writes, recognizable wherever they lie.
//!
//! ```text
//! magic(4) format(2) reserved(2) salt(8) sequence(8) length(4) crc32c(4) payload(length)     all big-endian
//! ```
//!
//! This file does not know what a payload says, nor where frames lie. Invariants:
//! - The checksum covers everything but itself. Later formats keep the layout of this header and its checksum, so that
//!   a frame of a later format is told from a broken one.
//! - The salt is drawn anew whenever a file is made or used again, and no client ever sees it. So neither what an older
//!   life of the file left behind, nor bytes that somebody put into an entry, can pass for a frame.

use muster_planted::{self as planted, Bug};

/// Length of the header in bytes.
pub(super) const HEADER_BYTES: usize = 32;
/// Frames begin at multiples of this.
pub(super) const ALIGN: usize = 8;
/// The format this version writes and reads.
pub(super) const FORMAT: u16 = 1;

const MAGIC: [u8; 4] = *b"MRLF";
const SUM_AT: usize = HEADER_BYTES - 4;

/// A frame that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Its number: consecutive over all segments, never used again for another durable frame.
    pub sequence: u64,
    /// Bytes of its payload.
    pub length: usize,
}

/// Why there is no frame at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoFrame {
    /// Nothing was written here since the file was last made ready.
    Nothing,
    /// A frame begins here, but its bytes are not what was written. Header fields are as found.
    Broken { sequence: u64, length: usize },
    /// A whole frame of another format.
    Newer { format: u16 },
}

/// Fills in the header of a frame whose payload lies behind [`HEADER_BYTES`] already.
pub(super) fn seal(frame: &mut [u8], salt: u64, sequence: u64) {
    let length = u32::try_from(frame.len() - HEADER_BYTES).expect("the size of a frame was checked before");
    frame[..4].copy_from_slice(&MAGIC);
    frame[4..6].copy_from_slice(&FORMAT.to_be_bytes());
    frame[6..8].fill(0);
    frame[8..16].copy_from_slice(&salt.to_be_bytes());
    frame[16..24].copy_from_slice(&sequence.to_be_bytes());
    frame[24..SUM_AT].copy_from_slice(&length.to_be_bytes());
    let sum = checksum(frame);
    frame[SUM_AT..HEADER_BYTES].copy_from_slice(&sum.to_be_bytes());
}

/// Looks for a frame at the beginning of `bytes`, which may go on behind it.
pub(super) fn look(bytes: &[u8], salt: u64) -> Result<Frame, NoFrame> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return Err(NoFrame::Nothing) };
    if header[..4] != MAGIC || (u64_at(header, 8) != salt && !planted::is(Bug::SaltIgnored)) {
        return Err(NoFrame::Nothing);
    }
    let (sequence, length) = (u64_at(header, 16), u32_at(header, 24) as usize);
    if rest.len() < length || checksum(&bytes[..HEADER_BYTES + length]) != u32_at(header, SUM_AT) {
        return Err(NoFrame::Broken { sequence, length });
    }
    match u16::from_be_bytes([header[4], header[5]]) {
        FORMAT => Ok(Frame { sequence, length }),
        format => Err(NoFrame::Newer { format }),
    }
}

/// The first whole frame that begins in `bytes`, at a multiple of [`ALIGN`]: where, and which.
pub(super) fn search(bytes: &[u8], salt: u64) -> Option<(usize, Frame)> {
    (0..bytes.len()).step_by(ALIGN).find_map(|at| look(&bytes[at..], salt).ok().map(|frame| (at, frame)))
}

/// The next multiple of [`ALIGN`].
pub(super) fn aligned(offset: usize) -> usize {
    offset.next_multiple_of(ALIGN)
}

fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..SUM_AT]), &frame[HEADER_BYTES..])
}

fn u64_at(header: &[u8; HEADER_BYTES], at: usize) -> u64 {
    header[at..at + 8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn u32_at(header: &[u8; HEADER_BYTES], at: usize) -> u32 {
    header[at..at + 4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::{Frame, HEADER_BYTES, NoFrame, checksum, look, seal, search};

    fn frame(payload: &[u8], salt: u64, sequence: u64) -> Vec<u8> {
        let mut frame = vec![0; HEADER_BYTES];
        frame.extend(payload);
        seal(&mut frame, salt, sequence);
        frame
    }

    #[test]
    fn a_frame_is_found_with_what_lies_behind_it() {
        let mut bytes = frame(b"some records", 7, 42);
        bytes.extend([0xEE; 100]);
        assert_eq!(look(&bytes, 7), Ok(Frame { sequence: 42, length: 12 }));
        assert_eq!(look(&bytes, 8), Err(NoFrame::Nothing), "an older life of the file");
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let good = frame(b"some records", 7, 42);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(look(&bad, 7).is_err(), "bit {bit} went unnoticed");
        }
        for length in 0..good.len() {
            assert!(look(&good[..length], 7).is_err(), "a cut at {length} went unnoticed");
        }
    }

    #[test]
    fn a_later_format_is_told_from_a_broken_frame() {
        let mut bytes = frame(b"what will be", 7, 42);
        bytes[5] = 9;
        assert!(matches!(look(&bytes, 7), Err(NoFrame::Broken { sequence: 42, length: 12 })));
        let sum = checksum(&bytes);
        bytes[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(look(&bytes, 7), Err(NoFrame::Newer { format: 9 }));
    }

    #[test]
    fn a_search_finds_the_next_frame_and_no_forged_one() {
        let mut bytes = vec![0; 24];
        bytes.extend(frame(b"forged in an entry", 1, 43));
        bytes.resize(120, 0);
        bytes.extend(frame(b"real", 7, 44));
        assert_eq!(search(&bytes, 7), Some((120, Frame { sequence: 44, length: 4 })));
        assert_eq!(search(&bytes[..120], 7), None);
    }
}
