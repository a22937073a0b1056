//! Strings and numbers.

use super::{Kind, Lexer};
use crate::error::{Code, QueryError};
use crate::syntax::keyword::continues_name;

impl Lexer<'_> {
    /// A string from its first quote to its last.
    pub(super) fn string(&mut self, quote: char) -> Result<Kind, QueryError> {
        let start = self.at;
        self.at += 1;
        let mut value = String::new();
        loop {
            value.push_str(self.take_while(|char| char != quote && char != '\\'));
            match self.peek() {
                None => return Err(self.unclosed(start, quote)),
                Some('\\') => value.push(self.escape(start, quote)?),
                Some(_) => {
                    self.at += 1;
                    return Ok(Kind::String(value));
                }
            }
        }
    }

    /// Points at the rest of the first line only: the string may have taken in the whole query.
    fn unclosed(&mut self, start: usize, quote: char) -> QueryError {
        self.at = start;
        self.take_while(|char| char != '\n');
        let help = format!("close it with {quote}; a {quote} inside is written \\{quote}");
        self.error(start, "this string is not closed").with_help(help)
    }

    /// One escape, at its backslash.
    fn escape(&mut self, string: usize, quote: char) -> Result<char, QueryError> {
        let start = self.at;
        self.at += 1;
        let Some(char) = self.peek() else { return Err(self.unclosed(string, quote)) };
        self.at += char.len_utf8();
        Ok(match char {
            '\'' | '"' | '\\' | '/' => char,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(start),
            _ => {
                let help = "escapes are \\' \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX; a backslash is written \\\\";
                return Err(self.error(start, "this escape does not exist").with_help(help));
            }
        })
    }

    /// After `\u`: four digits, or a pair of surrogates.
    fn unicode(&mut self, start: usize) -> Result<char, QueryError> {
        let first = self.four_digits(start)?;
        let code = match first {
            0xd800..=0xdbff if self.rest().starts_with("\\u") => {
                self.at += 2;
                match self.four_digits(start)? {
                    second @ 0xdc00..=0xdfff => 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                    _ => first,
                }
            }
            _ => first,
        };
        char::from_u32(code).ok_or_else(|| {
            let help = "characters beyond FFFF are a high and a low surrogate, as in \\ud83d\\ude00";
            self.error(start, "this surrogate has no partner").with_help(help)
        })
    }

    fn four_digits(&mut self, start: usize) -> Result<u32, QueryError> {
        let mut left = 4;
        let digits = self.take_while(|char| {
            left -= i32::from(left >= 0);
            left >= 0 && char.is_ascii_hexdigit()
        });
        match u32::from_str_radix(digits, 16) {
            Ok(code) if digits.len() == 4 => Ok(code),
            _ => Err(self.error(start, "\\u needs four hexadecimal digits")),
        }
    }

    /// A number without a sign.
    pub(super) fn number(&mut self) -> Result<Kind, QueryError> {
        let start = self.at;
        if self.rest().starts_with("0x") || self.rest().starts_with("0X") {
            return self.hexadecimal(start);
        }
        self.take_while(|char| char.is_ascii_digit());
        let fraction = self.fraction(start)?;
        let exponent = self.exponent(start)?;
        self.nothing_attached(start)?;
        let text = &self.text[start..self.at];
        if fraction || exponent {
            let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
            return value.map(Kind::Float).ok_or_else(|| self.out_of_range(start, "doubles end near 1.8e308"));
        }
        text.parse().map(Kind::Int).map_err(|_| self.out_of_range(start, INTEGER_HELP))
    }

    fn fraction(&mut self, start: usize) -> Result<bool, QueryError> {
        if !self.rest().starts_with('.') {
            return Ok(false);
        }
        self.at += 1;
        if self.take_while(|char| char.is_ascii_digit()).is_empty() {
            return Err(self.error(start, "this number ends with its point").with_help("write a digit after it"));
        }
        Ok(true)
    }

    fn exponent(&mut self, start: usize) -> Result<bool, QueryError> {
        if !self.rest().starts_with(['e', 'E']) {
            return Ok(false);
        }
        self.at += 1;
        if self.rest().starts_with(['+', '-']) {
            self.at += 1;
        }
        if self.take_while(|char| char.is_ascii_digit()).is_empty() {
            return Err(self.error(start, "the exponent of this number has no digits"));
        }
        Ok(true)
    }

    fn hexadecimal(&mut self, start: usize) -> Result<Kind, QueryError> {
        self.at += 2;
        let digits = self.take_while(|char| char.is_ascii_hexdigit());
        if digits.is_empty() {
            return Err(self.error(start, "this number has no hexadecimal digits"));
        }
        self.nothing_attached(start)?;
        u64::from_str_radix(digits, 16).map(Kind::Int).map_err(|_| self.out_of_range(start, INTEGER_HELP))
    }

    /// `12abc` is neither a number nor a name.
    fn nothing_attached(&mut self, start: usize) -> Result<(), QueryError> {
        if self.take_while(continues_name).is_empty() {
            return Ok(());
        }
        let text = &self.text[start..self.at];
        let help = format!("a name that begins with a digit is written [[{text}]]");
        Err(self.error(start, format!("`{text}` is neither a number nor a name")).with_help(help))
    }

    fn out_of_range(&self, start: usize, help: &str) -> QueryError {
        let message = "this number is out of range";
        QueryError { code: Code::Invalid, ..self.error(start, message).with_help(help) }
    }
}

/// What to do about an integer that is too large.
pub(in crate::syntax) const INTEGER_HELP: &str =
    "integers go from -9223372036854775808 to 9223372036854775807; with a fraction, as in 1.0, it is a double";
