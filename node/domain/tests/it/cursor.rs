//! Cursors: where consumers of the event log stand.

use muster_domain::{Body, Key, Operation, Reason};

use crate::memory::{Memory, create_namespace};

fn create(acknowledged: Option<u64>) -> Operation {
    Operation::CreateCursor {
        namespace: "plant".into(),
        cursor: "billing".into(),
        description: "for the tests".into(),
        acknowledged,
    }
}

fn acknowledge(revision: u64) -> Operation {
    Operation::AcknowledgeCursor { namespace: "plant".into(), cursor: "billing".into(), revision }
}

fn acknowledged(memory: &Memory) -> u64 {
    match &memory.record(&Key::Cursor("plant".into(), "billing".into())).body {
        Body::Cursor(cursor) => cursor.acknowledged,
        other => panic!("a cursor, not {other:?}"),
    }
}

#[test]
fn a_cursor_moves_forward_only_and_never_beyond_what_exists() {
    let mut memory = Memory::new();
    for namespace in ["north", "south", "west"] {
        memory.accept(create_namespace(namespace));
    }
    let newest = memory.revision;
    memory.refuse(create(Some(newest + 1)), Reason::InvalidField, "acknowledged_revision");
    memory.accept(create(Some(1)));
    memory.accept(acknowledge(newest - 1));
    memory.refuse(acknowledge(newest - 2), Reason::CursorBackwards, "revision");
    assert_eq!(memory.accept(acknowledge(newest - 1)), Vec::<String>::new(), "saying it again changes nothing");
    let future = memory.revision + 1;
    memory.refuse(acknowledge(future), Reason::InvalidField, "revision");
    assert_eq!(acknowledged(&memory), newest - 1);
}

#[test]
fn a_cursor_that_is_made_without_a_place_stands_at_the_newest_revision() {
    let mut memory = Memory::new();
    let newest = memory.revision;
    memory.accept(create(None));
    assert_eq!(acknowledged(&memory), newest);
    memory.refuse(create(None), Reason::AlreadyExists, "cursor_id");
}
