//! Laws of expressions, whatever they are: binding neither panics nor changes what they mean.

use proptest::prelude::*;

use super::schema;
use crate::bind::bind_condition;
use crate::evaluate::{Context, Document, evaluate};
use crate::plan;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Name, Span};
use crate::value::Value;

const NAMES: [&str; 4] = ["a", "b", "c", "list"];

fn made(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn name(text: &str) -> Name {
    Name { text: text.to_owned(), span: Span::default() }
}

fn literal() -> impl Strategy<Value = ExprKind> {
    prop_oneof![
        Just(ExprKind::Undefined),
        Just(ExprKind::Null),
        any::<bool>().prop_map(ExprKind::Bool),
        (-3_i64..4).prop_map(ExprKind::Int),
        any::<i64>().prop_map(ExprKind::Int),
        (-4_i32..5).prop_map(|value| ExprKind::Float(f64::from(value) / 2.0)),
        "[ab ü]{0,3}".prop_map(ExprKind::String),
    ]
}

fn leaf() -> impl Strategy<Value = ExprKind> {
    prop_oneof![
        literal(),
        prop::sample::select(&NAMES[..]).prop_map(|member| ExprKind::Path(vec![name("tags"), name(member)]))
    ]
}

fn operator() -> impl Strategy<Value = BinaryOp> {
    use BinaryOp::*;
    prop::sample::select(vec![
        Or,
        And,
        Or,
        And,
        Equal,
        NotEqual,
        Less,
        LessOrEqual,
        Greater,
        GreaterOrEqual,
        Add,
        Subtract,
        Multiply,
        Divide,
        Remainder,
    ])
}

fn function() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "IS_DEFINED",
        "IS_NULL",
        "IS_NUMBER",
        "IS_PRIMITIVE",
        "STARTSWITH",
        "CONTAINS",
        "CONCAT",
        "LENGTH",
        "UPPER",
        "SUBSTRING",
        "INDEX_OF",
        "ABS",
        "ROUND",
        "SQRT",
        "POWER",
        "BUCKET",
        "AS_NUMBER",
        "ARRAY_LENGTH",
        "ARRAY_CONTAINS",
        "TO_MILLIS",
        "FROM_MILLIS",
        "COUNT",
        "NEAR",
        "WITHIN",
        "MATCH",
        "SCORE",
        "DATE_ADD",
        "NOPE",
    ])
}

fn expression() -> impl Strategy<Value = Expr> {
    leaf().prop_map(made).prop_recursive(4, 24, 3, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        prop_oneof![
            4 => (operator(), boxed(), boxed()).prop_map(|(op, a, b)| ExprKind::Binary(op, a, b)),
            1 => boxed().prop_map(ExprKind::Not),
            1 => boxed().prop_map(ExprKind::Negate),
            1 => (boxed(), prop::collection::vec(inner.clone(), 1..4))
                .prop_map(|(a, items)| ExprKind::In(a, Box::new(made(ExprKind::Array(items))))),
            1 => (boxed(), boxed()).prop_map(|(a, b)| ExprKind::In(a, b)),
            1 => (boxed(), boxed(), boxed()).prop_map(|(a, b, c)| ExprKind::Between(a, b, c)),
            1 => (boxed(), "[ab%_]{0,3}").prop_map(|(value, pattern)| ExprKind::Like { value, pattern, escape: None }),
            1 => (any::<bool>(), boxed(), boxed(), operator(), any::<bool>()).prop_map(|(all, list, other, op, outer)| {
                let variable = made(ExprKind::Path(vec![name("x")]));
                let condition = made(ExprKind::Binary(op, Box::new(variable), other));
                let list = if outer { Box::new(made(ExprKind::Path(vec![name("tags"), name("list")]))) } else { list };
                ExprKind::Quantified { all, variable: name("x"), list, condition: Box::new(condition) }
            }),
            3 => (function(), prop::collection::vec(inner.clone(), 0..4)).prop_map(|(called, arguments)| {
                ExprKind::Call { name: name(called), distinct: false, star: false, arguments }
            }),
        ]
        .prop_map(made)
    })
}

fn written(value: Option<&Value>) -> ExprKind {
    match value {
        None => ExprKind::Undefined,
        Some(Value::Null) => ExprKind::Null,
        Some(Value::Bool(value)) => ExprKind::Bool(*value),
        Some(Value::Int(value)) => ExprKind::Int(*value),
        Some(Value::Float(value)) => ExprKind::Float(*value),
        Some(Value::String(text)) => ExprKind::String(text.clone()),
        Some(Value::Array(items)) => ExprKind::Array(items.iter().map(|item| made(written(Some(item)))).collect()),
        Some(Value::Object(_)) => panic!("not in these rows"),
    }
}

/// The expression with what lies at its paths written in their place.
fn filled_in(expr: &Expr, tags: &Value) -> Expr {
    let fill = |expr: &Expr| filled_in(expr, tags);
    let boxed = |expr: &Expr| Box::new(filled_in(expr, tags));
    made(match &expr.kind {
        ExprKind::Path(names) if names[0].text == "tags" => written(tags.member(&names[1].text)),
        ExprKind::Not(a) => ExprKind::Not(boxed(a)),
        ExprKind::Negate(a) => ExprKind::Negate(boxed(a)),
        ExprKind::Binary(op, a, b) => ExprKind::Binary(*op, boxed(a), boxed(b)),
        ExprKind::In(a, b) => ExprKind::In(boxed(a), boxed(b)),
        ExprKind::Between(a, b, c) => ExprKind::Between(boxed(a), boxed(b), boxed(c)),
        ExprKind::Like { value, pattern, escape } => {
            ExprKind::Like { value: boxed(value), pattern: pattern.clone(), escape: *escape }
        }
        ExprKind::Array(items) => ExprKind::Array(items.iter().map(fill).collect()),
        ExprKind::Quantified { all, variable, list, condition } => ExprKind::Quantified {
            all: *all,
            variable: variable.clone(),
            list: boxed(list),
            condition: boxed(condition),
        },
        ExprKind::Call { name, distinct, star, arguments } => ExprKind::Call {
            name: name.clone(),
            distinct: *distinct,
            star: *star,
            arguments: arguments.iter().map(fill).collect(),
        },
        other => other.clone(),
    })
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-3_i64..4).prop_map(Value::Int),
        (-4_i32..5).prop_map(|value| Value::Float(f64::from(value) / 2.0)),
        "[ab]{0,2}".prop_map(Value::String),
    ]
}

fn tags() -> impl Strategy<Value = Value> {
    let member = || prop::option::of(scalar());
    let list = prop::collection::vec(scalar(), 0..4).prop_map(|items| Some(Value::Array(items)));
    (member(), member(), member(), list).prop_map(|(a, b, c, list)| {
        let members = NAMES.into_iter().zip([a, b, c, list]);
        Value::object(members.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn computing_constants_does_not_change_what_is_meant(expr in expression(), tags in tags()) {
        let schema = schema();
        let value = |expr: &Expr| {
            let bound = bind_condition(expr, &schema.collections[0]).ok()?;
            let row = Value::object(vec![("tags".to_owned(), tags.clone())]);
            let context = Context::new(0, &bound.matches);
            let value = evaluate(&bound.filter, &Document::new(&row, None), &context).into_value();
            let is_constant = matches!(bound.filter, plan::Expr::Constant(_));
            Some((value.map_or("-".to_owned(), |value| value.to_text()), is_constant))
        };
        // With constants some mistakes are found that otherwise are undefined.
        if let (Some((over_row, _)), Some((computed, is_constant))) = (value(&expr), value(&filled_in(&expr, &tags))) {
            prop_assert_eq!(over_row, computed);
            prop_assert!(is_constant, "without paths there is nothing left to read");
        }
    }
}
