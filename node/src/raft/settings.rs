//! What an operator may tune about consensus, with its defaults, and how it becomes openraft's configuration.
//!
//! - An election takes one lease (the largest election timeout) plus one random timeout, so the largest timeout bounds
//!   how long writes stop when a leader dies: with the defaults below 900 ms.
//! - The heartbeat interval is also the deadline of a heartbeat call; it must stay well above a round trip and a sync.

use std::path::PathBuf;
use std::time::Duration;

use muster_planted::{self as planted, Bug};
use openraft::{Config, SnapshotPolicy};

use super::StartError;
use super::log_disk::segment_bytes;
use super::types::NodeId;

/// Settings of one node's consensus.
#[derive(Clone, Debug)]
pub struct RaftSettings {
    /// The cluster this node belongs to; peers of another cluster are refused.
    pub cluster_id: String,
    /// This node.
    pub node_id: NodeId,
    /// Where `raftlog/`, `snapshots/`, `HIGH_WATER` and `MEMBER` lie.
    pub data_dir: PathBuf,
    /// How often a leader says that it lives, and how long it waits for the answer.
    pub heartbeat_ms: u64,
    /// Shortest silence after which a follower stands for election.
    pub election_timeout_min_ms: u64,
    /// Longest such silence, and the time for which a follower trusts a leader it has heard.
    pub election_timeout_max_ms: u64,
    /// Entries after which a snapshot is built. An entry packs many commands.
    pub snapshot_logs_since_last: u64,
    /// Bytes of payloads after which a snapshot is built, whatever their number; the log then keeps at most about twice
    /// as many.
    pub log_round_bytes: u64,
    /// Entries kept although a snapshot has them, for followers that were away for a while.
    pub log_keep_entries: u64,
    /// Entries purged at once, at least.
    pub purge_batch_entries: u64,
    /// Most entries in one message to a follower.
    pub payload_entries_max: u64,
    /// Bytes of a file of the log.
    pub log_segment_bytes: usize,
    /// Entries kept in memory although they are on disk.
    pub log_tail_entries: usize,
    /// Bytes of entries kept in memory although they are on disk.
    pub log_tail_bytes: usize,
    /// Requests forwarded to one peer, or accepted from one, that have no answer yet.
    pub forward_in_flight_max: usize,
    /// Bytes of requests forwarded to one peer that have no answer yet.
    pub forward_in_flight_bytes: usize,
    /// Linearizable reads waiting for their turn.
    pub read_queue_max: usize,
    /// Deadline of a linearizable read.
    pub read_timeout: Duration,
    /// Deadline of a forwarded request and of a call to another node.
    pub call_timeout: Duration,
    /// After this long without any answer to a sent append, the stream to a follower is given up and opened anew.
    pub append_stall_timeout: Duration,
    /// Deadline for sending and installing a whole snapshot.
    pub snapshot_timeout: Duration,
    /// How long a stopping leader waits for another to take over.
    pub handover_timeout: Duration,
}

impl RaftSettings {
    /// The defaults for everything but identity and place.
    pub fn new(cluster_id: impl Into<String>, node_id: NodeId, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            cluster_id: cluster_id.into(),
            node_id,
            data_dir: data_dir.into(),
            heartbeat_ms: 50,
            election_timeout_min_ms: 250,
            election_timeout_max_ms: 400,
            snapshot_logs_since_last: 100_000,
            log_round_bytes: 1 << 30,
            log_keep_entries: 20_000,
            purge_batch_entries: 256,
            payload_entries_max: 512,
            log_segment_bytes: segment_bytes(),
            log_tail_entries: 20_000,
            log_tail_bytes: 64 << 20,
            forward_in_flight_max: 4096,
            forward_in_flight_bytes: 64 << 20,
            read_queue_max: 16_384,
            read_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(10),
            append_stall_timeout: Duration::from_secs(5),
            snapshot_timeout: Duration::from_secs(600),
            handover_timeout: Duration::from_secs(2),
        }
    }

    pub(super) fn openraft(&self) -> Result<Config, StartError> {
        let quiet = 2 * self.heartbeat_ms + self.heartbeat_ms / 4 + 1 < self.election_timeout_min_ms;
        let config = Config {
            cluster_name: self.cluster_id.clone(),
            heartbeat_interval: self.heartbeat_ms,
            // Replication proves a leader's life as well as a heartbeat does.
            heartbeat_min_interval: Some(if quiet { self.heartbeat_ms } else { 0 }),
            election_timeout_min: if planted::is(Bug::ElectionsTogether) {
                self.election_timeout_max_ms - 1
            } else {
                self.election_timeout_min_ms
            },
            election_timeout_max: self.election_timeout_max_ms,
            install_snapshot_timeout: millis(self.snapshot_timeout),
            max_payload_entries: self.payload_entries_max,
            replication_lag_threshold: self.snapshot_logs_since_last * 2 + self.log_keep_entries,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_logs_since_last),
            max_in_snapshot_log_to_keep: self.log_keep_entries,
            purge_batch_size: self.purge_batch_entries,
            broadcast_submitted_on_append: Some(true),
            enable_pre_vote: Some(true),
            // A restarted leader may know less than it did; an election tells it what is committed.
            enable_leader_restore: Some(false),
            allow_log_reversion: Some(false),
            backoff: "50ms 100ms 200ms ...500ms".to_owned(),
            ..Config::default()
        };
        config.validate().map_err(|error| StartError::Settings(error.to_string()))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::RaftSettings;

    #[test]
    fn members_stand_for_election_at_different_times_and_hear_the_leader_before() {
        let config = RaftSettings::new("c", 1, "unused").openraft().expect("the defaults are good");
        let (shortest, longest) = (config.election_timeout_min, config.election_timeout_max);
        assert!(
            longest - shortest >= config.heartbeat_interval,
            "who stands first is elected before the next: {config:?}"
        );
        assert!(shortest >= 4 * config.heartbeat_interval, "a few heartbeats may be lost: {config:?}");
    }
}
