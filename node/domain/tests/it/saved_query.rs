//! Saved queries.

use muster_domain::saved_query::{SavedQueryDefinition, SavedQueryField};
use muster_domain::{Body, Key, Operation, Reason, limits};

use crate::memory::Memory;

fn definition(text: &str) -> SavedQueryDefinition {
    SavedQueryDefinition { text: text.to_owned(), description: "for the tests".to_owned() }
}

fn create(id: &str, definition: SavedQueryDefinition) -> Operation {
    Operation::CreateSavedQuery { namespace: "plant".into(), query: id.into(), definition }
}

fn update(definition: SavedQueryDefinition, fields: &[SavedQueryField], etag: Option<String>) -> Operation {
    Operation::UpdateSavedQuery {
        namespace: "plant".into(),
        query: "hot".into(),
        definition,
        fields: fields.to_vec(),
        etag,
    }
}

fn delete(etag: Option<String>) -> Operation {
    Operation::DeleteSavedQuery { namespace: "plant".into(), query: "hot".into(), etag }
}

fn key() -> Key {
    Key::SavedQuery("plant".into(), "hot".into())
}

#[test]
fn its_version_goes_on_over_changes_and_lives() {
    let mut memory = Memory::new();
    assert_eq!(memory.accept(create("hot", definition("a"))), ["namespaces/plant/queries/hot saved_query.created"]);
    memory.refuse(create("hot", definition("a")), Reason::AlreadyExists, "query_id");
    let etag = memory.record(&key()).etag();
    memory.accept(update(definition("b"), &[SavedQueryField::Text], Some(etag.clone())));
    memory.refuse(update(definition("c"), &[SavedQueryField::Text], Some(etag.clone())), Reason::EtagMismatch, "etag");
    memory.refuse(delete(Some(etag)), Reason::EtagMismatch, "etag");
    assert_eq!(memory.record(&key()).version(), 2);
    memory.accept(delete(None));
    memory.refuse(delete(None), Reason::NotFound, "name");
    memory.refuse(update(definition("c"), &[], None), Reason::NotFound, "name");
    memory.accept(create("hot", definition("d")));
    assert_eq!(memory.record(&key()).version(), 3, "the deletion keeps the counter, the creation adds one");
}

#[test]
fn an_update_changes_the_fields_it_names() {
    let mut memory = Memory::new();
    memory.accept(create("hot", definition("a")));
    let other = SavedQueryDefinition { text: "b".to_owned(), description: "other".to_owned() };
    memory.accept(update(other.clone(), &[SavedQueryField::Description], None));
    let record = memory.record(&key());
    let Body::SavedQuery(query) = &record.body else { panic!("is a saved query") };
    assert_eq!((query.definition.text.as_str(), query.definition.description.as_str()), ("a", "other"));
    memory.accept(update(other, &SavedQueryField::ALL.map(|(field, _)| field), None));
    let record = memory.record(&key());
    let Body::SavedQuery(query) = &record.body else { panic!("is a saved query") };
    assert_eq!(query.definition.text, "b");
}

#[test]
fn bad_fields_are_refused_by_name() {
    let mut memory = Memory::new();
    memory.accept(create("hot", definition("a")));
    let described = |chars: usize| SavedQueryDefinition { text: "a".to_owned(), description: "x".repeat(chars) };
    for (definition, reason, field) in [
        (definition(""), Reason::InvalidField, "query.text"),
        (definition(&"x".repeat(limits::QUERY_TEXT_CHARS_MAX + 1)), Reason::TooLarge, "query.text"),
        (described(limits::DESCRIPTION_CHARS_MAX + 1), Reason::TooLarge, "query.description"),
    ] {
        memory.refuse(create("other", definition.clone()), reason, field);
        let fields = SavedQueryField::ALL.map(|(field, _)| field);
        memory.refuse(update(definition, &fields, None), reason, field);
    }
    for id in ["", "Hot", "a b", "ä", &"x".repeat(129)] {
        memory.refuse(create(id, definition("a")), Reason::InvalidId, "query_id");
    }
    let elsewhere =
        Operation::CreateSavedQuery { namespace: "nowhere".into(), query: "hot".into(), definition: definition("a") };
    memory.refuse(elsewhere, Reason::ParentNotFound, "parent");
}

#[test]
fn it_keeps_its_namespace_and_goes_with_it() {
    let mut memory = Memory::new();
    memory.accept(create("hot", definition("a")));
    let delete = |force| Operation::DeleteNamespace { namespace: "plant".into(), etag: None, force };
    memory.refuse(delete(false), Reason::NamespaceNotEmpty, "name");
    assert_eq!(
        memory.accept(delete(true)),
        [
            "namespaces/plant namespace.deleting",
            "namespaces/plant/queries/hot saved_query.deleted",
            "namespaces/plant namespace.deleted"
        ]
    );
    assert!(!memory.is_alive(&key()));
}
