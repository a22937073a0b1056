//! From tokens to the tree. This file walks the tokens; `clauses` knows the clauses, `expression` what binds how
//! strongly, `operand` what stands alone, `diagnosis` says what was expected instead.
//!
//! Invariants: every way into a bracket, sign or function goes through [`Parser::deeper`]; the height of each tree is
//! kept along ([`Tall`]) so that no later walk is deeper either; what is refused is refused at the first token that
//! cannot follow.

mod clauses;
mod diagnosis;
mod expression;
mod operand;

use super::Limits;
use super::ast::{Expr, Name, Select, Span};
use super::keyword::{is_reserved, is_reserved_in_front};
use super::lexer::{self, Kind, Symbol, Token};
use crate::error::{Code, QueryError};

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
}
