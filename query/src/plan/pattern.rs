//! Patterns of `LIKE`, taken apart once. Matching takes at most pattern length times text length steps, whatever the pattern.

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// `%`
    Any,
    /// `_`
    One,
    Char(char),
}

impl Pattern {
    /// Takes `text` apart; `escape` takes the next character literally, and at the end of the pattern itself.
    #[must_use]
    pub fn new(text: &str, escape: Option<char>) -> Self {
        let mut parts = Vec::new();
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            let part = match char {
                _ if Some(char) == escape => Part::Char(chars.next().unwrap_or(char)),
                '%' => Part::Any,
                '_' => Part::One,
                _ => Part::Char(char),
            };
            if !(part == Part::Any && parts.last() == Some(&Part::Any)) {
                parts.push(part);
            }
        }
        Self { parts }
    }

    /// Whether all of `text` follows the pattern.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (mut at, mut rest) = (0, text.chars());
        // Where to go on when what follows the last `%` does not fit: it takes one character more.
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let before = rest.clone();
            match (self.parts.get(at), rest.next()) {
                (None, None) => return true,
                (Some(Part::Any), _) => {
                    at += 1;
                    retry = Some((at, before.clone()));
                    rest = before;
                }
                (Some(Part::One), Some(_)) => at += 1,
                (Some(Part::Char(wanted)), Some(found)) if *wanted == found => at += 1,
                _ => {
                    let Some((from, mut text)) = retry.take() else { return false };
                    if text.next().is_none() {
                        return false;
                    }
                    (at, rest) = (from, text.clone());
                    retry = Some((from, text));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns_take_any_and_one() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("%", "", true),
            ("a%", "abc", true),
            ("%c", "abc", true),
            ("%b%", "abc", true),
            ("a_c", "abc", true),
            ("a_c", "ac", false),
            ("_", "ü", true),
            ("%aab", "aaab", true),
            ("a%b%c", "aXbYbZc", true),
            ("a%b%c", "aXbYbZ", false),
            ("%%", "x", true),
        ] {
            assert_eq!(Pattern::new(pattern, None).matches(text), expected, "{text} LIKE {pattern}");
        }
        assert!(Pattern::new("100!%", Some('!')).matches("100%"));
        assert!(!Pattern::new("100!%", Some('!')).matches("1000"));
        let (many, text) = ("%a".repeat(1_000), "a".repeat(4_000) + "b");
        assert!(!Pattern::new(&many, None).matches(&text));
    }
}
