//! How far roles reach, until they are revoked, and what history says of who used them.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use muster_chaos::cluster::Cluster;
use muster_client::{Client, Code, names, proto};
use proto::Role;

use super::{OTHER, OWN, keys, list, patch, pki, report, single, twin, with_certificate, with_token};
use crate::table::{Table, code};
use crate::wire;

#[tokio::test(flavor = "multi_thread")]
async fn roles_reach_as_far_as_they_say() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, admin) = single().await?;
    let mut table = Table::default();
    let token = async |role, namespace: &str| {
        anyhow::Ok(with_token(&cluster, &wire::token(&admin, role, namespace, "").await?.1)?)
    };
    let (ok, denied) = (Code::Ok, Code::PermissionDenied);
    let of_a_token = [
        ("viewer", token(Role::Viewer, "").await?, [ok, ok, denied, denied, denied, denied, denied]),
        (
            "viewer of its namespace",
            token(Role::Viewer, OWN).await?,
            [ok, denied, denied, denied, denied, denied, denied],
        ),
        ("operator", token(Role::Operator, "").await?, [ok, ok, ok, ok, ok, ok, denied]),
        ("operator of its namespace", token(Role::Operator, OWN).await?, [ok, denied, ok, denied, ok, denied, denied]),
        ("admin", token(Role::Admin, "").await?, [ok; 7]),
    ];
    for (who, client, expected) in of_a_token {
        let found = [
            code(&client.devices().list(list(OWN)).await),
            code(&client.twins().get(twin(OTHER, "pump7")).await),
            code(&client.twins().patch(patch(OWN, "pump7", 1)).await),
            code(&client.twins().patch(patch(OTHER, "pump7", 1)).await),
            code(&client.devices().keys(keys(OWN)).await),
            code(&client.devices().keys(keys(OTHER)).await),
            code(&client.cluster().list_tokens(proto::ListTokensRequest::default()).await),
        ];
        table.same(
            &format!("{who}: list own, get other, patch own, patch other, keys own, keys other, tokens"),
            found,
            expected,
        );
    }
    scoped_callers(&cluster, &admin, &mut table).await?;
    table.finish();
    Ok(())
}

/// What a caller that is bound to a namespace sees of the cluster.
async fn scoped_callers(cluster: &Cluster, admin: &Client, table: &mut Table) -> anyhow::Result<()> {
    let operator = with_token(cluster, &wire::token(admin, Role::Operator, OWN, "").await?.1)?;
    let seen = operator.namespaces().list(proto::ListNamespacesRequest::default()).await?.namespaces;
    let seen: Vec<_> = seen.into_iter().map(|namespace| namespace.name).collect();
    table.same("a scoped operator lists its namespace only", seen, vec![names::namespace(OWN)]);
    let all = operator.history().list_events(proto::ListEventsRequest::default()).await;
    table.same("a scoped operator does not read all history", code(&all), Code::PermissionDenied);
    let resource = names::namespace(OTHER);
    let other = operator.history().list_events(proto::ListEventsRequest { resource, ..Default::default() }).await;
    table.same("nor that of another namespace", code(&other), Code::PermissionDenied);
    let past = proto::GetAtRequest { name: names::twin(OTHER, "pump7"), revision: 1, ..Default::default() };
    table.same("nor its past", code(&operator.history().get_at(past).await), Code::PermissionDenied);
    let request = proto::BatchPatchTwinsRequest {
        parent: names::namespace(OTHER),
        requests: vec![patch(OTHER, "pump7", 9)],
        ..Default::default()
    };
    let batch = operator.twins().batch_patch(request).await;
    table.same("nor patches there in a batch", code(&batch), Code::PermissionDenied);
    let smuggled = proto::BatchPatchTwinsRequest {
        parent: names::namespace(OWN),
        requests: vec![patch(OTHER, "pump7", 9)],
        atomic: true,
        ..Default::default()
    };
    let smuggled = operator.twins().batch_patch(smuggled).await;
    table.same("nor under its own namespace's name", code(&smuggled), Code::InvalidArgument);
    let name = names::namespace(OWN);
    let request = proto::DeleteNamespaceRequest { name, force: true, ..Default::default() };
    let deleted = operator.namespaces().delete(request).await;
    table.same("nor deletes its own namespace", code(&deleted), Code::PermissionDenied);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_stops_at_once_also_on_an_open_stream() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, admin) = single().await?;
    let (token_id, token) = wire::token(&admin, Role::Operator, OWN, "").await?;
    let operator = with_token(&cluster, &token)?;
    let (mut patches, mut answers) = operator.twins().patch_stream().await?;
    for value in 1..=3 {
        patches.send(patch(OWN, "pump7", value)).await.ok().context("the stream is open")?;
        let answer = answers.next().await?.context("an answer")?;
        ensure!(answer.error.is_none() && answer.revision > 0, "{answer:?}");
    }
    admin.cluster().revoke_token(proto::RevokeTokenRequest { token_id, ..Default::default() }).await?;
    for value in 4..=5 {
        patches.send(patch(OWN, "pump7", value)).await.ok().context("the stream is open")?;
        let answer = answers.next().await?.context("an answer")?;
        let error = answer.error.context("the token is revoked")?;
        assert_eq!((answer.revision, error.reason.as_str()), (0, "PERMISSION_DENIED"), "{error:?}");
        assert_eq!(Code::from(error.code), Code::PermissionDenied);
    }
    let twin = admin.twins().get(twin(OWN, "pump7")).await?.twin.context("a twin")?;
    assert_eq!(twin.desired.context("desired")?.json, "{\"value\":3}", "nothing after the revocation took effect");
    let refused = operator.twins().patch_stream().await.err().context("no new stream")?;
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_say_who_did_it_and_from_where() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, admin) = single().await?;
    let issue = ["issue-client", "--role", "device", "--name", "pump8", "--namespace", OWN, "--device", "pump8"];
    pki(&issue, &cluster.pki()).await?;
    pki(&["issue-client", "--role", "operator", "--name", "alice"], &cluster.pki()).await?;
    let (id, token) = wire::token(&admin, Role::Operator, OWN, "").await?;
    let before = cluster.status_of(1).await?.header.context("a header")?.revision;
    with_token(&cluster, &token)?.twins().patch(patch(OWN, "pump8", 1)).await?;
    with_certificate(&cluster, "alice")?.twins().patch(patch(OWN, "pump8", 2)).await?;
    with_certificate(&cluster, "pump8")?.twins().report(report(OWN, "pump8")).await?;
    let resource = names::twin(OWN, "pump8");
    let request = proto::ListEventsRequest { resource, from_revision: before + 1, ..Default::default() };
    let events = admin.history().list_events(request).await?.events;
    let found: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.actor.as_str())).collect();
    let by_token = format!("token:{id}");
    let expected =
        [("twin.patched", by_token.as_str()), ("twin.patched", "user:alice"), ("twin.reported", "device:plant1/pump8")];
    assert_eq!(found, expected);
    for event in &events {
        let origin: SocketAddr = event.origin.parse().with_context(|| format!("{event:?}"))?;
        assert!(origin.ip().is_loopback() && origin.port() != 0, "{event:?}");
        assert!(!event.request_id.is_empty() && event.time.is_some(), "{event:?}");
    }
    Ok(())
}
