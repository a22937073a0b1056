//! The words of the language that are no names. It does not know where which of them may stand.
//!
//! Words that IoT Hub does not reserve stay free wherever the grammar can tell: after a dot and after `AS`.

/// Names nowhere, except in brackets.
const RESERVED: [&str; 16] = [
    "SELECT",
    "TOP",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "AS",
    "AND",
    "OR",
    "NOT",
    "IN",
    "NIN",
    "TRUE",
    "FALSE",
    "NULL",
    "UNDEFINED",
];
/// No names at the beginning of a path, and no alias without `AS`.
const RESERVED_IN_FRONT: [&str; 6] = ["DISTINCT", "JOIN", "HAVING", "ORDER", "BETWEEN", "LIKE"];
/// Names where the grammar expects none of them; the printer writes them in brackets all the same.
const CONTEXTUAL: [&str; 9] = ["ANY", "ALL", "SATISFIES", "ESCAPE", "ASC", "DESC", "OF", "REVISION", "TIME"];

fn among(words: &[&str], word: &str) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Whether `word` is a name nowhere.
pub(super) fn is_reserved(word: &str) -> bool {
    among(&RESERVED, word)
}

/// Whether a path or an alias without `AS` cannot begin with `word`.
pub(super) fn is_reserved_in_front(word: &str) -> bool {
    is_reserved(word) || among(&RESERVED_IN_FRONT, word)
}

/// Whether `word` means something anywhere.
pub(super) fn is_keyword(word: &str) -> bool {
    is_reserved_in_front(word) || among(&CONTEXTUAL, word)
}

/// Whether a name can begin with `char`.
pub(super) fn begins_name(char: char) -> bool {
    char.is_alphabetic() || char == '_' || char == '$'
}

/// Whether a name can go on with `char`.
pub(super) fn continues_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_' || char == '$'
}
