//! Event retention, proto to domain and back. It checks what a duration can be, and no rule of policies; `decide` does.

use muster_domain::Rejection;
use muster_domain::retention::{Retention, RetentionPolicy};
use muster_proto::v1;
use prost_types::Duration;

use super::invalid;

/// The policy that a request sets.
///
/// # Errors
/// When its age is no duration, or has parts of a millisecond.
pub fn policy(policy: v1::RetentionPolicy) -> Result<RetentionPolicy, Rejection> {
    let v1::RetentionPolicy { max_age, max_bytes, max_revisions } = policy;
    let bound = |bound: u64| (bound != 0).then_some(bound);
    let max_age_ms = max_age.map(|age| age_ms(&age)).transpose()?;
    Ok(RetentionPolicy {
        max_age_ms: max_age_ms.and_then(bound),
        max_bytes: bound(max_bytes),
        max_revisions: bound(max_revisions),
    })
}

fn age_ms(age: &Duration) -> Result<u64, Rejection> {
    let field = "policy.max_age";
    let (Ok(seconds), Ok(nanos)) = (u64::try_from(age.seconds), u64::try_from(age.nanos)) else {
        return Err(invalid(field, "max_age must not be negative"));
    };
    if nanos >= 1_000_000_000 || !nanos.is_multiple_of(1_000_000) {
        return Err(invalid(field, "max_age must be whole milliseconds"));
    }
    let ms = seconds.checked_mul(1_000).and_then(|ms| ms.checked_add(nanos / 1_000_000));
    ms.ok_or_else(|| invalid(field, "max_age is too long"))
}

/// The policy of a retention, as it is told.
#[must_use]
pub fn policy_to_proto(retention: &Retention) -> Option<v1::RetentionPolicy> {
    retention.policy.map(|policy| v1::RetentionPolicy {
        max_age: policy.max_age_ms.map(|ms| Duration {
            seconds: i64::try_from(ms / 1_000).unwrap_or(i64::MAX),
            nanos: i32::try_from(ms % 1_000 * 1_000_000).unwrap_or_default(),
        }),
        max_bytes: policy.max_bytes.unwrap_or_default(),
        max_revisions: policy.max_revisions.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_age(seconds: i64, nanos: i32) -> Result<Option<u64>, Rejection> {
        let max_age = Some(Duration { seconds, nanos });
        policy(v1::RetentionPolicy { max_age, ..v1::RetentionPolicy::default() }).map(|policy| policy.max_age_ms)
    }

    #[test]
    fn ages_are_whole_milliseconds() {
        assert_eq!(of_age(2, 500_000_000), Ok(Some(2_500)));
        assert_eq!(of_age(0, 0), Ok(None), "no bound");
        for (seconds, nanos) in [(-1, 0), (0, -1), (1, 1), (1, 1_000_000_000), (i64::MAX, 0)] {
            let refusal = of_age(seconds, nanos).expect_err("no age");
            assert_eq!(refusal.field, "policy.max_age", "{seconds} {nanos}");
        }
        let retention = Retention { policy: policy(v1::RetentionPolicy::default()).ok(), floor: 1 };
        assert_eq!(policy_to_proto(&retention), Some(v1::RetentionPolicy::default()));
    }
}
