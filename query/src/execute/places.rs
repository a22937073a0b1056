//! Which path of a plan lies where: in a column, nowhere, or in documents only. Found once for all rows.

use super::{Collected, Input};
use crate::column::{ColumnId, Lookup};
use crate::plan::{Expr, Output, Path, Plan, Root};

/// Where the values of a path are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a column.
    Column(ColumnId),
    /// No row has any.
    Nowhere,
    /// In the documents.
    Document,
}

/// All paths of a plan with their places.
pub(super) struct Places<'p> {
    known: Vec<(&'p Path, Place)>,
    /// The key of the joined row.
    pub(super) join_key: Option<Place>,
}

impl<'p> Places<'p> {
    pub(super) fn new(input: &Input<'p>) -> Self {
        let mut known = Vec::new();
        let join_key = input.plan.relation.map(|relation| {
            let names: Vec<String> = relation.key.iter().map(|name| (*name).to_owned()).collect();
            lookup(&input.from, &names)
        });
        each_path(input.plan, &mut |path| {
            let place = match (path.root, &input.joined) {
                (Root::Row, _) => lookup(&input.from, &path.names),
                (Root::Joined, Some(joined)) => lookup(joined, &path.names),
                (Root::Joined | Root::Variable(_), _) => Place::Nowhere,
            };
            known.push((path, place));
        });
        Self { known, join_key }
    }

    /// The place of a path of the plan.
    pub(super) fn of(&self, path: &Path) -> Place {
        let same = self.known.iter().find(|(known, _)| std::ptr::eq(*known, path));
        same.or_else(|| self.known.iter().find(|(known, _)| *known == path))
            .map_or(Place::Document, |(_, place)| *place)
    }

    /// The path of a column.
    pub(super) fn name(&self, column: ColumnId) -> String {
        let of_row = self.known.iter().find(|(path, place)| path.root == Root::Row && *place == Place::Column(column));
        of_row.map_or_else(String::new, |(path, _)| path.names.join("."))
    }

    /// Paths that lie in documents only, each once.
    pub(super) fn in_documents(&self) -> Vec<&'p Path> {
        let mut paths: Vec<&Path> = Vec::new();
        for (path, place) in &self.known {
            if *place == Place::Document && !paths.contains(path) {
                paths.push(path);
            }
        }
        paths
    }
}

fn lookup(rows: &Collected<'_>, names: &[String]) -> Place {
    if names.is_empty() || rows.collection.is_documents_only(names) {
        return Place::Document;
    }
    match rows.snapshot.lookup(names) {
        Lookup::Column(column) => Place::Column(column),
        Lookup::Nowhere => Place::Nowhere,
        Lookup::Uncovered => Place::Document,
    }
}

/// Calls `visit` with each path of the plan.
fn each_path<'p>(plan: &'p Plan, visit: &mut impl FnMut(&'p Path)) {
    let mut within = |expr: &'p Expr| paths_of(expr, visit);
    plan.filter.iter().for_each(&mut within);
    plan.order.iter().for_each(|key| within(&key.expr));
    match &plan.output {
        Output::Documents => {}
        Output::Rows(elements) => elements.iter().for_each(|element| within(&element.expr)),
        Output::Groups { keys, aggregates, .. } => {
            keys.iter().for_each(&mut within);
            aggregates.iter().filter_map(crate::plan::Aggregate::argument).for_each(&mut within);
        }
    }
    plan.matches.iter().for_each(|(path, _)| visit(path));
}

/// Calls `visit` with each path in an expression.
pub(super) fn paths_of<'p>(expr: &'p Expr, visit: &mut impl FnMut(&'p Path)) {
    if let Expr::Path(path) = expr {
        visit(path);
    }
    expr.each_child(&mut |child| paths_of(child, visit));
}
