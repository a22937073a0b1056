//! What stands alone: literals, paths, functions, arrays, parentheses, and `ANY`, `ALL`.

use super::{Parser, Result, Tall};
use crate::error::{Code, QueryError};
use crate::syntax::ast::{Expr, ExprKind, Name, Span};
use crate::syntax::keyword::{is_reserved, is_reserved_in_front};
use crate::syntax::lexer::{INTEGER_HELP, Kind, Symbol};

impl Parser<'_> {
    pub(super) fn operand(&mut self) -> Result<Tall> {
        let start = self.span().start;
        match &self.token(0).kind {
            Kind::String(text) => {
                let kind = ExprKind::String(text.clone());
                self.advance();
                self.above(start, 0, kind)
            }
            Kind::Int(_) | Kind::Float(_) => self.number(start, false),
            Kind::Symbol(Symbol::ParenOpen) => self.parenthesized(),
            Kind::Symbol(Symbol::BracketOpen) => self.array(Symbol::BracketClose),
            Kind::Name(_) => self.path(),
            Kind::Word => self.named(),
            _ => Err(self.unexpected(&["an expression"])),
        }
    }

    /// The number here; `start` is that of its sign.
    pub(super) fn number(&mut self, start: u32, negative: bool) -> Result<Tall> {
        let kind = match self.token(0).kind {
            Kind::Float(value) => ExprKind::Float(if negative { -value } else { value }),
            Kind::Int(value) => {
                let exact = if negative { 0_i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() };
                ExprKind::Int(exact.ok_or_else(|| {
                    let span = Span { start, end: self.span().end };
                    QueryError::new(Code::Invalid, span, "this number is out of range").with_help(INTEGER_HELP)
                })?)
            }
            _ => return Err(self.unexpected(&["a number"])),
        };
        self.advance();
        self.above(start, 0, kind)
    }

    fn parenthesized(&mut self) -> Result<Tall> {
        self.advance();
        let inner = self.deeper(Self::expression)?;
        if !self.take(Symbol::ParenClose) {
            return Err(self.unexpected(&["an operator", "`)`"]));
        }
        Ok(inner)
    }

    /// `[a, b]`; for `IN` also in parentheses.
    pub(super) fn array(&mut self, close: Symbol) -> Result<Tall> {
        let start = self.span().start;
        self.advance();
        let (elements, height) = self.inner_list(close, "elements of an array")?;
        self.above(start, height, ExprKind::Array(elements))
    }

    /// Expressions up to `close`, maybe none, and the height of the highest.
    fn inner_list(&mut self, close: Symbol, what: &str) -> Result<(Vec<Expr>, usize)> {
        if self.take(close) {
            return Ok((Vec::new(), 0));
        }
        let (limit, mut height) = (self.limits.list, 0);
        let items = self.deeper(|parser| {
            parser.list(what, limit, |parser| {
                let item = parser.expression()?;
                height = height.max(item.height);
                Ok(item.expr)
            })
        })?;
        if !self.take(close) {
            let close = if close == Symbol::ParenClose { "`)`" } else { "`]`" };
            return Err(self.unexpected(&["`,`", close]));
        }
        Ok((items, height))
    }

    /// A word: a literal, a function or a path.
    fn named(&mut self) -> Result<Tall> {
        let start = self.span().start;
        let word = self.word(0).unwrap_or_default();
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        let literal = match word {
            _ if is("true") => ExprKind::Bool(true),
            _ if is("false") => ExprKind::Bool(false),
            _ if is("null") => ExprKind::Null,
            _ if is("undefined") => ExprKind::Undefined,
            _ if is("NOT") => return Err(self.needs_parentheses("NOT")),
            _ if self.at_quantifier() => return Err(self.needs_parentheses(&word.to_ascii_uppercase())),
            _ if !is_reserved_in_front(word) && self.symbol(1) == Some(Symbol::ParenOpen) => return self.call(),
            _ => return self.path(),
        };
        self.advance();
        self.above(start, 0, literal)
    }

    fn needs_parentheses(&self, word: &str) -> QueryError {
        let message = format!("{word} binds more loosely than the operator before it");
        QueryError::new(Code::Syntax, self.span(), message).with_help(format!("put parentheses around it: ({word} …)"))
    }

    fn path(&mut self) -> Result<Tall> {
        let start = self.span().start;
        let mut names = vec![self.name(true, "an expression")?];
        while self.take(Symbol::Dot) {
            names.push(self.name(false, "a name after the dot")?);
        }
        match self.symbol(0) {
            Some(Symbol::ParenOpen) => {
                Err(self.unexpected(&["an operator"]).with_help("the name of a function is one word without dots"))
            }
            Some(Symbol::BracketOpen) => {
                let help = "elements of arrays have no number; ask ANY x IN list SATISFIES …";
                Err(self.unexpected(&["an operator"]).with_help(help))
            }
            _ => self.above(start, 0, ExprKind::Path(names)),
        }
    }

    fn call(&mut self) -> Result<Tall> {
        let span = self.span();
        let name = Name { text: self.slice(span).to_owned(), span };
        self.advance();
        self.advance();
        if self.symbol(0) == Some(Symbol::Star) {
            self.advance();
            if !self.take(Symbol::ParenClose) {
                return Err(self.unexpected(&["`)`"]));
            }
            let kind = ExprKind::Call { name, distinct: false, star: true, arguments: Vec::new() };
            return self.above(span.start, 0, kind);
        }
        let distinct = self.take_word("DISTINCT");
        if distinct && self.symbol(0) == Some(Symbol::ParenClose) {
            return Err(self.unexpected(&["an expression"]));
        }
        let (arguments, height) = self.inner_list(Symbol::ParenClose, "arguments of a function")?;
        self.above(span.start, height, ExprKind::Call { name, distinct, star: false, arguments })
    }

    /// `ANY x`, `ALL x`; otherwise both are names like others.
    pub(super) fn at_quantifier(&self) -> bool {
        let named = matches!(self.token(1).kind, Kind::Name(_)) || self.word(1).is_some_and(|word| !is_reserved(word));
        named && (self.is_word(2, "IN")) && (self.is_word(0, "ANY") || self.is_word(0, "ALL"))
    }

    pub(super) fn quantified(&mut self) -> Result<Tall> {
        let start = self.span().start;
        let all = self.is_word(0, "ALL");
        self.advance();
        let variable = self.name(true, "a name for the element")?;
        self.expect_word("IN")?;
        let list = self.deeper(Self::sum)?;
        self.expect_word("SATISFIES")?;
        let condition = self.deeper(Self::expression)?;
        let height = list.height.max(condition.height);
        let (list, condition) = (Box::new(list.expr), Box::new(condition.expr));
        self.above(start, height, ExprKind::Quantified { all, variable, list, condition })
    }
}
