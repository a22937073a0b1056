//! Talk to the person at the terminal: headings and steps on standard error, in colour only where it is one.
//!
//! Knows no commands. Nothing here fails: a closed terminal is no reason to leave a cluster running unwatched.

use std::io::{IsTerminal, Write, stderr};

/// Says that a step begins, or what a step found.
pub(crate) fn step(text: &str) {
    line("1;36", "==>", text);
}

/// Says that something went well.
pub(crate) fn good(text: &str) {
    line("1;32", " ok", text);
}

/// Says that something is left out or needs attention, without being an error.
pub(crate) fn note(text: &str) {
    line("1;33", "  !", text);
}

/// Says that something failed.
pub(crate) fn bad(text: &str) {
    line("1;31", "  x", text);
}

/// Writes a plain line.
pub(crate) fn plain(text: &str) {
    write_line(text);
}

fn line(colour: &str, mark: &str, text: &str) {
    if stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        write_line(&format!("\x1b[{colour}m{mark}\x1b[0m {text}"));
    } else {
        write_line(&format!("{mark} {text}"));
    }
}

fn write_line(text: &str) {
    // A reader that went away is no reason to stop what was asked for.
    writeln!(stderr().lock(), "{text}").ok();
}
