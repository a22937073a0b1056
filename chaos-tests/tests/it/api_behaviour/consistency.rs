//! How fresh a read is, and changes that are only tried.

use std::time::Duration;

use muster_client::{Client, Code, RetryPolicy, names, proto};
use proto::read_options::Consistency;

use super::{NAMESPACE, delete, desired, device, present, revision, single};
use crate::table::{Table, code};

fn read(consistency: Consistency, min_revision: u64) -> proto::GetTwinRequest {
    let read = Some(proto::ReadOptions { consistency: consistency.into(), min_revision });
    proto::GetTwinRequest { name: names::twin(NAMESPACE, "pump7"), read, ..Default::default() }
}

async fn value(client: &Client, request: proto::GetTwinRequest) -> anyhow::Result<(u64, String)> {
    let answer = client.twins().get(request).await?;
    Ok((revision(answer.header.as_ref()), present(present(answer.twin)?.desired)?.json))
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_are_as_fresh_as_asked() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = single().await?;
    client.devices().create(device("pump7")).await?;
    let written = revision(client.twins().patch(desired("pump7", "{\"value\":1}")).await?.header.as_ref());
    for (consistency, min_revision) in [
        (Consistency::Unspecified, 0),
        (Consistency::Linearizable, 0),
        (Consistency::MinRevision, written),
        (Consistency::Local, 0),
    ] {
        let found = value(&client, read(consistency, min_revision)).await?;
        assert_eq!(found, (written, "{\"value\":1}".to_owned()), "{consistency:?}");
    }

    let waiting = tokio::spawn({
        let client = client.clone();
        async move { value(&client, read(Consistency::MinRevision, written + 1)).await }
    });
    let next = revision(client.twins().patch(desired("pump7", "{\"value\":2}")).await?.header.as_ref());
    assert_eq!(waiting.await??, (next, "{\"value\":2}".to_owned()), "it waited for the write");

    let patient = RetryPolicy { attempts_max: 1, attempt_timeout: Duration::from_secs(30), ..RetryPolicy::default() };
    let patient = cluster.client_config(&[1])?.token_file(cluster.pki().join("admin.token"))?.retry(patient);
    let never = Client::new(patient)?.twins().get(read(Consistency::MinRevision, next + 1_000)).await;
    let refused = never.err().ok_or_else(|| anyhow::anyhow!("a revision that never comes was answered"))?;
    assert_eq!((refused.code(), refused.reason()), (Code::Unavailable, Some("MIN_REVISION_TIMEOUT")), "{refused}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_tried_changes_nothing() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    client.devices().create(device("pump7")).await?;
    let hash = async || client.cluster().chain_hash(proto::GetChainHashRequest::default()).await;
    let before = hash().await?;
    let mut table = Table::default();
    let validate_only = true;
    let namespace_id = "plant2".to_owned();
    let namespace = proto::CreateNamespaceRequest { namespace_id, validate_only, ..Default::default() };
    let parent = names::namespace(NAMESPACE);
    let forced =
        proto::DeleteNamespaceRequest { name: parent.clone(), force: true, validate_only, ..Default::default() };
    let module = proto::CreateModuleRequest {
        parent: names::device(NAMESPACE, "pump7"),
        module_id: "logic".to_owned(),
        validate_only,
        ..Default::default()
    };
    let name = names::twin(NAMESPACE, "pump7");
    let reported_json = "{\"a\":1}".to_owned();
    let report = proto::ReportPropertiesRequest { name, reported_json, validate_only, ..Default::default() };
    let requests = vec![device("new1"), device("new2")];
    let batch = proto::BatchCreateDevicesRequest { parent, requests, validate_only, ..Default::default() };
    let tried = [
        ("a namespace", code(&client.namespaces().create(namespace).await)),
        ("a forced deletion", code(&client.namespaces().delete(forced).await)),
        (
            "a device",
            code(&client.devices().create(proto::CreateDeviceRequest { validate_only, ..device("new") }).await),
        ),
        (
            "a deletion",
            code(&client.devices().delete(proto::DeleteDeviceRequest { validate_only, ..delete("pump7") }).await),
        ),
        ("a batch", code(&client.devices().batch_create(batch).await)),
        ("a module", code(&client.modules().create(module).await)),
        (
            "a patch",
            code(
                &client.twins().patch(proto::PatchTwinRequest { validate_only, ..desired("pump7", "{\"a\":1}") }).await,
            ),
        ),
        ("a report", code(&client.twins().report(report).await)),
    ];
    for (what, found) in tried {
        table.same(what, found, Code::Ok);
    }
    let bad = proto::PatchTwinRequest { validate_only, ..desired("pump7", "{\"a b\":1}") };
    let refused = (Code::InvalidArgument, "INVALID_DOCUMENT", "desired_json.a b");
    table.refused("a bad patch is refused as if it were meant", &client.twins().patch(bad).await, refused);
    let twice = proto::CreateDeviceRequest { validate_only, ..device("pump7") };
    let exists = (Code::AlreadyExists, "ALREADY_EXISTS", "device_id");
    table.refused("so is a device that exists", &client.devices().create(twice).await, exists);
    let id = "tried".to_owned();
    let tried = proto::PatchTwinRequest { validate_only, request_id: id.clone(), ..desired("pump7", "{\"a\":1}") };
    client.twins().patch(tried).await?;
    let after = hash().await?;
    table.same("the chain hash", (after.revision, after.chain_hash), (before.revision, before.chain_hash));
    let meant =
        client.twins().patch(proto::PatchTwinRequest { request_id: id, ..desired("pump7", "{\"a\":1}") }).await?;
    table.same("a trial does not use up its request id", revision(meant.header.as_ref()), before.revision + 1);
    table.finish();
    Ok(())
}
