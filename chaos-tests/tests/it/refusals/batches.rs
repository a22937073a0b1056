//! A batch with a bad entry: refused alone, or with its whole batch when that is all or nothing.

use muster_client::{Code, names, proto};

use super::{NAMESPACE, check_unchanged, desired, device, invalid, single, state};
use crate::table::Table;

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_entry_is_refused_alone_or_with_its_whole_batch() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    let mut table = Table::default();
    let before = state(&client).await?;
    let of = |name: String| proto::PatchTwinRequest { name, ..desired("{\"batch\":1}") };
    let (pump, off) = (names::twin(NAMESPACE, "pump7"), names::twin(NAMESPACE, "off"));
    let requests = vec![of(pump.clone()), of(off), of("nonsense".to_owned()), desired("{\"a b\":1}")];
    let patches = proto::BatchPatchTwinsRequest { parent: names::namespace(NAMESPACE), requests, ..Default::default() };
    let devices = vec![device("new1"), device("pump7"), device("a b")];
    let creations = proto::BatchCreateDevicesRequest {
        parent: names::namespace(NAMESPACE),
        requests: devices,
        ..Default::default()
    };

    let mut atomic = proto::BatchPatchTwinsRequest { atomic: true, ..patches.clone() };
    atomic.requests.truncate(2);
    let outcome = client.twins().batch_patch(atomic).await;
    table.refused("atomic patches", &outcome, (Code::FailedPrecondition, "DEVICE_DISABLED", "requests[1].name"));
    let malformed = proto::BatchPatchTwinsRequest { atomic: true, ..patches.clone() };
    let outcome = client.twins().batch_patch(malformed).await;
    table.refused("atomic, malformed", &outcome, invalid("INVALID_FIELD", "requests[2].name"));
    let atomic = proto::BatchCreateDevicesRequest { atomic: true, ..creations.clone() };
    let outcome = client.devices().batch_create(atomic).await;
    table.refused("atomic creations", &outcome, invalid("INVALID_ID", "requests[2].device_id"));
    check_unchanged(&mut table, &client, before.clone()).await?;

    let answer = client.twins().batch_patch(patches).await?;
    let expected = [
        ("", ""),
        ("DEVICE_DISABLED", "requests[1].name"),
        ("INVALID_FIELD", "requests[2].name"),
        ("INVALID_DOCUMENT", "requests[3].desired_json.a b"),
    ];
    table.same("patches, each for itself", told(&answer.results), expected.map(owned).to_vec());
    table.same("one revision for all", answer.header.map(|header| header.revision), Some(before.0 + 1));
    let answer = client.devices().batch_create(creations).await?;
    let expected = [("", ""), ("ALREADY_EXISTS", "requests[1].device_id"), ("INVALID_ID", "requests[2].device_id")];
    table.same("creations, each for itself", told(&answer.results), expected.map(owned).to_vec());
    table.same("one more revision", state(&client).await?.0, before.0 + 2);

    let line = |id: &str, mode: i32| proto::ImportDevice { device_id: id.to_owned(), mode, ..Default::default() };
    let devices = vec![line("new2", 1), line("a b", 1), line("new3", 99), line("pump7", 2)];
    let request = proto::ImportDevicesRequest { parent: names::namespace(NAMESPACE), devices, ..Default::default() };
    let answer = client.devices().import(request).await?;
    let expected = [
        ("", ""),
        ("INVALID_ID", "devices[1].device_id"),
        ("INVALID_FIELD", "devices[2].mode"),
        ("ALREADY_EXISTS", "devices[3].device_id"),
    ];
    table.same("lines, each for itself", told(&answer.results), expected.map(owned).to_vec());

    let nothing_good = proto::BatchDeleteDevicesRequest {
        parent: names::namespace(NAMESPACE),
        requests: vec![proto::DeleteDeviceRequest { name: names::device(NAMESPACE, "nothing"), ..Default::default() }],
        ..Default::default()
    };
    let now = state(&client).await?;
    let answer = client.devices().batch_delete(nothing_good).await?;
    table.same("a batch of one bad entry", told(&answer.results), vec![owned(("NOT_FOUND", "requests[0].name"))]);
    check_unchanged(&mut table, &client, now).await?;
    table.finish();
    Ok(())
}

/// Reason and field of each result; both empty when it was accepted.
fn told(results: &[proto::BatchItemResult]) -> Vec<(String, String)> {
    let error = |result: &proto::BatchItemResult| result.error.clone().unwrap_or_default();
    results.iter().map(error).map(|error| (error.reason, error.field)).collect()
}

fn owned((reason, field): (&str, &str)) -> (String, String) {
    (reason.to_owned(), field.to_owned())
}
