//! The clauses of a query, in their order.

use super::{Parser, Result};
use crate::error::{Code, QueryError, nearest};
use crate::syntax::ast::{AsOf, Element, Elements, Expr, ExprKind, From, Name, OrderKey, Select};
use crate::syntax::keyword::is_reserved_in_front;
use crate::syntax::lexer::{Kind, Symbol};

const TOP_MAX: u32 = i32::MAX.unsigned_abs();
/// What may follow a condition besides clauses.
const LOGIC: [&str; 2] = ["AND", "OR"];

impl Parser<'_> {
    pub(super) fn select(&mut self) -> Result<Select> {
        self.expect_word("SELECT")?;
        let distinct = self.take_word("DISTINCT");
        let top = if self.take_word("TOP") { Some(self.top()?) } else { None };
        let elements = self.elements()?;
        let from = self.from(&elements)?;
        let filter = if self.take_word("WHERE") { Some(self.expression()?.expr) } else { None };
        let mut follow = Follow::of(&from, filter.is_some());
        let group_by = self.group_by(&mut follow)?;
        let having = self.having(&mut follow, !group_by.is_empty())?;
        let order_by = self.order_by(&mut follow)?;
        self.end(&follow.0)?;
        Ok(Select { distinct, top, elements, from, filter, group_by, having, order_by })
    }

    fn top(&mut self) -> Result<u32> {
        let Kind::Int(value) = self.token(0).kind else { return Err(self.unexpected(&["a number after TOP"])) };
        let value = u32::try_from(value).ok().filter(|value| (1..=TOP_MAX).contains(value)).ok_or_else(|| {
            let message = format!("TOP takes a number from 1 to {TOP_MAX}");
            QueryError::new(Code::Invalid, self.span(), message)
        })?;
        self.advance();
        Ok(value)
    }

    fn elements(&mut self) -> Result<Elements> {
        if self.take(Symbol::Star) {
            return Ok(Elements::All);
        }
        let limit = self.limits.elements;
        self.list("elements of SELECT", limit, Self::element).map(Elements::List)
    }

    fn element(&mut self) -> Result<Element> {
        let expr = self.expression()?.expr;
        let alias = if self.take_word("AS") {
            Some(self.name(false, "a name after AS")?)
        } else if matches!(self.token(0).kind, Kind::Name(_)) || self.word(0).is_some_and(|w| !is_reserved_in_front(w))
        {
            Some(self.name(true, "a name")?)
        } else {
            None
        };
        Ok(Element { expr, alias })
    }

    fn from(&mut self, elements: &Elements) -> Result<From> {
        if !self.take_word("FROM") {
            return Err(self.no_from(elements));
        }
        let collection = self.collection()?;
        let join = if self.take_word("JOIN") { Some(self.name(true, "a name after JOIN")?) } else { None };
        let as_of = if self.take_word("AS") { Some(self.as_of()?) } else { None };
        Ok(From { collection, join, as_of })
    }

    /// A misspelt `FROM` has been taken for an alias, and so has a misspelt `DISTINCT` or `TOP` for an element.
    fn no_from(&self, elements: &Elements) -> QueryError {
        let last = match elements {
            Elements::List(list) => list.last(),
            Elements::All => None,
        };
        let alias = last.and_then(|element| element.alias.as_ref());
        if let Some(error) = self.no_modifier(elements) {
            return error;
        }
        let misspelt = alias.filter(|name| self.word(0).is_some() && nearest(&name.text, ["FROM"]).is_some());
        match misspelt {
            Some(name) if self.token(0).kind != Kind::Broken => {
                let message = format!("expected `,` or FROM, found `{}`", name.text);
                QueryError::new(Code::Syntax, name.span, message).with_help("did you mean FROM?")
            }
            _ if matches!(elements, Elements::All) => self.unexpected(&["FROM"]),
            _ if alias.is_some() => self.unexpected(&["`,`", "FROM"]),
            _ => self.unexpected(&["AS", "`,`", "FROM"]),
        }
    }

    /// `DISTINT tags.a`, `TPO 5 a`: the word has been taken for the first element.
    fn no_modifier(&self, elements: &Elements) -> Option<QueryError> {
        let Elements::List(list) = elements else { return None };
        let [Element { expr: Expr { kind: ExprKind::Path(path), .. }, .. }] = list.as_slice() else { return None };
        let [name] = path.as_slice() else { return None };
        let keyword = self.before_elements(&name.text)?;
        let message = format!("expected {keyword} or an element of SELECT, found `{}`", name.text);
        let error = QueryError::new(Code::Syntax, name.span, message);
        Some(error.with_help(format!("did you mean {keyword}?")))
    }

    /// Names with dots between, as one name.
    fn collection(&mut self) -> Result<Name> {
        let start = self.span().start;
        let mut text = String::new();
        loop {
            if self.word(0).is_none() {
                return Err(self.unexpected(&["the name of a collection"]));
            }
            text.push_str(&self.name(text.is_empty(), "the name of a collection")?.text.to_ascii_lowercase());
            if !self.take(Symbol::Dot) {
                return Ok(Name { text, span: self.since(start) });
            }
            text.push('.');
        }
    }

    fn as_of(&mut self) -> Result<AsOf> {
        if !self.take_word("OF") {
            return Err(self.unexpected(&["OF"]).with_help("a collection has no alias; AS OF tells which past"));
        }
        if self.take_word("TIME") {
            let span = self.span();
            let Kind::String(text) = &self.token(0).kind else {
                return Err(self.unexpected(&["a time as a string, such as '2026-11-26T22:05:21Z'"]));
            };
            let text = text.clone();
            self.advance();
            return Ok(AsOf::Time(text, span));
        }
        if !self.take_word("REVISION") {
            return Err(self.unexpected(&["REVISION", "TIME"]));
        }
        let Kind::Int(revision) = self.token(0).kind else {
            return Err(self.unexpected(&["a number after REVISION"]));
        };
        self.advance();
        Ok(AsOf::Revision(revision))
    }

    fn group_by(&mut self, follow: &mut Follow) -> Result<Vec<Expr>> {
        if !self.take_word("GROUP") {
            return Ok(Vec::new());
        }
        self.expect_word("BY")?;
        *follow = Follow(vec!["`,`", "HAVING", "ORDER BY"]);
        let limit = self.limits.keys;
        self.list("keys of GROUP BY", limit, |parser| Ok(parser.expression()?.expr))
    }

    fn having(&mut self, follow: &mut Follow, grouped: bool) -> Result<Option<Expr>> {
        if !self.is_word(0, "HAVING") {
            return Ok(None);
        }
        if !grouped {
            return Err(self.unexpected(&follow.0).with_help("HAVING stands after GROUP BY; rows are kept by WHERE"));
        }
        self.advance();
        *follow = Follow([&LOGIC[..], &["ORDER BY"]].concat());
        Ok(Some(self.expression()?.expr))
    }

    fn order_by(&mut self, follow: &mut Follow) -> Result<Vec<OrderKey>> {
        if !self.take_word("ORDER") {
            return Ok(Vec::new());
        }
        self.expect_word("BY")?;
        *follow = Follow(vec!["ASC", "DESC", "`,`"]);
        let limit = self.limits.keys;
        self.list("keys of ORDER BY", limit, |parser| {
            let expr = parser.expression()?.expr;
            let descending = parser.take_word("DESC");
            if !descending {
                parser.take_word("ASC");
            }
            Ok(OrderKey { expr, descending })
        })
    }
}

/// What may stand after the clauses read so far.
struct Follow(Vec<&'static str>);

impl Follow {
    fn of(from: &From, filtered: bool) -> Self {
        let mut words = match from {
            _ if filtered => LOGIC.to_vec(),
            From { as_of: Some(_), .. } => vec!["WHERE"],
            From { join: Some(_), .. } => vec!["AS OF", "WHERE"],
            _ => vec!["JOIN", "AS OF", "WHERE"],
        };
        words.extend(["GROUP BY", "ORDER BY"]);
        Self(words)
    }
}
