//! Text as words, and what a `MATCH` asks of them. The same cut is used for texts and for what is looked for.

use crate::plan::Words;

/// The words of a text in their order: runs of letters and digits, in lower case.
#[must_use]
pub fn tokens(text: &str) -> Vec<String> {
    text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Whether a text of these words holds what is asked.
#[must_use]
pub fn matches(words: &Words, tokens: &[String]) -> bool {
    words.words.iter().all(|word| tokens.contains(word))
        && words.beginnings.iter().all(|beginning| tokens.iter().any(|token| token.starts_with(beginning.as_str())))
        && words.phrases.iter().all(|phrase| occurrences(phrase, tokens) > 0)
        && !words.absent.iter().any(|absent| matches(absent, tokens))
}

/// How often the words stand one after the other.
#[must_use]
pub fn occurrences(phrase: &[String], tokens: &[String]) -> usize {
    if phrase.is_empty() {
        return 0;
    }
    tokens.windows(phrase.len()).filter(|window| *window == phrase).count()
}
