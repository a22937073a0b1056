//! Opening sessions and sending up, rule by rule as `sync.md` has them in sections 3 and 4.

use muster_domain::asset::{AssetPart, AssetStatus, PartStatus};
use muster_domain::device::{DeviceDefinition, DeviceField, DeviceStatus};
use muster_domain::edge::{EdgeSession, UplinkChange};
use muster_domain::{Body, Command, Key, Limits, Operation, Reason, Rejection, decide, limits};

use crate::asset::{create_asset, full_definition};
use crate::edge::{assign, create_edge, delete_edge, enable_edge, session_key};
use crate::memory::{Memory, STEP_MS, create_device, delete_device, device_definition, reachable_device, twin_key};

/// The hello of a store that may have sent everything: what it was made with, and the newest epoch it knows of.
pub(crate) fn open(edge: &str, incarnation: u8, known_epoch: u64, session: u8) -> Operation {
    open_sent(edge, incarnation, known_epoch, session, u64::MAX)
}

fn open_sent(edge: &str, incarnation: u8, known_epoch: u64, session: u8, sent_sequence: u64) -> Operation {
    Operation::OpenEdgeSession {
        namespace: "plant".into(),
        edge: edge.into(),
        incarnation: [incarnation; 16],
        known_epoch,
        session: [session; 16],
        sent_sequence,
        node_id: 3,
    }
}

pub(crate) fn uplink(edge: &str, epoch: u64, first_sequence: u64, changes: Vec<UplinkChange>) -> Operation {
    Operation::ApplyUplink { namespace: "plant".into(), edge: edge.into(), epoch, first_sequence, changes }
}

pub(crate) fn report(device: &str, patch: &str) -> UplinkChange {
    UplinkChange::Report { key: twin_key("plant", device), patch: patch.into() }
}

#[track_caller]
pub(crate) fn session(memory: &Memory, edge: &str) -> EdgeSession {
    match &memory.record(&session_key(edge)).body {
        Body::EdgeSession(session) => (**session).clone(),
        other => panic!("a session, not {other:?}"),
    }
}

/// The edges `hall`, which has `press` with the asset `oven`, and `dock`, which has `drill`.
fn with_edges() -> Memory {
    let mut memory = Memory::new();
    for (edge, device) in [("hall", "press"), ("dock", "drill")] {
        memory.accept(create_edge(edge));
        memory.accept(create_device("plant", device, reachable_device()));
        memory.accept(assign(device, edge, ""));
    }
    memory.accept(create_asset("plant", "oven", full_definition("press")));
    memory
}

/// As [`with_edges`], and `hall` has its first session.
fn with_session() -> Memory {
    let mut memory = with_edges();
    memory.accept(open("hall", 1, 0, 1));
    memory
}

fn reported(memory: &Memory, device: &str) -> String {
    match &memory.record(&twin_key("plant", device)).body {
        Body::Twin(twin) => twin.reported.to_json().to_string(),
        other => panic!("a twin, not {other:?}"),
    }
}

#[test]
fn a_new_store_begins_at_the_beginning() {
    let mut memory = with_edges();
    let opened = memory.carry_out(&open("hall", 1, 0, 1)).expect("accepted");
    assert_eq!(crate::memory::names(&opened), ["namespaces/plant/edges/hall/session edge_session.opened"]);
    assert_eq!(opened[0].after.version(), 1, "the epoch is the version");
    let expected = EdgeSession {
        incarnation: [1; 16],
        epoch: 1,
        session: [1; 16],
        node_id: 3,
        opened_ms: memory.revision * STEP_MS,
        last_sequence: 0,
        refusals: Vec::new(),
        unused_since: 1,
        past_incarnations: Vec::new(),
    };
    assert_eq!(session(&memory, "hall"), expected);
}

#[test]
fn an_edge_that_is_not_there_or_disabled_opens_nothing_and_sends_nothing() {
    let mut memory = with_session();
    memory.refuse(open("gone", 1, 0, 1), Reason::NotFound, "name");
    memory.refuse(uplink("gone", 1, 1, vec![report("press", "{}")]), Reason::NotFound, "name");
    memory.accept(enable_edge("hall", false));
    memory.refuse(open("hall", 1, 1, 2), Reason::EdgeDisabled, "edge");
    memory.refuse(uplink("hall", 1, 1, vec![report("press", "{}")]), Reason::EdgeDisabled, "edge");
    memory.accept(enable_edge("hall", true));
    memory.accept(uplink("hall", 1, 1, vec![report("press", "{}")]));
}

#[test]
fn the_store_that_knows_the_newest_epoch_goes_on() {
    let mut memory = with_session();
    memory.accept(uplink("hall", 1, 1, vec![report("press", "{}"), report("drill", "{}")]));
    memory.accept(open("hall", 1, 1, 2));
    let session = session(&memory, "hall");
    assert_eq!((session.epoch, session.last_sequence, session.refusals.len()), (2, 2, 1), "nothing is forgotten");
}

#[test]
fn a_welcome_that_was_lost_is_asked_for_again() {
    let mut memory = with_session();
    memory.accept(open("hall", 1, 0, 1));
    memory.accept(open("hall", 1, 0, 1));
    assert_eq!((session(&memory, "hall").epoch, session(&memory, "hall").unused_since), (3, 1));
    // A hello that reached the log twice, and its first welcome came through: still the same store.
    memory.accept(open("hall", 1, 2, 2));
    assert_eq!(session(&memory, "hall").epoch, 4);
    memory.refuse(open("hall", 1, 2, 3), Reason::EdgeReplaced, "edge");
    memory.refuse(open("hall", 1, 0, 1), Reason::EdgeReplaced, "edge");
}

#[test]
fn after_something_was_sent_only_the_epoch_counts() {
    let mut memory = with_session();
    memory.accept(open("hall", 1, 1, 2));
    memory.accept(uplink("hall", 2, 1, vec![report("press", "{}")]));
    // Both are what a copy knows that was made before the welcome.
    memory.refuse(open("hall", 1, 1, 2), Reason::EdgeReplaced, "edge");
    memory.refuse(open("hall", 1, 1, 3), Reason::EdgeReplaced, "edge");
    memory.accept(open("hall", 1, 2, 3));
}

#[test]
fn another_store_begins_again_and_the_old_one_never_goes_on() {
    let mut memory = with_session();
    memory.accept(uplink("hall", 1, 1, vec![report("press", r#"{"a":1}"#), report("drill", "{}")]));
    memory.accept(open("hall", 2, 0, 9));
    let fresh = session(&memory, "hall");
    assert_eq!((fresh.epoch, fresh.last_sequence, fresh.refusals.len(), fresh.unused_since), (2, 0, 0, 2));
    assert_eq!(fresh.past_incarnations, [[1; 16]]);
    memory.refuse(open("hall", 1, 0, 1), Reason::EdgeReplaced, "edge");
    let message = memory.refuse(open("hall", 1, 1, 2), Reason::EdgeReplaced, "edge");
    assert!(message.contains("namespaces/plant/edges/hall/session"), "{message}");
    memory.accept(uplink("hall", 2, 1, vec![report("press", r#"{"a":2}"#)]));
    assert_eq!(reported(&memory, "press"), r#"{"a":2}"#);
}

#[test]
fn a_copy_whose_other_sent_what_it_never_did_does_not_go_on() {
    let mut memory = with_session();
    memory.accept(uplink("hall", 1, 1, vec![report("press", "{}"), report("press", "{}")]));
    memory.refuse(open_sent("hall", 1, 1, 2, 1), Reason::EdgeReplaced, "edge");
    memory.accept(open_sent("hall", 1, 1, 2, 2));
}

#[test]
fn the_newest_stores_before_are_known_again() {
    let mut memory = with_session();
    for incarnation in 2..=20 {
        memory.accept(open("hall", incarnation, 0, 1));
    }
    let past = session(&memory, "hall").past_incarnations;
    assert_eq!(past, (4..=19).map(|incarnation| [incarnation; 16]).collect::<Vec<_>>());
    memory.refuse(open("hall", 4, 0, 1), Reason::EdgeReplaced, "edge");
}

#[test]
fn an_older_epoch_is_fenced() {
    let mut memory = with_session();
    memory.accept(open("hall", 1, 1, 2));
    let send = |epoch| uplink("hall", epoch, 1, vec![report("press", "{}")]);
    let refusal = memory.carry_out(&send(1)).expect_err("fenced");
    assert_eq!((refusal.reason, refusal.field.as_str(), refusal.current.as_str()), (Reason::EpochFenced, "epoch", "2"));
    memory.refuse(send(3), Reason::EpochFenced, "epoch");
    memory.refuse(uplink("dock", 0, 1, vec![report("drill", "{}")]), Reason::EpochFenced, "epoch");
    memory.accept(send(2));
}

#[test]
fn what_was_done_is_skipped_and_nothing_is_left_out() {
    let mut memory = with_session();
    let patch = |n: u64| report("press", &format!(r#"{{"n":{n}}}"#));
    memory.refuse(uplink("hall", 1, 2, vec![patch(2)]), Reason::SequenceGap, "first_sequence");
    memory.accept(uplink("hall", 1, 1, vec![patch(1), patch(2)]));
    let revision = memory.revision;
    assert_eq!(memory.accept(uplink("hall", 1, 1, vec![patch(1), patch(2)])), Vec::<String>::new());
    assert_eq!(memory.revision, revision, "no revision for nothing");
    let names = memory.accept(uplink("hall", 1, 2, vec![patch(2), patch(3)]));
    assert_eq!(
        names,
        [
            "namespaces/plant/devices/press/twin twin.reported",
            "namespaces/plant/edges/hall/session edge_session.uplink_applied"
        ]
    );
    assert_eq!((reported(&memory, "press"), session(&memory, "hall").last_sequence), (r#"{"n":3}"#.into(), 3));
    memory.refuse(uplink("hall", 1, 5, vec![patch(5)]), Reason::SequenceGap, "first_sequence");
}

#[test]
fn operations_of_one_command_see_each_other() {
    let mut memory = with_session();
    let status = |part: &str, version| UplinkChange::AssetStatus {
        asset: "oven".into(),
        status: Box::new(AssetStatus {
            config_version: version,
            parts: [(AssetPart::Dataset(part.into()), PartStatus::default())].into(),
            ..AssetStatus::default()
        }),
    };
    let part = match &memory.record(&Key::Asset("plant".into(), "oven".into())).body {
        Body::Asset(asset) => asset.definition.datasets[0].name.clone(),
        other => panic!("an asset, not {other:?}"),
    };
    let changes = vec![
        report("press", r#"{"a":1,"b":1}"#),
        status(&part, 1),
        report("press", r#"{"a":null,"c":{"d":2}}"#),
        status("no such part", 1),
        report("press", r#"{"c":{"e":3}}"#),
    ];
    let changes = memory.carry_out(&uplink("hall", 1, 1, changes)).expect("accepted");
    assert_eq!(
        crate::memory::kinds(&changes),
        ["twin.reported", "asset.status_updated", "twin.reported", "twin.reported", "edge_session.uplink_applied"]
    );
    assert_eq!(reported(&memory, "press"), r#"{"b":1,"c":{"d":2,"e":3}}"#);
    let session = session(&memory, "hall");
    assert_eq!(session.last_sequence, 5);
    assert_eq!(session.refusals.iter().map(|refusal| refusal.sequence).collect::<Vec<_>>(), [4]);
    let previous: Vec<u64> = changes.iter().map(|change| change.previous).collect();
    assert_eq!(previous[2..4], [memory.revision; 2], "each change names the one before it");
}

#[test]
fn a_refused_operation_has_no_effect_and_is_told() {
    let mut memory = with_session();
    let refused = vec![
        report("drill", "{}"),
        report("gone", "{}"),
        report("press", "[1]"),
        UplinkChange::Report { key: Key::Device("plant".into(), "press".into()), patch: "{}".into() },
        UplinkChange::Report { key: Key::DeviceTwin("depot".into(), "press".into()), patch: "{}".into() },
        UplinkChange::AssetStatus { asset: "gone".into(), status: Box::default() },
        report("press", r#"{"ok":true}"#),
    ];
    memory.accept(uplink("hall", 1, 1, refused));
    let session = session(&memory, "hall");
    let told: Vec<_> = session.refusals.iter().map(|refusal| (refusal.sequence, refusal.reason)).collect();
    let expected = [
        (1, Reason::OutsideScope),
        (2, Reason::OutsideScope),
        (3, Reason::InvalidJson),
        (4, Reason::NotFound),
        (5, Reason::OutsideScope),
        (6, Reason::OutsideScope),
    ];
    assert_eq!((told.as_slice(), session.last_sequence), (expected.as_slice(), 7));
    assert!(session.refusals.iter().all(|refusal| !refusal.message.is_empty()));
    assert_eq!((reported(&memory, "press"), reported(&memory, "drill")), (r#"{"ok":true}"#.into(), "{}".into()));
}

#[test]
fn a_disabled_device_reports_nothing() {
    let mut memory = with_session();
    let status = DeviceStatus::Disabled;
    let (namespace, device) = ("plant".into(), "press".into());
    memory.accept(Operation::SetDeviceStatus { namespace, device, status, reason: String::new(), etag: None });
    memory.accept(uplink("hall", 1, 1, vec![report("press", "{}")]));
    assert_eq!(session(&memory, "hall").refusals[0].reason, Reason::DeviceDisabled);
}

#[test]
fn moving_a_device_takes_it_from_the_old_edge_at_once() {
    let mut memory = with_session();
    memory.accept(open("dock", 2, 0, 1));
    memory.accept(uplink("hall", 1, 1, vec![report("press", r#"{"by":"hall"}"#)]));
    memory.accept(assign("press", "dock", ""));
    memory.accept(uplink("dock", 1, 1, vec![report("press", r#"{"by":"dock"}"#)]));
    memory.accept(uplink("hall", 1, 2, vec![report("press", r#"{"by":"hall"}"#)]));
    assert_eq!(reported(&memory, "press"), r#"{"by":"dock"}"#);
    assert_eq!(session(&memory, "hall").refusals[0].reason, Reason::OutsideScope);
    memory.accept(delete_device("plant", "drill"));
    memory.accept(uplink("dock", 1, 2, vec![report("drill", "{}")]));
    assert_eq!(session(&memory, "dock").refusals[0].reason, Reason::OutsideScope);
}

#[test]
fn refusals_are_kept_for_the_newest_operations() {
    let mut memory = with_session();
    let refused = |count: usize| vec![report("drill", "{}"); count];
    memory.accept(uplink("hall", 1, 1, refused(256)));
    let kept = |memory: &Memory| {
        let refusals = session(memory, "hall").refusals;
        let numbers: Vec<u64> = refusals.iter().map(|refusal| refusal.sequence).collect();
        assert!(numbers.is_sorted());
        (numbers[0], numbers[numbers.len() - 1], numbers.len())
    };
    assert_eq!(kept(&memory), (1, 256, 256));
    memory.accept(uplink("hall", 1, 257, refused(3)));
    assert_eq!(kept(&memory), (4, 259, 256));
    memory.accept(uplink("hall", 1, 260, vec![report("press", "{}"); 200]));
    assert_eq!(kept(&memory), (204, 259, 56));
    memory.accept(uplink("hall", 1, 460, vec![report("press", "{}"); 56]));
    assert_eq!(session(&memory, "hall").refusals, []);
}

#[test]
fn the_message_of_a_refusal_is_cut() {
    let mut memory = with_session();
    memory.accept(uplink("hall", 1, 1, vec![report(&"ü".repeat(1_000), "{}")]));
    assert_eq!(session(&memory, "hall").refusals[0].message.chars().count(), limits::REFUSAL_CHARS_MAX);
}

#[test]
fn the_form_of_an_uplink_is_checked() {
    let mut memory = with_session();
    let one = || vec![report("press", "{}")];
    memory.refuse(uplink("hall", 1, 1, Vec::new()), Reason::TooMany, "operations");
    let many = vec![report("press", "{}"); limits::UPLINK_CHANGES_MAX + 1];
    memory.refuse(uplink("hall", 1, 1, many), Reason::TooMany, "operations");
    memory.refuse(uplink("hall", 1, 0, one()), Reason::InvalidField, "first_sequence");
    memory.refuse(uplink("hall", 1, u64::MAX, one()), Reason::SequenceGap, "first_sequence");
    memory.refuse(uplink("hall", 1, u64::MAX, [one(), one()].concat()), Reason::InvalidField, "first_sequence");
}

#[test]
fn an_edge_that_comes_again_never_goes_back_to_an_older_epoch() {
    let mut memory = with_session();
    memory.accept(open("hall", 1, 1, 2));
    memory.accept(uplink("hall", 2, 1, vec![report("press", "{}")]));
    assert_eq!(
        memory.accept(delete_edge("hall")),
        ["namespaces/plant/edges/hall edge.deleted", "namespaces/plant/edges/hall/session edge_session.ended"]
    );
    memory.accept(create_edge("hall"));
    memory.refuse(uplink("hall", 2, 2, vec![report("press", "{}")]), Reason::EpochFenced, "epoch");
    memory.refuse(open("hall", 1, 2, 3), Reason::EdgeReplaced, "edge");
    memory.accept(open("hall", 2, 0, 1));
    let session = session(&memory, "hall");
    assert_eq!((session.epoch, session.last_sequence), (3, 0));
}

#[test]
fn a_namespace_takes_its_edges_sites_and_sessions_along() {
    let mut memory = with_session();
    memory.accept(crate::site::create_site("works", "", "hall"));
    memory.accept(crate::site::create_site("floor", "works", ""));
    let delete = |force| Operation::DeleteNamespace { namespace: "plant".into(), etag: None, force };
    memory.refuse(delete(false), Reason::NamespaceNotEmpty, "name");
    memory.accept(delete(true));
    let left = memory.records.iter().filter(|(key, record)| key.namespace() == Some("plant") && record.is_alive());
    assert_eq!(left.map(|(key, _)| key.to_string()).collect::<Vec<_>>(), Vec::<String>::new());
    memory.accept(crate::memory::create_namespace("plant"));
    memory.accept(create_edge("hall"));
    memory.accept(open("hall", 5, 0, 1));
    assert_eq!(session(&memory, "hall").epoch, 2);
}

#[test]
fn an_empty_namespace_with_an_edge_alone_is_not_empty() {
    let mut memory = Memory::new();
    memory.accept(create_edge("hall"));
    let delete = Operation::DeleteNamespace { namespace: "plant".into(), etag: None, force: false };
    memory.refuse(delete, Reason::NamespaceNotEmpty, "name");
}

/// The refusal of an operation in a cluster of the level before edges.
fn before_edges(operation: &Operation) -> Result<(), Rejection> {
    let memory = crate::node::founded(3);
    decide(&memory, operation, memory.at(), &Limits::default()).map(drop)
}

#[test]
fn members_that_do_not_know_edges_are_not_told_of_them() {
    let assigned = {
        let mut definition = reachable_device();
        definition.edge = "hall".into();
        create_device("plant", "lathe", definition)
    };
    for operation in [
        create_edge("hall"),
        crate::site::create_site("works", "", ""),
        open("hall", 1, 0, 1),
        uplink("hall", 1, 1, vec![report("press", "{}")]),
        assigned,
        assign("press", "", ""),
    ] {
        let refusal = before_edges(&operation).expect_err("the level is too low");
        assert_eq!(refusal.reason, Reason::FeatureLevelTooLow, "{operation:?}");
    }
    let plain = before_edges(&create_device("plant", "lathe", reachable_device()));
    assert_ne!(plain.map_err(|refusal| refusal.reason), Err(Reason::FeatureLevelTooLow));
}

#[test]
fn an_update_of_all_fields_goes_through_before_all_members_know_edges() {
    let fields = DeviceField::ALL.map(|(field, _)| field).to_vec();
    let update = |edge: &str| {
        let (namespace, device, fields, etag) = ("plant".into(), "press".into(), fields.clone(), None);
        let definition = Box::new(DeviceDefinition { edge: edge.into(), ..device_definition() });
        Command::single(Operation::UpdateDevice { namespace, device, definition, fields, etag })
    };
    let mut plain = update("");
    plain.leave_out_above(3);
    assert_eq!(plain.feature_level(), 1);
    let mut assigned = update("hall");
    assigned.leave_out_above(3);
    assert_eq!(assigned.feature_level(), 4, "what says something is not left out");
    let mut later = update("");
    later.leave_out_above(4);
    assert_eq!(later, update(""));
}

#[test]
fn what_could_not_be_read_is_refused_by_its_number_and_the_others_take_effect() {
    let mut memory = with_session();
    let unreadable =
        UplinkChange::Refused { reason: Reason::InvalidField, message: "operation must be one".to_owned() };
    let changes = vec![report("press", r#"{"a":1}"#), unreadable, report("press", r#"{"b":2}"#)];
    memory.accept(uplink("hall", 1, 1, changes.clone()));
    assert_eq!(reported(&memory, "press"), r#"{"a":1,"b":2}"#);
    let now = session(&memory, "hall");
    let refused: Vec<_> = now.refusals.iter().map(|refusal| (refusal.sequence, refusal.reason)).collect();
    assert_eq!((now.last_sequence, refused), (3, vec![(2, Reason::InvalidField)]));
    assert_eq!(now.refusals[0].message, "operation must be one");
    let nothing = memory.carry_out(&uplink("hall", 1, 1, changes)).expect("accepted");
    assert!(nothing.is_empty(), "once");
}
