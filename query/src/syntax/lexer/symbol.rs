//! Operators and punctuation, and what other languages write for them.

use super::{Lexer, Symbol};
use crate::error::QueryError;

/// What is written elsewhere, and what is written here.
const FOREIGN: [(&str, &str); 15] = [
    ("==", "write `=`"),
    ("=>", "write `>=`"),
    ("=<", "write `<=`"),
    ("&&", "write `AND`"),
    ("||", "write `OR`; texts are joined with `CONCAT(a, b)`"),
    ("!", "write `NOT`, or `!=` for unequal"),
    ("/*", "a comment is written `-- …`, up to the end of the line"),
    (";", "a query ends without a sign"),
    ("`", "a name with special characters is written `[[name]]`"),
    ("‘", "text stands in straight quotes, `'…'`"),
    ("’", "text stands in straight quotes, `'…'`"),
    ("“", "text stands in straight quotes, `\"…\"`"),
    ("”", "text stands in straight quotes, `\"…\"`"),
    ("{", "an object cannot be written; ask for its members"),
    ("@", "a name with special characters is written `[[name]]`"),
];

const SYMBOLS: [(&str, Symbol); 18] = [
    ("!=", Symbol::NotEqual),
    ("<>", Symbol::NotEqual),
    ("<=", Symbol::LessOrEqual),
    (">=", Symbol::GreaterOrEqual),
    ("(", Symbol::ParenOpen),
    (")", Symbol::ParenClose),
    ("[", Symbol::BracketOpen),
    ("]", Symbol::BracketClose),
    (",", Symbol::Comma),
    (".", Symbol::Dot),
    ("*", Symbol::Star),
    ("+", Symbol::Plus),
    ("-", Symbol::Minus),
    ("/", Symbol::Slash),
    ("%", Symbol::Percent),
    ("=", Symbol::Equal),
    ("<", Symbol::Less),
    (">", Symbol::Greater),
];

impl Lexer<'_> {
    pub(super) fn symbol(&mut self, char: char) -> Result<Symbol, QueryError> {
        let (start, rest) = (self.at, self.rest());
        let foreign = FOREIGN.iter().find(|(sign, _)| rest.starts_with(sign));
        if let Some((sign, help)) = foreign.filter(|_| !rest.starts_with("!=")) {
            self.at += sign.len();
            return Err(self.error(start, format!("`{sign}` means nothing here")).with_help(*help));
        }
        if let Some((sign, symbol)) = SYMBOLS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            self.at += sign.len();
            return Ok(*symbol);
        }
        self.at += char.len_utf8();
        // What cannot be seen, such as a zero-width space, is written as its number.
        let seen = char.escape_debug().len() <= 2;
        let shown = if seen { char.to_string() } else { char.escape_unicode().to_string() };
        Err(self.error(start, format!("`{shown}` means nothing here")))
    }
}
