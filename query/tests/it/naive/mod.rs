//! The language as a plain evaluator over JSON: `docs/language.md` sentence by sentence, without plans, columns or haste. It shares no
//! rule with the engine, only the parser's tree.
//!
//! Undefined is `None`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use muster_query::syntax::ast::{AsOf, BinaryOp, Element, Elements, Expr, ExprKind, Select};
use serde_json::{Map, Value as Json, json};

mod aggregates;
mod compare;
mod dates;
mod functions;
mod keys;
pub(crate) mod numbers;
mod paths;
mod places;
mod texts;

use compare::{compare, or, same, total};
use numbers::number;
use paths::{member_name, path};

/// All documents of a collection by id.
pub(crate) type Documents = BTreeMap<String, Json>;

/// What can be asked.
pub(crate) struct Fleet {
    /// By name of the collection.
    pub(crate) collections: BTreeMap<&'static str, Documents>,
    pub(crate) now_ms: i64,
}

/// One row of an answer, with the id of the row it comes from (empty for groups and distinct rows).
pub(crate) type Answer = Vec<(String, Json)>;

type V = Option<Json>;

/// What an expression sees.
#[derive(Clone)]
struct Scope<'a> {
    fleet: &'a Fleet,
    /// The document, with the joined one as a member.
    row: &'a Json,
    /// Rows of the group, for aggregates.
    group: Option<&'a [&'a Json]>,
    /// Keys of the group, as [`keys::plain`] writes them, with their values.
    keys: &'a [(String, V)],
    variables: Vec<(String, Json)>,
    /// What has an alias: in `ORDER BY` only.
    aliases: &'a [Element],
    score: f64,
}

impl<'a> Scope<'a> {
    fn of_row(fleet: &'a Fleet, row: &'a Json) -> Self {
        Self { fleet, row, group: None, keys: &[], variables: Vec::new(), aliases: &[], score: 0.0 }
    }

    /// The same where aliases of `SELECT` can be named.
    fn ordering(&self, select: &'a Select) -> Self {
        let aliases = if let Elements::List(list) = &select.elements { list.as_slice() } else { &[] };
        Self { aliases, ..self.clone() }
    }
}

/// The answer of a query, or why it has none that the data alone could tell.
pub(crate) fn answer(fleet: &Fleet, select: &Select) -> Answer {
    assert!(!matches!(select.from.as_of, Some(AsOf::Time(..))), "the caller hands in the documents of that time");
    let rows = rows(fleet, select);
    let scope = |row| Scope::of_row(fleet, row);
    let statistics = texts::statistics(fleet, select.filter.as_ref(), &rows);
    let kept: Vec<(&String, &Json)> = rows
        .iter()
        .filter(|(_, row)| select.filter.as_ref().is_none_or(|filter| value(filter, &scope(row)) == Some(json!(true))))
        .collect();
    let is_grouped = !select.group_by.is_empty() || holds_aggregate(select);
    let mut out = if is_grouped {
        aggregates::grouped(fleet, select, &kept)
    } else {
        kept.iter()
            .map(|(id, row)| {
                let mut scope = scope(row);
                scope.score = texts::score(&statistics, &scope);
                let elements = elements(select, &scope);
                let scope = scope.ordering(select);
                let order = select.order_by.iter().map(|key| value(&key.expr, &scope)).collect();
                Made { id: (*id).clone(), order, own: vec![Some(json!(id))], elements, row: Some((*row).clone()) }
            })
            .collect()
    };
    if select.distinct {
        let mut different: Vec<Made> = Vec::new();
        for mut made in out {
            made.own = made.elements.iter().map(|(_, value)| value.clone()).collect();
            if select.elements == Elements::All {
                made.own = vec![made.row.clone()];
            }
            made.id = String::new();
            if !different.iter().any(|other| {
                other.own.len() == made.own.len() && other.own.iter().zip(&made.own).all(|(a, b)| same(a, b))
            }) {
                different.push(made);
            }
        }
        out = different;
    }
    out.sort_by(|a, b| {
        let keys = select.order_by.iter().zip(a.order.iter().zip(&b.order)).map(|(key, (a, b))| {
            let order = total(a, b);
            if key.descending { order.reverse() } else { order }
        });
        let own = a.own.iter().zip(&b.own).map(|(a, b)| total(a, b));
        keys.chain(own).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    out.truncate(select.top.map_or(usize::MAX, |top| top as usize));
    out.into_iter().map(|made| shown(select, made)).collect()
}

/// A row of the answer before it is ordered.
struct Made {
    id: String,
    order: Vec<V>,
    /// What it is ordered by last.
    own: Vec<V>,
    elements: Vec<(String, V)>,
    row: Option<Json>,
}

fn shown(select: &Select, made: Made) -> (String, Json) {
    if select.elements == Elements::All {
        return (made.id, made.row.unwrap_or_default());
    }
    let mut object = Map::new();
    for (name, value) in made.elements {
        let stands_for_many = select.distinct;
        if let Some(value) = value {
            object.insert(name, if stands_for_many { aggregates::representative(value) } else { value });
        }
    }
    (made.id, Json::Object(object))
}

/// All rows, with what is joined.
fn rows(fleet: &Fleet, select: &Select) -> Documents {
    let of = |name: &str| fleet.collections.get(name).cloned().unwrap_or_default();
    let mut rows = of(&select.from.collection.text);
    if select.from.join.is_some() {
        let devices = of("devices");
        for row in rows.values_mut() {
            let device = row["deviceRef"]["deviceName"].as_str().and_then(|id| devices.get(id)).cloned();
            if let (Some(device), Json::Object(members)) = (device, row) {
                members.insert("device".to_owned(), device);
            }
        }
    }
    rows
}

fn elements(select: &Select, scope: &Scope<'_>) -> Vec<(String, V)> {
    let Elements::List(list) = &select.elements else { return Vec::new() };
    let mut nameless = 0;
    let mut element = |element: &Element| {
        let own = match (&element.alias, &element.expr.kind) {
            (Some(alias), _) => alias.text.clone(),
            (None, ExprKind::Path(names)) => {
                let last = names.last().expect("a path has a name").text.clone();
                if names.len() == 1 { member_name(&last) } else { last }
            }
            (None, _) => {
                nameless += 1;
                format!("${nameless}")
            }
        };
        (own, value(&element.expr, scope))
    };
    list.iter().map(&mut element).collect()
}

fn holds_aggregate(select: &Select) -> bool {
    let Elements::List(list) = &select.elements else { return false };
    list.iter().any(|element| aggregates::is_inside(&element.expr))
        || select.having.is_some()
        || select.order_by.iter().any(|key| aggregates::is_inside(&key.expr))
}

fn truth(value: &V) -> Option<bool> {
    value.as_ref().and_then(Json::as_bool)
}

fn boolean(truth: Option<bool>) -> V {
    truth.map(Json::Bool)
}

fn value(expr: &Expr, scope: &Scope<'_>) -> V {
    if let Some(key) = keys::value(expr, scope) {
        return key;
    }
    let of = |expr: &Expr| value(expr, scope);
    match &expr.kind {
        ExprKind::Undefined => None,
        ExprKind::Null => Some(Json::Null),
        ExprKind::Bool(value) => Some(json!(value)),
        ExprKind::Int(value) => Some(json!(value)),
        ExprKind::Float(value) => Some(json!(value)),
        ExprKind::String(text) => Some(json!(text)),
        ExprKind::Array(items) => Some(Json::Array(items.iter().filter_map(of).collect())),
        ExprKind::Path(names) => path(names, scope),
        ExprKind::Not(inner) => boolean(truth(&of(inner)).map(|truth| !truth)),
        ExprKind::Negate(inner) => numbers::negate(&of(inner)),
        ExprKind::Binary(BinaryOp::And, a, b) => boolean(match (truth(&of(a)), truth(&of(b))) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }),
        ExprKind::Binary(BinaryOp::Or, a, b) => boolean(or(truth(&of(a)), truth(&of(b)))),
        ExprKind::Binary(
            op @ (BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Remainder),
            a,
            b,
        ) => numbers::arithmetic(*op, &of(a), &of(b)),
        ExprKind::Binary(op, a, b) => boolean(compare(*op, &of(a), &of(b))),
        ExprKind::In(a, list) => boolean(is_in(&of(a), list, scope)),
        ExprKind::Between(a, low, high) => {
            let (low, high) = (
                compare(BinaryOp::GreaterOrEqual, &of(a), &of(low)),
                compare(BinaryOp::LessOrEqual, &of(a), &of(high)),
            );
            boolean(match (low, high) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            })
        }
        ExprKind::Like { value, pattern, escape } => {
            let text = of(value)?;
            Some(json!(texts::like(text.as_str()?, pattern, *escape)))
        }
        ExprKind::Quantified { all, variable, list, condition } => {
            let Some(Json::Array(items)) = of(list) else { return None };
            let mut holds = items.into_iter().map(|item| {
                let mut scope = scope.clone();
                scope.variables.push((variable.text.clone(), item));
                value(condition, &scope) == Some(json!(true))
            });
            Some(json!(if *all { holds.all(|holds| holds) } else { holds.any(|holds| holds) }))
        }
        ExprKind::Call { name, arguments, distinct, .. } => {
            let name = name.text.to_uppercase();
            if aggregates::is_aggregate(&name) {
                return aggregates::value(&name, *distinct, arguments, scope);
            }
            functions::call(&name, arguments, scope)
        }
    }
}

fn is_in(wanted: &V, list: &Expr, scope: &Scope<'_>) -> Option<bool> {
    let items: Vec<V> = match &list.kind {
        ExprKind::Array(items) => items.iter().map(|item| value(item, scope)).collect(),
        _ => match value(list, scope) {
            Some(Json::Array(items)) => items.into_iter().map(Some).collect(),
            _ => return None,
        },
    };
    items.iter().map(|item| compare(BinaryOp::Equal, wanted, item)).fold(Some(false), or)
}

/// Whether it is a number, for those who add.
fn is_number(value: &V) -> bool {
    value.as_ref().is_some_and(|value| number(value).is_some())
}
