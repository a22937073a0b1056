//! Events to proto.

use muster_domain::{Event, EventKind};
use muster_proto::v1;

use super::event_json;
use crate::store::codec::RevisionEntry;

/// An event of an entry; `index` is its number among all events of the revision.
#[must_use]
pub fn to_proto(entry: &RevisionEntry, event: &Event, index: u32) -> v1::Event {
    v1::Event {
        revision: entry.revision,
        index,
        time: super::optional_timestamp(entry.time_ms),
        kind: event.kind.name().to_owned(),
        resource: event.key.to_string(),
        actor: entry.actor.clone(),
        origin: entry.origin.clone(),
        request_id: entry.request_id.clone(),
        data_json: event_json::render(&event.kind),
    }
}

/// The same as a device may see it that watches its own twin: without tags, and without who changed it from where.
#[must_use]
pub fn for_device(entry: &RevisionEntry, event: &Event, index: u32) -> v1::Event {
    let kind = match &event.kind {
        EventKind::TwinPatched { desired, .. } => EventKind::TwinPatched { tags: None, desired: desired.clone() },
        EventKind::TwinReplaced { desired, reported, .. } => {
            EventKind::TwinReplaced { tags: None, desired: desired.clone(), reported: reported.clone() }
        }
        other => other.clone(),
    };
    v1::Event {
        revision: entry.revision,
        index,
        time: super::optional_timestamp(entry.time_ms),
        kind: kind.name().to_owned(),
        resource: event.key.to_string(),
        data_json: event_json::render(&kind),
        ..v1::Event::default()
    }
}

#[cfg(test)]
mod tests {
    use muster_domain::Key;

    use super::*;

    #[test]
    fn a_device_sees_neither_tags_nor_who_it_was() {
        let kind = EventKind::TwinPatched {
            tags: Some(r#"{"owner":"x"}"#.to_owned()),
            desired: Some(r#"{"fw":2}"#.to_owned()),
        };
        let event = Event { key: Key::DeviceTwin("p".to_owned(), "d".to_owned()), kind };
        let entry = RevisionEntry {
            revision: 4,
            time_ms: 1,
            actor: "user:alice".to_owned(),
            origin: "10.0.0.1:5".to_owned(),
            request_id: "r".to_owned(),
            events: vec![event.clone()],
            previous: vec![0],
        };
        let told = for_device(&entry, &event, 0);
        assert_eq!(told.data_json, r#"{"desired":{"fw":2}}"#);
        assert_eq!((told.actor.as_str(), told.origin.as_str(), told.request_id.as_str()), ("", "", ""));
        assert!(to_proto(&entry, &event, 0).data_json.contains("owner"));
    }
}
