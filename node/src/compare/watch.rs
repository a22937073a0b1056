//! Compares this node's chain hash with those of the other members, again and again, and ends this node when it is the one
//! that differs.
//!
//! - It differs when a majority of the members agree on another hash. When no majority is against it, that is only said:
//!   with two members nobody can know which one is wrong.
//! - The revision compared is that of the last round, so that the others have reached it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use muster_proto::peer::v1 as peer;
use prost::Message;
use tokio::time::sleep;

use super::{CHAIN_METHOD, Compare};
use crate::node::hex;
use crate::store::event_log::ChainHash;
use crate::tasks::{self, EXIT_DIVERGED, StopSignal};

/// How often it asks.
const PERIOD: Duration = Duration::from_secs(3);

/// What the others say, counted.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Nobody has another hash.
    Agree,
    /// Some have, but no majority has the same other one.
    Unclear,
    /// A majority has this other one.
    Outvoted(ChainHash),
}

/// Watches until the node stops.
pub fn watch(compare: &Arc<Compare>, stop: StopSignal) {
    let compare = Arc::clone(compare);
    tasks::spawn("chain-watch", async move {
        let mut revision = compare.reader.local().revision();
        while !stop.is_stopped() {
            tokio::select! {
                () = sleep(PERIOD) => {}
                () = stop.clone().stopped() => return,
            }
            compare.look(revision).await;
            revision = compare.reader.local().revision();
        }
    });
}

impl Compare {
    async fn look(&self, revision: u64) {
        let members = self.raft.status().members;
        let own = match self.reader.local().chain_hash(revision) {
            Ok(Some(own)) => own,
            // Nothing is there yet, or it was removed since, or replaced with the whole state.
            Ok(None) => return,
            Err(error) => return tracing::error!(error = &error as &dyn std::error::Error, "the own chain hash"),
        };
        let others = members.iter().filter(|member| member.id != self.raft.node_id());
        let answers = join_all(others.map(|member| self.chain_of(member.id, revision))).await;
        let answers: Vec<ChainHash> = answers.into_iter().flatten().collect();
        let verdict = judge(&own, &answers, members.len());
        metrics::gauge!("muster_chain_differs").set(if verdict == Verdict::Agree { 0.0 } else { 1.0 });
        match verdict {
            Verdict::Agree => {}
            Verdict::Unclear => tracing::error!(
                revision,
                own = hex(&own),
                "another member has a different chain hash, and no majority says which is right; \
                 run `muster cluster verify`"
            ),
            Verdict::Outvoted(other) => tasks::die(
                EXIT_DIVERGED,
                &format!(
                    "this node differs from the majority of its cluster: at revision {revision} its chain hash is {}, \
                     theirs is {}. It must not answer any more; see runbook node-diverged: replace its data",
                    hex(&own),
                    hex(&other)
                ),
            ),
        }
    }

    async fn chain_of(&self, id: u64, revision: u64) -> Option<ChainHash> {
        let question = peer::ChainHashQuestion { revision }.encode_to_vec();
        let answer = self.raft.peers().call(id, CHAIN_METHOD, question.into()).await.ok()?;
        peer::ChainHashAnswer::decode(answer).ok()?.chain_hash[..].try_into().ok()
    }
}

fn judge(own: &ChainHash, others: &[ChainHash], members: usize) -> Verdict {
    let mut verdict = Verdict::Agree;
    for other in others.iter().filter(|other| *other != own) {
        let same = others.iter().filter(|same| *same == other).count();
        if 2 * same > members {
            return Verdict::Outvoted(*other);
        }
        verdict = Verdict::Unclear;
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::{Verdict, judge};

    const A: [u8; 32] = [1; 32];
    const B: [u8; 32] = [2; 32];
    const C: [u8; 32] = [3; 32];

    #[test]
    fn only_a_majority_ends_a_node() {
        assert_eq!(judge(&A, &[A, A], 3), Verdict::Agree);
        assert_eq!(judge(&A, &[], 3), Verdict::Agree, "nobody answers");
        assert_eq!(judge(&A, &[B, B], 3), Verdict::Outvoted(B));
        assert_eq!(judge(&A, &[A, B], 3), Verdict::Unclear, "the other one is wrong");
        assert_eq!(judge(&A, &[B], 3), Verdict::Unclear, "one of three is no majority");
        assert_eq!(judge(&A, &[B, C], 3), Verdict::Unclear, "all differ");
        assert_eq!(judge(&A, &[B], 2), Verdict::Unclear, "with two, who is right?");
        assert_eq!(judge(&A, &[A, B, B, B], 5), Verdict::Outvoted(B));
    }
}
