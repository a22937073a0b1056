//! The clauses of a query. Expressions are in a file of their own below this one.

use super::Limits;
use super::ast::{AsOf, Element, Elements, From, Name, OrderKey, Select, Span};
use super::lexer::{Token, span, tokens};
use super::names::is_reserved;
use crate::error::{Code, QueryError, nearest};

mod expression;

/// Reads a query.
///
/// # Errors
/// When it does not follow the grammar, or goes beyond a limit.
pub fn parse(text: &str, limits: &Limits) -> Result<Select, QueryError> {
    let mut parser = Parser::new(text, limits)?;
    let select = parser.select()?;
    parser.end()?;
    Ok(select)
}

/// Reads a condition, as behind `WHERE`.
///
/// # Errors
/// As [`parse`].
pub fn parse_condition(text: &str, limits: &Limits) -> Result<super::ast::Expr, QueryError> {
    let mut parser = Parser::new(text, limits)?;
    let condition = parser.expression()?;
    parser.end()?;
    Ok(condition)
}

struct Parser<'l> {
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: usize,
    limits: &'l Limits,
}

impl<'l> Parser<'l> {
    fn new(text: &str, limits: &'l Limits) -> Result<Self, QueryError> {
        let characters = text.chars().take(limits.characters + 1).count();
        if characters > limits.characters {
            let message = format!("a query has at most {} characters", limits.characters);
            return Err(QueryError::new(Code::TooLarge, Span::default(), message));
        }
        Ok(Self { tokens: tokens(text)?, at: 0, depth: 0, limits })
    }

    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn peek_after(&self) -> &Token {
        self.tokens.get(self.at + 1).map_or(&Token::End, |(token, _)| token)
    }

    fn span(&self) -> Span {
        self.tokens.get(self.at).or(self.tokens.last()).map_or_else(Span::default, |(_, span)| *span)
    }

    /// The end of the token before.
    fn last_end(&self) -> u32 {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |(_, span)| span.end)
    }

    fn advance(&mut self) {
        self.at += 1;
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        self.at += usize::from(is);
        is
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let is = matches!(self.peek(), Token::Symbol(found) if *found == symbol);
        self.at += usize::from(is);
        is
    }

    fn expect_word(&mut self, word: &str) -> Result<(), QueryError> {
        if self.take_word(word) { Ok(()) } else { Err(self.unexpected(&format!("`{word}`"), &[word])) }
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<(), QueryError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"), &[])) }
    }

    /// What was found is not what could stand here; `words` are those that could.
    fn unexpected(&self, expected: &str, words: &[&str]) -> QueryError {
        let message = format!("expected {expected}, found {}", self.peek().shown());
        let error = QueryError::new(Code::Syntax, self.span(), message);
        let meant = match self.peek() {
            Token::Word(found) => nearest(found, words.iter().copied()),
            _ => None,
        };
        match meant {
            Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
            None => error,
        }
    }

    fn too_large(&self, message: String) -> QueryError {
        QueryError::new(Code::TooLarge, self.span(), message)
    }

    fn end(&mut self) -> Result<(), QueryError> {
        self.take_symbol(";");
        if *self.peek() == Token::End {
            return Ok(());
        }
        let clauses = ["WHERE", "GROUP BY", "HAVING", "ORDER BY", "JOIN", "AS", "AND", "OR", "GROUP", "ORDER"];
        Err(self.unexpected("the end or the next clause", &clauses))
    }

    fn select(&mut self) -> Result<Select, QueryError> {
        self.expect_word("SELECT")?;
        let mut distinct = self.take_word("DISTINCT");
        let top = self.top()?;
        distinct |= self.take_word("DISTINCT");
        let elements = self.elements()?;
        self.expect_word("FROM")?;
        let from = self.from()?;
        let filter = if self.take_word("WHERE") { Some(self.expression()?) } else { None };
        let mut group_by = Vec::new();
        if self.take_word("GROUP") {
            self.expect_word("BY")?;
            group_by = self.list(self.limits.keys, "keys of GROUP BY", Self::expression)?;
        }
        let having = if self.take_word("HAVING") { Some(self.expression()?) } else { None };
        let mut order_by = Vec::new();
        if self.take_word("ORDER") {
            self.expect_word("BY")?;
            order_by = self.list(self.limits.keys, "keys of ORDER BY", Self::order_key)?;
        }
        Ok(Select { distinct, top, elements, from, filter, group_by, having, order_by })
    }

    fn top(&mut self) -> Result<Option<u32>, QueryError> {
        if !self.take_word("TOP") {
            return Ok(None);
        }
        // SQL Server takes parentheses here.
        let in_parentheses = self.take_symbol("(");
        let top = match self.peek() {
            Token::Int(count) => u32::try_from(*count).ok().filter(|count| (1..1 << 31).contains(count)),
            _ => return Err(self.unexpected("a number of rows", &[])),
        };
        let Some(top) = top else {
            return Err(QueryError::new(Code::Invalid, self.span(), "TOP takes 1 to 2147483647"));
        };
        self.advance();
        if in_parentheses {
            self.expect_symbol(")")?;
        }
        Ok(Some(top))
    }

    /// Elements with commas between them.
    fn list<T>(
        &mut self,
        most: usize,
        what: &str,
        mut element: impl FnMut(&mut Self) -> Result<T, QueryError>,
    ) -> Result<Vec<T>, QueryError> {
        let mut list = vec![element(self)?];
        while self.take_symbol(",") {
            if list.len() == most {
                return Err(self.too_large(format!("there are more than {most} {what}")));
            }
            list.push(element(self)?);
        }
        Ok(list)
    }

    fn elements(&mut self) -> Result<Elements, QueryError> {
        if self.take_symbol("*") {
            return Ok(Elements::All);
        }
        Ok(Elements::List(self.list(self.limits.elements, "elements of SELECT", Self::element)?))
    }

    fn element(&mut self) -> Result<Element, QueryError> {
        if self.is_word("FROM") {
            return Err(self.unexpected("an element", &[]));
        }
        let expr = self.expression()?;
        let alias = if self.take_word("AS") {
            Some(self.name("a name")?)
        } else {
            match self.peek() {
                Token::Quoted(_) => Some(self.name("a name")?),
                // A misspelt FROM is not an alias.
                Token::Word(word) if !is_reserved(word) && nearest(word, ["from"]).is_none() => {
                    Some(self.name("a name")?)
                }
                _ => None,
            }
        };
        Ok(Element { expr, alias })
    }

    fn name(&mut self, what: &str) -> Result<Name, QueryError> {
        let span = self.span();
        let text = match self.peek() {
            Token::Quoted(name) => name.clone(),
            Token::Word(word) if !is_reserved(word) => word.clone(),
            Token::Word(word) => {
                let help = format!("`{word}` is a keyword; as a name it is written `[[{word}]]`");
                return Err(self.unexpected(what, &[]).with_help(help));
            }
            _ => return Err(self.unexpected(what, &[])),
        };
        self.advance();
        Ok(Name { text, span })
    }

    fn from(&mut self) -> Result<From, QueryError> {
        let start = self.span().start;
        let mut collection = self.name("a collection")?.text.to_lowercase();
        while self.take_symbol(".") {
            collection.push('.');
            collection.push_str(&self.name("a collection")?.text.to_lowercase());
        }
        let collection = Name { text: collection, span: Span { start, end: self.last_end() } };
        let join = if self.take_word("JOIN") { Some(self.name("what to join")?) } else { None };
        let as_of = if self.take_word("AS") { Some(self.as_of()?) } else { None };
        Ok(From { collection, join, as_of })
    }

    fn as_of(&mut self) -> Result<AsOf, QueryError> {
        self.expect_word("OF")?;
        let words = ["REVISION", "TIME"];
        let is_time = self.take_word("TIME");
        if !is_time && !self.take_word("REVISION") {
            return Err(self.unexpected("`REVISION` or `TIME`", &words));
        }
        let as_of = match (is_time, self.peek()) {
            (false, Token::Int(revision)) => AsOf::Revision(*revision),
            (true, Token::Text(time)) => AsOf::Time(time.clone(), self.span()),
            (false, _) => return Err(self.unexpected("a revision", &[])),
            (true, _) => return Err(self.unexpected("a time such as '2026-11-26T22:05:21Z'", &[])),
        };
        self.advance();
        Ok(as_of)
    }

    fn order_key(&mut self) -> Result<OrderKey, QueryError> {
        let expr = self.expression()?;
        let descending = self.take_word("DESC");
        if !descending {
            self.take_word("ASC");
        }
        Ok(OrderKey { expr, descending })
    }

    /// From where `start` begins to the end of the token before.
    fn since(&self, start: u32) -> Span {
        span(start as usize, self.last_end() as usize)
    }
}
