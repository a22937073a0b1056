//! Reads the queries of these tests: as much of the grammar as they need, and no more. It panics at anything else.

use crate::syntax::ast::*;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Bracketed(String),
    Number(String),
    Text(String),
    Sign(&'static str),
    End,
}

struct Reader {
    tokens: Vec<(Token, Span)>,
    at: usize,
}

const SIGNS: [&str; 20] =
    ["<=", ">=", "!=", "<>", "=", "<", ">", "(", ")", "[", "]", ",", ".", "*", "+", "-", "/", "%", "]]", "[["];

pub(super) fn parse(text: &str) -> Result<Select, crate::QueryError> {
    Ok(Reader { tokens: cut(text), at: 0 }.select())
}

fn cut(text: &str) -> Vec<(Token, Span)> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let first = rest.chars().next().expect("not at the end");
        let run = |wanted: fn(char) -> bool| rest.find(|char| !wanted(char)).unwrap_or(rest.len());
        let (token, length) = match first {
            ' ' | '\n' => {
                at += 1;
                continue;
            }
            '\'' => {
                let end = rest[1..].find('\'').expect("a closing quote");
                (Token::Text(rest[1..=end].to_owned()), end + 2)
            }
            '0'..='9' => {
                let end = run(|char| char.is_ascii_digit() || char == '.');
                (Token::Number(rest[..end].to_owned()), end)
            }
            'a'..='z' | 'A'..='Z' | '_' | '$' => {
                let end = run(|char| char.is_alphanumeric() || "_$".contains(char));
                (Token::Word(rest[..end].to_owned()), end)
            }
            '[' if rest.starts_with("[[")
                && !rest[2..].starts_with(|char: char| char.is_ascii_digit() || char == '-') =>
            {
                let end = rest.find("]]").expect("closing brackets");
                (Token::Bracketed(rest[2..end].to_owned()), end + 2)
            }
            _ => {
                let sign = SIGNS[..18].iter().find(|sign| rest.starts_with(**sign)).expect("a sign");
                (Token::Sign(sign), sign.len())
            }
        };
        tokens.push((token, span(at, at + length)));
        at += length;
    }
    tokens.push((Token::End, span(at, at)));
    tokens
}

fn span(start: usize, end: usize) -> Span {
    Span { start: u32::try_from(start).expect("short"), end: u32::try_from(end).expect("short") }
}

impl Reader {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn next(&mut self) -> (Token, Span) {
        self.at += 1;
        self.tokens[self.at - 1].clone()
    }

    fn end(&self) -> u32 {
        self.tokens[self.at - 1].1.end
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(own) if own.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(own) if *own == sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, found: bool) {
        assert!(found, "unexpected {:?}", self.tokens[self.at]);
    }

    fn must_word(&mut self, word: &str) {
        let found = self.word(word);
        self.expect(found);
    }

    fn must_sign(&mut self, sign: &str) {
        let found = self.sign(sign);
        self.expect(found);
    }

    fn name(&mut self) -> Name {
        match self.next() {
            (Token::Word(text) | Token::Bracketed(text), span) => Name { text, span },
            other => panic!("no name: {other:?}"),
        }
    }

    fn list<T>(&mut self, one: fn(&mut Self) -> T) -> Vec<T> {
        let mut all = vec![one(self)];
        while self.sign(",") {
            all.push(one(self));
        }
        all
    }

    fn select(mut self) -> Select {
        self.must_word("SELECT");
        let distinct = self.word("DISTINCT");
        let top = self.word("TOP").then(|| self.integer().try_into().expect("in range"));
        let elements = if self.sign("*") { Elements::All } else { Elements::List(self.list(Self::element)) };
        self.must_word("FROM");
        let mut collection = self.name();
        if self.sign(".") {
            let second = self.name();
            collection = Name { text: format!("{}.{}", collection.text, second.text), span: collection.span };
        }
        let join = self.word("JOIN").then(|| self.name());
        let as_of = self.word("AS").then(|| self.as_of());
        let filter = self.word("WHERE").then(|| self.expr());
        let mut group_by = Vec::new();
        if self.word("GROUP") {
            self.must_word("BY");
            group_by = self.list(Self::expr);
        }
        let having = self.word("HAVING").then(|| self.expr());
        let mut order_by = Vec::new();
        if self.word("ORDER") {
            self.must_word("BY");
            order_by = self.list(|reader| {
                let expr = reader.expr();
                OrderKey { expr, descending: reader.word("DESC") }
            });
        }
        let ended = *self.peek() == Token::End;
        self.expect(ended);
        let from = From { collection, join, as_of };
        Select { distinct, top, elements, from, filter, group_by, having, order_by }
    }

    fn integer(&mut self) -> u64 {
        match self.next() {
            (Token::Number(text), _) => text.parse().expect("an integer"),
            other => panic!("no integer: {other:?}"),
        }
    }

    fn as_of(&mut self) -> AsOf {
        self.must_word("OF");
        if self.word("REVISION") {
            return AsOf::Revision(self.integer());
        }
        self.must_word("TIME");
        match self.next() {
            (Token::Text(text), span) => AsOf::Time(text, span),
            other => panic!("no time: {other:?}"),
        }
    }

    fn element(&mut self) -> Element {
        let expr = self.expr();
        Element { expr, alias: self.word("AS").then(|| self.name()) }
    }

    fn expr(&mut self) -> Expr {
        self.level(0)
    }

    fn binary(&mut self, level: usize, left: Expr, op: BinaryOp) -> Expr {
        let right = self.level(level + 1);
        let span = Span { start: left.span.start, end: right.span.end };
        Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), span }
    }

    /// 0 OR, 1 AND, 2 NOT, 3 comparison, 4 sums, 5 products, 6 operands.
    fn level(&mut self, level: usize) -> Expr {
        let start = self.tokens[self.at].1.start;
        match level {
            2 if self.word("NOT") => {
                let operand = self.level(2);
                return self.made(start, ExprKind::Not(Box::new(operand)));
            }
            6 => return self.operand(),
            _ => {}
        }
        let mut left = self.level(level + 1);
        let ops: &[(&str, BinaryOp)] = match level {
            0 => &[("OR", BinaryOp::Or)],
            1 => &[("AND", BinaryOp::And)],
            4 => &[("+", BinaryOp::Add), ("-", BinaryOp::Subtract)],
            5 => &[("*", BinaryOp::Multiply), ("/", BinaryOp::Divide), ("%", BinaryOp::Remainder)],
            3 => return self.comparison(left),
            _ => return left,
        };
        while let Some((_, op)) = ops.iter().find(|(text, _)| self.sign(text) || self.word(text)) {
            left = self.binary(level, left, *op);
        }
        left
    }

    fn comparison(&mut self, left: Expr) -> Expr {
        use BinaryOp::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        let ops =
            [("=", Equal), ("!=", NotEqual), ("<=", LessOrEqual), (">=", GreaterOrEqual), ("<", Less), (">", Greater)];
        if let Some((_, op)) = ops.into_iter().find(|(text, _)| self.sign(text)) {
            return self.binary(3, left, op);
        }
        let start = left.span.start;
        let not = self.word("NOT");
        let left = Box::new(left);
        let kind = if self.word("IN") {
            ExprKind::In(left, Box::new(self.level(4)))
        } else if self.word("NIN") {
            let list = Box::new(self.level(4));
            let inner = self.made(start, ExprKind::In(left, list));
            ExprKind::Not(Box::new(inner))
        } else if self.word("BETWEEN") {
            let low = Box::new(self.level(4));
            self.must_word("AND");
            ExprKind::Between(left, low, Box::new(self.level(4)))
        } else if self.word("LIKE") {
            match self.next() {
                (Token::Text(pattern), _) => ExprKind::Like { value: left, pattern, escape: None },
                other => panic!("no pattern: {other:?}"),
            }
        } else {
            return *left;
        };
        let found = self.made(start, kind);
        if not { self.made(start, ExprKind::Not(Box::new(found))) } else { found }
    }

    fn made(&self, start: u32, kind: ExprKind) -> Expr {
        Expr { kind, span: Span { start, end: self.end() } }
    }

    fn operand(&mut self) -> Expr {
        let (token, place) = self.next();
        let start = place.start;
        let kind = match token {
            Token::Number(text) => number(&text),
            Token::Text(text) => ExprKind::String(text),
            Token::Sign("-") => match self.operand().kind {
                ExprKind::Int(value) => ExprKind::Int(-value),
                ExprKind::Float(value) => ExprKind::Float(-value),
                other => panic!("only numbers have a sign here: {other:?}"),
            },
            Token::Sign("(") => {
                let inner = self.expr();
                self.must_sign(")");
                return inner;
            }
            Token::Sign("[") => {
                let items = self.list(Self::expr);
                self.must_sign("]");
                ExprKind::Array(items)
            }
            Token::Word(word) => return self.named(&word, place),
            other => panic!("no operand: {other:?}"),
        };
        self.made(start, kind)
    }

    fn named(&mut self, word: &str, place: Span) -> Expr {
        let kind = match word.to_ascii_uppercase().as_str() {
            "TRUE" => ExprKind::Bool(true),
            "FALSE" => ExprKind::Bool(false),
            "NULL" => ExprKind::Null,
            "UNDEFINED" => ExprKind::Undefined,
            quantifier @ ("ANY" | "ALL") => {
                let variable = self.name();
                self.must_word("IN");
                let list = Box::new(self.level(4));
                self.must_word("SATISFIES");
                ExprKind::Quantified { all: quantifier == "ALL", variable, list, condition: Box::new(self.expr()) }
            }
            _ if self.sign("(") => {
                let distinct = self.word("DISTINCT");
                let star = self.sign("*");
                let none = star || matches!(self.peek(), Token::Sign(")"));
                let arguments = if none { Vec::new() } else { self.list(Self::expr) };
                self.must_sign(")");
                ExprKind::Call { name: Name { text: word.to_owned(), span: place }, distinct, star, arguments }
            }
            _ => {
                let mut names = vec![Name { text: word.to_owned(), span: place }];
                while self.sign(".") {
                    names.push(self.name());
                }
                ExprKind::Path(names)
            }
        };
        self.made(place.start, kind)
    }
}

fn number(text: &str) -> ExprKind {
    text.parse().map(ExprKind::Int).unwrap_or_else(|_| ExprKind::Float(text.parse().expect("a number")))
}
