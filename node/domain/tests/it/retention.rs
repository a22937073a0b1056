//! Event retention: policies of the cluster and of namespaces, floors that never fall, and who may set them.

use muster_domain::policy::{Principal, Role, permit};
use muster_domain::retention::{self, RetentionPolicy, namespace_floor, physical_floor};
use muster_domain::{Command, Key, Operation, Reason};

use crate::memory::{Memory, create_namespace};

const KEEP_ALL: RetentionPolicy = RetentionPolicy { max_age_ms: None, max_bytes: None, max_revisions: None };

fn set(namespace: Option<&str>, policy: Option<RetentionPolicy>) -> Operation {
    Operation::SetRetention { namespace: namespace.map(str::to_owned), policy, etag: None }
}

fn compact(namespace: Option<&str>, floor: u64) -> Operation {
    Operation::CompactEvents { namespace: namespace.map(str::to_owned), floor }
}

fn delete(namespace: &str) -> Operation {
    Operation::DeleteNamespace { namespace: namespace.into(), etag: None, force: true }
}

fn own(memory: &Memory, namespace: Option<&str>) -> retention::Retention {
    retention::of(memory.records.get(&retention::key(namespace)).map(AsRef::as_ref))
}

/// Floors of the cluster, of `plant`, and of the disk.
fn floors(memory: &Memory) -> (u64, u64, u64) {
    let (cluster, plant) = (own(memory, None), own(memory, Some("plant")));
    (cluster.floor, namespace_floor(cluster, plant), physical_floor(cluster, [plant]))
}

/// A registry at revision 50.
fn at_50() -> Memory {
    let mut memory = Memory::new();
    while memory.revision < 50 {
        let namespace = format!("extra-{}", memory.revision);
        memory.accept(create_namespace(&namespace));
    }
    memory
}

#[test]
fn a_floor_is_a_revision_that_exists_and_never_falls() {
    let mut memory = at_50();
    assert_eq!(floors(&memory), (1, 1, 1));
    let message = memory.refuse(compact(None, 51), Reason::InvalidField, "floor");
    assert!(message.contains("50"), "{message}");
    memory.refuse(compact(None, 0), Reason::InvalidField, "floor");
    memory.refuse(compact(None, u64::MAX), Reason::InvalidField, "floor");
    assert_eq!(memory.accept(compact(None, 1)), [""; 0], "nothing lies below the first revision");
    assert_eq!(memory.accept(compact(None, 20)), ["retention events.compacted"]);
    assert_eq!(floors(&memory), (20, 20, 20));
    for lower in [1, 19, 20] {
        assert_eq!(memory.accept(compact(None, lower)), [""; 0], "{lower}");
        assert_eq!(memory.accept(compact(Some("plant"), lower)), [""; 0], "{lower}");
    }
    assert_eq!(memory.revision, 51, "what changes nothing takes no revision");
    memory.accept(compact(None, 51));
    assert_eq!(floors(&memory), (51, 51, 51), "only the compaction itself goes on");
}

#[test]
fn a_namespace_without_a_policy_follows_the_cluster() {
    let mut memory = at_50();
    memory.accept(compact(Some("plant"), 10));
    assert_eq!(floors(&memory), (1, 10, 1), "closed for plant, kept for the others");
    memory.accept(compact(None, 30));
    assert_eq!(floors(&memory), (30, 30, 30));
}

#[test]
fn a_namespace_with_a_policy_may_keep_more_or_less() {
    let mut memory = at_50();
    memory.accept(compact(None, 10));
    assert_eq!(memory.accept(set(Some("plant"), Some(KEEP_ALL))), ["namespaces/plant/retention retention.updated"]);
    assert_eq!(floors(&memory), (10, 10, 10), "what is gone does not come back");
    memory.accept(compact(None, 30));
    assert_eq!(floors(&memory), (30, 10, 10), "plant keeps more, so the disk does");
    memory.accept(compact(Some("plant"), 40));
    assert_eq!(floors(&memory), (30, 40, 30), "plant keeps less, the disk what the others need");
    memory.accept(compact(None, 45));
    assert_eq!(floors(&memory), (45, 40, 40));
    memory.accept(set(Some("plant"), None));
    assert_eq!(floors(&memory), (45, 45, 45), "it follows the cluster again");
    memory.accept(set(Some("plant"), Some(KEEP_ALL)));
    assert_eq!(floors(&memory), (45, 45, 45));
}

#[test]
fn a_namespace_that_is_deleted_leaves_no_policy_and_keeps_its_floor() {
    let mut memory = at_50();
    memory.accept(set(Some("plant"), Some(KEEP_ALL)));
    memory.accept(compact(Some("plant"), 20));
    memory.accept(compact(None, 10));
    assert_eq!(
        memory.accept(delete("plant")),
        ["namespaces/plant namespace.deleted", "namespaces/plant/retention retention.updated"]
    );
    assert_eq!(floors(&memory), (10, 20, 10));
    memory.accept(create_namespace("plant"));
    assert_eq!(own(&memory, Some("plant")).policy, None);
    assert_eq!(floors(&memory), (10, 20, 10), "what was closed in its earlier life stays closed");
    assert_eq!(memory.accept(delete("depot")), ["namespaces/depot namespace.deleted"]);
}

#[test]
fn policies_are_checked_and_name_the_field() {
    let mut memory = Memory::new();
    for (policy, field) in [
        (RetentionPolicy { max_age_ms: Some(999), ..KEEP_ALL }, "policy.max_age"),
        (RetentionPolicy { max_bytes: Some(0), ..KEEP_ALL }, "policy.max_bytes"),
        (RetentionPolicy { max_revisions: Some(0), ..KEEP_ALL }, "policy.max_revisions"),
    ] {
        memory.refuse(set(None, Some(policy)), Reason::InvalidField, field);
    }
    memory.refuse(set(Some("nowhere"), Some(KEEP_ALL)), Reason::NotFound, "parent");
    memory.refuse(compact(Some("nowhere"), 1), Reason::NotFound, "parent");
    assert_eq!(memory.accept(set(None, None)), [""; 0], "nothing was set before");
    memory.accept(set(None, Some(KEEP_ALL)));
    let etag = memory.record(&Key::Retention).etag();
    let with_etag = |etag: &str, policy| Operation::SetRetention { namespace: None, policy, etag: Some(etag.into()) };
    memory.refuse(with_etag("0", None), Reason::EtagMismatch, "etag");
    memory.accept(with_etag(&etag, None));
    let never_set =
        Operation::SetRetention { namespace: Some("plant".into()), policy: Some(KEEP_ALL), etag: Some("7".into()) };
    memory.refuse(never_set, Reason::EtagMismatch, "etag");
}

#[test]
fn only_an_admin_sets_retention_and_the_cluster_itself_compacts() {
    let user = |role, namespace: Option<&str>| Principal::User {
        name: "alice".into(),
        role,
        namespace: namespace.map(str::to_owned),
        token: None,
    };
    let device = Principal::Device { namespace: "plant".into(), device: "press".into(), token: None };
    for operation in [set(None, None), set(Some("plant"), None), compact(None, 1), compact(Some("plant"), 1)] {
        let command = Command::single(operation.clone());
        assert_eq!(permit(&user(Role::Admin, None), &command), Ok(()));
        for other in
            [user(Role::Operator, None), user(Role::Operator, Some("plant")), user(Role::Viewer, None), device.clone()]
        {
            assert!(permit(&other, &command).is_err(), "{other:?} {operation:?}");
        }
        let by_itself = permit(&Principal::Node(1), &command).is_ok();
        assert_eq!(by_itself, matches!(operation, Operation::CompactEvents { .. }), "{operation:?}");
    }
}
