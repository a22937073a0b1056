//! A cluster that was restored from a backup: everything stays but its id, and the old cluster's nodes.

use muster_domain::policy::Role;
use muster_domain::token::Token;
use muster_domain::{Body, Key, Operation, Reason};

use crate::memory::{Memory, create_device, device_definition};
use crate::token::token;

fn restore(cluster_id: &str, token: Option<(String, Token)>) -> Operation {
    Operation::RestoreCluster { cluster_id: cluster_id.to_owned(), page_key: [5; 32], token }
}

#[test]
fn only_the_id_the_page_key_and_the_token_are_new() {
    let mut memory = Memory::new();
    memory.accept(create_device("plant", "press", device_definition()));
    let before = memory.records.clone();
    let first = Some(("restored".to_owned(), token(Role::Admin, None, None)));
    assert_eq!(
        memory.accept(restore("d", first.clone())),
        ["cluster cluster.restored", "tokens/restored token.created"]
    );
    let (Body::Cluster(old), Body::Cluster(new)) = (&before[&Key::Cluster].body, &memory.records[&Key::Cluster].body)
    else {
        panic!("the cluster's settings");
    };
    assert_eq!((new.cluster_id.as_str(), new.page_key), ("d", [5; 32]));
    assert_eq!((new.limits, new.feature_level, new.last_node_id), (old.limits, old.feature_level, old.last_node_id));
    let untouched = before.iter().filter(|(key, _)| **key != Key::Cluster);
    for (key, record) in untouched {
        assert_eq!(memory.records.get(key), Some(record), "{key}");
    }
    // Restored once more, elsewhere, with the same token: it is there already.
    assert_eq!(memory.accept(restore("e", first)), ["cluster cluster.restored"]);
}

#[test]
fn it_happens_once_and_to_a_cluster_only() {
    let mut memory = Memory::new();
    memory.refuse(restore("c", None), Reason::AlreadyInitialized, "");
    memory.accept(restore("d", None));
    memory.refuse(restore("d", None), Reason::AlreadyInitialized, "");
    Memory::default().refuse(restore("d", None), Reason::NotFound, "name");
}
