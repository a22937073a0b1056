//! Passes on what the test programs say, line by line, and keeps what the failed tests among it said, so that it can be said again
//! where people look: at the end.
//!
//! Knows how libtest prints failures (`---- name stdout ----` and what follows, up to the next of its kind or the list of names),
//! and nothing of cargo. Invariant: what is passed on is what came, unchanged.

use std::io::{self, BufRead, Write};

/// Lines of one test that are said again: those at its beginning, which say what failed, and those at its end.
const FIRST_LINES: usize = 30;
const LAST_LINES: usize = 20;

/// What one failed test said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    name: String,
    lines: Vec<String>,
}

impl Failure {
    /// A heading and what was said, long parts without their middle.
    pub(super) fn text(&self) -> Vec<String> {
        let mut text = vec![format!("---- {} ----", self.name)];
        let left_out = self.lines.len().saturating_sub(FIRST_LINES + LAST_LINES);
        if left_out == 0 {
            text.extend(self.lines.iter().cloned());
        } else {
            text.extend(self.lines.iter().take(FIRST_LINES).cloned());
            text.push(format!("[{left_out} lines are further up]"));
            text.extend(self.lines.iter().skip(FIRST_LINES + left_out).cloned());
        }
        text
    }
}

/// Copies all lines of `from` to `to`; returns what failed tests said.
pub(super) fn pass_on(mut from: impl BufRead, mut to: impl Write) -> io::Result<Vec<Failure>> {
    let (mut failures, mut open, mut line) = (Vec::new(), None, Vec::new());
    // Tests may print what is no text.
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if let Some(name) = name_of_heading(text) {
            failures.extend(open.replace(Failure { name: name.to_owned(), lines: Vec::new() }));
        } else if text == "failures:" || text.starts_with("test result: ") {
            failures.extend(open.take());
        } else if let Some(failure) = &mut open
            && !text.is_empty()
        {
            failure.lines.push(text.to_owned());
        }
        line.clear();
    }
    failures.extend(open);
    Ok(failures)
}

fn name_of_heading(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "test a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\nError: three\n\n---- c::d stdout ----\n\
                          thread panicked\nat here\n\n\nfailures:\n    b\n    c::d\n\ntest result: FAILED. 1 passed; 2 failed\n\nrunning 1 test\n";

    fn failure(name: &str, lines: &[&str]) -> Failure {
        Failure { name: name.to_owned(), lines: lines.iter().map(|line| (*line).to_owned()).collect() }
    }

    #[test]
    fn what_failed_tests_said_is_kept_and_all_is_passed_on() {
        let mut to = Vec::new();
        let failures = pass_on(OUTPUT.as_bytes(), &mut to).expect("it is memory");
        assert_eq!(failures, [failure("b", &["Error: three"]), failure("c::d", &["thread panicked", "at here"])]);
        assert_eq!(to, OUTPUT.as_bytes());
    }

    #[test]
    fn a_program_that_ends_in_the_middle_loses_nothing() {
        let failures = pass_on(&b"---- b stdout ----\n\xff half"[..], Vec::new()).expect("it is memory");
        assert_eq!(failures, [failure("b", &["\u{fffd} half"])]);
    }

    #[test]
    fn of_long_ones_the_middle_is_left_out() {
        let lines: Vec<String> = (0..60).map(|number| number.to_string()).collect();
        let text = Failure { name: "b".to_owned(), lines }.text();
        assert_eq!(text.len(), 1 + FIRST_LINES + 1 + LAST_LINES);
        assert_eq!((text[1].as_str(), text[31].as_str()), ("0", "[10 lines are further up]"));
        assert_eq!((text[32].as_str(), text[51].as_str()), ("40", "59"));
    }
}
