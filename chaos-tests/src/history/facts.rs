//! The event log as the checks see it: which device got which value at which revision.
//!
//! - Facts are kept by revision, and looked up by value and by device. Values are unique in a run, so that one found names
//!   the call that wrote it.
//! - A device's timeline tells its value and version as of any revision: the model that reads are compared with.

use std::collections::{BTreeMap, HashMap};

/// What an event says, as far as the checks ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The twin of the device got this value.
    Patched(u64),
    /// The device was created.
    Created,
    /// The device was deleted.
    Deleted,
    /// Nothing of the workload: namespaces, members, tokens.
    Other,
}

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// Its revision.
    pub revision: u64,
    /// Its place within the revision.
    pub index: u32,
    /// The device; meaningless for [`What::Other`].
    pub device: u32,
    /// What it says.
    pub what: What,
}

/// What a device's twin holds from a revision on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The first revision at which it holds.
    pub revision: u64,
    /// The value; 0 for none.
    pub value: u64,
    /// The version of the twin, counted from its first life on.
    pub version: u64,
    /// Whether the device exists.
    pub exists: bool,
}

/// The whole log of a run.
#[derive(Debug, Default)]
pub struct Facts {
    all: Vec<Fact>,
    timelines: BTreeMap<u32, Vec<Moment>>,
    by_value: HashMap<u64, Vec<usize>>,
}

impl Facts {
    /// Takes events in the order of their revisions.
    #[must_use]
    pub fn new(all: Vec<Fact>) -> Self {
        let mut facts = Self { all, ..Self::default() };
        for (position, fact) in facts.all.iter().enumerate() {
            if let What::Patched(value) = fact.what {
                facts.by_value.entry(value).or_default().push(position);
            }
            if fact.what != What::Other {
                let timeline = facts.timelines.entry(fact.device).or_default();
                timeline.push(after(timeline.last(), fact));
            }
        }
        facts
    }

    /// All events.
    #[must_use]
    pub fn all(&self) -> &[Fact] {
        &self.all
    }

    /// The newest revision; 0 when nothing was ever accepted.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.all.last().map_or(0, |fact| fact.revision)
    }

    /// Where a value was written; more than one place is a defect that a check names.
    pub fn of_value(&self, value: u64) -> impl Iterator<Item = &Fact> {
        self.by_value.get(&value).into_iter().flatten().map(|position| &self.all[*position])
    }

    /// The events of one revision.
    #[must_use]
    pub fn at(&self, revision: u64) -> &[Fact] {
        let from = self.all.partition_point(|fact| fact.revision < revision);
        let to = self.all.partition_point(|fact| fact.revision <= revision);
        &self.all[from..to]
    }

    /// What a device holds at a revision; `None` before its first life.
    #[must_use]
    pub fn moment(&self, device: u32, revision: u64) -> Option<&Moment> {
        let timeline = self.timelines.get(&device)?;
        let after = timeline.partition_point(|moment| moment.revision <= revision);
        timeline[..after].last()
    }

    /// All moments of a device, oldest first.
    #[must_use]
    pub fn timeline(&self, device: u32) -> &[Moment] {
        self.timelines.get(&device).map_or(&[], Vec::as_slice)
    }

    /// The devices that are spoken of.
    pub fn devices(&self) -> impl Iterator<Item = u32> {
        self.timelines.keys().copied()
    }
}

fn after(before: Option<&Moment>, fact: &Fact) -> Moment {
    let version = before.map_or(0, |moment| moment.version);
    let (value, exists) = match fact.what {
        What::Patched(value) => (value, true),
        What::Created => (0, true),
        What::Deleted | What::Other => (0, false),
    };
    Moment { revision: fact.revision, value, version: version + 1, exists }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_tells_what_held_when() {
        let fact = |revision, what| Fact { revision, index: 0, device: 7, what };
        let facts = Facts::new(vec![fact(2, What::Created), fact(5, What::Patched(40)), fact(9, What::Deleted)]);
        assert_eq!(facts.moment(7, 1), None);
        assert_eq!(facts.moment(7, 4).map(|moment| (moment.value, moment.exists)), Some((0, true)));
        assert_eq!(facts.moment(7, 8).map(|moment| moment.value), Some(40));
        assert_eq!(facts.moment(7, 9).map(|moment| moment.exists), Some(false));
        assert_eq!(facts.of_value(40).map(|fact| fact.revision).collect::<Vec<_>>(), [5]);
        assert_eq!((facts.at(5).len(), facts.at(6).len(), facts.head()), (1, 0, 9));
    }
}
