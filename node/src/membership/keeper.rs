//! What runs on every node: the leader keeps Raft's members in line with the records and raises the feature level; any
//! node notices that it was removed, says so, and ends.
//!
//! A removed node may be the one whose vote the change still needs, so it goes on until a member confirms that it is out.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use muster_domain::Operation;
use muster_domain::feature::FEATURE_LEVEL;
use muster_domain::node::NodeState;
use muster_proto::peer::v1 as wire;
use muster_proto::v1::MemberStatus;
use prost::Message;
use tokio::time::{sleep, timeout};

use super::{MemberError, Membership, REMOVED_METHOD};
use crate::removed;
use crate::tasks::{self, StopSignal};

/// How often it looks.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a member may take to say whether this node belongs.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// The level is looked at every so many pauses: that asks all members.
const LEVEL_TURNS: u32 = 10;
/// Who does not lead asks every so many pauses whether it still belongs: a removed node that was down meanwhile believes
/// in the leader it knew, and nobody tells it.
const BELONGING_TURNS: u32 = 10;

impl Membership {
    /// Looks after the members until the node stops. `data_dir` is where a removed node leaves its mark.
    pub fn start_keeper(self: &Arc<Self>, data_dir: PathBuf, stop: StopSignal) {
        let membership = Arc::clone(self);
        tasks::spawn("membership", async move { membership.keep(data_dir, stop).await });
    }

    async fn keep(&self, data_dir: PathBuf, stop: StopSignal) {
        let mut turns = 0_u32;
        let mut told = None;
        loop {
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = stop.clone().stopped() => return,
            }
            turns = turns.wrapping_add(1);
            let leads = self.raft.is_leader();
            if leads {
                self.lead(turns, &mut told).await;
            }
            let asks = self.is_recorded_removed() || (!leads && turns.is_multiple_of(BELONGING_TURNS));
            if asks && self.a_member_says_removed().await {
                self.end(&data_dir);
            }
        }
    }

    /// `told` is what was logged last: a trouble that lasts is not told five times a second.
    async fn lead(&self, turns: u32, told: &mut Option<MemberError>) {
        let trouble = self.settle_here().await.err().filter(|error| *error != MemberError::NoLeader);
        if let Some(error) = trouble.as_ref().filter(|error| told.as_ref() != Some(error)) {
            tracing::warn!(%error, "the members are not yet what they shall be; trying again");
        }
        *told = trouble;
        if turns.is_multiple_of(LEVEL_TURNS)
            && let Some(level) = self.level_to_raise().await
        {
            tracing::info!(level, "all members know this feature level; raising it");
            if let Err(error) = self.record(Operation::RaiseFeatureLevel { level }).await {
                tracing::warn!(%error, "the feature level was not raised; trying again");
            }
        }
    }

    /// The level that all members support, when it is above the cluster's.
    async fn level_to_raise(&self) -> Option<u32> {
        let level = self.status.feature_level();
        if level == 0 || level >= FEATURE_LEVEL {
            return None;
        }
        level_of_all(level, &self.status.get().await.members)
    }

    fn is_recorded_removed(&self) -> bool {
        let nodes = self.nodes().unwrap_or_default();
        nodes.get(&self.raft.node_id()).is_some_and(|node| node.state == NodeState::Removed)
    }

    async fn a_member_says_removed(&self) -> bool {
        for id in self.raft.peers().ids() {
            let asked = self.raft.peers().call(id, REMOVED_METHOD, Bytes::new());
            if let Ok(Ok(reply)) = timeout(ANSWER_MAX, asked).await
                && wire::RemovedReply::decode(reply).is_ok_and(|reply| reply.removed)
            {
                return true;
            }
        }
        false
    }

    fn end(&self, data_dir: &std::path::Path) {
        let id = self.raft.node_id();
        if let Err(error) = removed::mark(data_dir, id) {
            tracing::error!(%error, "the mark of having been removed was not written");
        }
        tasks::die(tasks::EXIT_REMOVED, &removed::message(data_dir, id));
    }
}

/// What all members support, when that is more than `level`. One that cannot be asked may be of any version.
fn level_of_all(level: u32, members: &[MemberStatus]) -> Option<u32> {
    // A member that names no level is of the first version, which did not know of them.
    let supported = members.iter().map(|member| member.supported_feature_level.max(1)).min()?;
    (supported > level && members.iter().all(|member| member.reachable)).then_some(supported)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members<const N: usize>(known: [(bool, u32); N]) -> Vec<MemberStatus> {
        let member = |(reachable, supported_feature_level)| MemberStatus {
            reachable,
            supported_feature_level,
            ..MemberStatus::default()
        };
        known.map(member).into()
    }

    #[test]
    fn the_level_rises_when_all_members_are_there_and_know_it() {
        assert_eq!(level_of_all(1, &members([(true, 2), (true, 2), (true, 3)])), Some(2));
        assert_eq!(level_of_all(2, &members([(true, 2), (true, 3)])), None, "one of them knows no more");
        assert_eq!(level_of_all(1, &members([(true, 2), (true, 0)])), None, "an old one names none");
        assert_eq!(level_of_all(1, &members([(true, 2), (false, 2)])), None, "who is away may come back as an old one");
        assert_eq!(level_of_all(1, &[]), None);
    }
}
