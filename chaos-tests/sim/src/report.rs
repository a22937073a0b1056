//! What came of a run, as one line of JSON from the process that ran it to the one that asked for it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// What came of the run of a seed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What went wrong; nothing, if all holds.
    pub wrongs: Vec<String>,
    /// Simulated time, in milliseconds.
    pub simulated_ms: u64,
    /// The number of all that happened, see `muster_sim_std::trace`.
    pub trace: u64,
    /// How many happenings it is made of.
    pub notes: u64,
    /// Everything that is counted: faults by kind, calls, what checks looked at.
    pub counts: BTreeMap<String, u64>,
}

impl Report {
    /// As a line.
    #[must_use]
    pub fn line(&self) -> String {
        json!({
            "seed": self.seed,
            "wrongs": self.wrongs.iter().map(|wrong| shortened(wrong)).collect::<Vec<_>>(),
            "simulated_ms": self.simulated_ms,
            "trace": self.trace,
            "notes": self.notes,
            "counts": self.counts,
        })
        .to_string()
    }

    /// From a line; `None` when it is none.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let number = |name: &str| value.get(name)?.as_u64();
        let wrongs = value.get("wrongs")?.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let counts = value.get("counts")?.as_object()?;
        Some(Self {
            seed: number("seed")?,
            wrongs,
            simulated_ms: number("simulated_ms")?,
            trace: number("trace")?,
            notes: number("notes")?,
            counts: counts.iter().filter_map(|(name, count)| Some((name.clone(), count.as_u64()?))).collect(),
        })
    }
}

/// A pipe that nobody reads yet takes only so much.
fn shortened(text: &str) -> &str {
    const MOST: usize = 3_000;
    let end = (0..=MOST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_what_it_was() {
        let report = Report {
            seed: u64::MAX,
            wrongs: vec!["L1: \"x\"".to_owned()],
            simulated_ms: 20_000,
            trace: u64::MAX - 1,
            notes: 7,
            counts: BTreeMap::from([("kill".to_owned(), 3)]),
        };
        assert_eq!(Report::read(&report.line()), Some(report));
        assert_eq!(Report::read("panicked"), None);
    }
}
