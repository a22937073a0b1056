//! Text as words, and what a `MATCH` asks of them. The same cut is used for texts and for what is looked for.

use crate::plan::Words;

/// The words of a text in their order: runs of letters and digits, in lower case.
#[must_use]
pub fn tokens(text: &str) -> Vec<String> {
    cut(text).map(str::to_lowercase).collect()
}

/// How many words a text has.
pub(crate) fn count(text: &str) -> usize {
    cut(text).count()
}

/// The words of a text one after the other: each call puts the next one into the string, until there is none.
pub(crate) fn cut_lower(text: &str) -> impl FnMut(&mut String) -> bool + '_ {
    let mut words = cut(text);
    move |into| {
        let Some(word) = words.next() else { return false };
        into.clear();
        if word.is_ascii() {
            into.push_str(word);
            into.make_ascii_lowercase();
        } else {
            into.push_str(&word.to_lowercase());
        }
        true
    }
}

/// Hands the words of a text, in lower case, to `then`: as [`tokens`], with one copy of the text where it is plain ASCII.
pub(crate) fn with_words<T>(text: &str, then: impl FnOnce(&[&str]) -> T) -> T {
    if text.is_ascii() {
        let text = text.to_ascii_lowercase();
        return then(&cut(&text).collect::<Vec<_>>());
    }
    let words = tokens(text);
    then(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn cut(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Whether a text holds what is asked: as [`matches()`] of its [`tokens`], without making them where it is plain ASCII.
#[must_use]
pub fn holds(words: &Words, text: &str) -> bool {
    if !text.is_ascii() {
        return matches(words, &tokens(text));
    }
    let tokens: Vec<&str> = cut(text).collect();
    all_hold(
        words,
        &tokens,
        |token, word| token.eq_ignore_ascii_case(word),
        |token, beginning| {
            token
                .as_bytes()
                .get(..beginning.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(beginning.as_bytes()))
        },
    )
}

/// Whether a text of these words holds what is asked.
#[must_use]
pub fn matches(words: &Words, tokens: &[String]) -> bool {
    all_hold(words, tokens, |token, word| token == word, |token, beginning| token.starts_with(beginning))
}

fn all_hold<T: AsRef<str>>(
    words: &Words,
    tokens: &[T],
    is: fn(&str, &str) -> bool,
    begins: fn(&str, &str) -> bool,
) -> bool {
    let any = |wanted: &str, fits: fn(&str, &str) -> bool| tokens.iter().any(|token| fits(token.as_ref(), wanted));
    let follow = |phrase: &[String]| {
        let fits = |window: &[T]| window.iter().zip(phrase).all(|(token, word)| is(token.as_ref(), word));
        !phrase.is_empty() && tokens.windows(phrase.len()).any(fits)
    };
    words.words.iter().all(|word| any(word, is))
        && words.beginnings.iter().all(|beginning| any(beginning, begins))
        && words.phrases.iter().all(|phrase| follow(phrase))
        && !words.absent.iter().any(|absent| all_hold(absent, tokens, is, begins))
}

/// How often the words stand one after the other.
#[must_use]
pub fn occurrences<T: AsRef<str>>(phrase: &[String], tokens: &[T]) -> usize {
    if phrase.is_empty() {
        return 0;
    }
    let is_here = |window: &[T]| window.iter().zip(phrase).all(|(token, word)| token.as_ref() == word);
    tokens.windows(phrase.len()).filter(|window| is_here(window)).count()
}
