//! What came of it: one row for each bug.

use muster_planted::Bug;

use super::catalogue::Check;

/// A bug, and who found it.
pub(super) struct Row {
    pub(super) bug: Bug,
    /// The checks that are to find it.
    checks: Vec<Check>,
    /// The checks that did.
    pub(super) found: Vec<Check>,
    pub(super) seconds: f64,
    /// There was no time for it.
    pub(super) is_left_out: bool,
}

impl Row {
    pub(super) fn listed(bug: Bug, checks: &[Check]) -> Self {
        Self { bug, checks: checks.to_vec(), found: Vec::new(), seconds: 0.0, is_left_out: false }
    }

    fn cells(&self) -> [String; 6] {
        let number = self.bug.number().map_or_else(String::new, |number| number.to_string());
        let shown = if self.found.is_empty() { &self.checks } else { &self.found };
        let checks: Vec<String> = shown.iter().map(ToString::to_string).collect();
        let seconds = match (self.is_left_out, self.seconds) {
            (true, _) => "left out".to_owned(),
            (false, 0.0) => String::new(),
            (false, seconds) if self.found.is_empty() => format!("{seconds:.1} MISSED"),
            (false, seconds) => format!("{seconds:.1}"),
        };
        let (name, promise, mistake) = (self.bug.name(), self.bug.promise(), self.bug.mistake());
        [number, name.to_owned(), promise.to_owned(), mistake.to_owned(), checks.join(", "), seconds]
    }
}

/// Writes the table to standard output.
pub(super) fn print(rows: &[Row], is_markdown: bool) {
    if is_markdown {
        println!("| 4.5 | Bug | Promise | The mistake | Found by | s |\n|---|---|---|---|---|---|");
    }
    for row in rows {
        println!("{}", line(&row.cells(), is_markdown));
    }
}

fn line([number, name, promise, mistake, checks, seconds]: &[String; 6], is_markdown: bool) -> String {
    if is_markdown {
        format!("| {number} | `{name}` | {promise} | {mistake} | `{checks}` | {seconds} |")
    } else {
        format!("{number:>2}  {name:<28} {promise:<4} {seconds:>8}  {checks}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::catalogue;

    #[test]
    fn a_bug_that_nobody_found_is_not_silent() {
        let checks = catalogue::checks(Bug::UplinkGap);
        let mut row = Row::listed(Bug::UplinkGap, &checks);
        row.seconds = 1.25;
        assert!(line(&row.cells(), false).contains("MISSED"));
        row.found.clone_from(&checks);
        let found = line(&row.cells(), true);
        assert!(found.starts_with("| 19 | `uplink-gap-accepted` | E2 |") && !found.contains("MISSED"), "{found}");
        row.is_left_out = true;
        assert!(line(&row.cells(), false).contains("left out"));
    }
}
