//! What must be refused: a stale token, removing the last voter, what leaves no majority, promoting one far behind.

use std::fs;
use std::time::{Duration, SystemTime};

use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::eventually::eventually;
use muster_chaos::workload::{NAMESPACE, prepare};
use muster_client::{Code, names, proto};
use nix::sys::signal::Signal;

use super::{learner, refusal, voter, wait_for_voters};

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_token_lets_nobody_in() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    // Used before: the node joined, lost its disk, and comes again with the token it has.
    let id = cluster.add_node(learner("reader")).await?;
    cluster
        .wait_for_members("the learner is there", |members| {
            members.iter().any(|member| member.node_id == id && member.reachable)
        })
        .await?;
    cluster.kill(&[id]).await?;
    fs::remove_dir_all(cluster.data_dir(id))?;
    cluster.start_node(id)?;
    refused_to_join(&mut cluster, id, "JOIN_TOKEN_STALE: the join token of node 2 was used before").await?;
    let log = cluster.log_of(id)?;
    assert!(log.contains("muster cluster replace 2"), "it says what to do:\n{log}");

    // Withdrawn before it was used.
    let admin = cluster.client_of(&[1])?;
    let withdrawn = admin.members().admit(voter("never")).await?;
    cluster.prepare_node(&withdrawn).await?;
    let request = proto::RemoveMemberRequest { node_id: withdrawn.node_id, ..Default::default() };
    admin.members().remove(request).await?;
    cluster.start_node(withdrawn.node_id)?;
    refused_to_join(&mut cluster, withdrawn.node_id, "NODE_REMOVED").await?;

    // Another node's.
    let mut mixed = admin.members().admit(voter("mixed")).await?;
    mixed.join_token = mixed.join_token.replace(|c: char| c.is_ascii_hexdigit() && !c.is_ascii_digit(), "0");
    cluster.prepare_node(&mixed).await?;
    cluster.start_node(mixed.node_id)?;
    refused_to_join(&mut cluster, mixed.node_id, "JOIN_TOKEN_STALE: this is not the join token").await?;

    let mut swapped = admin.members().admit(voter("swapped")).await?;
    swapped.join_token = withdrawn.join_token;
    cluster.prepare_node(&swapped).await?;
    cluster.start_node(swapped.node_id)?;
    refused_to_join(&mut cluster, swapped.node_id, "is the token of node 3, but node.id is 5").await?;

    let request = proto::AdmitNodeRequest { token_lifetime_seconds: 59, ..voter("short") };
    assert_eq!(refusal(admin.members().admit(request).await), (Code::InvalidArgument, "INVALID_FIELD".to_owned()));
    let request = proto::AdmitNodeRequest { replaces: 77, ..voter("for-nobody") };
    assert_eq!(refusal(admin.members().admit(request).await), (Code::NotFound, "NOT_FOUND".to_owned()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_lets_nobody_in() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    // The shortest life that is allowed.
    let short = proto::AdmitNodeRequest { token_lifetime_seconds: 60, ..voter("late") };
    let admitted = cluster.client_of(&[1])?.members().admit(short).await?;
    let expires = admitted.token_expire_time.ok_or_else(|| anyhow::anyhow!("the token has an end"))?;
    cluster.prepare_node(&admitted).await?;
    eventually("the token has expired", Duration::from_secs(90), async || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(|error| error.to_string())?;
        let left = expires.seconds + 1 - now.as_secs().cast_signed();
        if left <= 0 { Ok(()) } else { Err(format!("it has {left} s left")) }
    })
    .await?;
    cluster.start_node(admitted.node_id)?;
    let said = format!("JOIN_TOKEN_STALE: the join token of node {} has expired", admitted.node_id);
    refused_to_join(&mut cluster, admitted.node_id, &said).await?;
    cluster.forget_node(admitted.node_id)?;
    wait_for_voters(&cluster, &[1]).await
}

async fn refused_to_join(cluster: &mut Cluster, id: u64, said: &str) -> anyhow::Result<()> {
    let status = cluster.wait_for_exit(id).await?;
    let log = cluster.log_of(id)?;
    assert_eq!(status.code(), Some(1), "node {id}: {status}\n{log}");
    assert!(log.contains(said), "node {id} says {said:?}:\n{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_lose_the_quorum_is_refused_unless_forced() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let leader = cluster.leader().await?;
    let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != leader).collect();
    let (dead, alive) = (others[0], others[1]);
    cluster.kill(&[dead]).await?;
    let client = cluster.client_of(&[leader, alive])?;
    let remove = |node_id, force| proto::RemoveMemberRequest { node_id, force, ..Default::default() };
    // At once, although the leader has heard of it a moment ago.
    let refused = refusal(client.members().remove(remove(alive, false)).await);
    assert_eq!(
        refused,
        (Code::FailedPrecondition, "QUORUM_AT_RISK".to_owned()),
        "a dead one would be half of the voters"
    );
    // The dead one may go as soon as the other one answers, and then there are two that do.
    eventually("the dead one goes", Duration::from_secs(20), async || {
        client.members().remove(remove(dead, false)).await.map(drop).map_err(|error| error.to_string())
    })
    .await?;
    cluster.forget_node(dead)?;
    let mut rest = vec![leader, alive];
    rest.sort_unstable();
    wait_for_voters(&cluster, &rest).await?;
    client.members().remove(remove(alive, false)).await?;
    assert_eq!(cluster.wait_for_exit(alive).await?.code(), Some(72));
    cluster.forget_node(alive)?;
    wait_for_voters(&cluster, &[leader]).await?;
    for force in [false, true] {
        let refused = refusal(cluster.client()?.members().remove(remove(leader, force)).await);
        assert_eq!(refused, (Code::FailedPrecondition, "LAST_VOTER".to_owned()), "force: {force}");
    }
    assert_eq!(refusal(cluster.client()?.members().remove(remove(99, true)).await).0, Code::NotFound);
    prepare(&cluster.client()?, 1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_learner_far_behind_is_not_promoted_until_it_caught_up() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let settings = "[raft]\npromote_lag_entries = 10\n".to_owned();
    let mut cluster = Cluster::start(Options { nodes: 1, settings, ..Options::default() }).await?;
    let client = cluster.client_of(&[1])?;
    prepare(&client, 1).await?;
    let id = cluster.add_node(learner("slow")).await?;
    cluster
        .wait_for_members("the learner is there", |members| {
            members.iter().any(|member| member.node_id == id && member.reachable)
        })
        .await?;
    cluster.signal(id, Signal::SIGSTOP)?;
    for value in 0..40 {
        let request = proto::PatchTwinRequest {
            name: names::twin(NAMESPACE, "d0"),
            desired_json: Some(format!("{{\"sequence\":{value}}}")),
            ..Default::default()
        };
        client.twins().patch(request).await?;
    }
    let promote = proto::PromoteMemberRequest { node_id: id, ..Default::default() };
    let refused = client.members().promote(promote.clone()).await.expect_err("it is far behind");
    assert_eq!((refused.code(), refused.reason()), (Code::FailedPrecondition, Some("MEMBER_FAR_BEHIND")), "{refused}");
    assert!(refused.message().contains("log entries behind"), "it says how far: {refused}");
    wait_for_voters(&cluster, &[1]).await?;

    cluster.signal(id, Signal::SIGCONT)?;
    eventually("it caught up and is promoted", Duration::from_secs(60), async || {
        client.members().promote(promote.clone()).await.map_err(|error| error.to_string())
    })
    .await?;
    wait_for_voters(&cluster, &[1, id]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_removal_goes_ahead_and_ends_when_a_majority_is_back() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let leader = cluster.leader().await?;
    let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != leader).collect();
    let (dead, alive) = (others[0], others[1]);
    cluster.kill(&[dead]).await?;
    let client = cluster.client_of(&[leader])?;
    let request = proto::RemoveMemberRequest { node_id: alive, force: true, ..Default::default() };
    // Half of the voters that are left is dead: it is recorded, and waits.
    let forced = tokio::spawn(async move { client.members().remove(request).await });
    let recorded = cluster.client_of(&[leader])?;
    eventually("the removal is recorded", Duration::from_secs(20), async || {
        let request = proto::ListEventsRequest { kinds: vec!["node.removed".to_owned()], ..local() };
        let events = recorded.history().list_events(request).await.map_err(|error| error.to_string())?.events;
        if events.is_empty() { Err("no event".to_owned()) } else { Ok(()) }
    })
    .await?;
    cluster.start_node(dead)?;
    assert_eq!(cluster.wait_for_exit(alive).await?.code(), Some(72));
    cluster.forget_node(alive)?;
    let mut rest = vec![leader, dead];
    rest.sort_unstable();
    wait_for_voters(&cluster, &rest).await?;
    // What the call answered depends on how long that took; what it did does not.
    let _answer = forced.await?;
    prepare(&cluster.client()?, 1).await
}

/// Answered by the node that is asked, from what it holds.
fn local() -> proto::ListEventsRequest {
    let consistency = proto::read_options::Consistency::Local.into();
    proto::ListEventsRequest { read: Some(proto::ReadOptions { consistency, min_revision: 0 }), ..Default::default() }
}
