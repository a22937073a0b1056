//! Event retention: how much of the past is kept, and the floor below which it is closed. It knows no disk and no clock:
//! which revision an age or a size comes to is found by the leader, and arrives as a revision.
//!
//! - The *floor* of a scope is the oldest revision whose events may be read: 1 while nothing was compacted.
//! - A floor never falls, whatever happens to policies and namespaces.
//! - A namespace with a policy of its own has a floor of its own, lower or higher than the cluster's; one without follows
//!   the cluster's. Events lie on disk as long as any scope may read them: see [`physical_floor`].

use muster_planted::{self as planted, Bug};

use crate::decide::{check_etag, living};
use crate::{At, Body, Change, EventKind, Key, Operation, Reason, Record, Rejection, States};

/// The least age that can be set, milliseconds.
pub const MAX_AGE_MS_MIN: u64 = 1_000;
/// The floor while nothing was compacted.
pub const FIRST_FLOOR: u64 = 1;

/// What is kept; a revision goes when any of the bounds says so. Without bounds everything is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Events older than this go, milliseconds.
    pub max_age_ms: Option<u64>,
    /// The newest events of about so many stored bytes stay; counted over the cluster's whole log.
    pub max_bytes: Option<u64>,
    /// About so many of the cluster's newest revisions stay.
    pub max_revisions: Option<u64>,
}

/// The retention of the cluster or of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// `None`: nothing is set. A namespace then follows the cluster, and the cluster keeps everything.
    pub policy: Option<RetentionPolicy>,
    /// The scope's own floor.
    pub floor: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { policy: None, floor: FIRST_FLOOR }
    }
}

/// The retention in a record; the default when there is none.
#[must_use]
pub fn of(record: Option<&Record>) -> Retention {
    match record.map(|record| &record.body) {
        Some(Body::Retention(retention)) => *retention,
        _ => Retention::default(),
    }
}

/// The floor that counts for a namespace.
#[must_use]
pub fn namespace_floor(cluster: Retention, own: Retention) -> u64 {
    if own.policy.is_some() { own.floor } else { own.floor.max(cluster.floor) }
}

/// The lowest floor of all scopes: what lies below, nobody may read any more. `namespaces` are those with a record.
#[must_use]
pub fn physical_floor(cluster: Retention, namespaces: impl IntoIterator<Item = Retention>) -> u64 {
    let own = namespaces.into_iter().filter(|own| own.policy.is_some()).map(|own| own.floor);
    own.fold(cluster.floor, u64::min)
}

/// The key of a scope's retention; `None` is the cluster.
#[must_use]
pub fn key(namespace: Option<&str>) -> Key {
    namespace.map_or(Key::Retention, |namespace| Key::NamespaceRetention(namespace.to_owned()))
}

/// Decides operations on retention.
pub(crate) fn decide(states: &dyn States, operation: &Operation, at: At) -> Result<Vec<Change>, Rejection> {
    match operation {
        Operation::SetRetention { namespace, policy, etag } => {
            set(states, namespace.as_deref(), *policy, etag.as_deref(), at)
        }
        Operation::CompactEvents { namespace, floor } => compact(states, namespace.as_deref(), *floor, at),
        _ => Ok(Vec::new()),
    }
}

/// The change that takes a deleted namespace's own policy away: an id that is used again begins without one.
pub(crate) fn namespace_deletion(states: &dyn States, namespace: &str, at: At) -> Option<Change> {
    let key = key(Some(namespace));
    let record = living(states, &key)?;
    of(Some(&record)).policy?;
    Some(change(states, Some(namespace), None, at))
}

fn set(
    states: &dyn States,
    namespace: Option<&str>,
    policy: Option<RetentionPolicy>,
    etag: Option<&str>,
    at: At,
) -> Result<Vec<Change>, Rejection> {
    check_scope(states, namespace)?;
    if let Some(policy) = &policy {
        check(policy)?;
    }
    let record = living(states, &key(namespace));
    match (&record, etag) {
        (Some(record), etag) => check_etag(etag, record)?,
        (None, None | Some("" | "*")) => {}
        (None, Some(given)) => return Err(Rejection::etag("etag", given, "")),
    }
    if of(record.as_deref()).policy == policy {
        return Ok(Vec::new());
    }
    Ok(vec![change(states, namespace, policy, at)])
}

/// Whoever gets a policy of its own, or loses it, goes on from the floor that counted for it.
fn change(states: &dyn States, namespace: Option<&str>, policy: Option<RetentionPolicy>, at: At) -> Change {
    let key = key(namespace);
    let record = states.get(&key);
    let (cluster, own) = (of(states.get(&Key::Retention).as_deref()), of(record.as_deref()));
    let floor = match namespace {
        None => own.floor,
        Some(_) if own.policy.is_some() && policy.is_some() => own.floor,
        Some(_) => own.floor.max(cluster.floor),
    };
    Change::new(key, EventKind::RetentionUpdated { policy, floor }, record.as_deref(), at)
}

fn compact(states: &dyn States, namespace: Option<&str>, floor: u64, at: At) -> Result<Vec<Change>, Rejection> {
    check_scope(states, namespace)?;
    let newest = at.revision.saturating_sub(1);
    if floor == 0 || floor > newest {
        let message = format!("floor must be a revision from 1 to the newest, which is {newest}, not {floor}");
        return Err(Rejection::new(Reason::InvalidField, "floor", message));
    }
    let key = key(namespace);
    let record = states.get(&key);
    let (cluster, own) = (of(states.get(&Key::Retention).as_deref()), of(record.as_deref()));
    let current = if namespace.is_some() { namespace_floor(cluster, own) } else { own.floor };
    if floor <= current && !planted::is(Bug::FloorFalls) {
        return Ok(Vec::new());
    }
    Ok(vec![Change::new(key, EventKind::EventsCompacted { floor }, record.as_deref(), at)])
}

fn check_scope(states: &dyn States, namespace: Option<&str>) -> Result<(), Rejection> {
    let Some(namespace) = namespace else { return Ok(()) };
    let key = Key::Namespace(namespace.to_owned());
    if living(states, &key).is_some() {
        return Ok(());
    }
    Err(Rejection { field: "parent".to_owned(), ..Rejection::not_found(key) })
}

fn check(policy: &RetentionPolicy) -> Result<(), Rejection> {
    let RetentionPolicy { max_age_ms, max_bytes, max_revisions } = *policy;
    let least =
        [("max_age", max_age_ms, MAX_AGE_MS_MIN), ("max_bytes", max_bytes, 1), ("max_revisions", max_revisions, 1)];
    for (field, value, least) in least {
        if value.is_some_and(|value| value < least) {
            let unit = if field == "max_age" { " ms" } else { "" };
            let message = format!("{field} must be at least {least}{unit}; leave it out to set no bound");
            return Err(Rejection::new(Reason::InvalidField, format!("policy.{field}"), message));
        }
    }
    Ok(())
}

/// The retention after an event.
pub(crate) fn evolve(before: Option<&Body>, event: &EventKind) -> Option<Retention> {
    let before = match before {
        Some(Body::Retention(retention)) => *retention,
        _ => Retention::default(),
    };
    match event {
        EventKind::RetentionUpdated { policy, floor } => Some(Retention { policy: *policy, floor: *floor }),
        EventKind::EventsCompacted { floor } => Some(Retention { floor: *floor, ..before }),
        _ => None,
    }
}
