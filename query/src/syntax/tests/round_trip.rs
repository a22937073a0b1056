//! What is printed is read back as the same tree, for random trees; random and mutated texts never panic, and what
//! parses among them is printed and read back too.

use proptest::prelude::*;

use super::bare;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Name, Span};
use crate::syntax::{Limits, chain, parse, parse_condition, print, print_condition};

const SEEDS: [&str; 6] = [
    "SELECT DISTINCT TOP 10 a, tags.[[b c]] AS d FROM devices.modules WHERE NOT a = 1 AND b <> 'x\\u00e9' OR c NIN [1, -2.5]",
    "SELECT COUNT(*) AS n, PERCENTILE(x, 99) p FROM devices WHERE is_defined(tags.a) GROUP BY tags.a HAVING COUNT() > 1 ORDER BY n DESC",
    "SELECT * FROM assets JOIN device AS OF REVISION 7 WHERE a NOT LIKE '%x' ESCAPE '!' AND b BETWEEN 1 AND 0x1F",
    "SELECT a FROM devices AS OF TIME '2026-11-26T22:05:21Z' WHERE (ANY x IN tags.l SATISFIES x.y = 1) OR - (-a) < 2 % 3",
    "SELECT a FROM devices WHERE WITHIN(a, [[1, 2], [3, 4], [-5, 6]]) AND MATCH(t, '\"a b\" -c d*') -- end",
    "SELECT a FROM devices WHERE NOT ALL x IN l SATISFIES NOT x IN [[[a]], tags.1, [[1st]]] ORDER BY a + b * c",
];

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn named(text: String) -> Name {
    Name { text, span: Span::default() }
}

fn front_name() -> impl Strategy<Value = Name> {
    prop_oneof!["[a-zA-Z_$][a-zA-Z0-9_$]{0,5}", "[a-z][a-z .'é\"-]{0,4}[a-z]", "any|all|GROUP|order|time|in|null"]
        .prop_map(named)
}

fn path() -> impl Strategy<Value = Expr> {
    let later = prop_oneof![front_name(), "[0-9a-z \\[,-]{0,4}".prop_map(named)];
    (front_name(), prop::collection::vec(later, 0..3)).prop_map(|(first, mut names)| {
        names.insert(0, first);
        expr(ExprKind::Path(names))
    })
}

fn leaf() -> impl Strategy<Value = Expr> {
    let finite = any::<f64>().prop_filter("a literal is finite", |value| value.is_finite());
    prop_oneof![
        3 => path(),
        1 => prop_oneof![Just(ExprKind::Undefined), Just(ExprKind::Null), any::<bool>().prop_map(ExprKind::Bool)].prop_map(expr),
        1 => any::<i64>().prop_map(|value| expr(ExprKind::Int(value))),
        1 => finite.prop_map(|value| expr(ExprKind::Float(value))),
        1 => any::<String>().prop_map(|text| expr(ExprKind::String(text))),
    ]
}

fn operator() -> impl Strategy<Value = BinaryOp> {
    use BinaryOp::{
        Add, Divide, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Multiply, NotEqual, Remainder, Subtract,
    };
    prop::sample::select(vec![
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

/// A chain as the parser builds it.
fn chained(op: BinaryOp, operands: Vec<Expr>) -> Expr {
    let mut flat = Vec::new();
    operands.into_iter().for_each(|operand| chain::flatten(op, operand, &mut flat));
    chain::balance(op, flat)
}

fn tree() -> impl Strategy<Value = Expr> {
    leaf().prop_recursive(4, 40, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new).boxed();
        let several = prop::collection::vec(inner, 1..4).boxed();
        let list = prop_oneof![path(), several.clone().prop_map(|items| expr(ExprKind::Array(items)))];
        let like = (boxed.clone(), any::<String>(), any::<Option<char>>());
        let call = ("F[A-Z_]{0,5}", any::<bool>(), several.clone());
        let quantified = (any::<bool>(), front_name(), boxed.clone(), boxed.clone());
        prop_oneof![
            boxed.clone().prop_map(ExprKind::Not),
            boxed.clone().prop_map(ExprKind::Negate),
            several.clone().prop_map(ExprKind::Array),
            (operator(), boxed.clone(), boxed.clone()).prop_map(|(op, a, b)| ExprKind::Binary(op, a, b)),
            several.clone().prop_map(|operands| chained(BinaryOp::And, operands).kind),
            several.prop_map(|operands| chained(BinaryOp::Or, operands).kind),
            (boxed.clone(), list).prop_map(|(value, list)| ExprKind::In(value, Box::new(list))),
            (boxed.clone(), boxed.clone(), boxed).prop_map(|(a, b, c)| ExprKind::Between(a, b, c)),
            like.prop_map(|(value, pattern, escape)| ExprKind::Like { value, pattern, escape }),
            call.prop_map(|(name, distinct, arguments)| {
                ExprKind::Call { name: named(name), distinct, star: false, arguments }
            }),
            quantified.prop_map(|(all, variable, list, condition)| ExprKind::Quantified {
                all,
                variable,
                list,
                condition
            }),
        ]
        .prop_map(expr)
    })
}

/// Neither panics; what parses is printed and read back.
fn survives(text: &str) {
    let limits = Limits::default();
    match parse(text, &limits) {
        Ok(select) => {
            let printed = print(&select);
            let again = parse(&printed, &limits).unwrap_or_else(|error| panic!("{text}\n{}", error.render(&printed)));
            assert_eq!(bare(&again), bare(&select), "{text}\n{printed}");
        }
        Err(error) => assert!(!error.render(text).is_empty()),
    }
    if let Ok(condition) = parse_condition(text, &limits) {
        let printed = print_condition(&condition);
        assert_eq!(bare(&super::condition(&printed)), bare(&condition), "{text}\n{printed}");
    }
}

/// `text` with pieces of itself, of `other` and of the language put over it.
fn mutated(text: &str, other: &str, edits: &[(usize, usize, usize)]) -> String {
    const PIECES: [&str; 16] = [
        "(",
        ")",
        "[",
        "]",
        "[[",
        "]]",
        "'",
        "\\",
        ",",
        ".",
        " AS ",
        " NOT ",
        "-",
        " 1",
        " ANY x IN y SATISFIES ",
        "é",
    ];
    let mut chars: Vec<char> = text.chars().collect();
    for &(at, length, piece) in edits {
        let start = at % (chars.len() + 1);
        let end = (start + length % 8).min(chars.len());
        let from = piece % other.len();
        let spliced = match piece % 3 {
            0 => String::new(),
            1 => PIECES[piece / 3 % PIECES.len()].to_owned(),
            _ => other.chars().skip(from).take(length % 12).collect(),
        };
        chars.splice(start..end, spliced.chars());
    }
    chars.into_iter().collect()
}

#[test]
fn the_seeds_are_valid() {
    for text in SEEDS {
        assert!(parse(text, &Limits::default()).is_ok(), "{text}");
        survives(text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_printed_is_read_back(tree in tree()) {
        let printed = print_condition(&tree);
        match parse_condition(&printed, &Limits { characters: 1_000_000, ..Limits::default() }) {
            Ok(again) => prop_assert_eq!(bare(&again), bare(&tree), "{}", printed),
            Err(error) => prop_assert!(false, "{}", error.render(&printed)),
        }
    }

    #[test]
    fn mutated_queries_never_panic(
        seed in 0..SEEDS.len(),
        other in 0..SEEDS.len(),
        edits in prop::collection::vec(any::<(usize, usize, usize)>(), 1..5),
    ) {
        survives(&mutated(SEEDS[seed], SEEDS[other], &edits));
    }

    #[test]
    fn random_texts_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in any::<String>()) {
        survives(&String::from_utf8_lossy(&bytes));
        survives(&text);
    }
}
