//! A twin in IoT Hub's shape: `$metadata` and `$version` lie inside `desired` and `reported`.

use muster_client::names;
use muster_client::proto::{SectionDocument, Twin, TwinSection};
use serde_json::{Map, Value, json};

use super::{document, put, time};

/// The twin as `muster twin get --output json` shows it. Sections that were not asked for are absent.
pub(crate) fn to_json(twin: &Twin) -> Value {
    let mut object = Map::new();
    put(&mut object, "deviceId", names::part(&twin.name, "devices").unwrap_or_default());
    put(&mut object, "moduleId", names::part(&twin.name, "modules").unwrap_or_default());
    put(&mut object, "etag", twin.etag.as_str());
    put(&mut object, "version", twin.version);
    put(&mut object, "updateTime", time(twin.update_time.as_ref()));
    if let Some(tags) = &twin.tags {
        object.insert("tags".to_owned(), document(&tags.json));
    }
    let mut properties = Map::new();
    for (name, section) in [("desired", &twin.desired), ("reported", &twin.reported)] {
        if let Some(section) = section {
            properties.insert(name.to_owned(), with_metadata(section));
        }
    }
    put(&mut object, "properties", properties);
    Value::Object(object)
}

/// A section with its `$metadata`, when it was sent, and its `$version`.
pub(crate) fn with_metadata(section: &SectionDocument) -> Value {
    let mut value = document(&section.json);
    if let Value::Object(members) = &mut value {
        if !section.metadata_json.is_empty() {
            members.insert("$metadata".to_owned(), document(&section.metadata_json));
        }
        members.insert("$version".to_owned(), json!(section.version));
    }
    value
}

/// The section that was asked for.
pub(crate) fn section(twin: &Twin, section: TwinSection) -> Option<&SectionDocument> {
    match section {
        TwinSection::Unspecified => None,
        TwinSection::Tags => twin.tags.as_ref(),
        TwinSection::Desired => twin.desired.as_ref(),
        TwinSection::Reported => twin.reported.as_ref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_iot_hubs() {
        let section = |json: &str, version| {
            Some(SectionDocument {
                json: json.to_owned(),
                version,
                metadata_json: r#"{"$lastUpdated":"2026-01-01T00:00:00Z"}"#.to_owned(),
                update_time: None,
            })
        };
        let twin = Twin {
            name: names::twin("plant1", "pump7"),
            etag: "9".to_owned(),
            version: 4,
            tags: section(r#"{"site":"ams"}"#, 2),
            desired: section(r#"{"speed":52.32025}"#, 3),
            reported: None,
            update_time: None,
        };
        assert_eq!(
            to_json(&twin),
            json!({
                "deviceId": "pump7", "etag": "9", "version": 4, "tags": {"site": "ams"},
                "properties": {"desired": {"speed": 52.32025, "$version": 3, "$metadata": {"$lastUpdated": "2026-01-01T00:00:00Z"}}}
            })
        );
    }
}
