//! What queries become, and what is wrong with others: each with the words that the error underlines.

mod laws;
mod made;

use super::{bind, bind_condition};
use crate::error::{Code, QueryError};
use crate::plan::{Aggregate, AsOf, Constant, Expr, Function, Output, Path, PlaceAt, Plan, Root, Unit, Words};
use crate::schema::{Collection, Relation, Schema};

use crate::syntax::ast::{self, BinaryOp};
use crate::syntax::{self, Limits};
use crate::value::Value;

fn schema() -> Schema {
    let shortcuts: &[(&str, &[&str])] =
        &[("desired", &["properties", "desired"]), ("reported", &["properties", "reported"])];
    let device = Relation { name: "device", collection: "devices", key: &["deviceRef"] };
    let collection = |name, id, members, shortcuts, relations| {
        let documents_only = Vec::new();
        Collection { name, id, members, shortcuts, relations, documents_only }
    };
    Schema {
        collections: vec![
            collection("devices", &["deviceId"], &["deviceId", "tags", "properties", "status"], shortcuts, &[]),
            collection(
                "devices.modules",
                &["deviceId", "moduleId"],
                &["deviceId", "moduleId", "tags", "properties"],
                shortcuts,
                &[],
            ),
            collection("assets", &["name"], &["name", "deviceRef", "attributes"], &[], Box::leak(Box::new([device]))),
        ],
    }
}

/// Reads a text with wider limits than those of the language, so that the binder is the one who holds them.
fn parse(text: &str) -> Result<ast::Select, QueryError> {
    let limits = Limits { characters: 100_000, list: 10_000, elements: 1_000, keys: 1_000, ..Limits::default() };
    syntax::parse(text, &limits)
}

#[track_caller]
fn plan(text: &str) -> Plan {
    match parse(text).and_then(|select| bind(&select, &schema())) {
        Ok(plan) => plan,
        Err(error) => panic!("{text}: {error:?}"),
    }
}

/// The error, and the words that it points at.
#[track_caller]
fn refused(text: &str) -> (QueryError, &str) {
    let select = parse(text).expect("the grammar is kept");
    let error = bind(&select, &schema()).expect_err(text);
    let words = text.get(error.span.start as usize..error.span.end as usize).expect("a place in the text");
    (error, words)
}

#[track_caller]
fn check_refused(code: Code, cases: &[(&str, &str, &str)]) {
    for (text, underlined, said) in cases {
        let (error, words) = refused(text);
        let all = format!("{}; {}", error.message, error.help);
        assert_eq!((words, error.code), (*underlined, code), "{text}: {all}");
        assert!(all.contains(said), "{text}: `{said}` is not in: {all}");
    }
}

/// The filter behind `WHERE`.
#[track_caller]
fn filter(condition: &str) -> Expr {
    plan(&format!("SELECT * FROM devices WHERE {condition}")).filter.expect("a filter")
}

/// The constant that an expression is.
#[track_caller]
fn folded(expression: &str) -> Option<String> {
    match plan(&format!("SELECT {expression} AS x FROM devices")).output {
        Output::Rows(elements) => match elements.into_iter().next().map(|element| element.expr) {
            Some(Expr::Constant(Constant(value))) => value.map(|value| value.to_text()),
            other => panic!("{expression}: {other:?}"),
        },
        other => panic!("{expression}: {other:?}"),
    }
}

fn at(root: Root, names: &[&str]) -> Expr {
    Expr::Path(path(root, names))
}

fn path(root: Root, names: &[&str]) -> Path {
    Path { root, names: owned(names) }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn int(value: i64) -> Expr {
    Expr::Constant(Constant(Some(Value::Int(value))))
}

fn names(plan: &Plan) -> Vec<&str> {
    match &plan.output {
        Output::Documents => Vec::new(),
        Output::Rows(elements) | Output::Groups { elements, .. } => {
            elements.iter().map(|element| element.name.as_str()).collect()
        }
    }
}

#[test]
fn queries_of_iot_hub_bind() {
    for text in [
        "SELECT * FROM devices",
        "SELECT deviceId FROM devices",
        "SELECT deviceId, tags, properties FROM devices WHERE deviceId = 'a'",
        "SELECT * FROM devices WHERE tags.location.region = 'US' AND properties.reported.telemetryConfig.sendFrequencyInSecs >= 1",
        "SELECT * FROM devices WHERE properties.reported.connectivity IN ['wired', 'wifi']",
        "SELECT * FROM devices WHERE is_defined(properties.reported.connectivity)",
        "SELECT * FROM devices WHERE tags.region NIN ['US']",
        "SELECT properties.reported.telemetryConfig.status AS status, COUNT() AS numberOfDevices FROM devices GROUP BY properties.reported.telemetryConfig.status",
        "SELECT TOP 100 * FROM devices",
        "SELECT COUNT() AS totalNumber FROM devices",
        "SELECT * FROM devices.modules WHERE properties.reported.status = 'scanning' AND deviceId IN ['device1', 'device2']",
        "SELECT * FROM devices WHERE STARTS_WITH(tags.a, 'x') AND ENDS_WITH(tags.a, 'y') OR CONTAINS(tags.b, 'z')",
        "SELECT * FROM devices WHERE POWER(ABS(tags.a), 2) > SQUARE(3) OR AS_NUMBER(tags.n) = 1",
        "SELECT * FROM devices WHERE status = 'enabled' AND NOT IS_NULL(tags.a) AND tags.b != null",
    ] {
        plan(text);
    }
}

#[test]
fn names_are_found() {
    let row = |names: &[&str]| Expr::Call(Function::IsDefined, vec![at(Root::Row, names)]);
    assert_eq!(filter("IS_DEFINED(TAGS.Building)"), row(&["tags", "Building"]));
    assert_eq!(filter("is_defined(desired.x)"), row(&["properties", "desired", "x"]));
    assert_eq!(filter("IS_DEFINED(Reported)"), row(&["properties", "reported"]));
    assert_eq!(filter("IS_DEFINED(properties.desired.[[a b]])"), row(&["properties", "desired", "a b"]));
    let joined = plan("SELECT device.tags.x, name FROM assets JOIN Device WHERE IS_DEFINED(DEVICE)");
    assert_eq!(joined.relation.map(|relation| relation.name), Some("device"));
    assert_eq!(joined.filter, Some(Expr::Call(Function::IsDefined, vec![at(Root::Joined, &[])])));
    let Output::Rows(elements) = joined.output else { panic!("rows") };
    assert_eq!(elements[0].expr, at(Root::Joined, &["tags", "x"]));
}

#[test]
fn unknown_names_are_refused_with_the_nearest_one() {
    check_refused(
        Code::UnknownName,
        &[
            ("SELECT * FROM device", "device", "did you mean `devices`?"),
            ("SELECT * FROM fleet", "fleet", "collections: devices, devices.modules, assets"),
            ("SELECT * FROM assets JOIN devise", "devise", "did you mean `device`?"),
            ("SELECT * FROM devices JOIN asset", "asset", "nothing can be joined"),
            ("SELECT * FROM devices WHERE tgas.x = 1", "tgas", "did you mean `tags`?"),
            ("SELECT * FROM devices WHERE desierd.x = 1", "desierd", "did you mean `desired`?"),
            (
                "SELECT * FROM devices WHERE temperature > 1",
                "temperature",
                "members: deviceId, tags, properties, status",
            ),
            ("SELECT * FROM assets WHERE device.tags.x = 1", "device", "FROM assets JOIN device"),
            ("SELECT * FROM devices WHERE ANY entry IN tags.a SATISFIES entri = 1", "entri", "did you mean `entry`?"),
            ("SELECT * FROM devices WHERE ANY x IN x SATISFIES true", "x", "no member `x`"),
            ("SELECT * FROM devices WHERE STARTWITH(tags.a, 'b')", "STARTWITH", "did you mean `STARTSWITH`?"),
            ("SELECT cuont() FROM devices", "cuont", "did you mean `COUNT`?"),
            ("SELECT tags.a AS building FROM devices ORDER BY bulding", "bulding", "did you mean `building`?"),
        ],
    );
}

#[test]
fn variables_count_from_the_outermost() {
    let bound = filter("ANY x IN tags.a SATISFIES ALL y IN x.b SATISFIES y = x.c");
    let equal =
        Expr::Compare(BinaryOp::Equal, Box::new(at(Root::Variable(1), &[])), Box::new(at(Root::Variable(0), &["c"])));
    let inner =
        Expr::Quantified { all: true, list: Box::new(at(Root::Variable(0), &["b"])), condition: Box::new(equal) };
    let list = Box::new(at(Root::Row, &["tags", "a"]));
    assert_eq!(bound, Expr::Quantified { all: false, list, condition: Box::new(inner) });
    // The inner one hides the outer one, and both hide members.
    let hidden = filter("ANY tags IN tags.a SATISFIES ANY tags IN tags SATISFIES tags.b");
    let inner = Expr::Quantified {
        all: false,
        list: Box::new(at(Root::Variable(0), &[])),
        condition: Box::new(at(Root::Variable(1), &["b"])),
    };
    let list = Box::new(at(Root::Row, &["tags", "a"]));
    assert_eq!(hidden, Expr::Quantified { all: false, list, condition: Box::new(inner) });
}

#[test]
fn arguments_are_counted() {
    check_refused(
        Code::Invalid,
        &[
            ("SELECT * FROM devices WHERE LENGTH() = 1", "LENGTH()", "LENGTH takes one argument"),
            ("SELECT * FROM devices WHERE power(1) = 1", "power(1)", "POWER takes 2 arguments"),
            ("SELECT * FROM devices WHERE SUBSTRING('a') = 'a'", "SUBSTRING('a')", "2 or 3 arguments"),
            ("SELECT * FROM devices WHERE CONCAT('a') = 'a'", "CONCAT('a')", "at least 2 arguments"),
            ("SELECT * FROM devices WHERE NOW(1) = 1", "NOW(1)", "NOW takes nothing"),
            ("SELECT SUM() FROM devices", "SUM()", "SUM takes one expression"),
            ("SELECT COUNT(tags.a, tags.b) FROM devices", "COUNT(tags.a, tags.b)", "COUNT takes nothing, *"),
            ("SELECT PERCENTILE(tags.a) FROM devices", "PERCENTILE(tags.a)", "a number from 0 to 100"),
            ("SELECT HISTOGRAM(tags.a) FROM devices", "HISTOGRAM(tags.a)", "and a width"),
            ("SELECT * FROM devices WHERE MATCH(tags.a)", "MATCH(tags.a)", "the words to look for"),
            ("SELECT SCORE(1) FROM devices", "SCORE(1)", "takes nothing"),
            ("SELECT * FROM devices WHERE NEAR(tags.a, 1, 2)", "NEAR(tags.a, 1, 2)", "metres"),
            ("SELECT * FROM devices WHERE WITHIN(tags.a)", "WITHIN(tags.a)", "a polygon"),
            ("SELECT * FROM devices WHERE ARRAY_CONTAINS(tags.a)", "ARRAY_CONTAINS(tags.a)", "an array and a value"),
            ("SELECT * FROM devices WHERE DATE_PART('day') = 1", "DATE_PART('day')", "a unit and a time"),
            ("SELECT * FROM devices WHERE DATE_ADD('day', 1) = 1", "DATE_ADD('day', 1)", "two more"),
        ],
    );
}

#[test]
fn literals_are_what_they_should_be() {
    check_refused(
        Code::Invalid,
        &[
            ("SELECT * FROM devices WHERE DATE_PART('dya', tags.t) = 1", "'dya'", "did you mean `day`?"),
            ("SELECT * FROM devices WHERE DATE_PART(tags.u, tags.t) = 1", "tags.u", "units: millisecond, second"),
            ("SELECT * FROM devices WHERE DATE_TRUNC('weekday', tags.t) = 1", "'weekday'", "DATE_PART only"),
            ("SELECT PERCENTILE(tags.a, 101) FROM devices", "101", "from 0 to 100"),
            ("SELECT PERCENTILE(tags.a, -1) FROM devices", "-1", "from 0 to 100"),
            ("SELECT PERCENTILE(tags.a, tags.b) FROM devices", "tags.b", "literal"),
            ("SELECT HISTOGRAM(tags.a, 0) FROM devices", "0", "above 0"),
            ("SELECT HISTOGRAM(tags.a, '5') FROM devices", "'5'", "above 0"),
            ("SELECT * FROM devices WHERE NEAR(tags.a, 90.5, 0, 1)", "90.5", "from -90 to 90"),
            ("SELECT * FROM devices WHERE NEAR(tags.a, 0, -181, 1)", "-181", "from -180 to 180"),
            ("SELECT * FROM devices WHERE NEAR(tags.a, 0, 0, -1)", "-1", "metres"),
            ("SELECT * FROM devices WHERE NEAR(tags.a, tags.b, 0, 1)", "tags.b", "literal"),
            ("SELECT * FROM devices WHERE MATCH(tags.a, tags.b)", "tags.b", "literal"),
            ("SELECT * FROM devices WHERE MATCH(tags.a, ' -, ')", "' -, '", "no word"),
            ("SELECT * FROM devices WHERE MATCH('text', 'a')", "'text'", "a path"),
            ("SELECT * FROM devices WHERE ANY x IN tags.a SATISFIES MATCH(x, 'a')", "x", "not at a variable"),
            ("SELECT * FROM devices WHERE tags.a = [tags.b]", "tags.b", "constants"),
        ],
    );
}

#[test]
fn polygons_make_sense() {
    let polygon = |corners: &str| format!("SELECT * FROM devices WHERE WITHIN(tags.at, {corners})");
    for (corners, underlined, said) in [
        ("5", "5", "list of corners"),
        ("[[0, 0], [0, 1]]", "[[0, 0], [0, 1]]", "at least 3"),
        ("[[0, 0], [0, 1], [0, 0]]", "[[0, 0], [0, 1], [0, 0]]", "at least 3"),
        ("[[0, 0], [0, 1], [1]]", "[1]", "list of corners"),
        ("[[0, 0], [0, 1], [1, 181]]", "181", "a longitude"),
        ("[[0, 0], [2, 2], [0, 2], [2, 0]]", "[0, 0]", "does not cross itself"),
        ("[[0, 0], [5, 0], [5, 5], [2, 0], [0, 5]]", "[0, 0]", "does not cross itself"),
        ("[[0, 0], [0, 5], [0, 3], [3, 3]]", "[0, 0]", "does not cross itself"),
        ("[[0, -170], [0, 170], [9, 170]]", "[0, -170]", "date line"),
    ] {
        let text = polygon(corners);
        let (error, words) = refused(&text);
        assert_eq!((words, error.code), (underlined, Code::Invalid), "{text}: {}", error.message);
        assert!(error.message.contains(said), "{text}: {}", error.message);
    }
    let many: Vec<String> = (0..1_001).map(|n| format!("[0,{}]", n % 9)).collect();
    let text = format!("[{}]", many.join(","));
    assert_eq!(refused(&polygon(&text)).0.code, Code::TooLarge);
    let square = "[[0, 0], [0, 2], [2, 2], [2, 0]]";
    let closed = "[[0, 0], [0, 2], [0, 2], [2, 2], [2, 0], [0, 0]]";
    let corners = vec![(0.0, 0.0), (0.0, 2.0), (2.0, 2.0), (2.0, 0.0)];
    let place = PlaceAt::of(at(Root::Row, &["tags", "at"]));
    for text in [square, closed] {
        let wanted = Expr::Within { place: place.clone(), corners: corners.clone() };
        let Some(Expr::And(parts)) = plan(&polygon(text)).filter else { panic!("a box and the polygon: {text}") };
        assert_eq!(parts.last(), Some(&wanted), "{text}");
    }
}

#[test]
fn aggregates_stand_where_groups_are() {
    check_refused(
        Code::Invalid,
        &[
            ("SELECT * FROM devices WHERE COUNT() > 1", "COUNT()", "HAVING"),
            ("SELECT COUNT() FROM devices GROUP BY MAX(tags.a)", "MAX(tags.a)", "key of GROUP BY"),
            ("SELECT SUM(MAX(tags.a)) FROM devices", "MAX(tags.a)", "cannot hold another one"),
            ("SELECT deviceId, COUNT() FROM devices", "deviceId", "neither a key of GROUP BY nor inside an aggregate"),
            ("SELECT tags.a FROM devices GROUP BY tags.b", "tags.a", "MAX(tags.a)"),
            ("SELECT tags.b FROM devices GROUP BY tags.b ORDER BY tags.a", "tags.a", "neither"),
            ("SELECT tags.b FROM devices GROUP BY tags.b HAVING tags.a = 1", "tags.a", "neither"),
            ("SELECT * FROM devices GROUP BY tags.b", "tags.b", "groups have none"),
            ("SELECT * FROM devices ORDER BY COUNT()", "COUNT()", "groups have none"),
            ("SELECT SUM(DISTINCT tags.a) FROM devices", "SUM(DISTINCT tags.a)", "only COUNT takes DISTINCT"),
            ("SELECT MAX(*) FROM devices", "MAX(*)", "only COUNT takes *"),
            ("SELECT MATCH(tags.a, 'x') FROM devices", "MATCH(tags.a, 'x')", "WHERE only"),
            ("SELECT * FROM devices WHERE SCORE() > 1", "SCORE()", "SELECT and ORDER BY"),
            ("SELECT MAX(SCORE()) FROM devices", "SCORE()", "for single rows"),
            ("SELECT SCORE(), COUNT() FROM devices", "SCORE()", "for single rows"),
            ("SELECT COUNT() FROM devices GROUP BY SCORE()", "SCORE()", "SELECT and ORDER BY"),
        ],
    );
    // The variable is not known to what runs over rows.
    check_refused(
        Code::UnknownName,
        &[(
            "SELECT COUNT() FROM devices GROUP BY tags.a HAVING ANY x IN tags.a SATISFIES SUM(x) > 1",
            "x",
            "no member",
        )],
    );
}

#[test]
fn groups_are_made_of_keys_and_aggregates() {
    let plan = plan(
        "SELECT LOWER(tags.a) AS a, COUNT() AS n, COUNT() + 1 AS m, tags.b FROM devices GROUP BY LOWER(tags.a), Tags.b \
         HAVING MAX(tags.c) > 1 ORDER BY n DESC, COUNT(DISTINCT tags.c)",
    );
    let Output::Groups { keys, aggregates, elements, having } = plan.output else { panic!("groups") };
    assert_eq!(keys, [Expr::Call(Function::Lower, vec![at(Root::Row, &["tags", "a"])]), at(Root::Row, &["tags", "b"])]);
    let c = || at(Root::Row, &["tags", "c"]);
    assert_eq!(aggregates, [Aggregate::Rows, Aggregate::Max(c()), Aggregate::CountDistinct(c())]);
    let wanted = [
        Expr::Key(0),
        Expr::Aggregate(0),
        Expr::Arithmetic(BinaryOp::Add, Box::new(Expr::Aggregate(0)), Box::new(int(1))),
        Expr::Key(1),
    ];
    assert_eq!(elements.into_iter().map(|element| element.expr).collect::<Vec<_>>(), wanted);
    assert_eq!(having, Some(Expr::Compare(BinaryOp::Greater, Box::new(Expr::Aggregate(1)), Box::new(int(1)))));
    let order: Vec<_> = plan.order.into_iter().map(|order| (order.expr, order.descending)).collect();
    assert_eq!(order, [(Expr::Aggregate(0), true), (Expr::Aggregate(2), false)]);
}

#[test]
fn a_key_may_be_a_part_of_a_chain() {
    let plan = plan("SELECT (tags.a AND tags.b) AND COUNT() > 1 AS x FROM devices GROUP BY tags.a AND tags.b");
    let Output::Groups { elements, .. } = plan.output else { panic!("groups") };
    assert!(matches!(&elements[0].expr, Expr::And(parts) if parts[0] == Expr::Key(0) && parts.len() == 2));
}

#[test]
fn aliases_hide_members_in_order_by() {
    let order = |text: &str| plan(text).order.into_iter().map(|order| order.expr).collect::<Vec<_>>();
    assert_eq!(order("SELECT status AS tags FROM devices ORDER BY tags"), [at(Root::Row, &["status"])]);
    assert_eq!(order("SELECT tags.a AS x FROM devices ORDER BY x.b"), [at(Root::Row, &["tags", "a", "b"])]);
    assert_eq!(order("SELECT tags.tags AS tags FROM devices ORDER BY tags"), [at(Root::Row, &["tags", "tags"])]);
    assert_eq!(order("SELECT tags.a FROM devices ORDER BY tags"), [at(Root::Row, &["tags"])]);
    check_refused(
        Code::Invalid,
        &[("SELECT LOWER(status) AS tags FROM devices ORDER BY tags.a", "tags", "hides the member of the same name")],
    );
    check_refused(Code::UnknownName, &[("SELECT tags.a AS x FROM devices WHERE x = 1", "x", "no member `x`")]);
}

#[test]
fn distinct_rows_are_ordered_by_what_is_selected() {
    plan("SELECT DISTINCT tags.a FROM devices ORDER BY tags.a, LOWER(tags.a), tags.a.b, 1");
    plan("SELECT DISTINCT LOWER(tags.a) AS x FROM devices ORDER BY x");
    plan("SELECT DISTINCT COUNT() AS n FROM devices GROUP BY tags.a ORDER BY n");
    plan("SELECT DISTINCT * FROM devices ORDER BY tags.a");
    check_refused(
        Code::Invalid,
        &[
            ("SELECT DISTINCT tags.a FROM devices ORDER BY tags.b", "tags.b", "can only use what is selected"),
            ("SELECT DISTINCT tags.a FROM devices ORDER BY tags.a, tags", "tags", "can only use"),
            ("SELECT DISTINCT COUNT() AS n FROM devices GROUP BY tags.a ORDER BY tags.a", "tags.a", "can only use"),
        ],
    );
}

#[test]
fn members_of_the_answer_have_names() {
    assert_eq!(names(&plan("SELECT DEVICEID, tags.a, 1, status AS s FROM devices")), ["deviceId", "a", "$1", "s"]);
    assert_eq!(names(&plan("SELECT 1, tags.a, 2 FROM devices")), ["$1", "a", "$2"]);
    assert_eq!(names(&plan("SELECT name, device FROM assets JOIN device")), ["name", "device"]);
    check_refused(
        Code::Invalid,
        &[
            ("SELECT tags.a, desired.a FROM devices", "desired.a", "two members of the answer are called `a`"),
            ("SELECT tags.a, tags.b AS a FROM devices", "a", "another name with AS"),
            ("SELECT 1, tags.a AS [[$1]] FROM devices", "[[$1]]", "`$1`"),
        ],
    );
}

#[test]
fn the_past_is_read() {
    assert_eq!(plan("SELECT * FROM devices AS OF REVISION 7").as_of, Some(AsOf::Revision(7)));
    assert_eq!(plan("SELECT * FROM devices AS OF TIME '1970-01-01T00:00:01Z'").as_of, Some(AsOf::TimeMs(1_000)));
    assert_eq!(plan("SELECT * FROM devices").as_of, None);
    check_refused(Code::Invalid, &[("SELECT * FROM devices AS OF TIME 'yesterday'", "'yesterday'", "RFC 3339")]);
}

#[test]
fn limits_are_held() {
    let many = |count: usize, of: &str| vec![of; count].join(", ");
    let elements: Vec<String> = (0..101).map(|n| format!("tags.a{n}")).collect();
    assert_eq!(refused(&format!("SELECT {} FROM devices", elements.join(", "))).1, "tags.a100");
    plan(&format!("SELECT {} FROM devices", elements[..100].join(", ")));
    for clause in ["GROUP BY", "ORDER BY"] {
        let text = |count| format!("SELECT 1 FROM devices {clause} {}", many(count, "status"));
        assert_eq!(refused(&text(17)).0.code, Code::TooLarge, "{clause}");
        plan(&text(16));
    }
    assert_eq!(
        refused(&format!("SELECT * FROM devices WHERE tags.a IN [{}]", many(1_001, "1"))).0.code,
        Code::TooLarge
    );
    plan(&format!("SELECT * FROM devices WHERE tags.a IN [{}]", many(1_000, "1")));
    plan("SELECT TOP 2147483647 * FROM devices");
}

#[test]
fn what_is_copied_stays_small() {
    let mut nested = "tags.a".to_owned();
    for _ in 0..40 {
        nested = format!("({nested} BETWEEN 1 AND 2)");
    }
    let text = format!("SELECT * FROM devices WHERE {nested}");
    assert_eq!(refused(&text).0.code, Code::TooLarge);
    let mut nested = "tags.a".to_owned();
    for _ in 0..40 {
        nested = format!("({nested} IN [tags.b, tags.c])");
    }
    let text = format!("SELECT * FROM devices WHERE {nested}");
    assert_eq!(refused(&text).0.code, Code::TooLarge);
}

#[test]
fn long_chains_do_not_go_deep() {
    let chain = vec!["tags.a"; 500].join(" OR ");
    assert!(matches!(filter(&chain), Expr::Or(parts) if parts.len() == 500));
    let grouped = format!("SELECT {chain} AS x FROM devices GROUP BY tags.a");
    let Output::Groups { elements, .. } = plan(&grouped).output else { panic!("groups") };
    assert!(matches!(&elements[0].expr, Expr::Or(parts) if parts.len() == 500));
}

#[test]
fn a_condition_stands_on_its_own() {
    let schema = schema();
    let select = parse("SELECT * FROM devices WHERE tags.a = 1 AND MATCH(tags.b, 'x')").expect("grammar");
    let condition = bind_condition(&select.filter.clone().expect("a filter"), &schema.collections[0]).expect("bound");
    let plan = bind(&select, &schema).expect("bound");
    assert_eq!((Some(condition.filter), condition.matches), (plan.filter, plan.matches));
    let wrong = parse("SELECT * FROM devices WHERE COUNT() = 1").expect("grammar").filter.expect("a filter");
    assert_eq!(bind_condition(&wrong, &schema.collections[0]).expect_err("an aggregate").code, Code::Invalid);
}

#[test]
fn deep_expressions_are_refused_before_the_stack_ends() {
    use crate::syntax::ast::{ExprKind, Span};
    let nested = |levels: usize| {
        let span = Span::default();
        let name = ast::Name { text: "tags".to_owned(), span };
        let mut expr = ast::Expr { kind: ExprKind::Path(vec![name]), span };
        for _ in 0..levels {
            let one = ast::Expr { kind: ExprKind::Int(1), span };
            expr = ast::Expr { kind: ExprKind::Binary(BinaryOp::Add, Box::new(expr), Box::new(one)), span };
        }
        expr
    };
    let collection = &schema().collections[0];
    assert_eq!(bind_condition(&nested(600), collection).expect_err("too deep").code, Code::TooLarge);
    let bound = bind_condition(&nested(500), collection).expect("not too deep");
    let row = Value::object(vec![("tags".to_owned(), Value::Int(1))]);
    let source = crate::evaluate::Document::new(&row, None);
    let context = crate::evaluate::Context::default();
    let sum = crate::evaluate::evaluate(&bound.filter, &source, &context);
    assert!(matches!(sum, crate::evaluate::Datum::Int(501)));
}
