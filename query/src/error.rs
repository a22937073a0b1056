//! What is wrong with a query, and where. It knows no gRPC and no terminal.

use crate::syntax::ast::Span;

/// Why a query is refused. Nothing was answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// Which rule was broken.
    pub code: Code,
    /// Where in the text; empty when it is about the whole query.
    pub span: Span,
    /// What is wrong, in one sentence, without the place.
    pub message: String,
    /// What was expected or could be done; may be empty.
    pub help: String,
}

/// Which rule was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The text does not follow the grammar.
    Syntax,
    /// A name that does not exist: collection, member, function, alias.
    UnknownName,
    /// Something of the wrong type or in the wrong place, which the grammar alone does not tell.
    Invalid,
    /// A limit of section 13 of the language, or a budget of the caller.
    TooLarge,
}

impl QueryError {
    /// Without help.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { code, span, message: message.into(), help: String::new() }
    }

    /// For people: the message, the line of `text` with the place underlined, and what could be done.
    #[must_use]
    pub fn render(&self, text: &str) -> String {
        let mut out = self.message.clone();
        if self.span.end > self.span.start || self.span.start > 0 {
            out.push('\n');
            out.push_str(&underlined(text, self.span));
        }
        if !self.help.is_empty() {
            out.push_str("\nhelp: ");
            out.push_str(&self.help);
        }
        out
    }

    /// With what was expected, or could be done.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

/// Characters of a line that are shown around the place.
const SHOWN_BEFORE: usize = 50;
const SHOWN_AFTER: usize = 70;

/// The line in which a place begins, with carets under the place.
fn underlined(text: &str, span: Span) -> String {
    let at = |byte: u32| {
        let mut byte = (byte as usize).min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    };
    let (start, end) = (at(span.start), at(span.end));
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
    let line_number = text[..line_start].matches('\n').count() + 1;
    let before: Vec<char> = text[line_start..start].chars().collect();
    let marked: Vec<char> = text[start..end.clamp(start, line_end)].chars().collect();
    let after: Vec<char> = text[start + marked.iter().map(|c| c.len_utf8()).sum::<usize>()..line_end].chars().collect();
    let column = before.len() + 1;
    let cut = before.len().saturating_sub(SHOWN_BEFORE);
    let dots = if cut > 0 { "…" } else { "" };
    let marked_shown = &marked[..marked.len().min(SHOWN_AFTER)];
    let after_shown = &after[..after.len().min(SHOWN_AFTER.saturating_sub(marked_shown.len()))];
    let more = if marked_shown.len() + after_shown.len() < marked.len() + after.len() { "…" } else { "" };
    let shown =
        |chars: &[char]| chars.iter().map(|c| if c.is_control() && *c != '\t' { ' ' } else { *c }).collect::<String>();
    let line = format!("{dots}{}{}{}{more}", shown(&before[cut..]), shown(marked_shown), shown(after_shown));
    // Tabs stay tabs, so that the carets stand below what they mean.
    let pad: String =
        dots.chars().chain(before[cut..].iter().copied()).map(|c| if c == '\t' { c } else { ' ' }).collect();
    let carets = "^".repeat(marked_shown.len().max(1));
    format!("line {line_number}, column {column}:\n  {line}\n  {pad}{carets}")
}

/// The known name that looks most like `name`, if one is near.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let allowed = (lower.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap neighbours) from one word to another.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = match (i, j) {
                (0, n) | (n, 0) => n,
                _ => {
                    let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                        best = best.min(rows[i - 2][j - 2] + 1);
                    }
                    best
                }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let known = ["deviceId", "tags", "properties", "status"];
        assert_eq!(nearest("tag", known), Some("tags"));
        assert_eq!(nearest("DEVICEDI", known), Some("deviceId"));
        assert_eq!(nearest("porperties", known), Some("properties"));
        assert_eq!(nearest("temperature", known), None);
    }
}
