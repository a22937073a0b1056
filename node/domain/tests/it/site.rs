//! Sites and their hierarchy.

use muster_domain::site::{SiteDefinition, SiteField};
use muster_domain::{Body, Key, Operation, Reason, limits};

use crate::edge::create_edge;
use crate::memory::Memory;

pub(crate) fn site_key(site: &str) -> Key {
    Key::Site("plant".into(), site.into())
}

pub(crate) fn create_site(site: &str, parent: &str, edge: &str) -> Operation {
    let definition = SiteDefinition { parent: parent.into(), edge: edge.into(), ..SiteDefinition::default() };
    Operation::CreateSite { namespace: "plant".into(), site: site.into(), definition }
}

pub(crate) fn update_site(site: &str, definition: SiteDefinition, fields: &[SiteField]) -> Operation {
    let (namespace, site, fields) = ("plant".into(), site.into(), fields.to_vec());
    Operation::UpdateSite { namespace, site, definition, fields, etag: None }
}

pub(crate) fn delete_site(site: &str) -> Operation {
    Operation::DeleteSite { namespace: "plant".into(), site: site.into(), etag: None }
}

fn move_to(site: &str, parent: &str) -> Operation {
    let definition = SiteDefinition { parent: parent.into(), ..SiteDefinition::default() };
    update_site(site, definition, &[SiteField::Parent])
}

/// A chain of `names`, each inside of the one before.
fn chain(memory: &mut Memory, names: impl IntoIterator<Item = String>) {
    let mut parent = String::new();
    for name in names {
        memory.accept(create_site(&name, &parent, ""));
        parent = name;
    }
}

#[test]
fn a_site_is_created_updated_and_deleted() {
    let mut memory = Memory::new();
    memory.accept(create_edge("hall"));
    assert_eq!(memory.accept(create_site("works", "", "hall")), ["namespaces/plant/sites/works site.created"]);
    memory.refuse(create_site("works", "", ""), Reason::AlreadyExists, "site_id");
    memory.refuse(create_site("a b", "", ""), Reason::InvalidId, "site_id");
    let new = SiteDefinition {
        display_name: "Works".into(),
        description: "by the river".into(),
        attributes: r#"{ "b":1, "a":[2.5] }"#.into(),
        ..SiteDefinition::default()
    };
    let fields = [SiteField::DisplayName, SiteField::Description, SiteField::Attributes];
    memory.accept(update_site("works", new, &fields));
    let Body::Site(site) = &memory.record(&site_key("works")).body else { panic!("a site") };
    let expected = SiteDefinition {
        display_name: "Works".into(),
        description: "by the river".into(),
        parent: String::new(),
        edge: "hall".into(),
        attributes: r#"{"a":[2.5],"b":1}"#.into(),
    };
    assert_eq!((site.definition.clone(), site.version), (expected, 2));
    assert_eq!(memory.accept(delete_site("works")), ["namespaces/plant/sites/works site.deleted"]);
    memory.refuse(delete_site("works"), Reason::NotFound, "name");
    memory.refuse(move_to("works", ""), Reason::NotFound, "name");
}

#[test]
fn a_site_keeps_its_rules() {
    let mut memory = Memory::new();
    memory.accept(create_site("works", "", ""));
    let plain = SiteDefinition::default;
    let all = SiteField::ALL.map(|(field, _)| field);
    for (bad, reason, field) in [
        (SiteDefinition { display_name: "x".repeat(257), ..plain() }, Reason::TooLarge, "site.display_name"),
        (SiteDefinition { description: "x".repeat(1_025), ..plain() }, Reason::TooLarge, "site.description"),
        (SiteDefinition { attributes: "1".into(), ..plain() }, Reason::InvalidJson, "site.attributes_json"),
        (SiteDefinition { edge: "gone".into(), ..plain() }, Reason::ParentNotFound, "site.edge"),
        (SiteDefinition { parent: "gone".into(), ..plain() }, Reason::ParentNotFound, "site.parent"),
    ] {
        memory.refuse(update_site("works", bad.clone(), &all), reason, field);
        let create = Operation::CreateSite { namespace: "plant".into(), site: "new".into(), definition: bad };
        memory.refuse(create, reason, field);
    }
    let elsewhere = Operation::CreateSite { namespace: "nowhere".into(), site: "new".into(), definition: plain() };
    memory.refuse(elsewhere, Reason::ParentNotFound, "parent");
}

#[test]
fn nothing_is_inside_of_itself() {
    let mut memory = Memory::new();
    chain(&mut memory, ["a", "b", "c"].map(str::to_owned));
    for parent in ["a", "b", "c"] {
        memory.refuse(move_to("a", parent), Reason::InvalidField, "site.parent");
    }
    memory.refuse(create_site("d", "d", ""), Reason::ParentNotFound, "site.parent");
    memory.accept(move_to("b", ""));
    memory.accept(move_to("a", "c"));
    memory.refuse(move_to("b", "a"), Reason::InvalidField, "site.parent");
}

#[test]
fn sites_lie_at_most_eight_levels_deep() {
    let mut memory = Memory::new();
    let deep = |n: usize| format!("deep{n}");
    chain(&mut memory, (1..=limits::SITE_DEPTH_MAX).map(deep));
    memory.refuse(create_site("deeper", &deep(limits::SITE_DEPTH_MAX), ""), Reason::InvalidField, "site.parent");
    chain(&mut memory, ["x", "y", "z"].map(str::to_owned));
    memory.accept(create_site("y2", "x", ""));
    memory.refuse(move_to("x", &deep(6)), Reason::InvalidField, "site.parent");
    memory.accept(move_to("x", &deep(5)));
    memory.refuse(create_site("w", "z", ""), Reason::InvalidField, "site.parent");
    memory.accept(create_site("w", "y2", ""));
}

#[test]
fn a_site_with_sites_inside_stays() {
    let mut memory = Memory::new();
    chain(&mut memory, ["works", "floor"].map(str::to_owned));
    let message = memory.refuse(delete_site("works"), Reason::SiteHasSites, "name");
    assert!(message.contains("namespaces/plant/sites/floor"), "{message}");
    memory.accept(move_to("floor", ""));
    memory.accept(delete_site("works"));
    memory.accept(delete_site("floor"));
}
