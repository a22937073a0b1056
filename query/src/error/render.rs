//! An error for people: the message, the line of the text with the place marked under it, and the help.
//!
//! Whatever the place, nothing panics: it is moved to whole characters within the text.

use std::fmt::Write as _;

use super::QueryError;

/// Characters of a long line that are shown.
const WINDOW: usize = 100;
/// Of these, before the place.
const WINDOW_BEFORE: usize = 40;

impl QueryError {
    /// The error as some lines of plain text. `text` is the query that it came from.
    #[must_use]
    pub fn render(&self, text: &str) -> String {
        let mut out = self.message.clone();
        if self.span.end > 0 && !text.is_empty() {
            self.place(&mut out, text).expect("writing to a String cannot fail");
        }
        if !self.help.is_empty() {
            write!(out, "\nhelp: {}", self.help).expect("writing to a String cannot fail");
        }
        out
    }

    fn place(&self, out: &mut String, text: &str) -> std::fmt::Result {
        let start = boundary(text, self.span.start as usize);
        let end = boundary(text, self.span.end as usize).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let number = text[..start].matches('\n').count() + 1;
        let column = text[line_start..start].chars().count();
        let marked = text[start..end.min(line_end)].chars().count().max(1);

        let line = text[line_start..line_end].trim_end_matches('\r');
        let length = line.chars().count();
        let skipped = if length > WINDOW { column.saturating_sub(WINDOW_BEFORE) } else { 0 };
        let shown: String = line.chars().skip(skipped).take(WINDOW).map(visible).collect();
        let (before, after) = (if skipped > 0 { "…" } else { "" }, if skipped + WINDOW < length { "…" } else { "" });

        let gutter = " ".repeat(number.to_string().len());
        // Tabs stay tabs, so that the marks stand under the same columns whatever a tab is worth.
        let indent: String = shown.chars().take(column - skipped).map(|c| if c == '\t' { c } else { ' ' }).collect();
        let indent = format!("{}{indent}", " ".repeat(before.chars().count()));
        let marks = "^".repeat(marked.min((WINDOW + skipped).saturating_sub(column).max(1)));
        write!(out, "\n{gutter}--> line {number}, column {}", column + 1)?;
        write!(out, "\n{number} | {before}{shown}{after}")?;
        write!(out, "\n{gutter} | {indent}{marks}")
    }
}

/// The last whole character at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Control characters would move or colour the terminal.
fn visible(char: char) -> char {
    if char.is_control() && char != '\t' { '\u{fffd}' } else { char }
}
