//! Reads protobuf fields from a slice, borrowing what it can. It knows the wire format and no message.
//!
//! - No input makes it panic, allocate more than the input is long, or recurse without bound.

use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::CodecError;

/// A message being read; `what` names it in errors.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    /// Bytes that were not read yet.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next field's number and wire type; `None` at the end.
    #[inline]
    pub(super) fn field(&mut self) -> Result<Option<(u32, WireType)>, CodecError> {
        match self.rest.split_first() {
            None => Ok(None),
            // Field numbers below 16 take one byte, and nearly all are; the two wire types that do not exist, and the
            // field number 0, are left to prost's error.
            Some((first, rest)) if (0x08..0x80).contains(first) && first & 7 < 6 => {
                self.rest = rest;
                let wire = match first & 7 {
                    0 => WireType::Varint,
                    1 => WireType::SixtyFourBit,
                    2 => WireType::LengthDelimited,
                    3 => WireType::StartGroup,
                    4 => WireType::EndGroup,
                    _ => WireType::ThirtyTwoBit,
                };
                Ok(Some((u32::from(first >> 3), wire)))
            }
            Some(_) => decode_key(&mut self.rest).map(Some).map_err(CodecError::decoding(self.what)),
        }
    }

    #[inline]
    pub(super) fn number(&mut self, wire: WireType) -> Result<u64, CodecError> {
        self.expect(wire, WireType::Varint)?;
        self.varint()
    }

    #[inline]
    pub(super) fn signed(&mut self, wire: WireType) -> Result<i64, CodecError> {
        let value = self.number(wire)?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    #[inline]
    pub(super) fn bool(&mut self, wire: WireType) -> Result<bool, CodecError> {
        Ok(self.number(wire)? != 0)
    }

    #[inline]
    pub(super) fn double(&mut self, wire: WireType) -> Result<f64, CodecError> {
        self.expect(wire, WireType::SixtyFourBit)?;
        self.rest.try_get_f64_le().map_err(|_| CodecError::malformed(self.what, "a double is cut short"))
    }

    #[inline]
    pub(super) fn bytes(&mut self, wire: WireType) -> Result<&'a [u8], CodecError> {
        self.expect(wire, WireType::LengthDelimited)?;
        let length = self.varint()?;
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let (bytes, rest) = split.ok_or_else(|| CodecError::malformed(self.what, "a field is cut short"))?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    pub(super) fn text(&mut self, wire: WireType) -> Result<&'a str, CodecError> {
        let bytes = self.bytes(wire)?;
        std::str::from_utf8(bytes).map_err(|_| CodecError::malformed(self.what, "a text is not UTF-8"))
    }

    /// A nested message.
    #[inline]
    pub(super) fn message(&mut self, what: &'static str, wire: WireType) -> Result<Self, CodecError> {
        Ok(Self { what, rest: self.bytes(wire)? })
    }

    /// Passes over a field of a number that is not known.
    #[cold]
    pub(super) fn skip(&mut self, tag: u32, wire: WireType) -> Result<(), CodecError> {
        let context = DecodeContext::default();
        skip_field(wire, tag, &mut self.rest, context).map_err(CodecError::decoding(self.what))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, CodecError> {
        match self.rest.split_first() {
            Some((first, rest)) if *first < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*first))
            }
            _ => decode_varint(&mut self.rest).map_err(CodecError::decoding(self.what)),
        }
    }

    #[inline]
    fn expect(&self, found: WireType, expected: WireType) -> Result<(), CodecError> {
        if found == expected {
            return Ok(());
        }
        Err(CodecError::malformed(self.what, format!("a field has wire type {found:?} instead of {expected:?}")))
    }
}
