//! What cannot stand where it stands: what was expected there, and what may have been meant. It decides nothing about
//! what is valid.

use super::Parser;
use crate::error::{Code, QueryError, nearest};
use crate::syntax::keyword::is_reserved_in_front;
use crate::syntax::lexer::{Kind, Symbol, Token};

const QUOTE_HELP: &str = "a quote inside a string is written with a backslash before it";

impl Parser<'_> {
    /// What stands here cannot stand here.
    pub(super) fn unexpected(&self, expected: &[&str]) -> QueryError {
        if let (Kind::Broken, Some(error)) = (&self.token(0).kind, &self.broken) {
            return error.clone();
        }
        let message = format!("expected {}, found {}", alternatives(expected), self.found());
        let error = QueryError::new(Code::Syntax, self.span(), message);
        match self.meant(expected) {
            Some(keyword) => error.with_help(format!("did you mean {keyword}?")),
            None => error.with_help(self.hint()),
        }
    }

    /// Which keyword the word here was to be.
    fn meant<'e>(&self, expected: &[&'e str]) -> Option<&'e str> {
        let word = self.word(0).filter(|_| !self.glued_to_string())?;
        misspelt(word, expected).or_else(|| misspelt(word, self.operators(expected)).filter(|_| word.len() > 2))
    }

    /// The words that go on with an expression, where one may: they are too many to be named as expected.
    fn operators(&self, expected: &[&str]) -> &'static [&'static str] {
        let pattern = self.at > 1 && self.slice(self.tokens[self.at - 2].span).eq_ignore_ascii_case("LIKE");
        match expected.iter().any(|what| ["AND", "an operator"].contains(what)) {
            true if pattern => &["ESCAPE"],
            true => &["BETWEEN", "LIKE", "IN", "NIN", "NOT"],
            false => &[],
        }
    }

    /// Directly after the last quote of a string, as the `s` of `'it's'`: the quote was to be part of the string.
    fn glued_to_string(&self) -> bool {
        self.at > 0
            && matches!(self.tokens[self.at - 1].kind, Kind::String(_))
            && self.ended() == self.span().start
            && self.token(0).kind != Kind::End
    }

    /// What may have been meant, from what stands here and before.
    fn hint(&self) -> &'static str {
        let after_comma = self.at > 0 && self.tokens[self.at - 1].kind == Kind::Symbol(Symbol::Comma);
        let closes = matches!(self.symbol(0), Some(Symbol::ParenClose | Symbol::BracketClose));
        let ends = self.token(0).kind == Kind::End || self.word(0).is_some_and(is_reserved_in_front);
        let string = |token: &Token| matches!(token.kind, Kind::String(_));
        match self.word(0) {
            _ if self.glued_to_string() => QUOTE_HELP,
            _ if after_comma && (closes || ends) => "there is a comma too many before this",
            Some(word) if word.eq_ignore_ascii_case("LIMIT") => "the number of rows is written SELECT TOP n",
            Some(word) if word.eq_ignore_ascii_case("IS") => "write IS_NULL(x), IS_DEFINED(x), or `= null`",
            None if string(self.token(0)) && self.at > 0 && string(&self.tokens[self.at - 1]) => QUOTE_HELP,
            _ => "",
        }
    }

    /// Whether `name` is a misspelt `TOP` or `DISTINCT`, seen from what follows it.
    pub(super) fn before_elements(&self, name: &str) -> Option<&'static str> {
        match self.token(0).kind {
            Kind::Int(_) => misspelt(name, &["TOP"]),
            Kind::Symbol(Symbol::Dot | Symbol::ParenOpen) => misspelt(name, &["DISTINCT"]),
            _ => None,
        }
    }

    fn found(&self) -> String {
        match &self.token(0).kind {
            Kind::End => "the end of the query".to_owned(),
            Kind::String(_) => format!("the string {}", shortened(self.slice(self.span()))),
            Kind::Int(_) | Kind::Float(_) => format!("the number {}", shortened(self.slice(self.span()))),
            _ => format!("`{}`", shortened(self.slice(self.span()))),
        }
    }
}

/// Which of the expected keywords is meant by `word`; of `GROUP BY` only the first half stands here.
fn misspelt<'e>(word: &str, expected: &[&'e str]) -> Option<&'e str> {
    let first = |keyword: &'e str| keyword.split(' ').next().unwrap_or_default();
    let keywords =
        expected.iter().copied().filter(|keyword| keyword.starts_with(|char: char| char.is_ascii_uppercase()));
    let near = nearest(word, keywords.map(first)).filter(|_| word.len() > 1)?;
    expected.iter().copied().find(|keyword| first(keyword) == near)
}

/// Messages stay short, whatever the text.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `a, b or c`
fn alternatives(expected: &[&str]) -> String {
    match expected {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => expected.concat(),
    }
}
