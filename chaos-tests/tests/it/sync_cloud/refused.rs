//! What an edge may not say ends the stream with a status that names the field, and changes nothing.

use muster_client::{Code, names, proto};
use proto::sync_request::Message as Asked;

use super::edge::{Link, Store, report};
use super::{NAMESPACE, cluster, device, reason};
use crate::table::Table;
use tonic_types::StatusExt;

/// Code, reason and the fields at fault.
fn told(status: Option<tonic::Status>) -> (Code, String, Vec<String>) {
    let Some(status) = status else { return (Code::Ok, String::new(), Vec::new()) };
    let details = status.get_error_details();
    let fields = details.bad_request().map(|bad| bad.field_violations.iter().map(|one| one.field.clone()).collect());
    (status.code(), reason(&status), fields.unwrap_or_default())
}

fn expected(code: Code, reason: &str, field: &str) -> (Code, String, Vec<String>) {
    (code, reason.to_owned(), if field.is_empty() { vec![] } else { vec![field.to_owned()] })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_first_message_is_refused() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press", "paint"]).await?;
    let press = Store::new(&client, "press").await?;
    let hello = || press.hello();
    let mut table = Table::default();
    let invalid = |field: &str| expected(Code::InvalidArgument, "INVALID_FIELD", field);
    let other = "0f0e0d0c-0000-4000-8000-000000000000".to_owned();
    let own = client.cluster().status(proto::GetStatusRequest {}).await?.header;
    let cluster_id = own.map(|header| header.cluster_id).unwrap_or_default();
    for (case, first, wanted) in [
        ("no hello", Asked::Fetch(proto::SyncFetch::default()), invalid("message")),
        (
            "a device",
            Asked::Hello(proto::SyncHello { edge: names::device(NAMESPACE, "a"), ..hello() }),
            invalid("hello.edge"),
        ),
        (
            "short incarnation",
            Asked::Hello(proto::SyncHello { incarnation: vec![1; 15].into(), ..hello() }),
            invalid("hello.incarnation"),
        ),
        (
            "long session",
            Asked::Hello(proto::SyncHello { session: vec![1; 17].into(), ..hello() }),
            invalid("hello.session"),
        ),
        ("no window", Asked::Hello(proto::SyncHello { window_items: 0, ..hello() }), invalid("hello.window_items")),
        (
            "a cursor without a cluster",
            Asked::Hello(proto::SyncHello { cursor: 5, ..hello() }),
            invalid("hello.cluster_id"),
        ),
        (
            "another cluster",
            Asked::Hello(proto::SyncHello { cluster_id: other, ..hello() }),
            expected(Code::FailedPrecondition, "CLUSTER_MISMATCH", "hello.cluster_id"),
        ),
        (
            "the future",
            Asked::Hello(proto::SyncHello { cursor: 1 << 40, cluster_id, ..hello() }),
            expected(Code::OutOfRange, "CURSOR_FROM_THE_FUTURE", "hello.cursor"),
        ),
        (
            "another edge",
            Asked::Hello(proto::SyncHello { edge: names::edge(NAMESPACE, "paint"), ..hello() }),
            expected(Code::PermissionDenied, "PERMISSION_DENIED", ""),
        ),
    ] {
        let refused = match Link::open(&cluster, 1, &press.token, first).await {
            Ok(mut link) => link.end().await,
            Err(status) => Some(status),
        };
        table.same(case, told(refused), wanted);
    }
    let request = proto::GetEdgeStatusRequest { name: press.edge.clone(), ..Default::default() };
    let never = client.edges().status(request).await?.status.map(|status| status.connection());
    table.same("nothing was opened", never, Some(proto::EdgeConnection::Never));
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_message_ends_the_stream() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press"]).await?;
    device(&client, "oven", "press", "").await?;
    let mut press = Store::new(&client, "press").await?;
    let mut table = Table::default();
    let invalid = |field: &str| expected(Code::InvalidArgument, "INVALID_FIELD", field);
    let many = |field: &str| expected(Code::InvalidArgument, "TOO_MANY", field);
    let good = || report("oven", "{}");
    let operations = |first_sequence: u64, operations: Vec<proto::SyncOperation>| {
        move |epoch: u64| {
            Asked::Operations(proto::SyncOperations { epoch, first_sequence, operations: operations.clone() })
        }
    };
    type Message = Box<dyn Fn(u64) -> Asked>;
    let cases: Vec<(&str, Message, _)> = vec![
        ("hello twice", Box::new(|_| Asked::Hello(proto::SyncHello::default())), invalid("hello")),
        ("no operations", Box::new(operations(1, vec![])), many("operations.operations")),
        ("257 operations", Box::new(operations(1, vec![good(); 257])), many("operations.operations")),
        ("sequence 0", Box::new(operations(0, vec![good()])), invalid("operations.first_sequence")),
        (
            "a gap",
            Box::new(operations(2, vec![good()])),
            expected(Code::FailedPrecondition, "SEQUENCE_GAP", "operations.first_sequence"),
        ),
        (
            "another epoch",
            Box::new(|epoch| {
                let operations = vec![report("oven", "{}")];
                Asked::Operations(proto::SyncOperations { epoch: epoch + 1, first_sequence: 1, operations })
            }),
            expected(Code::Aborted, "EPOCH_FENCED", "operations.epoch"),
        ),
        (
            "too many bytes",
            Box::new(operations(1, vec![report("oven", &format!(r#"{{"x":"{}"}}"#, "x".repeat(1 << 20)))])),
            expected(Code::InvalidArgument, "TOO_LARGE", "operations"),
        ),
        (
            "items that were not sent",
            Box::new(|_| Asked::Received(proto::SyncReceived { items: 1_000, ..Default::default() })),
            invalid("received.items"),
        ),
        (
            "a mark that was not sent",
            Box::new(|_| Asked::Received(proto::SyncReceived { cursor: 1 << 40, ..Default::default() })),
            invalid("received.cursor"),
        ),
        (
            "compare without that mark",
            Box::new(|_| {
                let range = proto::SyncRange { hash: vec![0; 32].into(), ..proto::SyncRange::default() };
                Asked::Compare(proto::SyncCompare { revision: 1 << 40, ranges: vec![range], contents: false })
            }),
            invalid("compare.revision"),
        ),
        ("compare without ranges", Box::new(|_| Asked::Compare(proto::SyncCompare::default())), many("compare.ranges")),
        (
            "fetch without compare",
            Box::new(|_| Asked::Fetch(proto::SyncFetch { names: vec!["a".to_owned()] })),
            invalid("fetch"),
        ),
    ];
    for (case, message, wanted) in cases {
        let mut link = press.connect(&cluster, 1).await?;
        link.say(message(link.welcome.epoch)).await?;
        table.same(case, told(link.end().await), wanted);
    }
    table.same("nothing was reported", super::reported(&client, "oven").await?, serde_json::json!({}));
    table.finish();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_cannot_be_read_is_refused_by_its_number_and_those_after_it_go_on() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = cluster(1, &["press"]).await?;
    device(&client, "oven", "press", "").await?;
    let mut press = Store::new(&client, "press").await?;
    press.sent_sequence = 9;
    let mut link = press.connect(&cluster, 1).await?;
    let named = |name: &str| {
        let report = proto::SyncReport { name: name.to_owned(), reported_json: "{}".to_owned() };
        proto::SyncOperation { queued_ms: 1, operation: Some(proto::sync_operation::Operation::Report(report)) }
    };
    let status = proto::SyncAssetStatus { name: names::asset(NAMESPACE, "heat"), status: None };
    let status = Some(proto::sync_operation::Operation::AssetStatus(status));
    let operations = vec![
        report("oven", r#"{"n":1}"#),
        // What a later version brings is nothing to this one.
        proto::SyncOperation::default(),
        named("pump"),
        named("namespaces/plant1/assets/heat"),
        report("oven", "{"),
        proto::SyncOperation { queued_ms: 1, operation: status },
        report("oven", r#"{"n":7}"#),
    ];
    let epoch = press.epoch;
    link.say(Asked::Operations(proto::SyncOperations { epoch, first_sequence: 1, operations })).await?;
    let results = link.answered(7).await?;
    let mut table = Table::default();
    let refused = |refusals: &[proto::SyncRefusal]| -> Vec<(u64, String)> {
        refusals.iter().map(|refusal| (refusal.sequence, refusal.reason.clone())).collect()
    };
    let wanted: Vec<(u64, String)> =
        [(2, "INVALID_FIELD"), (3, "INVALID_FIELD"), (4, "INVALID_FIELD"), (5, "INVALID_JSON"), (6, "INVALID_FIELD")]
            .map(|(sequence, reason)| (sequence, reason.to_owned()))
            .into();
    let last = results.last().map(|result| refused(&result.refusals)).unwrap_or_default();
    table.same("refused by number", last, wanted.clone());
    table.same("the others took effect", super::reported(&client, "oven").await?, serde_json::json!({ "n": 7 }));
    drop(link);
    let mut link = press.connect(&cluster, 1).await?;
    let welcomed = (link.welcome.last_sequence, refused(&link.welcome.refusals));
    table.same("and it is on record", welcomed, (7, wanted));
    link.report(8, &[("oven", r#"{"n":8}"#.to_owned())]).await?;
    link.answered(8).await?;
    table.same("the edge goes on", super::reported(&client, "oven").await?, serde_json::json!({ "n": 8 }));
    table.finish();
    Ok(())
}
