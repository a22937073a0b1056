//! Expressions, by precedence.

use super::super::ast::{BinaryOp, Expr, ExprKind, Name, Span};
use super::super::lexer::Token;
use super::super::names::is_reserved;
use super::Parser;
use crate::error::{Code, QueryError};

/// How tightly operators bind.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARE: u8 = 4;
const ADD: u8 = 5;
const MULTIPLY: u8 = 6;
const NEGATE: u8 = 7;

/// How high an expression may be: what walks over it has a stack.
const HEIGHT_MAX: usize = 512;

/// An expression, and how many expressions lie in each other at most.
struct Built {
    expr: Expr,
    height: usize,
}

impl Parser<'_> {
    /// An expression.
    pub(super) fn expression(&mut self) -> Result<Expr, QueryError> {
        Ok(self.tight(0)?.expr)
    }

    /// An expression whose operators bind at least so tightly.
    fn tight(&mut self, least: u8) -> Result<Built, QueryError> {
        if self.depth == self.limits.depth {
            return Err(self.too_large(format!("nesting goes deeper than {} levels", self.limits.depth)));
        }
        self.depth += 1;
        let built = self.climb(least);
        self.depth -= 1;
        built
    }

    fn climb(&mut self, least: u8) -> Result<Built, QueryError> {
        let mut left = self.prefix()?;
        loop {
            let start = left.expr.span.start;
            if let Some((op, binds)) = self.binary() {
                if binds < least {
                    return Ok(left);
                }
                self.advance();
                let right = self.tight(binds + 1)?;
                left = self.binary_of(op, left, right, start)?;
                if binds == COMPARE {
                    self.refuse_chain()?;
                }
                continue;
            }
            if least > COMPARE {
                return Ok(left);
            }
            let negated = self.is_word("NOT")
                && matches!(self.peek_after(), Token::Word(word) if ["in", "between", "like"].contains(&word.to_lowercase().as_str()));
            if negated {
                self.advance();
            }
            let nin = self.take_word("NIN");
            let built = if nin || self.take_word("IN") {
                self.in_list(left)?
            } else if self.take_word("BETWEEN") {
                self.between(left)?
            } else if self.take_word("LIKE") {
                self.like(left)?
            } else {
                return Ok(left);
            };
            left = if negated || nin { self.wrap(built, start, ExprKind::Not)? } else { built };
            self.refuse_chain()?;
        }
    }

    /// Comparisons stand alone: `a < b < c` would compare a boolean.
    fn refuse_chain(&self) -> Result<(), QueryError> {
        let chains = self.binary().is_some_and(|(_, binds)| binds == COMPARE)
            || ["in", "nin", "between", "like"].iter().any(|word| self.is_word(word));
        if !chains {
            return Ok(());
        }
        let error = QueryError::new(Code::Syntax, self.span(), "comparisons cannot be chained");
        Err(error.with_help("join them with AND, or write parentheses"))
    }

    fn binary(&self) -> Option<(BinaryOp, u8)> {
        Some(match self.peek() {
            Token::Word(word) if word.eq_ignore_ascii_case("or") => (BinaryOp::Or, OR),
            Token::Word(word) if word.eq_ignore_ascii_case("and") => (BinaryOp::And, AND),
            Token::Symbol("=") => (BinaryOp::Equal, COMPARE),
            Token::Symbol("!=" | "<>") => (BinaryOp::NotEqual, COMPARE),
            Token::Symbol("<") => (BinaryOp::Less, COMPARE),
            Token::Symbol("<=") => (BinaryOp::LessOrEqual, COMPARE),
            Token::Symbol(">") => (BinaryOp::Greater, COMPARE),
            Token::Symbol(">=") => (BinaryOp::GreaterOrEqual, COMPARE),
            Token::Symbol("+") => (BinaryOp::Add, ADD),
            Token::Symbol("-") => (BinaryOp::Subtract, ADD),
            Token::Symbol("*") => (BinaryOp::Multiply, MULTIPLY),
            Token::Symbol("/") => (BinaryOp::Divide, MULTIPLY),
            Token::Symbol("%") => (BinaryOp::Remainder, MULTIPLY),
            _ => return None,
        })
    }

    fn binary_of(&self, op: BinaryOp, left: Built, right: Built, start: u32) -> Result<Built, QueryError> {
        let height = left.height.max(right.height);
        self.build(ExprKind::Binary(op, Box::new(left.expr), Box::new(right.expr)), start, height)
    }

    fn wrap(&self, inner: Built, start: u32, kind: impl FnOnce(Box<Expr>) -> ExprKind) -> Result<Built, QueryError> {
        self.build(kind(Box::new(inner.expr)), start, inner.height)
    }

    fn build(&self, kind: ExprKind, start: u32, height: usize) -> Result<Built, QueryError> {
        if height == HEIGHT_MAX {
            return Err(self.too_large(format!("more than {HEIGHT_MAX} operators lie in each other")));
        }
        Ok(Built { expr: Expr { kind, span: self.since(start) }, height: height + 1 })
    }

    fn in_list(&mut self, value: Built) -> Result<Built, QueryError> {
        let start = value.expr.span.start;
        let list = if self.take_symbol("(") { self.array(")")? } else { self.tight(ADD)? };
        let height = value.height.max(list.height);
        self.build(ExprKind::In(Box::new(value.expr), Box::new(list.expr)), start, height)
    }

    fn between(&mut self, value: Built) -> Result<Built, QueryError> {
        let start = value.expr.span.start;
        let low = self.tight(ADD)?;
        self.expect_word("AND")?;
        let high = self.tight(ADD)?;
        let height = value.height.max(low.height).max(high.height);
        let kind = ExprKind::Between(Box::new(value.expr), Box::new(low.expr), Box::new(high.expr));
        self.build(kind, start, height)
    }

    fn like(&mut self, value: Built) -> Result<Built, QueryError> {
        let start = value.expr.span.start;
        let pattern = self.literal_text("a pattern, as a string")?;
        let mut escape = None;
        if self.take_word("ESCAPE") {
            let span = self.span();
            let text = self.literal_text("one character, as a string")?;
            let mut chars = text.chars();
            escape = chars.next();
            if escape.is_none() || chars.next().is_some() {
                return Err(QueryError::new(Code::Invalid, span, "ESCAPE takes exactly one character"));
            }
        }
        self.wrap(value, start, |value| ExprKind::Like { value, pattern, escape })
    }

    fn literal_text(&mut self, what: &str) -> Result<String, QueryError> {
        let Token::Text(text) = self.peek() else { return Err(self.unexpected(what, &[])) };
        let text = text.clone();
        self.advance();
        Ok(text)
    }

    fn prefix(&mut self) -> Result<Built, QueryError> {
        let Span { start, .. } = self.span();
        if self.take_word("NOT") {
            let inner = self.tight(NOT)?;
            return self.wrap(inner, start, ExprKind::Not);
        }
        if self.take_symbol("-") {
            return self.negative(start);
        }
        if self.take_symbol("(") {
            let inner = self.tight(0)?;
            self.expect_symbol(")")?;
            // The place of what is in parentheses includes them, so that operators around it are shown whole.
            let span = self.since(start);
            return Ok(Built { expr: Expr { span, ..inner.expr }, height: inner.height });
        }
        if self.take_symbol("[") {
            return self.array("]");
        }
        self.operand(start)
    }

    /// A literal with a sign is a literal: the least integer has no positive counterpart.
    fn negative(&mut self, start: u32) -> Result<Built, QueryError> {
        let kind = match self.peek() {
            Token::Int(value) => ExprKind::Int(0_i64.wrapping_sub_unsigned(*value)),
            Token::Float(value) => ExprKind::Float(-value),
            _ => {
                let inner = self.tight(NEGATE)?;
                return self.wrap(inner, start, ExprKind::Negate);
            }
        };
        self.advance();
        self.build(kind, start, 0)
    }

    /// Elements up to the closing bracket; the opening one is read.
    fn array(&mut self, close: &str) -> Result<Built, QueryError> {
        let start = self.last_end().saturating_sub(1);
        let mut height = 0;
        let mut elements = Vec::new();
        if !self.take_symbol(close) {
            let most = self.limits.list;
            elements = self.list(most, "elements in this list", |parser| {
                let built = parser.tight(0)?;
                height = height.max(built.height);
                Ok(built.expr)
            })?;
            self.expect_symbol(close)?;
        }
        self.build(ExprKind::Array(elements), start, height)
    }

    fn operand(&mut self, start: u32) -> Result<Built, QueryError> {
        let kind = match self.peek().clone() {
            Token::Int(value) => match i64::try_from(value) {
                Ok(value) => ExprKind::Int(value),
                Err(_) => {
                    let message = "this integer does not fit into 64 bits with sign";
                    return Err(QueryError::new(Code::Syntax, self.span(), message));
                }
            },
            Token::Float(value) => ExprKind::Float(value),
            Token::Text(text) => ExprKind::String(text),
            Token::Quoted(_) => return self.path(start),
            Token::Word(word) => match word.to_lowercase().as_str() {
                "true" => ExprKind::Bool(true),
                "false" => ExprKind::Bool(false),
                "null" => ExprKind::Null,
                "undefined" => ExprKind::Undefined,
                "any" => return self.quantified(start, false),
                "all" => return self.quantified(start, true),
                _ if is_reserved(&word) => return Err(self.no_operand()),
                _ if *self.peek_after() == Token::Symbol("(") => return self.call(start),
                _ => return self.path(start),
            },
            Token::Symbol(_) | Token::End => return Err(self.no_operand()),
        };
        self.advance();
        self.build(kind, start, 0)
    }

    fn no_operand(&self) -> QueryError {
        let error = self.unexpected("a value, a path or a function", &[]);
        match self.peek() {
            Token::Word(word) if is_reserved(word) => {
                error.with_help(format!("`{word}` is a keyword; as a name it is written `[[{word}]]`"))
            }
            _ => error,
        }
    }

    fn path(&mut self, start: u32) -> Result<Built, QueryError> {
        let mut names = vec![self.name("a path")?];
        while self.take_symbol(".") {
            // Behind a dot nothing but a name can stand, so that keywords need no brackets there.
            let span = self.span();
            let text = match self.peek() {
                Token::Word(name) | Token::Quoted(name) => name.clone(),
                _ => {
                    return Err(self
                        .unexpected("a name", &[])
                        .with_help("other names than words are written `[[name]]`"));
                }
            };
            self.advance();
            names.push(Name { text, span });
        }
        self.build(ExprKind::Path(names), start, 0)
    }

    fn quantified(&mut self, start: u32, all: bool) -> Result<Built, QueryError> {
        self.advance();
        let variable = self.name("a name for the element")?;
        self.expect_word("IN")?;
        let list = self.tight(ADD)?;
        self.expect_word("SATISFIES")?;
        let condition = self.tight(0)?;
        let height = list.height.max(condition.height);
        let (list, condition) = (Box::new(list.expr), Box::new(condition.expr));
        self.build(ExprKind::Quantified { all, variable, list, condition }, start, height)
    }

    fn call(&mut self, start: u32) -> Result<Built, QueryError> {
        let name = self.name("a function")?;
        self.expect_symbol("(")?;
        let (mut distinct, mut star, mut arguments, mut height) = (false, false, Vec::new(), 0);
        if self.take_symbol("*") {
            star = true;
            self.expect_symbol(")")?;
        } else if !self.take_symbol(")") {
            distinct = self.take_word("DISTINCT");
            let most = self.limits.list;
            arguments = self.list(most, "arguments", |parser| {
                let built = parser.tight(0)?;
                height = height.max(built.height);
                Ok(built.expr)
            })?;
            self.expect_symbol(")")?;
        }
        self.build(ExprKind::Call { name, distinct, star, arguments }, start, height)
    }
}
