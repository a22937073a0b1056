//! The members of the answer: their names, and what `DISTINCT` leaves to order by.

use crate::error::{Code, QueryError};
use crate::plan::{Element, Expr, Order, Output, Path, Root};
use crate::syntax::ast::{self, ExprKind, Span};

use super::binder::Binder;
use super::fold::children;

/// Binds what is selected and names it.
pub(super) fn elements<'a>(binder: &mut Binder<'a>, written: &'a [ast::Element]) -> Result<Vec<Element>, QueryError> {
    let mut elements: Vec<Element> = Vec::with_capacity(written.len());
    let mut nameless = 0;
    for element in written {
        let expr = binder.expr(&element.expr)?;
        let (name, span) = name(element, binder, &mut nameless);
        if elements.iter().any(|earlier| earlier.name == name) {
            return Err(QueryError::new(Code::Invalid, span, format!("two members of the answer are called `{name}`"))
                .with_help("give one of them another name with AS"));
        }
        elements.push(Element { name, expr });
    }
    Ok(elements)
}

/// The alias, or the last name of a path, or `$n`.
fn name(element: &ast::Element, binder: &Binder<'_>, nameless: &mut usize) -> (String, Span) {
    if let Some(alias) = &element.alias {
        return (alias.text.clone(), alias.span);
    }
    match &element.expr.kind {
        ExprKind::Path(names) => match names.as_slice() {
            [only] => (binder.spelled(&only.text), element.expr.span),
            [.., last] => (last.text.clone(), element.expr.span),
            [] => (String::new(), element.expr.span),
        },
        _ => {
            *nameless += 1;
            (format!("${nameless}"), element.expr.span)
        }
    }
}

impl Binder<'_> {
    /// A name of the first level as the schema spells it.
    fn spelled(&self, name: &str) -> String {
        let members = self.collection.members.iter().copied();
        let relation = self.relation.map(|relation| relation.name);
        let shortcuts = self.collection.shortcuts.iter().map(|(name, _)| *name);
        let mut known = relation.into_iter().chain(members).chain(shortcuts);
        known.find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(name).to_owned()
    }
}

/// With `DISTINCT` only what is selected can order: rows that are one could differ in anything else.
pub(super) fn check_distinct(select: &ast::Select, output: &Output, order: &[Order]) -> Result<(), QueryError> {
    let (Output::Rows(elements) | Output::Groups { elements, .. }) = output else { return Ok(()) };
    for (order, written) in order.iter().zip(&select.order_by) {
        if !follows(&order.expr, elements) {
            let message = "with DISTINCT, ORDER BY can only use what is selected";
            return Err(QueryError::new(Code::Invalid, written.expr.span, message)
                .with_help("select it as well, or leave DISTINCT out"));
        }
    }
    Ok(())
}

/// Whether a value follows from the elements.
fn follows(expr: &Expr, elements: &[Element]) -> bool {
    if elements.iter().any(|element| element.expr == *expr) {
        return true;
    }
    match expr {
        Expr::Constant(_) => true,
        Expr::Path(path) => {
            matches!(path.root, Root::Variable(_)) || elements.iter().any(|element| leads_to(&element.expr, path))
        }
        Expr::Key(_) | Expr::Aggregate(_) | Expr::Score | Expr::Match(_) => false,
        _ => children(expr).into_iter().all(|child| follows(child, elements)),
    }
}

/// Whether `path` lies within what is selected.
fn leads_to(selected: &Expr, path: &Path) -> bool {
    matches!(selected, Expr::Path(selected) if selected.root == path.root && path.names.starts_with(&selected.names))
}
