//! Which expression is a key of `GROUP BY`: the one that is written alike but for the spelling of what has no case, and shortcuts.

use muster_query::syntax::ast::{Expr, ExprKind, Name};
use muster_query::syntax::print_condition;

use super::{Scope, V, member_name};

/// The value that stands for the group, when the expression is one of its keys.
pub(super) fn value(expr: &Expr, scope: &Scope<'_>) -> Option<V> {
    scope.group?;
    let is_variable = |names: &[Name]| scope.variables.iter().any(|(own, _)| *own == names[0].text);
    let is_alias = |names: &[Name]| {
        let mut aliases = scope.aliases.iter().flat_map(|element| &element.alias);
        aliases.any(|alias| alias.text == names[0].text)
    };
    match &expr.kind {
        ExprKind::Path(names) if is_variable(names) || is_alias(names) => return None,
        ExprKind::Path(_) => {}
        // It may be about a variable, or an alias.
        _ if !scope.variables.is_empty() || !scope.aliases.is_empty() => return None,
        _ => {}
    }
    let text = plain(expr);
    scope.keys.iter().find(|(own, _)| *own == text).map(|(_, value)| value.clone())
}

/// An expression in one spelling.
pub(super) fn plain(expr: &Expr) -> String {
    let mut expr = expr.clone();
    respell(&mut expr);
    print_condition(&expr)
}

fn respell(expr: &mut Expr) {
    match &mut expr.kind {
        ExprKind::Path(names) => {
            names[0].text = member_name(&names[0].text);
            if ["desired", "reported"].contains(&names[0].text.as_str()) {
                names.insert(0, Name { text: "properties".to_owned(), span: names[0].span });
            }
        }
        ExprKind::Not(inner) | ExprKind::Negate(inner) | ExprKind::Like { value: inner, .. } => respell(inner),
        ExprKind::Binary(_, a, b) | ExprKind::In(a, b) => [a, b].into_iter().for_each(|part| respell(part)),
        ExprKind::Between(a, b, c) => [a, b, c].into_iter().for_each(|part| respell(part)),
        ExprKind::Quantified { list, condition, .. } => [list, condition].into_iter().for_each(|part| respell(part)),
        ExprKind::Array(items) => items.iter_mut().for_each(respell),
        ExprKind::Call { name, arguments, .. } => {
            name.text = name.text.to_uppercase();
            arguments.iter_mut().for_each(respell);
        }
        _ => {}
    }
}
