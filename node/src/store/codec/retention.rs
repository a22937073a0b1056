//! Event retention, as it lies in records, events and operations.

use muster_domain::retention::{Retention, RetentionPolicy};
use muster_proto::stored::v1 as stored;

pub(super) fn policy_to_stored(policy: RetentionPolicy) -> stored::RetentionPolicy {
    let RetentionPolicy { max_age_ms, max_bytes, max_revisions } = policy;
    stored::RetentionPolicy { max_age_ms, max_bytes, max_revisions }
}

pub(super) fn policy_from_stored(policy: &stored::RetentionPolicy) -> RetentionPolicy {
    let stored::RetentionPolicy { max_age_ms, max_bytes, max_revisions } = *policy;
    RetentionPolicy { max_age_ms, max_bytes, max_revisions }
}

pub(super) fn to_stored(retention: Retention) -> stored::Retention {
    stored::Retention { policy: retention.policy.map(policy_to_stored), floor: retention.floor }
}

pub(super) fn from_stored(retention: &stored::Retention) -> Retention {
    Retention { policy: retention.policy.as_ref().map(policy_from_stored), floor: retention.floor }
}
