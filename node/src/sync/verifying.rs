//! Comparisons of contents with edges, as they are asked for: the node that serves the edge is asked, and the edge's session
//! there does the work.
//!
//! It knows no caller and no message of the stream. Invariants:
//!
//! - An answer is true at a revision that was not older than the question.
//! - Nobody waits for longer than [`VERIFY_MAX`], whatever edge and nodes do.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use muster_proto::peer::v1 as peer;
use muster_proto::v1;
use prost::Message;
use tokio::sync::oneshot;
use tonic::{Code, Status};

use super::EdgeSync;

/// The method by which a node asks another that serves an edge.
pub const VERIFY_METHOD: &str = "verify-edge";
/// How long a comparison may take.
pub(super) const VERIFY_MAX: Duration = Duration::from_secs(120);
/// Who may wait for comparisons with one edge.
pub(super) const WAITING_MAX: usize = 16;

/// What comes of a comparison.
pub(super) type Verdict = Result<v1::VerifyEdgeResponse, Unverified>;

/// A comparison that is asked of a session.
pub(super) struct Ask {
    /// As of this revision or a later one.
    pub(super) revision: u64,
    pub(super) answer: oneshot::Sender<Verdict>,
}

/// Why contents were not compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// No session, or it ended.
    #[error("{0}")]
    NotConnected(String),
    /// The agent does not know how.
    #[error("{0}")]
    TooOld(String),
    /// No answer in time.
    #[error("{0}")]
    Silent(String),
    /// Too many ask.
    #[error("{0}")]
    Busy(String),
    /// The node that serves the edge cannot be asked.
    #[error("{0}")]
    Unreachable(String),
}

impl Unverified {
    fn to_refusal(&self) -> peer::EdgeRefusal {
        let reason = match self {
            Self::NotConnected(_) => "not-connected",
            Self::TooOld(_) => "too-old",
            Self::Silent(_) => "silent",
            Self::Busy(_) => "busy",
            Self::Unreachable(_) => "unreachable",
        };
        peer::EdgeRefusal { reason: reason.to_owned(), message: self.to_string() }
    }

    fn from_refusal(refusal: peer::EdgeRefusal) -> Self {
        let message = refusal.message;
        match refusal.reason.as_str() {
            "not-connected" => Self::NotConnected(message),
            "too-old" => Self::TooOld(message),
            "silent" => Self::Silent(message),
            "busy" => Self::Busy(message),
            _ => Self::Unreachable(message),
        }
    }
}

impl EdgeSync {
    /// Compares contents with an edge whose newest session is with `serving`, as of `revision` or later.
    ///
    /// # Errors
    /// Why they were not compared.
    pub async fn verify(
        &self,
        (namespace, edge): (&str, &str),
        serving: u64,
        revision: u64,
    ) -> Result<v1::VerifyEdgeResponse, Unverified> {
        if serving == self.node_id {
            return self.verify_here(namespace, edge, revision).await;
        }
        let question = peer::VerifyEdgeQuestion { namespace: namespace.to_owned(), edge: edge.to_owned(), revision };
        let question = question.encode_to_vec().into();
        let asked =
            self.raft.peers().call_within(VERIFY_MAX + Duration::from_secs(5), serving, VERIFY_METHOD, question);
        let answer = asked.await.map_err(|status| {
            if status.code() == Code::Unimplemented {
                Unverified::TooOld(format!("node {serving}, which serves the edge, runs an older version"))
            } else {
                Unverified::Unreachable(format!("node {serving} serves the edge: {}", status.message()))
            }
        })?;
        let unreadable = || Unverified::Unreachable(format!("node {serving} gave an answer that is none"));
        match peer::VerifyEdgeAnswer::decode(answer).ok().and_then(|answer| answer.answer).ok_or_else(unreadable)? {
            peer::verify_edge_answer::Answer::Verified(verified) => Ok(verified),
            peer::verify_edge_answer::Answer::Refusal(refusal) => Err(Unverified::from_refusal(refusal)),
        }
    }

    /// Answers another node's question.
    pub async fn answer_verify(self: &Arc<Self>, request: Bytes) -> Result<Bytes, Status> {
        let question = peer::VerifyEdgeQuestion::decode(request);
        let question = question.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let verdict = self.verify_here(&question.namespace, &question.edge, question.revision).await;
        let answer = match verdict {
            Ok(verified) => peer::verify_edge_answer::Answer::Verified(verified),
            Err(refused) => peer::verify_edge_answer::Answer::Refusal(refused.to_refusal()),
        };
        Ok(peer::VerifyEdgeAnswer { answer: Some(answer) }.encode_to_vec().into())
    }

    async fn verify_here(&self, namespace: &str, edge: &str, revision: u64) -> Verdict {
        let (answer, verdict) = oneshot::channel();
        self.sessions.ask(namespace, edge, Ask { revision, answer })?;
        let verdict = match tokio::time::timeout(VERIFY_MAX, verdict).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) => Err(Unverified::NotConnected("the edge's link ended before it had answered".to_owned())),
            Err(_) => Err(Unverified::Silent(format!("the edge did not answer within {} s", VERIFY_MAX.as_secs()))),
        };
        let result = match &verdict {
            Ok(verified) if verified.agree => "agree",
            Ok(_) => "differ",
            Err(_) => "failed",
        };
        metrics::counter!("muster_sync_verifications_total", "result" => result).increment(1);
        verdict.map(|verified| v1::VerifyEdgeResponse { serving_node_id: self.node_id, ..verified })
    }
}
