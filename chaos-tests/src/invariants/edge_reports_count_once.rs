//! `E1-exactly-once` and `E2-order`: a report that an edge's agent took has one effect, one that it refused has none, one whose
//! application was not answered has one at most; and the effects of an edge come in the order in which it took the reports.
//!
//! Source: `proto/muster/v1/sync.md`, section 8; reliability notes E1 and E2.

use std::collections::BTreeMap;

use anyhow::ensure;

/// What an application was told of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It is queued, durably.
    Taken,
    /// It is not.
    Refused,
    /// Nothing.
    Unknown,
}

/// A report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Which edge.
    pub edge: u64,
    /// A value like no other.
    pub value: u64,
    /// What was told of it.
    pub told: Told,
}

/// What the log says of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// At which revision.
    pub revision: u64,
    /// At which place in it.
    pub index: u32,
    /// The report's value.
    pub value: u64,
}

/// Reports of each edge in the order in which its application made them; effects in the order of the log. Returns how many
/// reports were looked up.
///
/// # Errors
/// Names the first report that counts otherwise.
pub fn check(reports: &[Report], effects: &[Effect]) -> anyhow::Result<u64> {
    let mut places: BTreeMap<u64, Vec<(u64, u32)>> = BTreeMap::new();
    for effect in effects {
        places.entry(effect.value).or_default().push((effect.revision, effect.index));
    }
    let mut last: BTreeMap<u64, (u64, u32)> = BTreeMap::new();
    for report in reports {
        let found = places.remove(&report.value).unwrap_or_default();
        let fits = match report.told {
            Told::Taken => found.len() == 1,
            Told::Refused => found.is_empty(),
            Told::Unknown => found.len() <= 1,
        };
        ensure!(fits, "E1: {report:?} has effects at {found:?}");
        if let Some(place) = found.first() {
            let before = last.insert(report.edge, *place);
            ensure!(before < Some(*place), "E2: {report:?} has its effect at {place:?}, one before it at {before:?}");
        }
    }
    ensure!(places.is_empty(), "E1: effects that nobody reported: {places:?}");
    Ok(reports.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(value: u64, told: Told) -> Report {
        Report { edge: 1, value, told }
    }

    fn effects(values: &[u64]) -> Vec<Effect> {
        (1..).zip(values).map(|(revision, value)| Effect { revision, index: 0, value: *value }).collect()
    }

    #[test]
    fn lost_doubled_and_turned_reports_are_noticed() {
        let reports =
            [report(1, Told::Taken), report(2, Told::Unknown), report(3, Told::Refused), report(4, Told::Taken)];
        assert_eq!(check(&reports, &effects(&[1, 2, 4])).expect("all count once"), 4);
        assert_eq!(check(&reports, &effects(&[1, 4])).expect("the unknown one has none"), 4);
        for (wrong, rule) in
            [(&[1, 2][..], "E1"), (&[1, 1, 4], "E1"), (&[1, 3, 4], "E1"), (&[1, 4, 9], "E1"), (&[4, 1], "E2")]
        {
            assert!(check(&reports, &effects(wrong)).is_err_and(|error| error.to_string().contains(rule)), "{wrong:?}");
        }
    }
}
