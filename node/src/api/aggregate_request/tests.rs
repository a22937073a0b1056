//! The tree is the one that the parser makes of the same question as a text; everything else is refused by its field.

use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::*;

fn of(function: Function, path: &str) -> v1::Aggregate {
    v1::Aggregate { function: function.into(), path: path.to_owned(), ..Default::default() }
}

fn percentile(path: &str, percent: f64) -> v1::Aggregate {
    v1::Aggregate { percentile: Some(percent), ..of(Function::Percentile, path) }
}

fn request(filter: &str, group_by: &[&str], aggregates: Vec<v1::Aggregate>) -> v1::AggregateRequest {
    v1::AggregateRequest {
        collection: "devices".to_owned(),
        filter: filter.to_owned(),
        group_by: group_by.iter().map(|path| (*path).to_owned()).collect(),
        aggregates,
        ..Default::default()
    }
}

#[test]
fn the_plan_is_that_of_the_same_question_as_a_text() {
    let battery = "properties.reported.battery";
    for (request, text) in [
        (
            request("", &[], vec![of(Function::Count, "")]),
            "SELECT TOP 11 COUNT() AS [[column 0]] FROM devices".to_owned(),
        ),
        (
            request(
                "tags.site = 'b7' OR 1 = 1",
                &["tags.site"],
                vec![of(Function::Avg, battery), of(Function::Count, battery)],
            ),
            format!(
                "SELECT TOP 11 tags.site AS [[column 0]], AVG({battery}) AS [[column 1]], COUNT({battery}) AS [[column 2]] \
                 FROM devices WHERE tags.site = 'b7' OR 1 = 1 GROUP BY tags.site ORDER BY tags.site"
            ),
        ),
        (
            request(
                "",
                &["tags.[[a b]]", "status"],
                vec![
                    of(Function::CountDistinct, battery),
                    of(Function::Sum, battery),
                    of(Function::Min, battery),
                    of(Function::Max, battery),
                    percentile(battery, 99.5),
                ],
            ),
            format!(
                "SELECT TOP 11 tags.[[a b]] AS [[column 0]], status AS [[column 1]], COUNT(DISTINCT {battery}) AS [[column 2]], \
                 SUM({battery}) AS [[column 3]], MIN({battery}) AS [[column 4]], MAX({battery}) AS [[column 5]], \
                 PERCENTILE({battery}, 99.5) AS [[column 6]] FROM devices GROUP BY tags.[[a b]], status \
                 ORDER BY tags.[[a b]], status"
            ),
        ),
        (
            v1::AggregateRequest { as_of_revision: 12, ..request("", &[], vec![of(Function::Count, "")]) },
            "SELECT TOP 11 COUNT() AS [[column 0]] FROM devices AS OF REVISION 12".to_owned(),
        ),
    ] {
        let made = aggregation(&request, 11).unwrap_or_else(|failure| panic!("{text}: {failure}"));
        let parsed = muster_query::compile(&text, &SCHEMA).unwrap_or_else(|error| panic!("{}", error.render(&text)));
        assert_eq!(made.plan, parsed, "{text}");
        assert_eq!(made.columns.len(), request.group_by.len() + request.aggregates.len());
    }
}

#[test]
fn what_breaks_a_rule_is_refused_by_its_field() {
    let count = || vec![of(Function::Count, "")];
    let alias = |alias: &str| v1::Aggregate { alias: alias.to_owned(), ..of(Function::Count, "") };
    let many = vec![of(Function::Count, ""); 85];
    for (request, field) in [
        (v1::AggregateRequest { collection: "pumps".to_owned(), ..request("", &[], count()) }, "collection"),
        (request("tags.a = ", &[], count()), "filter"),
        (request("tag.a = 1", &[], count()), "filter"),
        (request("COUNT() > 1", &[], count()), "filter"),
        (request("tags.a = 1 GROUP BY tags.b", &[], count()), "filter"),
        (request("tags.a = 1 ORDER BY tags.a", &[], count()), "filter"),
        (request(&"(".repeat(9_000), &[], count()), "filter"),
        (request("", &["tags.a", "tag.b"], count()), "group_by[1]"),
        (request("", &["tags.a, tags.b"], count()), "group_by[0]"),
        (request("", &["tags.a HAVING COUNT() > 1"], count()), "group_by[0]"),
        (request("", &["UPPER(tags.a)"], count()), "group_by[0]"),
        (request("", &[""], count()), "group_by[0]"),
        (request("", &["tags.a", "tags.a"], count()), "group_by[1]"),
        (request("", &["tags.a"; 17], count()), "group_by"),
        (request("", &[], Vec::new()), "aggregates"),
        (request("", &[], many), "aggregates"),
        (request("", &[], vec![of(Function::Unspecified, "")]), "aggregates[0].function"),
        (request("", &[], vec![v1::Aggregate { function: 99, ..Default::default() }]), "aggregates[0].function"),
        (request("", &[], vec![of(Function::Count, ""), of(Function::Sum, "")]), "aggregates[1].path"),
        (request("", &[], vec![of(Function::Sum, "tags.a) FROM devices")]), "aggregates[0].path"),
        (request("", &[], vec![of(Function::Sum, "SUM(tags.a)")]), "aggregates[0].path"),
        (request("", &[], vec![of(Function::Sum, "nothing.a")]), "aggregates[0].path"),
        (request("", &[], vec![of(Function::Percentile, "tags.a")]), "aggregates[0].percentile"),
        (request("", &[], vec![percentile("tags.a", 101.0)]), "aggregates[0].percentile"),
        (request("", &[], vec![percentile("tags.a", f64::NAN)]), "aggregates[0].percentile"),
        (
            request("", &[], vec![v1::Aggregate { percentile: Some(1.0), ..of(Function::Sum, "tags.a") }]),
            "aggregates[0].percentile",
        ),
        (request("", &[], vec![alias("n"), alias("n")]), "aggregates[1].alias"),
        (request("", &[], vec![of(Function::Count, ""), of(Function::Count, "")]), "aggregates[1].alias"),
        (request("", &["tags.a"], vec![alias("tags.a")]), "aggregates[0].alias"),
        (request("", &[], vec![alias(&"x".repeat(129))]), "aggregates[0].alias"),
    ] {
        let status = Status::from(aggregation(&request, 11).expect_err(field));
        let found = status.get_details_error_info().and_then(|info| info.metadata.get("field").cloned());
        assert_eq!((status.code(), found.as_deref()), (Code::InvalidArgument, Some(field)), "{request:?}: {status:?}");
    }
}
