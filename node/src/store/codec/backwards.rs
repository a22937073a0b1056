//! Writes protobuf from the last byte to the first, so that a nested message's length is known when it is needed: no
//! intermediate messages, no second pass for lengths.
//!
//! It knows the wire format and no message. Whoever uses it writes fields in descending order of their numbers, and the
//! members of a message before its length; the result is then byte for byte what prost would write.

use std::cell::RefCell;

use prost::Message;
use prost::encoding::WireType;

/// A thread keeps its buffer for the next use unless it grew beyond this, bytes.
const KEPT_BYTES_MAX: usize = 1 << 20;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What `write` wrote.
pub(super) fn encode(write: impl FnOnce(&mut Backwards)) -> Vec<u8> {
    // Taken out and put back, so that even an encoder within an encoder would be right, if slower.
    let buffer = BUFFER.take();
    let start = buffer.len();
    let mut out = Backwards { buffer, start };
    write(&mut out);
    let bytes = out.buffer[out.start..].to_vec();
    if out.buffer.len() <= KEPT_BYTES_MAX {
        BUFFER.set(out.buffer);
    }
    bytes
}

/// A place in what has been written: the end of a message whose length comes later.
#[derive(Clone, Copy)]
pub(super) struct End(usize);

/// The buffer; what is written lies at its end.
pub(super) struct Backwards {
    buffer: Vec<u8>,
    start: usize,
}

impl Backwards {
    fn written(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Room for `length` bytes before what has been written.
    #[inline]
    fn room(&mut self, length: usize) -> &mut [u8] {
        if self.start < length {
            self.grow(length);
        }
        self.start -= length;
        &mut self.buffer[self.start..self.start + length]
    }

    #[cold]
    fn grow(&mut self, length: usize) {
        let written = self.written();
        let size = (2 * self.buffer.len()).max(written + length).max(4 * 1024);
        let mut larger = vec![0; size];
        larger[size - written..].copy_from_slice(&self.buffer[self.start..]);
        self.start = size - written;
        self.buffer = larger;
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the low seven bits are what is meant")]
    fn varint(&mut self, mut value: u64) {
        if value < 0x80 {
            self.room(1)[0] = value as u8;
            return;
        }
        let significant = 64 - value.leading_zeros() as usize;
        let room = self.room(significant.div_ceil(7));
        let last = room.len() - 1;
        for byte in &mut room[..last] {
            *byte = value as u8 | 0x80;
            value >>= 7;
        }
        room[last] = value as u8;
    }

    #[inline]
    fn key(&mut self, tag: u32, wire: WireType) {
        self.varint(u64::from(tag << 3 | wire as u32));
    }

    /// The end of a message begins here; see [`Backwards::begin`].
    #[inline]
    pub(super) fn end(&self) -> End {
        End(self.written())
    }

    /// The message that ends at `end` begins here, as field `tag`.
    #[inline]
    pub(super) fn begin(&mut self, tag: u32, end: End) {
        self.varint((self.written() - end.0) as u64);
        self.key(tag, WireType::LengthDelimited);
    }

    /// A number, even if it is 0.
    #[inline]
    pub(super) fn number(&mut self, tag: u32, value: u64) {
        self.varint(value);
        self.key(tag, WireType::Varint);
    }

    /// A number, unless it is 0.
    #[inline]
    pub(super) fn number_if(&mut self, tag: u32, value: u64) {
        if value != 0 {
            self.number(tag, value);
        }
    }

    /// A zigzag number (`sint64`), even if it is 0.
    #[inline]
    pub(super) fn signed(&mut self, tag: u32, value: i64) {
        self.number(tag, ((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    /// A double, even if it is 0.
    #[inline]
    pub(super) fn double(&mut self, tag: u32, value: f64) {
        self.bytes(&value.to_le_bytes());
        self.key(tag, WireType::SixtyFourBit);
    }

    /// Bytes or text, even if empty.
    #[inline]
    pub(super) fn text(&mut self, tag: u32, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        self.bytes(value);
        self.varint(value.len() as u64);
        self.key(tag, WireType::LengthDelimited);
    }

    /// Bytes or text, unless empty.
    #[inline]
    pub(super) fn text_if(&mut self, tag: u32, value: impl AsRef<[u8]>) {
        if !value.as_ref().is_empty() {
            self.text(tag, value);
        }
    }

    /// Text, even if empty, unless absent.
    #[inline]
    pub(super) fn optional_text(&mut self, tag: u32, value: Option<&String>) {
        if let Some(value) = value {
            self.text(tag, value);
        }
    }

    /// A message that prost writes.
    pub(super) fn message(&mut self, tag: u32, message: &impl Message) {
        let end = self.end();
        let length = message.encoded_len();
        self.prost(length, |mut room| message.encode_raw(&mut room));
        self.begin(tag, end);
    }

    /// Fields of `length` bytes in all that prost writes.
    pub(super) fn prost(&mut self, length: usize, encode: impl FnOnce(&mut [u8])) {
        encode(self.room(length));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_prost_writes() {
        let edges = (0..64).flat_map(|bit| [1u64 << bit, (1 << bit) - 1, !(1 << bit)]);
        for value in edges {
            let bytes = encode(|out| out.number(3, value));
            let mut expected = Vec::new();
            prost::encoding::uint64::encode(3, &value, &mut expected);
            assert_eq!(bytes, expected, "{value}");
            let signed = value.cast_signed();
            let bytes = encode(|out| out.signed(3, signed));
            let mut expected = Vec::new();
            prost::encoding::sint64::encode(3, &signed, &mut expected);
            assert_eq!(bytes, expected, "{signed}");
        }
    }

    #[test]
    fn the_buffer_grows_without_losing_what_was_written() {
        let long = "x".repeat(3 * KEPT_BYTES_MAX);
        for _ in 0..2 {
            let bytes = encode(|out| {
                out.text(2, "last");
                out.text(1, &long);
            });
            let mut expected = Vec::new();
            prost::encoding::string::encode(1, &long, &mut expected);
            prost::encoding::string::encode(2, &"last".to_owned(), &mut expected);
            assert_eq!(bytes, expected);
        }
    }
}
