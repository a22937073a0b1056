//! Which collection, relation, member or variable a name means.

use crate::error::{Code, QueryError, nearest};
use crate::plan::{Expr, Path, Root};
use crate::schema::{Collection, Relation, Schema};
use crate::syntax::ast::{self, ExprKind, Name, Span};

use super::binder::Binder;

/// The collection of `FROM`.
pub(super) fn collection<'s>(name: &Name, schema: &'s Schema) -> Result<&'s Collection, QueryError> {
    schema.collection(&name.text).ok_or_else(|| {
        let known: Vec<&str> = schema.collections.iter().map(|collection| collection.name).collect();
        unknown(format!("there is no collection `{}`", name.text), name.span, &name.text, &known, "collections")
    })
}

/// The relation of `JOIN`.
pub(super) fn relation<'s>(name: &Name, collection: &'s Collection) -> Result<&'s Relation, QueryError> {
    let found = collection.relations.iter().find(|relation| relation.name.eq_ignore_ascii_case(&name.text));
    found.ok_or_else(|| {
        let message = format!("`{}` has no relation `{}`", collection.name, name.text);
        let known: Vec<&str> = collection.relations.iter().map(|relation| relation.name).collect();
        if known.is_empty() {
            return QueryError::new(Code::UnknownName, name.span, message).with_help("nothing can be joined to it");
        }
        unknown(message, name.span, &name.text, &known, "relations")
    })
}

/// An error about a name: the nearest one, and all of them when they are few.
pub(super) fn unknown(message: String, span: Span, name: &str, known: &[&str], what: &str) -> QueryError {
    /// Longest list that is shown.
    const LIST_CHARS_MAX: usize = 200;
    let near = nearest(name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    let list = format!("{what}: {}", known.join(", "));
    let list = (list.len() <= LIST_CHARS_MAX).then_some(list);
    let help: Vec<String> = near.into_iter().chain(list).collect();
    QueryError::new(Code::UnknownName, span, message).with_help(help.join(" "))
}

impl<'a> Binder<'a> {
    /// The value of a path: of a variable, an alias, the joined row or the row.
    pub(super) fn path(&mut self, names: &'a [Name], span: Span) -> Result<Expr, QueryError> {
        let Some((first, rest)) = names.split_first() else {
            return Err(QueryError::new(Code::Syntax, span, "a path has at least one name"));
        };
        if let Some(depth) = self.variables.iter().rposition(|variable| *variable == first.text) {
            return Ok(Expr::Path(Path { root: Root::Variable(depth), names: texts(rest) }));
        }
        if let Some(element) = self.alias(&first.text) {
            return self.aliased(element, first, rest);
        }
        let path = self.row_path(first, rest)?;
        if self.is_grouped() {
            let shown = texts(names).join(".");
            let message = format!("`{shown}` is neither a key of GROUP BY nor inside an aggregate");
            return Err(QueryError::new(Code::Invalid, span, message)
                .with_help(format!("group by it, or take an aggregate of it, such as MAX({shown})")));
        }
        Ok(Expr::Path(path))
    }

    fn alias(&self, name: &str) -> Option<&'a ast::Element> {
        self.aliases.iter().find(|element| element.alias.as_ref().is_some_and(|alias| alias.text == name))
    }

    /// What an alias stands for; inside of it names are members again.
    fn aliased(&mut self, element: &'a ast::Element, first: &Name, rest: &'a [Name]) -> Result<Expr, QueryError> {
        let aliases = std::mem::take(&mut self.aliases);
        let variables = std::mem::take(&mut self.variables);
        let bound = self.expr(&element.expr);
        (self.aliases, self.variables) = (aliases, variables);
        match bound? {
            bound if rest.is_empty() => Ok(bound),
            Expr::Path(path) if matches!(element.expr.kind, ExprKind::Path(_)) => {
                Ok(Expr::Path(Path { root: path.root, names: path.names.into_iter().chain(texts(rest)).collect() }))
            }
            _ => Err(QueryError::new(
                Code::Invalid,
                first.span,
                format!("`{}` stands for a value that has no members here", first.text),
            )
            .with_help("an alias of SELECT hides the member of the same name in ORDER BY")),
        }
    }

    fn row_path(&self, first: &Name, rest: &[Name]) -> Result<Path, QueryError> {
        let is = |name: &str| name.eq_ignore_ascii_case(&first.text);
        if self.relation.is_some_and(|relation| is(relation.name)) {
            return Ok(Path { root: Root::Joined, names: texts(rest) });
        }
        let start: Vec<&str> = if let Some(member) = self.collection.members.iter().find(|member| is(member)) {
            vec![*member]
        } else if let Some((_, path)) = self.collection.shortcuts.iter().find(|(name, _)| is(name)) {
            path.to_vec()
        } else {
            return Err(self.unknown_member(first));
        };
        let start = start.into_iter().map(str::to_owned);
        Ok(Path { root: Root::Row, names: start.chain(texts(rest)).collect() })
    }

    fn unknown_member(&self, name: &Name) -> QueryError {
        let message = format!("`{}` has no member `{}`", self.collection.name, name.text);
        if let Some(relation) =
            self.collection.relations.iter().find(|relation| relation.name.eq_ignore_ascii_case(&name.text))
        {
            let help = format!("FROM {} JOIN {} gives it one", self.collection.name, relation.name);
            return QueryError::new(Code::UnknownName, name.span, message).with_help(help);
        }
        let aliases = self.aliases.iter().filter_map(|element| element.alias.as_ref()).map(|alias| alias.text.as_str());
        let known: Vec<&str> = self
            .collection
            .members
            .iter()
            .copied()
            .chain(self.collection.shortcuts.iter().map(|(name, _)| *name))
            .chain(self.relation.map(|relation| relation.name))
            .chain(self.variables.iter().copied())
            .chain(aliases)
            .collect();
        unknown(message, name.span, &name.text, &known, "members")
    }
}

fn texts(names: &[Name]) -> Vec<String> {
    names.iter().map(|name| name.text.clone()).collect()
}
