//! Typed aggregations: the same answers as texts give, with types and all digits; what breaks a rule names its field.

use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::workload::{NAMESPACE, prepare};
use muster_client::{Aggregation, Client, Code, names, proto};
use proto::aggregate_value::Kind;
use serde_json::{Value, json};

use super::{answer, patch, query};
use crate::table::Table;

const DEVICES: usize = 24;

/// Devices whose documents differ in everything that groups and aggregates look at.
async fn fleet(client: &Client) -> anyhow::Result<()> {
    prepare(client, DEVICES).await?;
    for at in 0..DEVICES {
        let site = ["\"north\"", "\"so'uth\"", "7", "null"][at % 4];
        let value = ["1", "2.5", "-3", "\"text\"", "4503599627370495", "true"][at % 6];
        let tags = format!("{{\"site\":{site},\"big\":{}}}", 4_503_599_627_370_000_i64 + i64::try_from(at)?);
        let desired = if at % 5 == 0 { "{}".to_owned() } else { format!("{{\"value\":{value}}}") };
        patch(client, &format!("d{at}"), (Some(&tags), Some(&desired))).await?;
    }
    Ok(())
}

fn all() -> Aggregation {
    Aggregation::over(names::namespace(NAMESPACE), "devices")
}

/// A typed value as a text answer would have it; nothing for what is undefined.
fn plain(value: &proto::AggregateValue) -> Option<Value> {
    Some(match value.kind.as_ref()? {
        Kind::NullValue(_) => Value::Null,
        Kind::BoolValue(value) => json!(value),
        Kind::IntValue(value) => json!(value),
        Kind::DoubleValue(value) => json!(value),
        Kind::StringValue(text) => json!(text),
        Kind::JsonValue(text) => serde_json::from_str(text).unwrap_or(Value::Null),
    })
}

fn rows(answer: &proto::AggregateResponse) -> Vec<Value> {
    let row = |group: &proto::AggregateGroup| {
        let members = answer.columns.iter().zip(group.keys.iter().chain(&group.values));
        Value::Object(members.filter_map(|(name, value)| Some((name.clone(), plain(value)?))).collect())
    };
    answer.groups.iter().map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_aggregation_gives_what_its_text_gives() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    fleet(&client).await?;
    let (past, _) = answer(&client, query("SELECT COUNT() FROM devices")).await?;
    patch(&client, "d1", (Some("{\"site\":\"west\"}"), Some("{\"value\":1000}"))).await?;
    let every = |asked: Aggregation| {
        asked
            .count("rows")
            .count_of("desired.value", "values")
            .count_distinct("desired.value", "distinct")
            .sum("desired.value", "sum")
            .average("desired.value", "average")
            .min("desired.value", "least")
            .max("desired.value", "most")
            .percentile("desired.value", 50.0, "median")
    };
    const EVERY: &str = "COUNT() AS rows, COUNT(desired.value) AS [[values]], COUNT(DISTINCT desired.value) AS [[distinct]], \
                         SUM(desired.value) AS [[sum]], AVG(desired.value) AS average, MIN(desired.value) AS least, \
                         MAX(desired.value) AS most, PERCENTILE(desired.value, 50) AS median";
    let site = "tags.site AS [[tags.site]]";
    let mut table = Table::default();
    for (case, asked, text) in [
        ("all", every(all()), format!("SELECT {EVERY} FROM devices")),
        (
            "by site",
            every(all().group_by("tags.site")),
            format!("SELECT {site}, {EVERY} FROM devices GROUP BY tags.site ORDER BY tags.site"),
        ),
        (
            "by site and value, filtered",
            all()
                .filter("tags.site = 'so\\'uth' OR desired.value > 0")
                .group_by("tags.site")
                .group_by("desired.value")
                .count("n"),
            format!(
                "SELECT {site}, desired.value AS [[desired.value]], COUNT() AS n FROM devices \
                 WHERE tags.site = 'so\\'uth' OR desired.value > 0 GROUP BY tags.site, desired.value \
                 ORDER BY tags.site, desired.value"
            ),
        ),
        (
            "nothing",
            every(all().filter("tags.site = 'nowhere'")),
            format!("SELECT {EVERY} FROM devices WHERE tags.site = 'nowhere'"),
        ),
        (
            "limited",
            all().group_by("deviceId").count("n").limit(3),
            "SELECT TOP 3 deviceId, COUNT() AS n FROM devices GROUP BY deviceId ORDER BY deviceId".to_owned(),
        ),
        (
            "the past",
            every(all().group_by("tags.site").as_of(past)),
            format!("SELECT {site}, {EVERY} FROM devices AS OF REVISION {past} GROUP BY tags.site ORDER BY tags.site"),
        ),
    ] {
        let expected = answer(&client, query(&text)).await?;
        for id in cluster.ids() {
            let typed = cluster.client_of(&[id])?.queries().aggregate(asked.clone().request()).await?;
            let found = (typed.header.clone().unwrap_or_default().revision, rows(&typed));
            table.same(&format!("{case} on node {id}"), &found, &expected);
            table.same(&format!("{case}: more"), typed.truncated, case == "limited");
        }
    }
    let exact = client.queries().aggregate(all().sum("tags.big", "sum").max("tags.big", "max").request()).await?;
    let kinds: Vec<_> = exact.groups.iter().flat_map(|group| &group.values).map(|value| value.kind.clone()).collect();
    // `d1` has another tag by now, but the same `big`. The sum lies far beyond 2^53.
    let sum: i64 = (0..24).map(|at| 4_503_599_627_370_000 + at).sum();
    let expected = vec![Some(Kind::IntValue(sum)), Some(Kind::IntValue(4_503_599_627_370_023))];
    table.same("all digits", kinds, expected);
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aggregation_that_breaks_a_rule_names_its_field() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, 3).await?;
    let now = patch(&client, "d0", (Some("{\"a\":1}"), None)).await?;
    let mut table = Table::default();
    let invalid = |reason: &'static str, field: &'static str| (Code::InvalidArgument, reason, field);
    for (case, asked, expected) in [
        (
            "a clause in the filter",
            all().filter("1 = 1 GROUP BY tags.a").count("n"),
            invalid("QUERY_INVALID", "filter"),
        ),
        (
            "a clause in a path",
            all().group_by("tags.a HAVING 1 = 1").count("n"),
            invalid("QUERY_INVALID", "group_by[0]"),
        ),
        ("no path", all().group_by("LENGTH(tags.a)").count("n"), invalid("INVALID_FIELD", "group_by[0]")),
        ("nothing to sum", all().sum("", "n"), invalid("INVALID_FIELD", "aggregates[0].path")),
        ("more than all", all().percentile("tags.a", 101.0, "n"), invalid("INVALID_FIELD", "aggregates[0].percentile")),
        ("nothing", all(), invalid("TOO_MANY", "aggregates")),
        ("the limit", all().count("n").limit(10_001), invalid("INVALID_FIELD", "limit")),
        ("the future", all().count("n").as_of(now + 99), (Code::OutOfRange, "REVISION_IN_FUTURE", "as_of_revision")),
        (
            "no namespace",
            Aggregation::over("namespaces/nowhere", "devices").count("n"),
            (Code::NotFound, "NOT_FOUND", "parent"),
        ),
        (
            "no collection",
            Aggregation::over(names::namespace(NAMESPACE), "pumps").count("n"),
            invalid("INVALID_FIELD", "collection"),
        ),
    ] {
        table.refused(case, &client.queries().aggregate(asked.request()).await, expected);
    }
    let (_, secret) = crate::wire::token(&client, proto::Role::Viewer, "another", "").await?;
    let stranger = Client::new(crate::wire::once(&cluster)?.token(&secret))?;
    let refused = stranger.queries().aggregate(all().count("n").request()).await;
    table.refused("a stranger", &refused, (Code::PermissionDenied, "PERMISSION_DENIED", ""));
    table.finish();
    Ok(())
}
