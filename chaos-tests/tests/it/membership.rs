//! Members come, vote, are replaced and leave, under load; and what must be refused is.

use muster_chaos::cluster::Cluster;
use muster_client::proto::MemberState;
use muster_client::{Code, proto};

mod growing;
mod leaving;
mod refusals;
mod replacing;

/// Asks for a node that is to vote.
fn voter(name: &str) -> proto::AdmitNodeRequest {
    proto::AdmitNodeRequest { name: name.to_owned(), ..Default::default() }
}

/// Asks for a node that stays a learner.
fn learner(name: &str) -> proto::AdmitNodeRequest {
    proto::AdmitNodeRequest { learner: true, ..voter(name) }
}

/// Waits until exactly these vote.
async fn wait_for_voters(cluster: &Cluster, wanted: &[u64]) -> anyhow::Result<()> {
    let what = format!("the voters are {wanted:?}");
    cluster
        .wait_for_members(&what, |members| {
            let voters = members.iter().filter(|member| member.state() == MemberState::Voter);
            voters.map(|member| member.node_id).eq(wanted.iter().copied())
        })
        .await?;
    Ok(())
}

async fn remove(cluster: &Cluster, node_id: u64) -> anyhow::Result<()> {
    cluster.client()?.members().remove(proto::RemoveMemberRequest { node_id, ..Default::default() }).await?;
    Ok(())
}

/// The code and reason of a refusal.
fn refusal<T: std::fmt::Debug>(outcome: Result<T, muster_client::CallError>) -> (Code, String) {
    match outcome {
        Ok(answer) => panic!("accepted: {answer:?}"),
        Err(error) => (error.code(), error.reason().unwrap_or_default().to_owned()),
    }
}
