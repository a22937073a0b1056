//! What is queued is judged as the cluster would, and shown as the cluster will show it.

use super::*;

const TWIN: &str = "namespaces/plant1/devices/pump7/twin";

fn twin_item() -> v1::SyncItem {
    let reported = v1::SectionDocument {
        json: r#"{"a":{"b":1,"c":[1,null]},"t":20.5}"#.to_owned(),
        version: 4,
        metadata_json: r#"{"$lastUpdated":"2026-11-20T10:00:00.000Z","a":{"$lastUpdated":"2026-11-20T10:00:00.000Z","b":{"$lastUpdated":"2026-11-19T10:00:00.000Z"},"c":{"$lastUpdated":"2026-11-20T10:00:00.000Z"}},"t":{"$lastUpdated":"2026-11-18T10:00:00.000Z"}}"#.to_owned(),
        update_time: Some(twin::timestamp(1_795_168_800_000)),
    };
    let desired = v1::SectionDocument { json: r#"{"fw":"2"}"#.to_owned(), version: 2, ..Default::default() };
    let twin = v1::Twin {
        name: TWIN.to_owned(),
        etag: "77".to_owned(),
        version: 9,
        desired: Some(desired),
        reported: Some(reported),
        ..v1::Twin::default()
    };
    v1::SyncItem {
        name: TWIN.to_owned(),
        revision: 77,
        resource: Some(v1::Resource { resource: Some(Resource::Twin(twin)) }),
    }
}

fn device_item(status: v1::DeviceStatus) -> v1::SyncItem {
    let device = v1::Device { status: status.into(), ..v1::Device::default() };
    v1::SyncItem {
        name: "namespaces/plant1/devices/pump7".to_owned(),
        revision: 5,
        resource: Some(v1::Resource { resource: Some(Resource::Device(device)) }),
    }
}

fn view() -> View {
    View::of_item(&twin_item(), Some(&device_item(v1::DeviceStatus::Enabled))).expect("a twin")
}

fn report(json: &str) -> v1::SyncOperation {
    let report = v1::SyncReport { name: TWIN.to_owned(), reported_json: json.to_owned() };
    v1::SyncOperation { queued_ms: 1_795_600_000_000, operation: Some(Queued::Report(report)) }
}

fn shown(view: &View) -> v1::Twin {
    match view.resource().resource {
        Some(Resource::Twin(twin)) => twin,
        other => panic!("a twin, not {other:?}"),
    }
}

#[test]
fn a_view_without_operations_is_the_item() {
    let Some(Resource::Twin(item)) = twin_item().resource.expect("a twin").resource else { panic!("a twin") };
    assert_eq!(shown(&view()), item, "documents, metadata and versions come back as they were");
}

#[test]
fn operations_are_merged_in_order_and_leave_the_cluster_s_sections_alone() {
    let view = view().with(&report(r#"{"a":{"b":2},"new":true}"#), 0, &Limits::default()).expect("accepted");
    let view = view.with(&report(r#"{"t":null}"#), 0, &Limits::default()).expect("accepted");
    let twin = shown(&view);
    let reported = twin.reported.expect("reported");
    assert_eq!(reported.json, r#"{"a":{"b":2,"c":[1,null]},"new":true}"#);
    assert_eq!((twin.version, reported.version, twin.etag.as_str()), (11, 6, "77"));
    assert_eq!(twin.desired.expect("desired").json, r#"{"fw":"2"}"#);
    let metadata: serde_json::Value = serde_json::from_str(&reported.metadata_json).expect("JSON");
    assert_eq!(metadata["a"]["b"]["$lastUpdated"], "2026-11-25T09:46:40.000Z");
    assert_eq!(metadata["a"]["c"]["$lastUpdated"], "2026-11-20T10:00:00.000Z", "what was not named keeps its trace");
}

#[test]
fn merging_what_is_there_already_changes_no_document() {
    let patch = report(r#"{"a":{"b":2,"c":null},"t":{"x":{}}}"#);
    let once = view().with(&patch, 0, &Limits::default()).expect("accepted");
    let twice = once.with(&patch, 0, &Limits::default()).expect("accepted");
    let document = |view: &View| shown(view).reported.expect("reported").json;
    assert_eq!(document(&once), document(&twice));
}

#[test]
fn refusals_are_the_cluster_s() {
    let refused = |view: &View, patch: &str, version| {
        let refusal = view.with(&report(patch), version, &Limits::default()).expect_err(patch);
        (refusal.reason, refusal.field)
    };
    let view = view();
    assert_eq!(refused(&view, "[]", 0), (Reason::InvalidJson, "reported_json".to_owned()));
    assert_eq!(refused(&view, r#"{"a.b":1}"#, 0).0, Reason::InvalidDocument);
    assert_eq!(refused(&view, r#"{"x":1}"#, 3), (Reason::EtagMismatch, "expected_version".to_owned()));
    assert_eq!(refused(&view, &format!(r#"{{"x":"{}"}}"#, "y".repeat(5_000)), 0).0, Reason::TooLarge);
    let disabled = View::of_item(&twin_item(), Some(&device_item(v1::DeviceStatus::Disabled))).expect("a twin");
    assert_eq!(refused(&disabled, r#"{"x":1}"#, 0).0, Reason::DeviceDisabled);
    let orphan = View::of_item(&twin_item(), None).expect("a twin");
    assert_eq!(refused(&orphan, r#"{"x":1}"#, 0).0, Reason::NotFound);
}

#[test]
fn a_status_may_name_the_parts_of_its_asset_only() {
    let name = "namespaces/plant1/assets/oven";
    let dataset = v1::Dataset { name: "temperature".to_owned(), ..v1::Dataset::default() };
    let definition = v1::AssetDefinition { datasets: vec![dataset], ..v1::AssetDefinition::default() };
    let asset = v1::Asset { name: name.to_owned(), definition: Some(definition), version: 3, ..v1::Asset::default() };
    let item = v1::SyncItem {
        name: name.to_owned(),
        revision: 8,
        resource: Some(v1::Resource { resource: Some(Resource::Asset(asset.clone())) }),
    };
    let status = |part: &str| {
        let part = v1::AssetPartStatus {
            kind: v1::AssetPartKind::Dataset.into(),
            name: part.to_owned(),
            ..v1::AssetPartStatus::default()
        };
        let status = v1::AssetStatus { config_version: 3, parts: vec![part], ..v1::AssetStatus::default() };
        let status = v1::SyncAssetStatus { name: name.to_owned(), status: Some(status) };
        v1::SyncOperation { queued_ms: 1_000, operation: Some(Queued::AssetStatus(status)) }
    };
    let view = View::of_item(&item, None).expect("an asset");
    let refusal = view.with(&status("pressure"), 0, &Limits::default()).expect_err("no such part");
    assert!(refusal.field.starts_with("status.parts"), "{refusal}");
    let merged = view.with(&status("temperature"), 0, &Limits::default()).expect("accepted").resource();
    let Some(Resource::Asset(merged)) = merged.resource else { panic!("an asset") };
    assert_eq!(merged.definition, asset.definition);
    let status = merged.status.expect("a status");
    assert_eq!((status.config_version, status.parts.len()), (3, 1));
    assert_eq!(status.update_time, Some(twin::timestamp(1_000)));
}

#[test]
fn a_view_carried_over_to_what_its_own_operations_did_is_the_view_worked_out_anew() {
    let limits = Limits::default();
    let operations =
        [r#"{"a":{"b":2}}"#, r#"{"t":null,"n":[1]}"#, r#"{"a":1}"#, r#"{"a":{"z":3},"n":null}"#].map(report);
    let fold = |from: View, operations: &[v1::SyncOperation]| {
        operations.iter().fold(from, |view, operation| view.with(operation, 0, &limits).expect("accepted"))
    };
    let whole = fold(view(), &operations);
    let device = device_item(v1::DeviceStatus::Enabled);
    for done in 0..=operations.len() {
        // What the cluster sends when the first of them have taken effect, and it wants something else meanwhile.
        let mut twin = shown(&fold(view(), &operations[..done]));
        twin.version += 1;
        twin.desired = Some(v1::SectionDocument { json: r#"{"fw":"3"}"#.to_owned(), version: 3, ..Default::default() });
        let resource = Some(v1::Resource { resource: Some(Resource::Twin(twin)) });
        let item = v1::SyncItem { revision: 90, resource, ..twin_item() };
        let waiting = operations.len() - done;
        let carried = shown(&whole.over(&item, Some(&device), waiting as u64).expect("a twin"));
        let anew = shown(&fold(View::of_item(&item, Some(&device)).expect("a twin"), &operations[done..]));
        let documents = |twin: &v1::Twin| {
            let reported = twin.reported.clone().expect("reported");
            (twin.version, reported.version, reported.json, twin.desired.clone().expect("desired").json)
        };
        assert_eq!(documents(&carried), documents(&anew), "{done} of them done");
    }
}
