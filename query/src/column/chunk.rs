//! Some hundred cells of one column: kinds, and beside them numbers and codes of texts where there are any.

use super::Kind;
use super::bits::Bits;
use super::cells::Cells;

/// Kinds of the cells of a chunk.
#[derive(Debug, Clone)]
pub(super) enum Kinds {
    /// One kind, where the bit of a cell is set; absent elsewhere.
    One(Kind, Bits),
    /// Booleans: where there is one, and where it is true.
    Booleans(Bits, Bits),
    /// Each its own.
    Each(Box<[Kind]>),
}

impl Kinds {
    /// Whether a cell of this kind can be put in as things are.
    fn has_room_for(&self, kind: Kind) -> bool {
        match self {
            Self::One(one, _) => kind == *one || kind == Kind::Absent,
            Self::Booleans(..) => matches!(kind, Kind::Absent | Kind::False | Kind::True),
            Self::Each(_) => true,
        }
    }

    /// Puts a kind in for which there is room.
    fn set(&mut self, at: usize, kind: Kind) {
        match self {
            Self::One(_, present) => present.put(at, kind != Kind::Absent),
            Self::Booleans(present, truths) => {
                present.put(at, kind != Kind::Absent);
                truths.put(at, kind == Kind::True);
            }
            Self::Each(kinds) => kinds[at] = kind,
        }
    }
}

/// Cells of one column. Its length is a multiple of 64.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub(super) kinds: Kinds,
    /// Numbers by their bits; for texts their first bytes, when the column asks for that.
    pub(super) wide: Cells<u64>,
    /// Codes of texts.
    pub(super) codes: Cells<u32>,
    len: u32,
}

impl Chunk {
    pub(super) fn new(len: usize, kind: Kind) -> Self {
        let kinds = Kinds::One(kind, Bits::none(len / 64));
        Self::restore(len, kinds, Cells::None, Cells::None)
    }

    /// One of known parts, each of the length that goes with `len`.
    pub(super) fn restore(len: usize, kinds: Kinds, wide: Cells<u64>, codes: Cells<u32>) -> Self {
        Self { kinds, wide, codes, len: u32::try_from(len).unwrap_or(u32::MAX) }
    }

    #[inline]
    pub(super) fn kind(&self, at: usize) -> Kind {
        match &self.kinds {
            Kinds::One(kind, present) => {
                if present.has(at) {
                    *kind
                } else {
                    Kind::Absent
                }
            }
            Kinds::Booleans(present, truths) => match (present.has(at), truths.has(at)) {
                (false, _) => Kind::Absent,
                (true, false) => Kind::False,
                (true, true) => Kind::True,
            },
            Kinds::Each(kinds) => kinds[at],
        }
    }

    #[inline]
    pub(super) fn wide(&self, at: usize) -> u64 {
        self.wide.at(at)
    }

    /// The first bytes of a text, when they are kept.
    pub(super) fn begins(&self, at: usize) -> Option<u64> {
        (!self.wide.is_none()).then(|| self.wide.at(at))
    }

    #[inline]
    pub(super) fn code(&self, at: usize) -> u32 {
        self.codes.at(at)
    }

    /// Puts a cell in; `wide` and `code` where the kind has them.
    pub(super) fn set(&mut self, at: usize, kind: Kind, wide: Option<u64>, code: Option<u32>) {
        self.set_kind(at, kind);
        let len = self.len as usize;
        match wide {
            Some(value) => self.wide.put(at, value, len),
            None => self.wide.take(at),
        }
        match code {
            Some(value) => self.codes.put(at, value, len),
            None => self.codes.take(at),
        }
    }

    fn set_kind(&mut self, at: usize, kind: Kind) {
        if self.kinds.has_room_for(kind) {
            return self.kinds.set(at, kind);
        }
        let nothing = || Bits::none(self.len as usize / 64);
        self.kinds = match &self.kinds {
            // The first kind of an empty chunk may be another one.
            _ if self.is_empty() => Kinds::One(kind, nothing()),
            Kinds::One(Kind::True, present) if kind == Kind::False => Kinds::Booleans(present.clone(), present.clone()),
            Kinds::One(Kind::False, present) if kind == Kind::True => Kinds::Booleans(present.clone(), nothing()),
            _ => Kinds::Each((0..self.len as usize).map(|at| self.kind(at)).collect()),
        };
        self.kinds.set(at, kind);
    }

    /// Whether no cell holds anything.
    pub(super) fn is_empty(&self) -> bool {
        match &self.kinds {
            Kinds::One(_, present) | Kinds::Booleans(present, _) => present.is_empty(),
            Kinds::Each(kinds) => kinds.iter().all(|kind| *kind == Kind::Absent),
        }
    }

    /// Bits of the 64 cells from `64 * word` on whose kind is wanted.
    #[inline]
    pub(super) fn word_of(&self, word: usize, wanted: impl Fn(Kind) -> bool) -> u64 {
        match &self.kinds {
            Kinds::One(kind, present) => {
                let (here, absent) = (wanted(*kind), wanted(Kind::Absent));
                (if here { present[word] } else { 0 }) | (if absent { !present[word] } else { 0 })
            }
            Kinds::Booleans(present, truths) => {
                let of = |kind: Kind, bits: u64| if wanted(kind) { bits } else { 0 };
                of(Kind::True, present[word] & truths[word])
                    | of(Kind::False, present[word] & !truths[word])
                    | of(Kind::Absent, !present[word])
            }
            Kinds::Each(kinds) => bits(&kinds[64 * word..64 * word + 64], |kind| wanted(*kind)),
        }
    }

    /// Bits of the 64 cells from `64 * word` on that are of one kind.
    #[inline]
    pub(super) fn of_kind(&self, word: usize, wanted: Kind) -> u64 {
        match &self.kinds {
            // Of a chunk that says absent no cell holds anything.
            Kinds::One(kind, present) if *kind == wanted && wanted != Kind::Absent => present[word],
            Kinds::One(_, present) => {
                if wanted == Kind::Absent {
                    !present[word]
                } else {
                    0
                }
            }
            Kinds::Booleans(present, truths) => match wanted {
                Kind::Absent => !present[word],
                Kind::True => present[word] & truths[word],
                Kind::False => present[word] & !truths[word],
                _ => 0,
            },
            Kinds::Each(kinds) => equal(&kinds[64 * word..64 * word + 64], wanted),
        }
    }

    /// Bits of those that hold something.
    pub(super) fn present(&self, word: usize) -> u64 {
        match &self.kinds {
            Kinds::One(_, present) | Kinds::Booleans(present, _) => present[word],
            Kinds::Each(_) => !self.of_kind(word, Kind::Absent),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let kinds = match &self.kinds {
            Kinds::One(_, present) => present.memory_bytes(),
            Kinds::Booleans(present, truths) => present.memory_bytes() + truths.memory_bytes(),
            Kinds::Each(kinds) => kinds.len(),
        };
        size_of::<Self>() + 16 + kinds + self.wide.memory_bytes() + self.codes.memory_bytes()
    }
}

/// Bits of the kinds that are this one. Not generic, so that it is compiled once, and well.
#[inline(never)]
fn equal(kinds: &[Kind], wanted: Kind) -> u64 {
    bits(kinds, |kind| *kind == wanted)
}

/// A bit for each of 64 values. First bytes, then bits: that way the compiler compares many at once.
#[inline]
pub(super) fn bits<T>(values: &[T], holds: impl Fn(&T) -> bool) -> u64 {
    let mut bytes = [0_u8; 64];
    for (byte, value) in bytes.iter_mut().zip(values) {
        *byte = u8::from(holds(value));
    }
    pack(&bytes)
}

/// The lowest bits of 64 bytes.
#[inline]
fn pack(bytes: &[u8; 64]) -> u64 {
    let mut out = 0;
    for (index, eight) in bytes.as_chunks::<8>().0.iter().enumerate() {
        // Moves the lowest bits of eight bytes next to each other.
        let moved = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        out |= moved << (8 * index);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_those_of_the_values() {
        for seed in 1..200_u64 {
            let wanted = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let values: Vec<bool> = (0..64).map(|at| wanted >> at & 1 == 1).collect();
            assert_eq!(bits(&values, |value| *value), wanted);
        }
    }
}
