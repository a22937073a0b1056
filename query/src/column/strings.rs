//! The texts of one column by code. While few are different each is kept once; when many are, each value is kept for
//! itself, and what no cell uses any more is counted until it is worth copying the rest.
//!
//! - Codes of a snapshot stay what they were: texts are only added; whoever copies the rest gives out new codes.

use std::sync::Arc;

use hashbrown::DefaultHashBuilder;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// Texts of one part; small, so that adding to the last part, which a snapshot may hold, copies little.
const PART: usize = 256;
/// Different texts that are worth an index.
pub(super) const DIFFERENT_MAX: usize = 16_384;

#[derive(Debug, Clone, Default)]
struct Part {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Part {
    fn get(&self, at: usize) -> &str {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        std::str::from_utf8(&self.bytes[start..self.ends[at] as usize]).unwrap_or_default()
    }
}

/// Texts by code, as a snapshot holds them.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    full: Arc<Vec<Arc<Part>>>,
    last: Arc<Part>,
    bytes: usize,
    /// Whether each text is there once.
    pub(super) is_dictionary: bool,
}

impl Texts {
    #[inline]
    pub(super) fn get(&self, code: u32) -> &str {
        let (part, at) = (code as usize / PART, code as usize % PART);
        self.full.get(part).map_or_else(|| self.last.get(at), |part| part.get(at))
    }

    pub(super) fn len(&self) -> usize {
        self.full.len() * PART + self.last.ends.len()
    }

    pub(super) fn push(&mut self, text: &str) -> u32 {
        let code = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let last = Arc::make_mut(&mut self.last);
        last.bytes.extend_from_slice(text.as_bytes());
        last.ends.push(u32::try_from(last.bytes.len()).unwrap_or(u32::MAX));
        self.bytes += text.len();
        if last.ends.len() == PART {
            let mut full = std::mem::take(&mut self.last);
            let part = Arc::make_mut(&mut full);
            part.bytes.shrink_to_fit();
            part.ends.shrink_to_fit();
            Arc::make_mut(&mut self.full).push(full);
        }
        code
    }

    /// All of them, by code.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> + '_ {
        (0..u32::try_from(self.len()).unwrap_or(u32::MAX)).map(|code| self.get(code))
    }

    /// None, of a column whose texts are few so far.
    pub(super) fn dictionary() -> Self {
        Self { is_dictionary: true, ..Self::default() }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes + 4 * self.len() + (self.full.len() + 1) * (size_of::<Part>() + 48)
    }
}

/// The writer's side: which texts there are. The texts themselves lie with the column, so that they are copied only when a
/// snapshot holds them.
#[derive(Debug, Default)]
pub(super) struct Strings {
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Texts that cells use; only counted when each is kept for itself.
    used: usize,
}

impl Strings {
    /// The code of a text, new if need be.
    pub(super) fn code(&mut self, texts: &mut Texts, text: &str) -> u32 {
        if !texts.is_dictionary {
            self.used += 1;
            return texts.push(text);
        }
        let hash = self.hasher.hash_one(text);
        if let Some(code) = self.index.find(hash, |code| texts.get(*code) == text) {
            return *code;
        }
        let code = texts.push(text);
        let (texts, hasher) = (&*texts, &self.hasher);
        self.index.insert_unique(hash, code, |code| hasher.hash_one(texts.get(*code)));
        code
    }

    /// The writer's side of texts that `used` cells use; `None` when a dictionary holds one twice.
    pub(super) fn restore(texts: &Texts, used: usize) -> Option<Self> {
        let mut strings = Self { used, ..Self::default() };
        if !texts.is_dictionary {
            return Some(strings);
        }
        for (code, text) in (0..).zip(texts.iter()) {
            let hash = strings.hasher.hash_one(text);
            if strings.index.find(hash, |other| texts.get(*other) == text).is_some() {
                return None;
            }
            let hasher = &strings.hasher;
            strings.index.insert_unique(hash, code, |code| hasher.hash_one(texts.get(*code)));
        }
        Some(strings)
    }

    /// Whether so many are different that each should be kept for itself.
    pub(super) fn is_too_large(&self) -> bool {
        self.index.len() > DIFFERENT_MAX
    }

    /// From now on each text is kept for itself; `used` cells have one.
    pub(super) fn give_up_index(&mut self, used: usize) {
        self.index = HashTable::new();
        self.used = used;
    }

    /// A cell does not use its text any more.
    pub(super) fn drop_one(&mut self) {
        self.used = self.used.saturating_sub(1);
    }

    /// Whether most of the texts, each kept for itself, are used by no cell.
    pub(super) fn is_mostly_unused(&self, texts: &Texts) -> bool {
        !texts.is_dictionary && texts.len() > 2 * self.used + 4_096
    }

    /// Nothing is used, because all texts are about to be given out anew.
    pub(super) fn start_over(&mut self) {
        self.used = 0;
    }

    pub(super) fn memory_bytes(&self) -> usize {
        5 * self.index.capacity()
    }
}

/// The first eight bytes of a text as a number whose order is that of the texts, as far as eight bytes tell.
#[inline]
pub(super) fn beginning(text: &str) -> u64 {
    let mut bytes = [0; 8];
    let len = text.len().min(8);
    bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_were_restored_count_as_used() {
        let mut texts = Texts::default();
        (0..10_000).for_each(|at| {
            texts.push(&format!("text {at}"));
        });
        let of = |used: usize| Strings::restore(&texts, used).expect("no dictionary");
        assert!(!of(10_000).is_mostly_unused(&texts));
        assert!(of(1_000).is_mostly_unused(&texts));
    }
}
