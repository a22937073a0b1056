//! The same request id sent twice, also across a change of the leader, has one effect.

use anyhow::Context;
use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::workload::{NAMESPACE, prepare};
use muster_client::{Client, Code, names, proto};

fn patch(request_id: &str, value: u64) -> proto::PatchTwinRequest {
    proto::PatchTwinRequest {
        name: names::twin(NAMESPACE, "d0"),
        desired_json: Some(format!("{{\"value\":{value}}}")),
        request_id: request_id.to_owned(),
        ..Default::default()
    }
}

async fn patches(client: &Client) -> anyhow::Result<Vec<proto::Event>> {
    let request = proto::ListEventsRequest {
        resource: names::twin(NAMESPACE, "d0"),
        kinds: vec!["twin.patched".to_owned()],
        ..Default::default()
    };
    Ok(client.history().list_events(request).await?.events)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_has_one_effect_across_a_change_of_the_leader() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let client = cluster.client()?;
    prepare(&client, 1).await?;
    let first = client.twins().patch(patch("once", 1)).await?;

    let leader = cluster.leader().await?;
    cluster.kill(&[leader]).await?;
    let again = client.twins().patch(patch("once", 1)).await?;
    cluster.start_node(leader)?;
    cluster.wait_until_whole().await?;
    let third = cluster.client_of(&[leader])?.twins().patch(patch("once", 1)).await?;

    let revision = |answer: &proto::TwinChangeResponse| answer.header.as_ref().map(|header| header.revision);
    let all = [&first, &again, &third].map(|answer| (revision(answer), answer.etag.clone(), answer.desired_version));
    assert!(all.iter().all(|answer| *answer == all[0]), "the first outcome is the answer each time: {all:?}");
    assert_eq!(patches(&client).await?.len(), 1, "one effect");

    let refused = client.twins().patch(patch("once", 2)).await.err().context("another body under the same id")?;
    assert_eq!(refused.reason(), Some("REQUEST_ID_REUSED"), "{refused}");
    assert_ne!(refused.code(), Code::Ok);
    assert_eq!(patches(&client).await?.len(), 1, "still one effect");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_asked_for_again_is_named_and_its_secret_not_shown_again() -> anyhow::Result<()> {
    let _turn = super::turn().await;
    let cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let admin = cluster.client()?;
    let token = proto::Token { role: proto::Role::Viewer.into(), description: "ci".to_owned(), ..Default::default() };
    let request = proto::CreateTokenRequest { token: Some(token), request_id: "token-once".to_owned() };
    let first = admin.cluster().create_token(request.clone()).await?;
    let again = admin.cluster().create_token(request).await?;
    let id = |answer: &proto::CreateTokenResponse| answer.token.as_ref().map(|token| token.token_id.clone());
    assert!(!first.secret.is_empty() && again.secret.is_empty(), "only the first answer has the secret");
    assert_eq!(id(&first), id(&again));
    let all = admin.cluster().list_tokens(proto::ListTokensRequest::default()).await?.tokens;
    assert_eq!(all.iter().filter(|token| token.description == "ci").count(), 1, "{all:?}");
    Ok(())
}
