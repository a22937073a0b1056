//! What a file holds: as processes see it, and as it would be after a power cut.

use ::std::collections::BTreeMap;

use crate::chance::Chance;

/// What of a disk is written as a whole or not at all.
const SECTOR: usize = 512;

/// What a power cut does to what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of it was written in time.
    Nothing,
    /// None of it was.
    Everything,
    /// Each sector for itself was or was not.
    Some,
}

#[derive(Debug)]
enum Change {
    Write { offset: usize, bytes: Box<[u8]> },
    Resize(usize),
}

/// A file without a name.
#[derive(Debug, Default)]
pub(crate) struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    waiting: Vec<Change>,
    pub(crate) handles: u32,
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if content.len() < offset + bytes.len() {
        content.resize(offset + bytes.len(), 0);
    }
    content[offset..offset + bytes.len()].copy_from_slice(bytes);
}

impl Inode {
    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn read(&self, offset: usize, into: &mut [u8]) -> usize {
        let from = self.live.get(offset..).unwrap_or_default();
        let count = from.len().min(into.len());
        into[..count].copy_from_slice(&from[..count]);
        count
    }

    pub(crate) fn write(&mut self, offset: usize, bytes: &[u8]) {
        put(&mut self.live, offset, bytes);
        self.waiting.push(Change::Write { offset, bytes: bytes.into() });
    }

    pub(crate) fn resize(&mut self, length: usize) {
        self.live.resize(length, 0);
        self.waiting.push(Change::Resize(length));
    }

    pub(crate) fn sync(&mut self) {
        for change in self.waiting.drain(..) {
            match change {
                Change::Write { offset, bytes } => put(&mut self.durable, offset, &bytes),
                Change::Resize(length) => self.durable.resize(length, 0),
            }
        }
    }

    /// A sync failed: what waited will never be durable, though it is seen.
    pub(crate) fn give_up(&mut self) {
        self.waiting.clear();
    }

    pub(crate) fn flip(&mut self, bit: u64) -> bool {
        let (at, mask) = (usize::try_from(bit / 8).unwrap_or(usize::MAX), 1 << (bit % 8));
        let hit = [&mut self.live, &mut self.durable].into_iter().filter_map(|content| content.get_mut(at));
        hit.map(|byte| *byte ^= mask).count() > 0
    }

    /// Returns how many writes were torn and how many were lost.
    pub(crate) fn cut(&mut self, loss: Loss, chance: &mut Chance) -> (u64, u64) {
        let waiting = ::std::mem::take(&mut self.waiting);
        let (mut torn, mut lost) = (0, 0);
        // How many of the writes into a sector reached it: they do so in their order.
        let mut reached: BTreeMap<usize, u64> = BTreeMap::new();
        let mut seen: BTreeMap<usize, u64> = BTreeMap::new();
        if loss == Loss::Some {
            for change in &waiting {
                if let Change::Write { offset, bytes } = change {
                    for sector in sectors(*offset, bytes.len()) {
                        *seen.entry(sector).or_default() += 1;
                    }
                }
            }
            let share = chance.below(1001);
            for (sector, count) in &seen {
                let kept = if chance.happens(share) { *count } else { chance.below(*count + 1) };
                reached.insert(*sector, kept);
            }
            seen.clear();
        }
        for change in waiting {
            match change {
                Change::Resize(length) if loss == Loss::Nothing || loss == Loss::Some && chance.happens(500) => {
                    self.durable.resize(length, 0);
                }
                Change::Resize(_) => {}
                Change::Write { offset, bytes } => {
                    let (mut kept, mut gone) = (0, 0);
                    for sector in sectors(offset, bytes.len()) {
                        let turn = seen.entry(sector).or_default();
                        *turn += 1;
                        let reaches = match loss {
                            Loss::Nothing => true,
                            Loss::Everything => false,
                            Loss::Some => *turn <= reached.get(&sector).copied().unwrap_or_default(),
                        };
                        if reaches {
                            let from = (sector * SECTOR).max(offset);
                            let to = ((sector + 1) * SECTOR).min(offset + bytes.len());
                            put(&mut self.durable, from, &bytes[from - offset..to - offset]);
                            kept += 1;
                        } else {
                            gone += 1;
                        }
                    }
                    torn += u64::from(kept > 0 && gone > 0);
                    lost += u64::from(kept == 0 && gone > 0);
                }
            }
        }
        self.live.clone_from(&self.durable);
        self.handles = 0;
        (torn, lost)
    }
}

fn sectors(offset: usize, length: usize) -> ::std::ops::Range<usize> {
    offset / SECTOR..(offset + length).div_ceil(SECTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(inode: &Inode) -> Vec<u8> {
        let mut bytes = vec![0; inode.len()];
        inode.read(0, &mut bytes);
        bytes
    }

    #[test]
    fn only_what_was_synced_survives_for_sure() {
        for seed in 0..200 {
            let mut chance = Chance::new(seed);
            let mut inode = Inode::default();
            inode.write(0, &[1; 2048]);
            inode.sync();
            inode.write(512, &[2; 1024]);
            assert_eq!(content(&inode)[600], 2, "it is seen at once");
            inode.cut(Loss::Some, &mut chance);
            let left = content(&inode);
            for (sector, bytes) in left.chunks(512).enumerate() {
                assert!(bytes.iter().all(|byte| *byte == bytes[0]), "a sector is whole");
                assert!(bytes[0] == 1 || bytes[0] == 2 && (1..3).contains(&sector));
            }
        }
    }

    #[test]
    fn a_cut_tears_and_reorders() {
        let mut seen = [false; 4];
        for seed in 0..200 {
            let mut inode = Inode::default();
            inode.write(0, &[0; 1024]);
            inode.sync();
            inode.write(0, &[1; 512]);
            inode.write(512, &[1; 512]);
            inode.cut(Loss::Some, &mut Chance::new(seed));
            let left = content(&inode);
            seen[usize::from(left[0]) * 2 + usize::from(left[512])] = true;
        }
        assert_eq!(seen, [true; 4], "both, none, and each without the other");
    }

    #[test]
    fn after_a_failed_sync_the_next_one_does_not_help() {
        let mut inode = Inode::default();
        inode.write(0, b"lost");
        inode.give_up();
        inode.sync();
        assert_eq!(content(&inode), b"lost");
        inode.cut(Loss::Nothing, &mut Chance::new(1));
        assert_eq!(content(&inode), b"");
    }
}
