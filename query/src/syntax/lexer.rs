//! From characters to tokens. Each knows its place.

use super::ast::Span;
use super::names::{begins_name, continues_name};
use crate::error::{Code, QueryError};

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A keyword or a name.
    Word(String),
    /// `[[name]]`
    Quoted(String),
    /// An integer without its sign, at most 2^63.
    Int(u64),
    /// Any other number.
    Float(f64),
    /// Text, escapes resolved.
    Text(String),
    /// Operators and brackets.
    Symbol(&'static str),
    /// The end.
    End,
}

impl Token {
    /// For messages.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(word) => format!("`{}`", short(word)),
            Self::Quoted(name) => format!("`[[{}]]`", short(name)),
            Self::Int(_) | Self::Float(_) => "a number".to_owned(),
            Self::Text(_) => "a string".to_owned(),
            Self::Symbol(symbol) => format!("`{symbol}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= 40 { text.to_owned() } else { text.chars().take(40).chain("…".chars()).collect() }
}

/// Longer ones first.
const SYMBOLS: [&str; 19] =
    ["<=", ">=", "!=", "<>", "=", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]", ",", ".", ";"];

/// What people write who come from elsewhere.
const FOREIGN: [(&str, &str); 5] = [("==", "="), ("&&", "AND"), ("||", "OR"), ("!", "NOT"), ("`", "[[name]]")];

/// All tokens of a text, the end included.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Span)>, QueryError> {
    let mut lexer = Lexer { text, at: 0, after_dot: false };
    let mut tokens = Vec::new();
    loop {
        let (token, span) = lexer.next()?;
        lexer.after_dot = token == Token::Symbol(".");
        let is_end = token == Token::End;
        tokens.push((token, span));
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    after_dot: bool,
}

/// The place from one byte up to another.
pub(super) fn span(start: usize, end: usize) -> Span {
    let short = |at| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: short(start), end: short(end) }
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn next(&mut self) -> Result<(Token, Span), QueryError> {
        self.skip_space();
        let start = self.at;
        let Some(first) = self.rest().chars().next() else { return Ok((Token::End, span(start, start))) };
        let token = match first {
            '\'' | '"' => self.string(first)?,
            '0'..='9' => self.number()?,
            '[' if self.is_quoted_name() => self.quoted()?,
            first if begins_name(first) => self.word(),
            _ => self.symbol(first)?,
        };
        Ok((token, span(start, self.at)))
    }

    fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("--") {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn error(&self, start: usize, message: impl Into<String>) -> QueryError {
        QueryError::new(Code::Syntax, span(start, self.at.max(start + 1).min(self.text.len())), message)
    }

    fn word(&mut self) -> Token {
        let rest = self.rest();
        let end = rest.find(|char| !continues_name(char)).unwrap_or(rest.len());
        let word = rest[..end].to_owned();
        self.at += end;
        Token::Word(word)
    }

    /// `[[` also begins a polygon: then a number, a sign or a bracket follows.
    fn is_quoted_name(&self) -> bool {
        let Some(inner) = self.rest().strip_prefix("[[") else { return false };
        let first = inner.trim_start().chars().next();
        self.after_dot
            || !first.is_none_or(|first| first.is_ascii_digit() || matches!(first, '-' | '[' | '\'' | '"' | ']'))
    }

    fn quoted(&mut self) -> Result<Token, QueryError> {
        let start = self.at;
        let inner = &self.text[self.at + 2..];
        let Some(end) = inner.find("]]") else {
            self.at += 2;
            return Err(self.error(start, "`[[` is not closed").with_help("a quoted name ends with `]]`"));
        };
        let name = inner[..end].to_owned();
        self.at += 2 + end + 2;
        if name.is_empty() {
            return Err(self.error(start, "a quoted name must not be empty"));
        }
        Ok(Token::Quoted(name))
    }

    fn symbol(&mut self, first: char) -> Result<Token, QueryError> {
        let start = self.at;
        let rest = self.rest();
        let is_foreign = |written: &str| rest.starts_with(written) && !rest.starts_with("!=");
        if let Some((written, meant)) = FOREIGN.iter().find(|(written, _)| is_foreign(written)) {
            self.at += written.len();
            return Err(self.error(start, format!("`{written}` is no operator")).with_help(format!("write `{meant}`")));
        }
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            self.at += symbol.len();
            return Ok(Token::Symbol(symbol));
        }
        self.at += first.len_utf8();
        Err(self.error(start, format!("`{first}` has no meaning here")))
    }

    fn number(&mut self) -> Result<Token, QueryError> {
        let start = self.at;
        let rest = self.rest();
        if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            let digits = hex.find(|char: char| !char.is_ascii_hexdigit()).unwrap_or(hex.len());
            let value = u64::from_str_radix(&hex[..digits], 16);
            self.at += 2 + digits;
            return self.integer(start, digits > 0, value.ok());
        }
        let digits = |text: &str| text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
        let mut end = digits(rest);
        let mut is_float = false;
        if let Some(fraction) = rest[end..].strip_prefix('.')
            && digits(fraction) > 0
        {
            is_float = true;
            end += 1 + digits(fraction);
        }
        if let Some(exponent) = rest[end..].strip_prefix(['e', 'E']) {
            let sign = usize::from(exponent.starts_with(['+', '-']));
            let count = digits(&exponent[sign..]);
            if count > 0 {
                is_float = true;
                end += 1 + sign + count;
            }
        }
        let written = rest[..end].to_owned();
        self.at += end;
        if !is_float {
            return self.integer(start, true, written.parse().ok());
        }
        match written.parse::<f64>() {
            Ok(value) if value.is_finite() => self.ended(start).map(|()| Token::Float(value)),
            _ => Err(self.error(start, "this number is larger than any double")),
        }
    }

    fn integer(&mut self, start: usize, has_digits: bool, value: Option<u64>) -> Result<Token, QueryError> {
        if !has_digits {
            return Err(self.error(start, "digits are missing after `0x`"));
        }
        match value.filter(|value| *value <= 1 << 63) {
            Some(value) => self.ended(start).map(|()| Token::Int(value)),
            None => Err(self
                .error(start, "this integer does not fit into 64 bits with sign")
                .with_help("write it with a fraction, as in `1e19`, if a double will do")),
        }
    }

    /// A number must not run into a name.
    fn ended(&mut self, start: usize) -> Result<(), QueryError> {
        let rest = self.rest();
        let end = rest.find(|char| !continues_name(char)).unwrap_or(rest.len());
        if end == 0 {
            return Ok(());
        }
        self.at += end;
        Err(self.error(start, "a name cannot begin with a digit").with_help("write it in brackets: `[[1st]]`"))
    }

    fn string(&mut self, quote: char) -> Result<Token, QueryError> {
        let start = self.at;
        let mut out = String::new();
        let text = self.text;
        let mut chars = text[start + 1..].char_indices();
        while let Some((offset, char)) = chars.next() {
            let at = start + 1 + offset;
            match char {
                _ if char == quote => {
                    self.at = at + 1;
                    return Ok(Token::Text(out));
                }
                '\\' => {
                    self.at = at;
                    let taken = self.escape(&mut out)?;
                    // One character follows the backslash at least; all of an escape are single bytes.
                    for _ in 0..taken - 1 {
                        chars.next();
                    }
                }
                _ => out.push(char),
            }
        }
        self.at = start + 1;
        Err(self.error(start, "this string is not closed").with_help(format!("it ends with {quote}")))
    }

    /// Resolves the escape here; returns its length in bytes.
    fn escape(&mut self, out: &mut String) -> Result<usize, QueryError> {
        let start = self.at;
        let rest = self.rest();
        let plain = match rest[1..].chars().next() {
            Some(char @ ('\'' | '"' | '\\' | '/')) => Some(char),
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            _ => None,
        };
        if let Some(char) = plain {
            out.push(char);
            return Ok(2);
        }
        let unit = |at: usize| {
            let digits = rest.get(at..at + 6)?.strip_prefix("\\u")?;
            u32::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        let (char, length) = match (unit(0), unit(6)) {
            (Some(high @ 0xD800..=0xDBFF), Some(low @ 0xDC00..=0xDFFF)) => {
                (char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00)), 12)
            }
            (Some(single), _) => (char::from_u32(single), 6),
            (None, _) => (None, 2),
        };
        let Some(char) = char else {
            let end = start + 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            self.at = end;
            let help = r#"there are \' \" \\ \/ \b \f \n \r \t and \uXXXX, surrogates in pairs"#;
            return Err(self.error(start, "this escape has no meaning").with_help(help));
        };
        out.push(char);
        Ok(length)
    }
}
