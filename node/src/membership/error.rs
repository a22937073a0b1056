//! Why a change of members is refused, and how a refusal travels from the leader to who asked.

use bytes::Bytes;
use muster_domain::{Reason, Rejection};
use muster_proto::peer::v1 as wire;
use prost::Message;

/// Why a change of members is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// A learner lacks too much of the log.
    #[error("{0}")]
    FarBehind(String),
    /// What would be left could not agree on anything.
    #[error("{0}")]
    QuorumAtRisk(String),
    /// Nobody would be left to vote.
    #[error("{0}")]
    LastVoter(String),
    /// Another change is under way, or this one takes long.
    #[error("{0}")]
    Busy(String),
    /// No leader is known or reached.
    #[error("there is no leader with a quorum; nothing was changed")]
    NoLeader,
    /// By the registry's rules.
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

const FAR_BEHIND: &str = "MEMBER_FAR_BEHIND";
const QUORUM_AT_RISK: &str = "QUORUM_AT_RISK";
const LAST_VOTER: &str = "LAST_VOTER";
const BUSY: &str = "MEMBERSHIP_BUSY";
const NO_LEADER: &str = "NO_LEADER";

pub(super) fn reply(result: Result<(), MemberError>) -> Bytes {
    use wire::member_reply::Reply;
    let refusal = |reason: &str, field: &str, message: &str| {
        Reply::Refusal(wire::MemberRefusal {
            reason: reason.to_owned(),
            field: field.to_owned(),
            message: message.to_owned(),
        })
    };
    let reply = match result {
        Ok(()) => Reply::Done(wire::MemberDone {}),
        Err(MemberError::FarBehind(message)) => refusal(FAR_BEHIND, "", &message),
        Err(MemberError::QuorumAtRisk(message)) => refusal(QUORUM_AT_RISK, "", &message),
        Err(MemberError::LastVoter(message)) => refusal(LAST_VOTER, "", &message),
        Err(MemberError::Busy(message)) => refusal(BUSY, "", &message),
        Err(MemberError::NoLeader) => refusal(NO_LEADER, "", ""),
        Err(MemberError::Rejected(rejection)) => refusal(rejection.reason.code(), &rejection.field, &rejection.message),
    };
    wire::MemberReply { reply: Some(reply) }.encode_to_vec().into()
}

/// What a reply says; one that this version does not understand counts as no answer.
pub(crate) fn read_reply(reply: Bytes) -> Result<(), MemberError> {
    use wire::member_reply::Reply;
    let refusal = match wire::MemberReply::decode(reply).ok().and_then(|reply| reply.reply) {
        Some(Reply::Done(wire::MemberDone {})) => return Ok(()),
        Some(Reply::Refusal(refusal)) => refusal,
        None => return Err(MemberError::NoLeader),
    };
    let wire::MemberRefusal { reason, field, message } = refusal;
    Err(match (reason.as_str(), Reason::from_code(&reason)) {
        (FAR_BEHIND, _) => MemberError::FarBehind(message),
        (QUORUM_AT_RISK, _) => MemberError::QuorumAtRisk(message),
        (LAST_VOTER, _) => MemberError::LastVoter(message),
        (BUSY, _) => MemberError::Busy(message),
        (_, Some(reason)) => MemberError::Rejected(Rejection::new(reason, field, message)),
        _ => MemberError::NoLeader,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_reads_back_as_it_was_said() {
        let told = || "why".to_owned();
        let answers = [
            Ok(()),
            Err(MemberError::FarBehind(told())),
            Err(MemberError::QuorumAtRisk(told())),
            Err(MemberError::LastVoter(told())),
            Err(MemberError::Busy(told())),
            Err(MemberError::NoLeader),
            Err(MemberError::Rejected(Rejection::new(Reason::JoinTokenStale, "join_token", "why"))),
        ];
        for answer in answers {
            assert_eq!(read_reply(reply(answer.clone())), answer);
        }
        assert_eq!(read_reply(Bytes::from_static(b"\xff")), Err(MemberError::NoLeader));
    }
}
