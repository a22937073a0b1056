//! From tokens to the tree. This file walks the tokens and says what was expected; `clauses` knows the clauses,
//! `expression` what binds how strongly, `operand` what stands alone.
//!
//! Invariants: every way into a bracket, sign or function goes through [`Parser::deeper`]; the height of each tree is
//! kept along ([`Tall`]) so that no later walk is deeper either; what is refused is refused at the first token that
//! cannot follow.

mod clauses;
mod expression;
mod operand;

use super::Limits;
use super::ast::{Expr, Name, Select, Span};
use super::keyword::{is_reserved, is_reserved_in_front};
use super::lexer::{self, Kind, Symbol, Token};
use crate::error::{Code, QueryError, nearest};

type Result<T> = std::result::Result<T, QueryError>;

/// A whole query.
///
/// # Errors
///
/// When `text` does not follow the grammar or is larger than `limits`.
pub fn parse(text: &str, limits: &Limits) -> Result<Select> {
    whole(text, limits, |parser| parser.select())
}

/// A condition alone, as it stands after `WHERE`.
///
/// # Errors
///
/// When `text` does not follow the grammar or is larger than `limits`.
pub fn parse_condition(text: &str, limits: &Limits) -> Result<Expr> {
    whole(text, limits, |parser| {
        let condition = parser.expression()?;
        parser.end(&["AND", "OR"])?;
        Ok(condition.expr)
    })
}

fn whole<T>(text: &str, limits: &Limits, rule: impl FnOnce(&mut Parser<'_>) -> Result<T>) -> Result<T> {
    limits.check_text(text)?;
    let (tokens, broken) = lexer::cut(text);
    rule(&mut Parser { text, tokens, broken, at: 0, depth: 0, limits: *limits })
}

/// An expression with the height of its tree.
struct Tall {
    expr: Expr,
    height: usize,
}

struct Parser<'a> {
    text: &'a str,
    /// The last one is never passed.
    tokens: Vec<Token>,
    /// What the last token is, if it is broken.
    broken: Option<QueryError>,
    at: usize,
    depth: usize,
    limits: Limits,
}

impl<'a> Parser<'a> {
    fn token(&self, ahead: usize) -> &Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + ahead).min(last)]
    }

    fn span(&self) -> Span {
        self.token(0).span
    }

    /// Where the token before ended.
    fn ended(&self) -> u32 {
        self.at.checked_sub(1).map_or(0, |before| self.tokens[before].span.end)
    }

    fn since(&self, start: u32) -> Span {
        Span { start, end: self.ended() }
    }

    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    /// The text of the word `ahead` tokens from here, if it is one.
    fn word(&self, ahead: usize) -> Option<&'a str> {
        let token = self.token(ahead);
        (token.kind == Kind::Word).then(|| self.slice(token.span))
    }

    fn slice(&self, span: Span) -> &'a str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    fn is_word(&self, ahead: usize, keyword: &str) -> bool {
        self.word(ahead).is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    }

    fn take_word(&mut self, keyword: &str) -> bool {
        let taken = self.is_word(0, keyword);
        if taken {
            self.advance();
        }
        taken
    }

    fn expect_word(&mut self, keyword: &str) -> Result<()> {
        if self.take_word(keyword) { Ok(()) } else { Err(self.unexpected(&[keyword])) }
    }

    fn symbol(&self, ahead: usize) -> Option<Symbol> {
        match self.token(ahead).kind {
            Kind::Symbol(symbol) => Some(symbol),
            _ => None,
        }
    }

    fn take(&mut self, symbol: Symbol) -> bool {
        let taken = self.symbol(0) == Some(symbol);
        if taken {
            self.advance();
        }
        taken
    }

    fn end(&self, expected: &[&str]) -> Result<()> {
        if self.token(0).kind == Kind::End {
            return Ok(());
        }
        let mut expected = expected.to_vec();
        expected.push("the end");
        Err(self.unexpected(&expected))
    }

    /// A name after a dot or `AS`, or in front of a path.
    fn name(&mut self, in_front: bool, what: &str) -> Result<Name> {
        let span = self.span();
        let text = match &self.token(0).kind {
            Kind::Name(name) => name.clone(),
            Kind::Word => {
                let word = self.slice(span);
                if is_reserved(word) || (in_front && is_reserved_in_front(word)) {
                    let error = self.unexpected(&[what]);
                    let help = format!("as a name it is written [[{word}]]");
                    return Err(if error.help.is_empty() { error.with_help(help) } else { error });
                }
                word.to_owned()
            }
            _ => return Err(self.unexpected(&[what])),
        };
        self.advance();
        Ok(Name { text, span })
    }

    /// Runs `rule` one level deeper.
    fn deeper<T>(&mut self, rule: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= self.limits.depth {
            return Err(self.too_deep(self.span()));
        }
        self.depth += 1;
        let result = rule(self);
        self.depth -= 1;
        result
    }

    fn too_deep(&self, span: Span) -> QueryError {
        QueryError::new(Code::TooLarge, span, format!("this is nested more than {} levels deep", self.limits.depth))
    }

    fn too_many(&self, span: Span, what: &str, limit: usize) -> QueryError {
        QueryError::new(Code::TooLarge, span, format!("more than {limit} {what}"))
    }

    /// One or more, with commas between.
    fn list<T>(&mut self, what: &str, limit: usize, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = Vec::new();
        loop {
            if items.len() == limit {
                return Err(self.too_many(self.span(), what, limit));
            }
            items.push(item(self)?);
            if !self.take(Symbol::Comma) {
                return Ok(items);
            }
        }
    }

    /// What stands here cannot stand here.
    fn unexpected(&self, expected: &[&str]) -> QueryError {
        if let (Kind::Broken, Some(error)) = (&self.token(0).kind, &self.broken) {
            return error.clone();
        }
        let message = format!("expected {}, found {}", alternatives(expected), self.found());
        let error = QueryError::new(Code::Syntax, self.span(), message);
        let near = self.word(0).and_then(|word| misspelt(word, expected));
        match near {
            Some(keyword) => error.with_help(format!("did you mean {keyword}?")),
            None => error.with_help(self.hint()),
        }
    }

    /// What may have been meant, from what stands here and before.
    fn hint(&self) -> &'static str {
        let after_comma = self.at > 0 && self.tokens[self.at - 1].kind == Kind::Symbol(Symbol::Comma);
        let closes = matches!(self.symbol(0), Some(Symbol::ParenClose | Symbol::BracketClose));
        let ends = self.token(0).kind == Kind::End || self.word(0).is_some_and(is_reserved_in_front);
        let string = |token: &Token| matches!(token.kind, Kind::String(_));
        match self.word(0) {
            _ if after_comma && (closes || ends) => "there is a comma too many before this",
            Some(word) if word.eq_ignore_ascii_case("LIMIT") => "the number of rows is written SELECT TOP n",
            Some(word) if word.eq_ignore_ascii_case("IS") => "write IS_NULL(x), IS_DEFINED(x), or `= null`",
            None if string(self.token(0)) && self.at > 0 && string(&self.tokens[self.at - 1]) => {
                "a quote inside a string is written with a backslash before it"
            }
            _ => "",
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
