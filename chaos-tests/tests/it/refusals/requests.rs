//! What all requests share: request ids, sizes of batches, pages, consistency, revisions.

use muster_client::{Client, Code, names, proto};

use super::{NAMESPACE, check_unchanged, desired, device, invalid, single, state};
use crate::table::Table;

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_break_a_rule_are_refused() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    let once = proto::PatchTwinRequest { request_id: "once".to_owned(), ..desired("{\"once\":1}") };
    client.twins().patch(once.clone()).await?;
    let before = state(&client).await?;
    let mut table = Table::default();

    let other = proto::PatchTwinRequest { desired_json: Some("{\"once\":2}".to_owned()), ..once };
    let reused = (Code::FailedPrecondition, "REQUEST_ID_REUSED", "request_id");
    table.refused("a request id with another body", &client.twins().patch(other).await, reused);
    let request = proto::DeleteDeviceRequest {
        name: names::device(NAMESPACE, "off"),
        request_id: "once".to_owned(),
        ..Default::default()
    };
    table.refused("a request id with another call", &client.devices().delete(request).await, reused);
    for id in [&"x".repeat(129), "tab\there", "ünique"] {
        let request = proto::PatchTwinRequest { request_id: id.to_owned(), ..desired("{\"a\":1}") };
        let outcome = client.twins().patch(request).await;
        table.refused(&format!("request id {id:?}"), &outcome, invalid("INVALID_FIELD", "request_id"));
    }

    let batch = |requests| {
        let request =
            proto::BatchPatchTwinsRequest { parent: names::namespace(NAMESPACE), requests, ..Default::default() };
        async { client.twins().batch_patch(request).await }
    };
    table.refused("a batch of 1,001", &batch(vec![desired("{\"a\":1}"); 1_001]).await, invalid("TOO_MANY", "requests"));
    table.refused("a batch of none", &batch(Vec::new()).await, invalid("INVALID_FIELD", "requests"));
    let devices = (0..1_001).map(|at| device(&format!("n{at}"))).collect();
    let request = proto::BatchCreateDevicesRequest {
        parent: names::namespace(NAMESPACE),
        requests: devices,
        ..Default::default()
    };
    table.refused("1,001 devices", &client.devices().batch_create(request).await, invalid("TOO_MANY", "requests"));
    let lines = vec![proto::ImportDevice { device_id: "n".to_owned(), ..Default::default() }; 1_001];
    let request =
        proto::ImportDevicesRequest { parent: names::namespace(NAMESPACE), devices: lines, ..Default::default() };
    table.refused("1,001 lines", &client.devices().import(request).await, invalid("TOO_MANY", "devices"));

    pages(&mut table, &client).await?;
    past(&mut table, &client, before.0).await;
    check_unchanged(&mut table, &client, before).await?;
    table.finish();
    Ok(())
}

async fn pages(table: &mut Table, client: &Client) -> anyhow::Result<()> {
    let all = proto::ListDevicesRequest { parent: names::namespace(NAMESPACE), page_size: 1, ..Default::default() };
    let list = |request: proto::ListDevicesRequest| async { client.devices().list(request).await };
    let token = list(all.clone()).await?.next_page_token;
    let with = |token: &str| proto::ListDevicesRequest { page_token: token.to_owned(), ..all.clone() };
    let bad = invalid("PAGE_TOKEN_INVALID", "page_token");
    let flipped = if token.ends_with('A') { "B" } else { "A" };
    let middle = token.len() / 2;
    let tampered = format!("{}{flipped}{}", &token[..middle], &token[middle + 1..]);
    for (case, page_token) in [
        ("nonsense", "nonsense"),
        ("a cut token", &token[..middle]),
        ("a changed token", &tampered),
        ("no text", "\u{0}"),
    ] {
        table.refused(&format!("page token: {case}"), &list(with(page_token)).await, bad);
    }
    let filtered = proto::ListDevicesRequest { prefix: "p".to_owned(), ..with(&token) };
    table.refused("a token of another filter", &list(filtered).await, bad);
    let request = proto::ListNamespacesRequest { page_token: token.clone(), ..Default::default() };
    table.refused("a token of another list", &client.namespaces().list(request).await, bad);
    table.check("the token itself is good", list(with(&token)).await.is_ok(), || token.clone());

    let negative = proto::ListDevicesRequest { page_size: -1, ..all.clone() };
    table.refused("negative page size", &list(negative).await, invalid("INVALID_FIELD", "page_size"));
    let nowhere = proto::ListDevicesRequest { parent: names::namespace("nowhere"), ..all.clone() };
    table.refused("list of nothing", &list(nowhere).await, (Code::NotFound, "NOT_FOUND", "parent"));
    let status = proto::ListDevicesRequest { status: 9, ..all.clone() };
    table.refused("unknown status", &list(status).await, invalid("INVALID_FIELD", "status"));
    let read = |consistency, min_revision| {
        list(proto::ListDevicesRequest { read: Some(proto::ReadOptions { consistency, min_revision }), ..all.clone() })
    };
    table.refused("unknown consistency", &read(9, 0).await, invalid("INVALID_FIELD", "read.consistency"));
    table.refused("a stray min_revision", &read(1, 7).await, invalid("INVALID_FIELD", "read.min_revision"));
    Ok(())
}

async fn past(table: &mut Table, client: &Client, newest: u64) {
    let events = |request: proto::ListEventsRequest| async { client.history().list_events(request).await };
    let none = proto::ListEventsRequest::default;
    let kinds = proto::ListEventsRequest { kinds: vec!["twin.*".to_owned(), "twin.patchd".to_owned()], ..none() };
    table.refused("unknown kind", &events(kinds).await, invalid("INVALID_FIELD", "kinds[1]"));
    let range = proto::ListEventsRequest { from_revision: 3, to_revision: 2, ..none() };
    table.refused("a range backwards", &events(range).await, invalid("INVALID_FIELD", "from_revision"));
    let resource = proto::ListEventsRequest { resource: "plant1".to_owned(), ..none() };
    table.refused("events of no name", &events(resource).await, invalid("INVALID_FIELD", "resource"));

    let get = |name: &str, revision| {
        let request = proto::GetAtRequest { name: name.to_owned(), revision, ..Default::default() };
        async { client.history().get_at(request).await }
    };
    let twin = names::twin(NAMESPACE, "pump7");
    table.refused("no revision", &get(&twin, 0).await, invalid("INVALID_FIELD", "revision"));
    let future = (Code::OutOfRange, "REVISION_IN_FUTURE", "revision");
    table.refused("a revision to come", &get(&twin, newest + 1).await, future);
    table.refused("the last revision there can be", &get(&twin, u64::MAX).await, future);
    table.refused("before it was made", &get(&twin, 1).await, (Code::NotFound, "NOT_FOUND", "name"));
    table.refused("the past of no name", &get("pump7", 1).await, invalid("INVALID_FIELD", "name"));
    let hash = client.cluster().chain_hash(proto::GetChainHashRequest { revision: newest + 1 }).await;
    table.refused("a hash to come", &hash, future);
}
