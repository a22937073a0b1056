//! From one node to three, to five, and back to three, while writers run; nothing acknowledged is lost.

use std::fs;

use muster_chaos::cluster::{Cluster, Options};
use muster_chaos::invariants::{acked_writes_survive, chains_agree};
use muster_chaos::workload::{NAMESPACE, Writers, prepare, wait_for_writes};
use muster_client::proto::MemberState;
use muster_client::{names, proto};

use super::{learner, remove, voter, wait_for_voters};

/// Exit code of a node that was removed.
const REMOVED: i32 = 72;

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_grows_and_shrinks_under_load_and_loses_nothing() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    prepare(&cluster.client()?, 4).await?;
    // They begin at the founder and learn of nobody else: a client that follows the members is the writer's business.
    let writers = Writers::start((0..4).map(|_| cluster.client_of(&[1])).collect::<anyhow::Result<_>>()?);
    wait_for_writes(&cluster.client()?, 50).await?;

    for id in [2, 3] {
        assert_eq!(cluster.add_node(voter("more")).await?, id, "ids rise one by one");
    }
    wait_for_voters(&cluster, &[1, 2, 3]).await?;
    wait_for_writes(&cluster.client()?, 100).await?;
    for id in [4, 5] {
        assert_eq!(cluster.add_node(voter("more")).await?, id);
    }
    wait_for_voters(&cluster, &[1, 2, 3, 4, 5]).await?;
    wait_for_writes(&cluster.client()?, 100).await?;

    for id in [2, 4] {
        remove(&cluster, id).await?;
        let status = cluster.wait_for_exit(id).await?;
        assert_eq!(status.code(), Some(REMOVED), "node {id} says that it was removed: {status}");
        cluster.forget_node(id)?;
    }
    wait_for_voters(&cluster, &[1, 3, 5]).await?;
    wait_for_writes(&cluster.client()?, 50).await?;
    let acked = writers.finish().await?;
    assert!(acked.len() >= 200, "only {} writes were acknowledged", acked.len());
    cluster.wait_until_whole().await?;
    let revision = chains_agree::check(&cluster).await?;
    for id in cluster.ids() {
        acked_writes_survive::check(&cluster.client_of(&[id])?, &acked, revision).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_learner_serves_reads_and_forwards_writes_and_does_not_vote() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options::default()).await?;
    let members = cluster.client()?;
    prepare(&members, 1).await?;
    let id = cluster.add_node(learner("reader")).await?;
    cluster
        .wait_for_members("the learner is reachable", |members| {
            members.iter().any(|member| member.node_id == id && member.reachable && !member.to_vote)
        })
        .await?;
    let reader = cluster.client_of(&[id])?;
    let patch = |value: u64| proto::PatchTwinRequest {
        name: names::twin(NAMESPACE, "d0"),
        desired_json: Some(format!("{{\"sequence\":{value}}}")),
        ..Default::default()
    };
    for value in 1..20 {
        // Through a voter, then read at the learner at once: a linearizable read has to show it. And the other way round.
        members.twins().patch(patch(2 * value)).await?;
        assert_eq!(sequence(&reader).await?, 2 * value, "a read at the learner misses an acknowledged write");
        reader.twins().patch(patch(2 * value + 1)).await?;
        assert_eq!(sequence(&members).await?, 2 * value + 1, "a write through the learner is not there");
    }
    let listed = cluster.wait_for_members("four members", |members| members.len() == 4).await?;
    let states: Vec<MemberState> = listed.iter().map(proto::Member::state).collect();
    assert_eq!(states, [MemberState::Voter, MemberState::Voter, MemberState::Voter, MemberState::Learner]);

    members.members().promote(proto::PromoteMemberRequest { node_id: id, ..Default::default() }).await?;
    wait_for_voters(&cluster, &[1, 2, 3, id]).await
}

async fn sequence(client: &muster_client::Client) -> anyhow::Result<u64> {
    let request = proto::GetTwinRequest { name: names::twin(NAMESPACE, "d0"), ..Default::default() };
    let twin = client.twins().get(request).await?.twin.unwrap_or_default();
    let document: serde_json::Value = serde_json::from_str(&twin.desired.unwrap_or_default().json)?;
    Ok(document.get("sequence").and_then(serde_json::Value::as_u64).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_joining_that_was_interrupted_goes_on_with_the_same_token() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut cluster = Cluster::start(Options { nodes: 1, ..Options::default() }).await?;
    let admitted = cluster.client()?.members().admit(voter("unlucky")).await?;
    let id = admitted.node_id;
    cluster.prepare_node(&admitted).await?;
    // The cluster takes the token, and then the node cannot write that it takes part: a folder is in the way.
    let obstacle = cluster.data_dir(id).join("MEMBER.tmp");
    fs::create_dir_all(&obstacle)?;
    cluster.start_node(id)?;
    assert_eq!(cluster.wait_for_exit(id).await?.code(), Some(1));
    let events = proto::ListEventsRequest { kinds: vec!["node.joined".to_owned()], ..Default::default() };
    let joined = cluster.client_of(&[1])?.history().list_events(events).await?.events;
    assert_eq!(joined.len(), 1, "its token is used: {joined:?}");
    assert!(cluster.data_dir(id).join("JOINING").exists(), "and the nonce it was used with is kept");

    fs::remove_dir(&obstacle)?;
    cluster.start_node(id)?;
    wait_for_voters(&cluster, &[1, id]).await?;
    assert!(!cluster.data_dir(id).join("JOINING").exists(), "once it takes part, the nonce is gone");
    cluster.wait_until_whole().await
}
