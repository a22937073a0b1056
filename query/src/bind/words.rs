//! The second argument of `MATCH`: `word`, `begin*`, `"one after the other"`, and `-` before any of them.

use crate::evaluate::words::tokens;
use crate::plan::Words;

/// What is asked; `None` when that is nothing.
pub(super) fn parse(text: &str) -> Option<Words> {
    let mut words = Words::default();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        let (absent, after) = rest.strip_prefix('-').map_or((false, rest), |after| (true, after));
        let (mut asked, after) = next(after);
        rest = after;
        if asked == Words::default() {
            continue;
        }
        if absent {
            words.absent.push(asked);
        } else {
            words.words.append(&mut asked.words);
            words.beginnings.append(&mut asked.beginnings);
            words.phrases.append(&mut asked.phrases);
        }
    }
    (words != Words::default()).then_some(words)
}

/// A phrase up to its closing quote, or what stands up to the next space or quote.
fn next(text: &str) -> (Words, &str) {
    let mut words = Words::default();
    if let Some(quoted) = text.strip_prefix('"') {
        let (phrase, rest) = quoted.split_once('"').unwrap_or((quoted, ""));
        let mut phrase = tokens(phrase);
        match phrase.len() {
            0 => {}
            1 => words.words.append(&mut phrase),
            _ => words.phrases.push(phrase),
        }
        return (words, rest);
    }
    let end = text.find(|char: char| char.is_whitespace() || char == '"').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    words.words = tokens(word);
    if word.ends_with('*') {
        words.beginnings.extend(words.words.pop());
    }
    (words, rest)
}
