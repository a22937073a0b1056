//! Names: which words are reserved, and how paths are written.

/// Words that stand for themselves only in brackets.
pub(super) const RESERVED: [&str; 30] = [
    "select",
    "distinct",
    "top",
    "from",
    "join",
    "as",
    "where",
    "group",
    "by",
    "having",
    "order",
    "asc",
    "desc",
    "and",
    "or",
    "not",
    "in",
    "nin",
    "between",
    "like",
    "escape",
    "any",
    "all",
    "satisfies",
    "true",
    "false",
    "null",
    "undefined",
    "is",
    "on",
];

/// Whether a word is reserved, without regard to case.
#[must_use]
pub fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}

pub(super) fn begins_name(char: char) -> bool {
    char.is_alphabetic() || char == '_' || char == '$'
}

pub(super) fn continues_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_' || char == '$'
}

/// A path as it is written in a query.
#[must_use]
pub fn path_text<S: AsRef<str>>(path: &[S]) -> String {
    path.iter().map(|name| name_text(name.as_ref())).collect::<Vec<_>>().join(".")
}

/// A name as it is written, with brackets where it needs them.
pub(super) fn name_text(name: &str) -> String {
    let mut chars = name.chars();
    let is_plain = chars.next().is_some_and(begins_name) && chars.all(continues_name) && !is_reserved(name);
    if is_plain { name.to_owned() } else { format!("[[{name}]]") }
}
