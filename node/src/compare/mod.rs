//! Whether the members of the cluster hold the same: asked for by an operator, and in the background.
//!
//! ```text
//! operator ─▶ members.rs ── digest at one revision ──▶ every member ── differ? ── records of the range ──▶ the first one
//! timer    ─▶ watch.rs   ── chain hash at one revision ──▶ every member ── outvoted? ──▶ this node ends
//! ```
//!
//! What is hashed is known to `store/digest.rs`. It changes nothing, and decides nothing for another node: a node ends only
//! itself.

mod answers;
mod members;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use crate::raft::RaftNode;
use crate::read::Reader;
use crate::store::state_db::StateDb;

pub use watch::watch;

/// The method by which a node asks another for its chain hash.
pub const CHAIN_METHOD: &str = "chain-hash";
/// The method by which a node asks another for hashes of all it holds.
pub const DIGEST_METHOD: &str = "digest";
/// The method by which a node asks another for hashes of single records.
pub const RECORDS_METHOD: &str = "records";
/// How long reading all records of a node may take.
const DIGEST_MAX: Duration = Duration::from_secs(300);

/// Compares this node with others, and answers those that compare themselves with this one.
pub struct Compare {
    raft: Arc<RaftNode>,
    reader: Arc<Reader>,
    state: Arc<StateDb>,
}

impl Compare {
    /// For this node.
    #[must_use]
    pub fn new(raft: Arc<RaftNode>, reader: Arc<Reader>, state: Arc<StateDb>) -> Arc<Self> {
        Arc::new(Self { raft, reader, state })
    }
}
