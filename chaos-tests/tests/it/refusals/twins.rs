//! Twins: documents that break a rule, and twins that are not there, not open to changes, or have moved on.

use anyhow::Context;
use muster_client::{Client, Code, names, proto};

use super::{NAMESPACE, check_unchanged, desired, invalid, replace, report, single, stale, state};
use crate::table::Table;

/// `levels` objects in each other.
fn nested(levels: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

/// An object of `values` members of 4,000 bytes each.
fn wide(values: usize) -> String {
    let members: Vec<String> = (0..values).map(|at| format!("\"m{at}\":\"{}\"", "x".repeat(4_000))).collect();
    format!("{{{}}}", members.join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn twins_that_break_a_rule_are_refused() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    let before = state(&client).await?;
    let mut table = Table::default();
    let long_key = format!("{{\"{}\":1}}", "k".repeat(1_025));
    let long_value = format!("{{\"a\":{{\"b\":\"{}\"}}}}", "x".repeat(4_097));
    let long_list = format!("{{\"a\":[{}1]}}", "1,".repeat(512));
    let long_key_shown = format!("desired_json.{}", "k".repeat(64));
    let document = "INVALID_DOCUMENT";
    for (json, reason, field) in [
        ("", "INVALID_JSON", "desired_json"),
        ("{", "INVALID_JSON", "desired_json"),
        ("null", "INVALID_JSON", "desired_json"),
        ("[]", "INVALID_JSON", "desired_json"),
        ("7", "INVALID_JSON", "desired_json"),
        ("{'a':1}", "INVALID_JSON", "desired_json"),
        ("{\"a\":1}{\"b\":2}", "INVALID_JSON", "desired_json"),
        ("{\"a\":1,\"a\":2}", "INVALID_JSON", "desired_json"),
        ("{\"a\":\"\u{1}\"}", "INVALID_JSON", "desired_json"),
        ("{\"a\":NaN}", "INVALID_JSON", "desired_json"),
        ("{\"a\":1e999}", "INVALID_JSON", "desired_json"),
        ("{\"a\":9223372036854775808}", "INVALID_JSON", "desired_json"),
        ("{\"a\":99999999999999999999}", "INVALID_JSON", "desired_json"),
        ("{\"a\":{\"b\":[-99999999999999999999]}}", "INVALID_JSON", "desired_json"),
        ("{\"a\":4503599627370496}", document, "desired_json.a"),
        ("{\"a\":{\"b\":-4503599627370497}}", document, "desired_json.a.b"),
        ("{\"a\":[0,4503599627370496]}", document, "desired_json.a[1]"),
        ("{\"a.b\":1}", document, "desired_json.a.b"),
        ("{\"$a\":1}", document, "desired_json.$a"),
        ("{\"a\":{\"b c\":1}}", document, "desired_json.a.b c"),
        ("{\"a\":[{\"b c\":1}]}", document, "desired_json.a[0].b c"),
        ("{\"a\\u0007\":1}", document, "desired_json.a\u{7}"),
        ("{\"a\\u0085\":1}", document, "desired_json.a\u{85}"),
        ("{\"\":1}", document, "desired_json"),
        (&long_key, document, &long_key_shown),
        (&long_value, "TOO_LARGE", "desired_json.a.b"),
        (&long_list, "TOO_LARGE", "desired_json.a"),
        (&nested(11), document, "desired_json.a.a.a.a.a.a.a.a.a.a.a"),
        (&nested(200), "INVALID_JSON", "desired_json"),
        (&wide(9), "TOO_LARGE", "desired_json"),
    ] {
        let case: String = json.chars().take(60).collect();
        table.refused(&format!("patch {case:?}"), &client.twins().patch(desired(json)).await, invalid(reason, field));
        let reported = field.replacen("desired", "reported", 1);
        let outcome = client.twins().report(report(json)).await;
        table.refused(&format!("report {case:?}"), &outcome, invalid(reason, &reported));
        let outcome = client.twins().replace(replace(json)).await;
        table.refused(&format!("replace {case:?}"), &outcome, invalid(reason, field));
    }
    let tags = proto::PatchTwinRequest { desired_json: None, tags_json: Some(wide(3)), ..desired("") };
    table.refused("large tags", &client.twins().patch(tags).await, invalid("TOO_LARGE", "tags_json"));
    let null = client.twins().replace(replace("{\"a\":{\"b\":null}}")).await;
    table.refused("null in a whole section", &null, invalid("NULL_NOT_ALLOWED", "desired_json.a.b"));
    let nothing = proto::PatchTwinRequest { desired_json: None, ..desired("") };
    table.refused("a patch of nothing", &client.twins().patch(nothing).await, invalid("INVALID_FIELD", "tags_json"));
    let huge = client.twins().patch(desired(&wide(500))).await;
    table.refused("2 MB", &huge, invalid("MESSAGE_TOO_LARGE", ""));
    twin_targets(&mut table, &client).await?;
    check_unchanged(&mut table, &client, before).await?;
    table.finish();
    Ok(())
}

/// Twins that are not there, not open to changes, or have moved on.
async fn twin_targets(table: &mut Table, client: &Client) -> anyhow::Result<()> {
    let of = |name: String| proto::PatchTwinRequest { name, ..desired("{\"a\":1}") };
    let missing = (Code::NotFound, "NOT_FOUND", "name");
    let disabled = (Code::FailedPrecondition, "DEVICE_DISABLED", "name");
    for (name, expected) in [
        (names::twin(NAMESPACE, "nothing"), missing),
        (names::module_twin(NAMESPACE, "pump7", "nothing"), missing),
        (names::twin("nowhere", "pump7"), missing),
        (names::twin(NAMESPACE, "off"), disabled),
        (names::asset(NAMESPACE, "oven"), invalid("INVALID_FIELD", "name")),
        (names::namespace(NAMESPACE), invalid("INVALID_FIELD", "name")),
        (names::twin(NAMESPACE, "a b"), invalid("INVALID_ID", "name")),
        (String::new(), invalid("INVALID_FIELD", "name")),
    ] {
        let outcome = client.twins().patch(of(name.clone())).await;
        table.refused(&format!("patch of {name:?}"), &outcome, expected);
    }
    let off = proto::ReportPropertiesRequest { name: names::twin(NAMESPACE, "off"), ..report("{}") };
    table.refused("report of a disabled device", &client.twins().report(off).await, disabled);

    let name = names::twin(NAMESPACE, "pump7");
    let current = client.twins().get(proto::GetTwinRequest { name: name.clone(), ..Default::default() }).await?;
    let current = current.twin.context("a twin")?.etag;
    let patched = client.twins().patch(proto::PatchTwinRequest { etag: "1".to_owned(), ..desired("{}") }).await;
    table.refused("stale patch", &patched, stale("etag"));
    let told = patched.err().and_then(|error| error.current_etag().map(str::to_owned));
    table.same("the current etag is told", told, Some(current.clone()));
    let replaced = client.twins().replace(proto::ReplaceTwinRequest { etag: "x".to_owned(), ..replace("{}") }).await;
    table.refused("stale replace", &replaced, stale("etag"));
    let reported = proto::ReportPropertiesRequest { expected_version: 9, ..report("{}") };
    table.refused("stale report", &client.twins().report(reported).await, stale("expected_version"));
    let request = proto::GetTwinRequest { name, section: 9, ..Default::default() };
    table.refused("unknown section", &client.twins().get(request).await, invalid("INVALID_FIELD", "section"));
    Ok(())
}
