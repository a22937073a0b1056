//! Saved queries: one text for all who ask it by name, on every node and through kills; never a mix of two texts.

use anyhow::Context;
use muster_chaos::cluster::{Cluster, Options, binary};
use muster_chaos::workload::{NAMESPACE, prepare};
use muster_client::{CallError, Client, Code, names, proto};
use nix::sys::signal::Signal;
use tokio::process::Command;

use super::{answer, patch, query};
use crate::table::Table;

const HOT: &str = "SELECT deviceId FROM devices WHERE desired.t > 30 ORDER BY deviceId";
const COLD: &str = "SELECT deviceId FROM devices WHERE desired.t <= 30 ORDER BY deviceId";

fn named(id: &str) -> proto::QueryRequest {
    proto::QueryRequest { saved_query: names::saved_query(NAMESPACE, id), ..query("") }
}

async fn save(client: &Client, id: &str, text: &str) -> Result<proto::SavedQueryResponse, CallError> {
    let request = proto::CreateSavedQueryRequest {
        parent: names::namespace(NAMESPACE),
        query_id: id.to_owned(),
        query: Some(proto::SavedQuery {
            text: text.to_owned(),
            description: "a test".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    client.saved_queries().create(request).await
}

async fn change(client: &Client, id: &str, text: &str, etag: &str) -> Result<proto::SavedQueryResponse, CallError> {
    let name = names::saved_query(NAMESPACE, id);
    let request = proto::UpdateSavedQueryRequest {
        query: Some(proto::SavedQuery { name, text: text.to_owned(), ..Default::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["text".to_owned()] }),
        etag: etag.to_owned(),
        ..Default::default()
    };
    client.saved_queries().update(request).await
}

async fn get(client: &Client, id: &str) -> Result<Option<proto::SavedQuery>, CallError> {
    let request = proto::GetSavedQueryRequest { name: names::saved_query(NAMESPACE, id), ..Default::default() };
    Ok(client.saved_queries().get(request).await?.query)
}

async fn delete(client: &Client, id: &str, etag: &str) -> Result<proto::DeleteSavedQueryResponse, CallError> {
    let name = names::saved_query(NAMESPACE, id);
    let request = proto::DeleteSavedQueryRequest { name, etag: etag.to_owned(), ..Default::default() };
    client.saved_queries().delete(request).await
}

/// Devices `d0` to `d9`, of which `d4` and later are hot.
async fn fleet(client: &Client) -> anyhow::Result<()> {
    prepare(client, 10).await?;
    for device in 0..10 {
        patch(client, &format!("d{device}"), (None, Some(&format!("{{\"t\":{}}}", device * 10)))).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_query_is_asked_by_name_on_every_node_and_survives_the_leader() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    fleet(&client).await?;
    let made = save(&client, "hot", HOT).await?.query.context("the query")?;
    let mut table = Table::default();
    table.same("its text and version", (made.text.as_str(), made.version), (HOT, 1));
    let stale = change(&client, "hot", COLD, "1").await;
    table.refused("a stale etag", &stale, (Code::Aborted, "ETAG_MISMATCH", "etag"));
    for (text, reason) in [("SELECT * FROM device", "QUERY_INVALID"), ("", "INVALID_FIELD")] {
        let invalid = (Code::InvalidArgument, reason, "query.text");
        table.refused(&format!("changed to {text:?}"), &change(&client, "hot", text, "").await, invalid);
        table.refused(&format!("saved as {text:?}"), &save(&client, "bad", text).await, invalid);
    }
    let long = format!("SELECT * FROM devices WHERE tags.a = '{}'", "x".repeat(8_192));
    let invalid = (Code::InvalidArgument, "QUERY_INVALID", "query.text");
    table.refused("a text too long", &save(&client, "bad", &long).await, invalid);
    table.same("nothing was changed", get(&client, "hot").await?, Some(made.clone()));

    let leader = cluster.leader().await?;
    cluster.end(leader, Signal::SIGKILL).await?;
    let (_, expected) = answer(&client, query(HOT)).await?;
    table.same("hot devices", expected.len(), 6);
    for id in cluster.ids().into_iter().filter(|id| *id != leader) {
        let (_, rows) = answer(&cluster.client_of(&[id])?, named("hot")).await?;
        table.same(&format!("asked of node {id}"), &rows, &expected);
    }
    let changed = change(&client, "hot", COLD, &made.etag).await?.query.context("the query")?;
    let told = (changed.text.as_str(), changed.description.as_str(), changed.version);
    table.same("changed, but for its description", told, (COLD, "a test", 2));
    table.same("cold devices", answer(&client, named("hot")).await?.1.len(), 4);
    cluster.start_node(leader)?;
    cluster.wait_until_whole().await?;
    table.same("on the node that was away", get(&cluster.client_of(&[leader])?, "hot").await?, Some(changed.clone()));

    let unknown = (Code::NotFound, "NOT_FOUND", "saved_query");
    table.refused("an unknown one", &client.queries().query(named("nothing")).await, unknown);
    table.refused("a stale deletion", &delete(&client, "hot", "1").await, (Code::Aborted, "ETAG_MISMATCH", "etag"));
    delete(&client, "hot", &changed.etag).await?;
    table.refused("a deleted one", &client.queries().query(named("hot")).await, unknown);
    table.refused("got after that", &get(&client, "hot").await, (Code::NotFound, "NOT_FOUND", "name"));
    table.same("versions go on", save(&client, "hot", HOT).await?.query.map(|query| query.version), Some(3));
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_live_answers_never_mix_two_texts() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    fleet(&client).await?;
    save(&client, "hot", HOT).await?;
    let (_, expected) = answer(&client, query(HOT)).await?;
    let paged = |token: &str| proto::QueryRequest { page_size: 2, page_token: token.to_owned(), ..named("hot") };
    let mut table = Table::default();
    // The text changes after the first page and is gone after the second; each page is told by another node.
    let first = client.queries().query(paged("")).await?;
    let (mut rows, mut token, ids) = (first.rows_json, first.next_page_token, cluster.ids());
    for node in [ids[1], ids[2]] {
        match node == ids[1] {
            true => drop(change(&client, "hot", COLD, "").await?),
            false => drop(delete(&client, "hot", "").await?),
        }
        let page = cluster.client_of(&[node])?.queries().query(paged(&token)).await?;
        rows.extend(page.rows_json);
        token = page.next_page_token;
    }
    let rows = rows.iter().map(|row| serde_json::from_str(row)).collect::<Result<Vec<serde_json::Value>, _>>()?;
    table.same("pages go on with the text of the first", (rows, token.as_str()), (expected, ""));

    let unordered = "SELECT deviceId FROM devices WHERE desired.t > 30";
    save(&client, "live", unordered).await?;
    let live = |resume_revision: u64| proto::WatchQueryRequest {
        parent: names::namespace(NAMESPACE),
        saved_query: names::saved_query(NAMESPACE, "live"),
        resume_revision,
        ..Default::default()
    };
    let mut watcher = client.watch_query(live(0));
    let mut entered = 0;
    let told = loop {
        let message = watcher.next().await?;
        match message.kind() {
            proto::watch_query_response::Kind::Progress => break message.header.unwrap_or_default().revision,
            _ => entered += 1,
        }
    };
    table.same("the first answer", entered, 6);
    let request = proto::UpdateSavedQueryRequest {
        query: Some(proto::SavedQuery {
            name: names::saved_query(NAMESPACE, "live"),
            description: "no other text".to_owned(),
            ..Default::default()
        }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["description".to_owned()] }),
        ..Default::default()
    };
    client.saved_queries().update(request).await?;
    patch(&client, "d0", (None, Some("{\"t\":99}"))).await?;
    let entered = loop {
        let message = watcher.next().await?;
        if message.kind() != proto::watch_query_response::Kind::Progress {
            break message.id;
        }
    };
    table.same("goes on when only the description is another", entered.as_str(), "d0");
    change(&client, "live", "SELECT deviceId FROM devices", "").await?;
    let ended = loop {
        if let Err(error) = watcher.next().await {
            break Err::<(), _>(error);
        }
    };
    let changed = (Code::FailedPrecondition, "SAVED_QUERY_CHANGED", "saved_query");
    table.refused("ends when the text is another", &ended, changed);
    table.refused("resumed from before the change", &client.watch_query(live(told)).next().await, changed);
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_question_takes_a_text_or_a_name_and_says_which_is_wrong() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let client = cluster.client()?;
    fleet(&client).await?;
    save(&client, "cold", "SELECT deviceId FROM devices WHERE desired.t <= 30").await?;
    let mut table = Table::default();
    let queries = client.queries();
    let (parent, saved) = (names::namespace(NAMESPACE), names::saved_query(NAMESPACE, "cold"));
    let invalid = |field: &'static str| (Code::InvalidArgument, "INVALID_FIELD", field);
    let both = proto::QueryRequest { text: HOT.to_owned(), ..named("cold") };
    table.refused("both", &queries.query(both).await, invalid("saved_query"));
    table.refused("neither", &queries.query(query("")).await, invalid("text"));
    for wrong in ["cold", "namespaces/other/queries/cold", "namespaces/other/devices/cold"] {
        let request = proto::QueryRequest { saved_query: wrong.to_owned(), ..query("") };
        table.refused(wrong, &queries.query(request).await, invalid("saved_query"));
    }
    let explain = |saved_query: &str| proto::ExplainRequest {
        parent: parent.clone(),
        saved_query: saved_query.to_owned(),
        analyze: true,
        ..Default::default()
    };
    table.same("explained", queries.explain(explain(&saved)).await?.cost.map(|cost| cost.rows_answered), Some(4));
    table.refused("explained without either", &queries.explain(explain("")).await, invalid("text"));
    let rows = |text: &str| proto::ExplainRequest { text: text.to_owned(), ..explain("") };
    for (text, is_watched_by_rows) in [
        ("SELECT deviceId FROM devices WHERE desired.t > 30", true),
        (HOT, false),
        ("SELECT status, COUNT() AS n FROM devices GROUP BY status", false),
        ("SELECT TOP 3 deviceId FROM devices", false),
    ] {
        table.same(text, queries.explain(rows(text)).await?.watchable_rows, is_watched_by_rows);
    }
    let (before, _) = answer(&client, named("cold")).await?;
    patch(&client, "d9", (None, Some("{\"t\":1}"))).await?;
    let diff = proto::DiffQueryRequest {
        parent: parent.clone(),
        saved_query: saved.clone(),
        from_revision: before,
        ..Default::default()
    };
    table.same("compared", queries.diff(diff.clone()).await?.differences.len(), 1);
    let both = proto::DiffQueryRequest { text: HOT.to_owned(), ..diff };
    table.refused("compared by both", &queries.diff(both).await, invalid("saved_query"));
    let watch = proto::WatchQueryRequest { parent: parent.clone(), saved_query: saved.clone(), ..Default::default() };
    let mut answers = client.watch_answers(watch.clone()).await?;
    let first = answers.message().await?.context("an answer")?;
    table.same("followed", first.rows_json.len(), 5);
    let both = proto::WatchQueryRequest { text: HOT.to_owned(), ..watch };
    table.refused("followed by both", &client.watch_answers(both.clone()).await, invalid("saved_query"));
    table.refused("rows by both", &client.watch_query(both).next().await, invalid("saved_query"));

    let list = proto::ListSavedQueriesRequest { parent, page_size: 1, ..Default::default() };
    save(&client, "hot", HOT).await?;
    let page = client.saved_queries().list(list.clone()).await?;
    let next = proto::ListSavedQueriesRequest { page_token: page.next_page_token.clone(), ..list };
    let rest = client.saved_queries().list(next).await?;
    let listed: Vec<_> = page.queries.iter().chain(&rest.queries).map(|query| names::last(&query.name)).collect();
    table.same("listed in pages", listed, vec!["cold", "hot"]);
    let taken = (Code::AlreadyExists, "ALREADY_EXISTS", "query_id");
    table.refused("taken", &save(&client, "hot", HOT).await, taken);
    table.refused("a bad id", &save(&client, "Hot", HOT).await, (Code::InvalidArgument, "INVALID_ID", "query_id"));
    let delete = proto::DeleteNamespaceRequest { name: names::namespace(NAMESPACE), ..Default::default() };
    let held = client.namespaces().delete(delete.clone()).await;
    table.refused("a namespace that holds some", &held, (Code::FailedPrecondition, "NAMESPACE_NOT_EMPTY", "name"));
    let forced = client.namespaces().delete(proto::DeleteNamespaceRequest { force: true, ..delete }).await?;
    table.same("gone with their namespace", forced.resources_deleted, 12);
    client
        .namespaces()
        .create(proto::CreateNamespaceRequest { namespace_id: NAMESPACE.to_owned(), ..Default::default() })
        .await?;
    table.refused("not in the new one", &get(&client, "hot").await, (Code::NotFound, "NOT_FOUND", "name"));
    table.finish();
    Ok(())
}

/// What the command line prints.
async fn muster(cluster: &Cluster, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let output = Command::new(binary("muster")?)
        // Contexts of whoever runs the tests, or of `cargo xtask up` here, would lend their certificates.
        .envs(["HOME", "XDG_CONFIG_HOME"].map(|name| (name, cluster.scratch())))
        .current_dir(cluster.scratch())
        .args(["--endpoint", &cluster.endpoint(1), "--namespace", NAMESPACE, "--output", "json", "--ca-file"])
        .arg(cluster.pki().join("client-ca.crt"))
        .arg("--token-file")
        .arg(cluster.pki().join("admin.token"))
        .arg("query")
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await?;
    Ok((output.status.code(), String::from_utf8(output.stdout)?))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_saves_asks_and_deletes() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    fleet(&cluster.client()?).await?;
    let mut table = Table::default();
    let hot = "SELECT deviceId FROM devices WHERE desired.t > 80";
    let saved = muster(&cluster, &["save", "hot", hot, "--description", "too warm"]).await?;
    table.same("saved", saved.0, Some(0));
    table.same("taken", muster(&cluster, &["save", "hot", hot]).await?.0, Some(4));
    let cold = "SELECT deviceId FROM devices WHERE desired.t < 5";
    table.same("replaced", muster(&cluster, &["save", "hot", cold, "--replace"]).await?.0, Some(0));
    let shown: serde_json::Value = serde_json::from_str(&muster(&cluster, &["saved", "get", "hot"]).await?.1)?;
    let shown = (shown["text"].as_str(), shown["description"].as_str());
    table.same("shown", shown, (Some(cold), Some("too warm")));
    let row = (Some(0), "{\"deviceId\":\"d0\"}\n".to_owned());
    table.same("asked", muster(&cluster, &["--saved", "hot"]).await?, row.clone());
    let (_, followed) = muster(&cluster, &["--saved", "hot", "--watch", "--count", "1"]).await?;
    table.check("followed", followed.contains("\"id\":\"d0\""), || followed.clone());
    let (code, explained) = muster(&cluster, &["explain", "--saved", "hot"]).await?;
    table.check("explained", code == Some(0) && explained.contains("plan"), || explained.clone());
    table.same("compared", muster(&cluster, &["diff", "--saved", "hot", "--from", "5"]).await?.0, Some(0));
    table.same("both", muster(&cluster, &["--saved", "hot", hot]).await?.0, Some(2));
    let (_, listed) = muster(&cluster, &["saved", "list"]).await?;
    table.same("listed", listed.lines().count(), 1);
    table.same("deleted", muster(&cluster, &["saved", "delete", "hot"]).await?.0, Some(0));
    table.same("gone", muster(&cluster, &["--saved", "hot"]).await?.0, Some(3));
    table.finish();
    Ok(())
}
