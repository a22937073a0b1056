//! The two places where the program speaks: progress on stderr, results on stdout.
//!
//! A closed pipe is not an error here: who stopped reading doesn't want to know.

use std::io::Write;

/// Progress and complaints, for people.
pub(crate) fn say(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").ok();
}

/// Results, for people and pipes.
pub(crate) fn print(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}
