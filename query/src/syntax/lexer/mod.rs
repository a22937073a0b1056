//! Text cut into tokens with their places. It knows no grammar but what tells `[[name]]` from an array in an array.
//!
//! - The last token is [`Kind::End`], or [`Kind::Broken`] where the text is no token; the error then comes along. So
//!   what is wrong first in the text is reported first, be it a token or the grammar.
//! - Every character is looked at a bounded number of times.

mod literal;
mod symbol;

pub(super) use literal::INTEGER_HELP;

use super::ast::Span;
use super::keyword::{begins_name, continues_name};
use crate::error::{Code, QueryError};

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A name, a keyword or the name of a function: the text at its place.
    Word,
    /// `[[name]]`
    Name(String),
    /// Text, escapes resolved.
    String(String),
    /// An integer; its sign is a token of its own.
    Int(u64),
    /// A finite number with a fraction or an exponent.
    Float(f64),
    /// Anything of one or two signs.
    Symbol(Symbol),
    /// Nothing can be cut off here.
    Broken,
    /// After the last one.
    End,
}

/// Signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    /// `(`
    ParenOpen,
    /// `)`
    ParenClose,
    /// `[`
    BracketOpen,
    /// `]`
    BracketClose,
    /// `,`
    Comma,
    /// `.`
    Dot,
    /// `*`
    Star,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `/`
    Slash,
    /// `%`
    Percent,
    /// `=`
    Equal,
    /// `!=`, `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A token with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: Kind,
    /// Where.
    pub(super) span: Span,
}

/// All tokens; with an error when the last one is [`Kind::Broken`].
pub(super) fn cut(text: &str) -> (Vec<Token>, Option<QueryError>) {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), next_close: 0 };
    loop {
        lexer.skip_blank();
        let start = lexer.at;
        match lexer.token() {
            Ok(kind) => {
                let ended = kind == Kind::End;
                // What is missing at the end is missing after the last token, not after blank lines.
                let start = if ended { lexer.ended() } else { start };
                let span = span(start, if ended { start } else { lexer.at });
                lexer.tokens.push(Token { kind, span });
                if ended {
                    return (lexer.tokens, None);
                }
            }
            Err(error) => {
                lexer.tokens.push(Token { kind: Kind::Broken, span: error.span });
                return (lexer.tokens, Some(error));
            }
        }
    }
}

/// Places beyond 4 GiB are not told apart; the limit of characters is far below.
fn span(start: usize, end: usize) -> Span {
    let place = |at| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: place(start), end: place(end) }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    /// Where the next `]` is, if that was looked for and is not passed yet.
    next_close: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take_while(&mut self, mut wanted: impl FnMut(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|char| !wanted(char)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn error(&self, start: usize, message: impl Into<String>) -> QueryError {
        QueryError::new(Code::Syntax, span(start, self.at), message)
    }

    fn skip_blank(&mut self) {
        loop {
            self.take_while(|char| char.is_whitespace() || char == '\u{feff}');
            if !self.rest().starts_with("--") {
                return;
            }
            self.take_while(|char| char != '\n');
        }
    }

    fn token(&mut self) -> Result<Kind, QueryError> {
        let Some(char) = self.peek() else { return Ok(Kind::End) };
        match char {
            '\'' | '"' => self.string(char),
            '0'..='9' if self.after_dot() => Ok(self.word()),
            '0'..='9' => self.number(),
            '[' => self.bracket(),
            _ if begins_name(char) || (self.after_dot() && continues_name(char)) => Ok(self.word()),
            _ => self.symbol(char).map(Kind::Symbol),
        }
    }

    fn word(&mut self) -> Kind {
        self.take_while(continues_name);
        Kind::Word
    }

    fn ended(&self) -> usize {
        self.tokens.last().map_or(0, |token| token.span.end as usize)
    }

    fn after_dot(&self) -> bool {
        self.tokens.last().is_some_and(|token| token.kind == Kind::Symbol(Symbol::Dot))
    }

    /// Where only a name can stand.
    fn after_as(&self) -> bool {
        self.tokens.last().is_some_and(|token| {
            let word = self.text.get(token.span.start as usize..token.span.end as usize);
            token.kind == Kind::Word && word.is_some_and(|word| word.eq_ignore_ascii_case("AS"))
        })
    }

    /// `[`, or a whole `[[name]]`.
    fn bracket(&mut self) -> Result<Kind, QueryError> {
        let start = self.at;
        let only_name = self.after_dot() || self.after_as();
        let inner = self.rest().strip_prefix("[[");
        let Some(inner) = inner.filter(|inner| only_name || !begins_array(inner)) else {
            self.at += 1;
            return Ok(Kind::Symbol(Symbol::BracketOpen));
        };
        let end = if only_name { inner.find("]]") } else { self.close(start + 2) };
        let Some(end) = end else {
            self.take_while(|char| char != '\n');
            return Err(self.error(start, "`[[` is not closed").with_help("a name in brackets ends with `]]`"));
        };
        if !inner[end..].starts_with("]]") {
            self.at += 1;
            return Ok(Kind::Symbol(Symbol::BracketOpen));
        }
        self.at = start + 2 + end + 2;
        Ok(Kind::Name(inner[..end].to_owned()))
    }

    /// The first `]` from `from` on, counted from there. Found once for all that stands before it.
    fn close(&mut self, from: usize) -> Option<usize> {
        if self.next_close < from {
            self.next_close = from + self.text[from..].find(']')?;
        }
        Some(self.next_close - from)
    }
}

/// Whether what follows `[[` is the beginning of an array in an array: another bracket, text, or a number that ends there.
fn begins_array(inner: &str) -> bool {
    let inner = inner.trim_start();
    let unsigned = inner.strip_prefix('-').unwrap_or(inner).trim_start();
    if !unsigned.starts_with(|char: char| char.is_ascii_digit()) {
        return inner.starts_with(['[', '\'', '"']);
    }
    let after = unsigned.trim_start_matches(|char: char| char.is_ascii_alphanumeric() || char == '.');
    let exponent =
        after.strip_prefix(['+', '-']).unwrap_or(after).trim_start_matches(|char: char| char.is_ascii_digit());
    exponent.trim_start().starts_with([',', ']']) && number_alone(unsigned)
}

/// Whether the first word of `text` is a number rather than a name that begins with a digit.
fn number_alone(text: &str) -> bool {
    let end = text.find([',', ']']).unwrap_or(text.len());
    let word = text[..end].trim_end();
    let hexadecimal = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    hexadecimal
        .map_or_else(|| word.parse::<f64>().is_ok(), |digits| digits.chars().all(|char| char.is_ascii_hexdigit()))
}
