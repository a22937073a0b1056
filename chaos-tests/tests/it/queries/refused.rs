//! Queries that break a rule: refused with the place in the text, the token or the bound at fault; nothing is told.

use anyhow::Context;
use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::workload::{NAMESPACE, prepare};
use muster_client::{CallError, Client, Code, names, proto};

use super::{answer, patch, query};
use crate::table::Table;
use crate::wire;

fn refusal<T>(outcome: Result<T, CallError>) -> (Code, String, String) {
    match outcome {
        Ok(_) => (Code::Ok, String::new(), String::new()),
        Err(error) => (error.code(), error.reason().unwrap_or_default().to_owned(), error.to_string()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_break_a_rule_are_refused_at_their_place() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, 3).await?;
    let devices = |condition: &str| format!("SELECT * FROM devices WHERE {condition}");
    let mut table = Table::default();
    for (text, said) in [
        (devices("tags.a = 'x"), "not closed"),
        (devices(&"(".repeat(100)), "64 levels"),
        ("x".repeat(1 << 20), "8192 characters"),
        (devices("SUMM(tags.a) = 1"), "did you mean `SUM`"),
        (devices("tag.a = 1"), "did you mean"),
        (devices("LENGTH(tags.a, 1) = 1"), "LENGTH"),
        (devices("tags.a = 1 / 0"), "undefined"),
        (devices("tags.a = 9223372036854775807 + 1"), "undefined"),
        (devices(&format!("tags.a IN [{}1]", "1,".repeat(1_000))), "1000"),
        ("SELECT deviceId, COUNT() FROM devices".to_owned(), "GROUP BY"),
        ("SELECT * FROM device".to_owned(), "did you mean `devices`"),
        (devices("WITHIN(tags.p, [[0, 0], [1, 1], [0, 1], [1, 0]])"), "does not cross itself"),
        (devices("WITHIN(tags.p, [[0, -170], [1, 170], [0, 170]])"), "180"),
    ] {
        let (code, reason, message) = refusal(client.queries().query(query(&text)).await);
        let shown = text.chars().take(80).collect::<String>();
        table.same(&shown, (code, reason.as_str()), (Code::InvalidArgument, "QUERY_INVALID"));
        table.check(&shown, message.contains(said), || format!("{message} does not say {said:?}"));
    }
    // A pattern that explodes elsewhere takes no time here.
    patch(&client, "d0", (Some(&format!("{{\"long\":\"{}\"}}", "a".repeat(3_000))), None)).await?;
    let slow = devices(&format!("tags.long LIKE '{}b'", "%a".repeat(1_000)));
    let (_, rows) = answer(&client, query(&slow)).await?;
    table.check("a pattern of many %", rows.is_empty(), || format!("{rows:?}"));
    let (now, _) = answer(&client, query("SELECT COUNT() FROM devices")).await?;
    let compact = proto::CompactEventsRequest { floor: now - 1, ..Default::default() };
    client.retention().compact(compact).await?;
    for (revision, expected) in [(1, "COMPACTED"), (now + 1_000, "REVISION_IN_FUTURE")] {
        let text = format!("SELECT COUNT() FROM devices AS OF REVISION {revision}");
        let (code, reason, _) = refusal(client.queries().query(query(&text)).await);
        table.same(&text, (code, reason.as_str()), (Code::OutOfRange, expected));
    }
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_belong_to_one_query_and_one_caller() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    prepare(&client, 25).await?;
    let paged = |token: &str| proto::QueryRequest {
        page_size: 7,
        page_token: token.to_owned(),
        ..query("SELECT deviceId, desired.x FROM devices ORDER BY desired.x DESC")
    };
    let first = client.queries().query(paged("")).await?;
    let revision = first.header.context("a header")?.revision;
    // What changes afterwards shows on no page, whichever node tells it.
    for device in 0..25 {
        patch(&client, &format!("d{device}"), (None, Some(&format!("{{\"x\":{device}}}")))).await?;
    }
    let (mut rows, mut token, mut at) = (first.rows_json.clone(), first.next_page_token.clone(), 0);
    while !token.is_empty() {
        let ids = cluster.ids();
        let page = cluster.client_of(&[ids[at % ids.len()]])?.queries().query(paged(&token)).await?;
        assert_eq!(page.header.context("a header")?.revision, revision);
        rows.extend(page.rows_json);
        (token, at) = (page.next_page_token, at + 1);
    }
    assert_eq!(rows.len(), 25);
    let mut sorted = rows.clone();
    sorted.sort();
    assert_eq!(rows, sorted, "by id, since nothing had an x then");
    let good = first.next_page_token;
    let mut altered = good.clone().into_bytes();
    altered[20] ^= 1;
    let altered = String::from_utf8(altered)?;
    let (_, secret) = wire::token(&client, proto::Role::Viewer, "", "").await?;
    let other = Client::new(wire::once(&cluster)?.token(&secret))?;
    let mut table = Table::default();
    let invalid = (Code::InvalidArgument, "PAGE_TOKEN_INVALID".to_owned());
    for (case, outcome) in [
        ("altered", client.queries().query(paged(&altered)).await),
        (
            "of another text",
            client
                .queries()
                .query(proto::QueryRequest { page_token: good.clone(), ..query("SELECT * FROM devices") })
                .await,
        ),
        ("of another caller", other.queries().query(paged(&good)).await),
    ] {
        let (code, reason, _) = refusal(outcome);
        table.same(case, (code, reason), invalid.clone());
    }
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_asked_by_those_who_may_read_it() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    prepare(&client, 2).await?;
    let request = proto::CreateNamespaceRequest { namespace_id: "other".to_owned(), ..Default::default() };
    client.namespaces().create(request).await?;
    let (_, secret) = wire::token(&client, proto::Role::Viewer, "other", "").await?;
    let scoped = Client::new(wire::once(&cluster)?.token(&secret))?;
    let mut table = Table::default();
    let own = names::namespace("other");
    let denied = |outcome: (Code, String, String)| (outcome.0, outcome.1);
    let expected = (Code::PermissionDenied, "PERMISSION_DENIED".to_owned());
    let parent = names::namespace(NAMESPACE);
    let text = "SELECT * FROM devices".to_owned();
    table.same("Query", denied(refusal(scoped.queries().query(query(&text)).await)), expected.clone());
    let explain = proto::ExplainRequest { parent: parent.clone(), text: text.clone(), ..Default::default() };
    table.same("Explain", denied(refusal(scoped.queries().explain(explain).await)), expected.clone());
    let diff =
        proto::DiffQueryRequest { parent: parent.clone(), text: text.clone(), from_revision: 1, ..Default::default() };
    table.same("Diff", denied(refusal(scoped.queries().diff(diff).await)), expected.clone());
    let paths =
        proto::ListPathsRequest { parent: parent.clone(), collection: "devices".to_owned(), ..Default::default() };
    table.same("ListPaths", denied(refusal(scoped.queries().list_paths(paths).await)), expected.clone());
    let watch = proto::WatchQueryRequest { parent: parent.clone(), text: text.clone(), ..Default::default() };
    table.same("Watch", denied(refusal(scoped.watch_query(watch.clone()).next().await)), expected.clone());
    table.same("WatchAggregate", denied(refusal(scoped.watch_answers(watch).await)), expected);
    let request = proto::QueryRequest { parent: own, ..query(&text) };
    table.same("its own", answer_len(&scoped, request).await?, 0);
    let live = |text: &str| proto::WatchQueryRequest {
        parent: names::namespace(NAMESPACE),
        text: text.to_owned(),
        ..Default::default()
    };
    for text in [
        "SELECT COUNT() FROM devices",
        "SELECT * FROM devices ORDER BY deviceId",
        "SELECT TOP 3 * FROM devices",
        "SELECT * FROM devices AS OF REVISION 2",
        "SELECT * FROM assets JOIN device",
        "SELECT * FROM devices WHERE NOW() > 5",
    ] {
        let (code, reason, _) = refusal(client.watch_query(live(text)).next().await);
        table.same(text, (code, reason), (Code::InvalidArgument, "QUERY_INVALID".to_owned()));
    }
    let future = proto::WatchQueryRequest { resume_revision: 1_000_000, ..live("SELECT * FROM devices") };
    let (code, reason, _) = refusal(client.watch_query(future).next().await);
    table.same("from the future", (code, reason), (Code::OutOfRange, "REVISION_IN_FUTURE".to_owned()));
    table.finish();
    Ok(())
}

async fn answer_len(client: &Client, request: proto::QueryRequest) -> anyhow::Result<usize> {
    Ok(answer(client, request).await?.1.len())
}
