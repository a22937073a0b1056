//! The checks of single fields, at their limits and one beyond.

use muster_domain::device::DeviceField;

use super::*;

#[test]
fn names_are_parsed_by_their_shape() {
    let good = [
        ("namespaces/plant1", Shape::Namespace),
        ("namespaces/plant1/devices/pump7", Shape::Device),
        ("namespaces/plant1/devices/pump7/modules/m", Shape::Module),
        ("namespaces/plant1/devices/pump7", Shape::DeviceOrModule),
        ("namespaces/plant1/devices/pump7/modules/m", Shape::DeviceOrModule),
        ("namespaces/plant1/assets/oven-3", Shape::Asset),
        ("namespaces/plant1/devices/pump7/modules/m/twin", Shape::Resource),
    ];
    for (text, shape) in good {
        assert_eq!(name("name", text, shape).map(|key| key.to_string()), Ok(text.to_owned()), "{shape:?}");
    }
    for text in ["namespaces/plant1/devices/pump7", "namespaces/plant1/devices/pump7/twin"] {
        let twin = Key::DeviceTwin("plant1".to_owned(), "pump7".to_owned());
        assert_eq!(name("name", text, Shape::Twin), Ok(twin), "a device's name stands for its twin");
    }
}

#[test]
fn bad_names_name_the_field_and_the_rule() {
    let long = format!("namespaces/plant1/devices/{}", "x".repeat(129));
    let endless = "x".repeat(100_000);
    let bad = [
        ("", Shape::Device, Reason::InvalidField),
        ("pump7", Shape::Device, Reason::InvalidField),
        ("namespaces/plant1", Shape::Device, Reason::InvalidField),
        ("namespaces/plant1/devices/", Shape::Device, Reason::InvalidField),
        ("namespaces/plant1/devices/pump7/", Shape::Device, Reason::InvalidField),
        ("/namespaces/plant1", Shape::Namespace, Reason::InvalidField),
        ("namespaces/plant1/devices/pump7/twin", Shape::Device, Reason::InvalidField),
        ("namespaces/plant1/assets/oven", Shape::Twin, Reason::InvalidField),
        ("cluster", Shape::Resource, Reason::InvalidField),
        ("tokens/abc", Shape::Resource, Reason::InvalidField),
        (&endless, Shape::Device, Reason::InvalidField),
        (&long, Shape::Device, Reason::InvalidId),
        ("namespaces/Plant1/devices/pump7", Shape::Device, Reason::InvalidId),
        ("namespaces/p/devices/pump7", Shape::Device, Reason::InvalidId),
        ("namespaces/plant1/devices/pump 7", Shape::Device, Reason::InvalidId),
        ("namespaces/plant1/devices/pümp", Shape::Twin, Reason::InvalidId),
        ("namespaces/plant1/devices/pump7/modules/m m", Shape::Module, Reason::InvalidId),
        ("namespaces/plant1/devices/pump7/modules/m\u{7}/twin", Shape::Twin, Reason::InvalidId),
        ("namespaces/plant1/assets/Oven", Shape::Asset, Reason::InvalidId),
    ];
    for (text, shape, reason) in bad {
        let refusal = name("device.name", text, shape).expect_err(text);
        assert_eq!((refusal.reason, refusal.field.as_str()), (reason, "device.name"), "{}", echo(text));
        assert!(refusal.message.contains("device.name"), "{}", refusal.message);
        assert!(refusal.message.len() < 1_000, "a long text is not repeated whole");
    }
}

#[test]
fn page_sizes_are_coerced_down_and_never_negative() {
    assert_eq!(page_size(0, 1_000), Ok(100));
    assert_eq!(page_size(1, 1_000), Ok(1));
    assert_eq!(page_size(1_000, 1_000), Ok(1_000));
    assert_eq!(page_size(1_001, 1_000), Ok(1_000));
    assert_eq!(page_size(i32::MAX, 1_000), Ok(1_000));
    assert_eq!(page_size(0, 10), Ok(10));
    for bad in [-1, i32::MIN] {
        let refusal = page_size(bad, 1_000).expect_err("negative");
        assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::InvalidField, "page_size"));
    }
}

#[test]
fn request_ids_are_short_and_printable() {
    for good in ["", "a", "6f1c 2b/~!", &"x".repeat(128)] {
        assert_eq!(check_request_id(good), Ok(()), "{good}");
    }
    for bad in ["ä", "a\n", "\u{7f}", "\0", &"x".repeat(129)] {
        let refusal = check_request_id(bad).expect_err(bad);
        assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::InvalidField, "request_id"));
    }
}

#[test]
fn an_empty_mask_and_a_star_mean_all() {
    let all = DeviceField::ALL.len();
    let given = |paths: &[&str]| FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() };
    assert_eq!(mask(None, &DeviceField::ALL).map(|fields| fields.len()), Ok(all));
    assert_eq!(mask(Some(&given(&[])), &DeviceField::ALL).map(|fields| fields.len()), Ok(all));
    assert_eq!(mask(Some(&given(&["*"])), &DeviceField::ALL).map(|fields| fields.len()), Ok(all));
    let twice = given(&["status", "model", "status"]);
    assert_eq!(mask(Some(&twice), &DeviceField::ALL), Ok(vec![DeviceField::Status, DeviceField::Model]));
}

#[test]
fn an_unknown_path_is_refused_with_the_nearest_name() {
    let cases = [
        ("manufactuer", Some("manufacturer")),
        ("Status", Some("status")),
        ("authentication.type", Some("authentication")),
        ("attributes", Some("attributes_json")),
        ("endpoint", Some("endpoints")),
        ("", None),
        ("zzzzzz", None),
        ("uuid", None),
    ];
    for (path, nearest) in cases {
        let given = FieldMask { paths: vec!["status".to_owned(), path.to_owned()] };
        let refusal = mask(Some(&given), &DeviceField::ALL).expect_err(path);
        assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::InvalidField, "update_mask"));
        match nearest {
            Some(nearest) => assert!(refusal.message.contains(&format!("`{nearest}`?")), "{}", refusal.message),
            None => assert!(!refusal.message.contains("did you mean"), "{}", refusal.message),
        }
    }
}

#[test]
fn consistency_is_one_of_three() {
    let of =
        |consistency: i32, min_revision| consistency_of(consistency, min_revision).map_err(|refusal| refusal.field);
    assert_eq!(consistency(None), Ok(Consistency::Linearizable));
    assert_eq!(of(0, 0), Ok(Consistency::Linearizable));
    assert_eq!(of(1, 0), Ok(Consistency::Linearizable));
    assert_eq!(of(2, 7), Ok(Consistency::MinRevision(7)));
    assert_eq!(of(3, 0), Ok(Consistency::Local));
    assert_eq!(of(3, 7), Err("read.min_revision".to_owned()));
    assert_eq!(of(0, 7), Err("read.min_revision".to_owned()));
    assert_eq!(of(9, 0), Err("read.consistency".to_owned()));
}

fn consistency_of(asked: i32, min_revision: u64) -> Result<Consistency, Rejection> {
    consistency(Some(v1::ReadOptions { consistency: asked, min_revision }))
}

#[test]
fn what_is_repeated_is_short_and_harmless() {
    assert_eq!(echo("a\nb\u{1b}"), "a\\nb\\u{1b}");
    assert_eq!(echo(&"x".repeat(300)).chars().count(), ECHO_CHARS_MAX + 1);
}
