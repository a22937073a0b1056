//! What cells of a chunk hold beside their kind: for each cell, or for the few that hold something, because a fleet has many paths that
//! hardly any device has.
//!
//! It knows no kinds. Invariant: what was put in is there until something else is put in its place or it is taken out; a cell that
//! holds nothing answers as zero.

/// Of a chunk's cells one in so many may be held one by one.
const FEW: usize = 16;

/// Values of the cells of a chunk.
#[derive(Debug, Clone, Default)]
pub(super) enum Cells<T> {
    /// No cell ever held one.
    #[default]
    None,
    /// Where there is one, upwards.
    Few(Vec<(u32, T)>),
    /// One in each cell.
    Each(Box<[T]>),
}

impl<T: Copy + Default> Cells<T> {
    /// How many of `len` cells are held one by one at most.
    pub(super) fn few_max(len: usize) -> usize {
        len / FEW
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    #[inline]
    pub(super) fn at(&self, at: usize) -> T {
        match self {
            Self::None => T::default(),
            Self::Few(few) => {
                few.iter().find(|(place, _)| *place as usize == at).map_or_else(T::default, |(_, value)| *value)
            }
            Self::Each(each) => each[at],
        }
    }

    /// Whether one was put in, as far as that is known.
    pub(super) fn holds(&self, at: usize) -> bool {
        match self {
            Self::None => false,
            Self::Few(few) => few.iter().any(|(place, _)| *place as usize == at),
            Self::Each(_) => true,
        }
    }

    /// All of them, where each cell has its own.
    #[inline]
    pub(super) fn each(&self) -> Option<&[T]> {
        match self {
            Self::Each(each) => Some(each),
            _ => None,
        }
    }

    /// Those of the 64 cells from `64 * word` on; `room` is where they are laid out when there are few.
    #[inline]
    pub(super) fn word<'a>(&'a self, word: usize, room: &'a mut Option<[T; 64]>) -> Option<&'a [T]> {
        match self {
            Self::None => None,
            Self::Few(few) => Some(lay_out(few, word, room)),
            Self::Each(each) => Some(&each[64 * word..64 * word + 64]),
        }
    }

    /// Puts a value into one of `len` cells.
    pub(super) fn put(&mut self, at: usize, value: T, len: usize) {
        match self {
            Self::None => *self = Self::Few(vec![(place(at), value)]),
            Self::Few(few) => match few.binary_search_by_key(&place(at), |(place, _)| *place) {
                Ok(found) => few[found].1 = value,
                Err(next) if few.len() < Self::few_max(len) => few.insert(next, (place(at), value)),
                Err(_) => {
                    let mut each = vec![T::default(); len];
                    few.iter().for_each(|(place, value)| each[*place as usize] = *value);
                    each[at] = value;
                    *self = Self::Each(each.into());
                }
            },
            Self::Each(each) => each[at] = value,
        }
    }

    /// The cell holds none any more.
    pub(super) fn take(&mut self, at: usize) {
        if let Self::Few(few) = self
            && let Ok(found) = few.binary_search_by_key(&place(at), |(place, _)| *place)
        {
            few.remove(found);
        }
    }

    /// Bytes that do not lie in the chunk.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Few(few) => few.capacity() * size_of::<(u32, T)>(),
            Self::Each(each) => size_of_val::<[T]>(each),
        }
    }
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cold]
fn lay_out<'a, T: Copy + Default>(few: &[(u32, T)], word: usize, room: &'a mut Option<[T; 64]>) -> &'a [T] {
    let out = room.insert([T::default(); 64]);
    for (place, value) in few {
        if *place as usize / 64 == word {
            out[*place as usize % 64] = *value;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_answer_as_each_does() {
        let (len, mut seed) = (512, 1_u64);
        let mut cells = Cells::<u64>::default();
        let mut plain = vec![0; len];
        for step in 0..2_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(seed >> 40).expect("small") % len;
            // Few for long, then many.
            if step < 1_000 && plain.iter().filter(|value| **value != 0).count() >= 20 {
                let taken = plain.iter().position(|value| *value != 0).expect("twenty");
                cells.take(taken);
                plain[taken] = 0;
            }
            cells.put(at, seed, len);
            plain[at] = seed;
            assert_eq!(cells.each().is_none(), step < 1_000 || plain.iter().filter(|value| **value != 0).count() <= 32);
            for word in 0..len / 64 {
                let mut room = None;
                assert_eq!(cells.word(word, &mut room), Some(&plain[64 * word..64 * word + 64]), "step {step}");
            }
            assert!(plain.iter().enumerate().all(|(at, value)| cells.at(at) == *value));
        }
        assert!(cells.each().is_some(), "there were many in the end");
    }
}
