//! A node alone, with consensus, proposer and keeper, founded at the first feature level: what is above it stays out of the
//! log until the level has risen.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use muster_domain::cluster::Cluster;
use muster_domain::feature::FEATURE_LEVEL;
use muster_domain::node::{Node, NodeState};
use muster_domain::policy::{Principal, Role};
use muster_domain::{Command, Limits, Operation, Reason};
use tokio::time::{sleep, timeout};

use super::{Membership, MembershipSettings};
use crate::apply::Applier;
use crate::authorize::{self, Caller};
use crate::clock::SystemClock;
use crate::disk_space::DiskSpace;
use crate::node::{ClusterStatus, LateStatus};
use crate::outcome::Outcome;
use crate::propose::{LateHandler, PackerSettings, ProposeError, ProposeSettings, Proposer};
use crate::raft::{ExitProcess, Member, PlainConnector, RaftNode, RaftParts, RaftSettings};
use crate::read::Reader;
use crate::store::state_db::{StateDb, StateOptions};
use crate::store::states::States;
use crate::tasks;

const CLUSTER: &str = "0f0e0d0c-0000-4000-8000-000000000000";

struct Alone {
    dir: tempfile::TempDir,
    raft: Arc<RaftNode>,
    proposer: Arc<Proposer>,
    membership: Arc<Membership>,
}

async fn alone(feature_level: u32) -> Alone {
    let dir = tempfile::tempdir().unwrap();
    let options = StateOptions { block_cache_bytes: 8 << 20, write_buffer_bytes: 4 << 20, ..StateOptions::default() };
    let state = StateDb::open(dir.path(), options).unwrap();
    let states = Arc::new(States::new(Arc::clone(&state), 1 << 20));
    let applier = Applier::open(Arc::clone(&states), None).unwrap();
    let parts = RaftParts {
        state,
        machine: Arc::clone(&applier) as _,
        connector: Arc::new(PlainConnector),
        forward: Arc::new(LateHandler::default()),
        certified: |_| None,
        calls: Arc::new(LateStatus::default()),
        fatal: Arc::new(ExitProcess),
    };
    let nobody = futures::stream::pending::<io::Result<tokio::io::DuplexStream>>();
    let raft = RaftNode::start(RaftSettings::new(CLUSTER, 1, dir.path()), parts, nobody).await.unwrap();
    raft.initialize([(1, Member::default())].into()).await.unwrap();
    raft.wait_for_leader(Duration::from_secs(20)).await.expect("it elects itself");
    let clock = Arc::new(SystemClock);
    let wait = Duration::from_secs(5);
    let reader = Arc::new(Reader::new(Arc::clone(&raft), states, applier.positions(), wait));
    let proposer = Proposer::start(
        Arc::clone(&raft),
        Arc::clone(&reader),
        applier,
        Arc::clone(&clock) as _,
        DiskSpace::new(dir.path(), 0).unwrap(),
        ProposeSettings {
            command_bytes_max: 1 << 20,
            deadline: Duration::from_secs(10),
            packer: PackerSettings {
                queue_max: 100,
                queue_bytes_max: 1 << 20,
                commands_max: 10,
                bytes_max: 1 << 20,
                entries_in_flight: 1,
            },
        },
    );
    let status = ClusterStatus::new(
        Arc::clone(&raft),
        Arc::clone(&reader),
        CLUSTER.to_owned(),
        dir.path().to_owned(),
        clock.as_ref(),
    );
    let settings = MembershipSettings { promote_lag_entries: 100 };
    let membership = Membership::new(Arc::clone(&raft), reader, Arc::clone(&proposer), status, settings);
    let cluster = Cluster {
        cluster_id: CLUSTER.to_owned(),
        page_key: [0; 32],
        limits: Limits::default(),
        feature_level,
        last_node_id: 0,
    };
    let first = Command::single(Operation::InitializeCluster { cluster, token: None });
    proposer.propose(authorize::by_node(1, first), "", [0; 16]).await.unwrap();
    Alone { dir, raft, proposer, membership }
}

impl Alone {
    async fn admit(&self) -> Result<Outcome, ProposeError> {
        let node = Node {
            name: "n2".to_owned(),
            state: NodeState::Admitted,
            voter: true,
            replaces: 0,
            token_hash: [7; 32],
            expires_ms: u64::MAX,
            nonce: [0; 16],
            peer_address: String::new(),
            client_address: String::new(),
        };
        let admin = Principal::User { name: "t".to_owned(), role: Role::Admin, namespace: None, token: None };
        let caller = Caller { principal: admin, origin: "127.0.0.1:1".to_owned() };
        let members_max = self.membership.members_max();
        let command = Command::single(Operation::AdmitNode { node: Box::new(node), members_max });
        self.proposer.propose(authorize::command(&caller, command).unwrap(), "", [0; 16]).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_not_all_members_know_stays_out_of_the_log_until_the_level_rises() {
    let node = alone(1).await;
    let before = node.raft.status().last_log_index;
    match node.admit().await {
        Err(ProposeError::FeatureLevel(rejection)) => assert_eq!(rejection.reason, Reason::FeatureLevelTooLow),
        other => panic!("not refused: {other:?}"),
    }
    assert_eq!(node.raft.status().last_log_index, before, "nothing went into the log");
    assert!(node.membership.nodes().unwrap().is_empty());

    let (stopper, stop) = tasks::stop_pair();
    node.membership.start_keeper(node.dir.path().to_owned(), stop);
    let rising = async {
        while node.membership.status.feature_level() < FEATURE_LEVEL {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(30), rising).await.expect("the only member knows the level, so it rises");
    assert!(node.admit().await.unwrap().results[0].is_accepted());
    assert_eq!(node.membership.nodes().unwrap().keys().collect::<Vec<_>>(), [&2], "one above the founder");
    stopper.stop();
    node.raft.shutdown().await;
}
