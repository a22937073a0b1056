//! Whether this node may vote and acknowledge at all: only while it still has what it promised, or never promised
//! anything.
//!
//! ```text
//! new disk ── closed ── the founder asks, or this node founds ──> data/MEMBER ── open
//!                   └── the cluster has admitted this node and taken its token ──┘
//! ```
//!
//! A member whose disk was replaced starts as empty as a new one, under the id of a member that has voted and
//! acknowledged. If it took part, a majority of members that know nothing of an acknowledged write could elect a leader.
//! This file does not know who is asked, or when. Invariants:
//! - Without log, vote and marker the gate is closed, and stays so unless the cluster is being founded right now, or has
//!   accepted this very joining under an id that nobody had before.
//! - The marker is durable before the gate opens, and names the founder: nobody takes part in founding two clusters.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use muster_planted::{self as planted, Bug};
use serde::Deserialize;
use tonic::Status;

use super::types::NodeId;
use crate::store::durable;

/// What the marker says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marker {
    /// Who founds or founded the cluster; absent in data that is older than the marker.
    founder: Option<NodeId>,
    /// The id under which a running cluster admitted this node.
    admitted: Option<NodeId>,
}

/// Why this node does not take part in founding a cluster.
#[derive(Debug, thiserror::Error)]
pub(super) enum JoinError {
    #[error(
        "this node already takes part in a cluster that node {0} founds. If that one was never founded, delete this \
         node's data directory and start it again"
    )]
    Another(NodeId),
    #[error("this node joined a running cluster as node {0}; it takes no part in founding one")]
    Admitted(NodeId),
    #[error("this node has data that is older than its record of who founded the cluster")]
    Older,
    #[error("the marker {path}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Open when this node may take part.
#[derive(Debug)]
pub(super) struct Gate {
    path: PathBuf,
    open: AtomicBool,
    /// One at a time writes the marker.
    joining: Mutex<()>,
}

impl Gate {
    /// Reads the marker. `has_promised` says that log or vote hold something: data without a marker then gets one.
    pub(super) fn new(data_dir: &Path, has_promised: bool) -> io::Result<Self> {
        let gate = Self { path: data_dir.join("MEMBER"), open: AtomicBool::new(false), joining: Mutex::new(()) };
        let marked = gate.read()?.is_some();
        if has_promised && !marked {
            gate.write("")?;
        }
        gate.open.store(has_promised || marked || planted::is(Bug::WipedMemberVotes), Ordering::Release);
        Ok(gate)
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// What a peer hears whose question must not be answered.
    pub(super) fn check(&self) -> Result<(), Status> {
        if self.is_open() {
            return Ok(());
        }
        Err(Status::failed_precondition("this node has no data and has not joined the cluster: it does not take part"))
    }

    /// Takes part in the cluster that `founder` is about to found. Asking again changes nothing. The caller has made
    /// sure that there is neither log nor vote.
    pub(super) fn join(&self, founder: NodeId) -> Result<(), JoinError> {
        let _one = self.joining.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |source| JoinError::Io { path: self.path.clone(), source };
        match self.read().map_err(failed)? {
            Some(Marker { founder: Some(known), .. }) if known == founder => {}
            Some(Marker { founder: Some(other), .. }) => return Err(JoinError::Another(other)),
            Some(Marker { admitted: Some(id), .. }) => return Err(JoinError::Admitted(id)),
            Some(_) => return Err(JoinError::Older),
            None => self.write(&format!("founder = {founder}\n")).map_err(failed)?,
        }
        self.open.store(true, Ordering::Release);
        Ok(())
    }

    /// Takes part in the cluster that has admitted this node as `node_id`. Asking again changes nothing.
    pub(super) fn admit(&self, node_id: NodeId) -> Result<(), JoinError> {
        let _one = self.joining.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |source| JoinError::Io { path: self.path.clone(), source };
        match self.read().map_err(failed)? {
            Some(Marker { founder: Some(founder), .. }) => return Err(JoinError::Another(founder)),
            Some(_) => {}
            None => self.write(&format!("admitted = {node_id}\n")).map_err(failed)?,
        }
        self.open.store(true, Ordering::Release);
        Ok(())
    }

    fn read(&self) -> io::Result<Option<Marker>> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let marker = toml::from_str(&text);
        marker.map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.message().to_owned()))
    }

    fn write(&self, content: &str) -> io::Result<()> {
        let text = format!(
            "# This node takes part in its cluster. Written once by musterd; changing it loses data.\n{content}"
        );
        durable::replace_file(&self.path, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::{Gate, JoinError};

    #[test]
    fn an_empty_node_takes_part_only_after_it_was_asked() {
        let dir = tempfile::tempdir().unwrap();
        let gate = Gate::new(dir.path(), false).unwrap();
        assert!(!gate.is_open());
        assert_eq!(gate.check().unwrap_err().code(), tonic::Code::FailedPrecondition);
        assert!(!Gate::new(dir.path(), false).unwrap().is_open(), "a restart opens nothing");
        gate.join(1).unwrap();
        gate.check().unwrap();
        let gate = Gate::new(dir.path(), false).unwrap();
        assert!(gate.is_open(), "the marker survives");
        gate.join(1).unwrap();
        assert!(matches!(gate.join(2), Err(JoinError::Another(1))), "never two founders");
    }

    #[test]
    fn data_without_a_marker_is_accepted_and_gets_one() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Gate::new(dir.path(), true).unwrap().is_open());
        let gate = Gate::new(dir.path(), false).unwrap();
        assert!(gate.is_open());
        assert!(matches!(gate.join(1), Err(JoinError::Older)));
    }

    #[test]
    fn an_admitted_node_takes_part_for_good_and_founds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let gate = Gate::new(dir.path(), false).unwrap();
        gate.admit(4).unwrap();
        gate.admit(4).unwrap();
        let gate = Gate::new(dir.path(), false).unwrap();
        assert!(gate.is_open(), "the marker survives");
        assert!(matches!(gate.join(1), Err(JoinError::Admitted(4))));
        let other = tempfile::tempdir().unwrap();
        let gate = Gate::new(other.path(), false).unwrap();
        gate.join(1).unwrap();
        assert!(matches!(gate.admit(4), Err(JoinError::Another(1))), "a founder is not admitted besides");
    }

    #[test]
    fn the_file_is_that_of_earlier_versions() {
        let dir = tempfile::tempdir().unwrap();
        Gate::new(dir.path(), false).unwrap().join(3).unwrap();
        let path = dir.path().join("MEMBER");
        let stored = crate::store::golden::golden("data-dir-member.txt", std::fs::read(&path).unwrap());
        std::fs::write(&path, stored).unwrap();
        let gate = Gate::new(dir.path(), false).unwrap();
        assert!(gate.is_open());
        assert!(matches!(gate.join(1), Err(JoinError::Another(3))));
    }

    #[test]
    fn a_damaged_marker_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("MEMBER"), "founder = \u{0}").unwrap();
        assert!(Gate::new(dir.path(), true).is_err());
    }
}
