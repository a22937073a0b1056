//! What binds how strongly: one function for each level of section 4 of the language, the loosest first.

use super::{Parser, Result, Tall};
use crate::error::{Code, QueryError};
use crate::syntax::ast::{BinaryOp, Expr, ExprKind};
use crate::syntax::chain;
use crate::syntax::lexer::{Kind, Symbol};

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Result<Tall> {
        self.logic("OR", BinaryOp::Or, |parser| parser.logic("AND", BinaryOp::And, Self::negation))
    }

    /// `a AND b AND c`, and `OR`: one tree as low as it can be, whatever the parentheses.
    fn logic(&mut self, word: &str, op: BinaryOp, operand: impl Fn(&mut Self) -> Result<Tall>) -> Result<Tall> {
        let first = operand(self)?;
        if !self.is_word(0, word) {
            return Ok(first);
        }
        let mut below = first.height;
        let mut operands = Vec::new();
        chain::flatten(op, first.expr, &mut operands);
        while self.take_word(word) {
            let next = operand(self)?;
            below = below.max(next.height);
            chain::flatten(op, next.expr, &mut operands);
        }
        let height = below + chain::height(operands.len());
        self.checked(chain::balance(op, operands), height)
    }

    fn negation(&mut self) -> Result<Tall> {
        let start = self.span().start;
        if self.take_word("NOT") {
            let operand = self.deeper(Self::negation)?;
            return self.above(start, operand.height, ExprKind::Not(Box::new(operand.expr)));
        }
        if self.at_quantifier() {
            return self.quantified();
        }
        self.comparison()
    }

    /// A node above trees that are at most `below` high, from `start` to the last token taken.
    pub(super) fn above(&self, start: u32, below: usize, kind: ExprKind) -> Result<Tall> {
        self.checked(Expr { kind, span: self.since(start) }, below + 1)
    }

    fn checked(&self, expr: Expr, height: usize) -> Result<Tall> {
        if height > self.limits.depth {
            return Err(self.too_deep(expr.span));
        }
        Ok(Tall { expr, height })
    }

    fn comparison(&mut self) -> Result<Tall> {
        let start = self.span().start;
        let left = self.sum()?;
        let negated = self.is_word(0, "NOT") && ["IN", "LIKE", "BETWEEN"].iter().any(|word| self.is_word(1, word));
        if negated {
            self.advance();
        }
        let compared = if let Some(op) = self.comparison_sign() {
            self.advance();
            let right = self.sum()?;
            let kind = ExprKind::Binary(op, Box::new(left.expr), Box::new(right.expr));
            self.above(start, left.height.max(right.height), kind)?
        } else if self.take_word("IN") {
            self.among(start, left, negated)?
        } else if self.take_word("NIN") {
            self.among(start, left, true)?
        } else if self.take_word("BETWEEN") {
            self.between(start, left, negated)?
        } else if self.take_word("LIKE") {
            self.like(start, left, negated)?
        } else {
            return Ok(left);
        };
        self.no_chain()?;
        Ok(compared)
    }

    fn comparison_sign(&self) -> Option<BinaryOp> {
        Some(match self.symbol(0)? {
            Symbol::Equal => BinaryOp::Equal,
            Symbol::NotEqual => BinaryOp::NotEqual,
            Symbol::Less => BinaryOp::Less,
            Symbol::LessOrEqual => BinaryOp::LessOrEqual,
            Symbol::Greater => BinaryOp::Greater,
            Symbol::GreaterOrEqual => BinaryOp::GreaterOrEqual,
            _ => return None,
        })
    }

    fn no_chain(&self) -> Result<()> {
        let words = ["IN", "NIN", "BETWEEN", "LIKE", "NOT"];
        if self.comparison_sign().is_none() && !words.iter().any(|word| self.is_word(0, word)) {
            return Ok(());
        }
        let help = "join them with AND, or put one into parentheses";
        Err(QueryError::new(Code::Syntax, self.span(), "comparisons do not chain").with_help(help))
    }

    fn maybe_not(&self, start: u32, inner: Tall, negated: bool) -> Result<Tall> {
        if !negated {
            return Ok(inner);
        }
        self.above(start, inner.height, ExprKind::Not(Box::new(inner.expr)))
    }

    fn among(&mut self, start: u32, value: Tall, negated: bool) -> Result<Tall> {
        let list = match self.symbol(0) {
            Some(Symbol::BracketOpen) => self.array(Symbol::BracketClose)?,
            Some(Symbol::ParenOpen) => self.array(Symbol::ParenClose)?,
            _ => self.sum()?,
        };
        if matches!(&list.expr.kind, ExprKind::Array(elements) if elements.is_empty()) {
            let error = QueryError::new(Code::Syntax, list.expr.span, "IN needs at least one element");
            return Err(error);
        }
        let height = value.height.max(list.height);
        let inner = self.above(start, height, ExprKind::In(Box::new(value.expr), Box::new(list.expr)))?;
        self.maybe_not(start, inner, negated)
    }

    fn between(&mut self, start: u32, value: Tall, negated: bool) -> Result<Tall> {
        let low = self.sum()?;
        self.expect_word("AND")?;
        let high = self.sum()?;
        let height = value.height.max(low.height).max(high.height);
        let kind = ExprKind::Between(Box::new(value.expr), Box::new(low.expr), Box::new(high.expr));
        let inner = self.above(start, height, kind)?;
        self.maybe_not(start, inner, negated)
    }

    fn like(&mut self, start: u32, value: Tall, negated: bool) -> Result<Tall> {
        let pattern = self.string("a pattern as a string")?;
        let escape = if self.take_word("ESCAPE") { Some(self.escape()?) } else { None };
        let kind = ExprKind::Like { value: Box::new(value.expr), pattern, escape };
        let inner = self.above(start, value.height, kind)?;
        self.maybe_not(start, inner, negated)
    }

    fn escape(&mut self) -> Result<char> {
        let span = self.span();
        let text = self.string("one character as a string")?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => Ok(char),
            _ => Err(QueryError::new(Code::Syntax, span, "ESCAPE takes a string of one character")),
        }
    }

    fn string(&mut self, what: &str) -> Result<String> {
        let Kind::String(text) = &self.token(0).kind else { return Err(self.unexpected(&[what])) };
        let text = text.clone();
        self.advance();
        Ok(text)
    }

    pub(super) fn sum(&mut self) -> Result<Tall> {
        self.arithmetic(Self::product, |symbol| match symbol {
            Symbol::Plus => Some(BinaryOp::Add),
            Symbol::Minus => Some(BinaryOp::Subtract),
            _ => None,
        })
    }

    fn product(&mut self) -> Result<Tall> {
        self.arithmetic(Self::signed, |symbol| match symbol {
            Symbol::Star => Some(BinaryOp::Multiply),
            Symbol::Slash => Some(BinaryOp::Divide),
            Symbol::Percent => Some(BinaryOp::Remainder),
            _ => None,
        })
    }

    /// From left to right: doubles are not associative, so the tree leans, and its height bounds the chain.
    fn arithmetic(
        &mut self,
        operand: impl Fn(&mut Self) -> Result<Tall>,
        operator: impl Fn(Symbol) -> Option<BinaryOp>,
    ) -> Result<Tall> {
        let start = self.span().start;
        let mut left = operand(self)?;
        while let Some(op) = self.symbol(0).and_then(&operator) {
            self.advance();
            let right = operand(self)?;
            let height = left.height.max(right.height);
            left = self.above(start, height, ExprKind::Binary(op, Box::new(left.expr), Box::new(right.expr)))?;
        }
        Ok(left)
    }

    /// A sign in front of a number is part of it.
    fn signed(&mut self) -> Result<Tall> {
        let start = self.span().start;
        if !self.take(Symbol::Minus) {
            return self.operand();
        }
        if matches!(self.token(0).kind, Kind::Int(_) | Kind::Float(_)) {
            return self.number(start, true);
        }
        let operand = self.deeper(Self::signed)?;
        self.above(start, operand.height, ExprKind::Negate(Box::new(operand.expr)))
    }
}
