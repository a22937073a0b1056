//! What is written directly equals what prost writes for the same message: the .proto files are the truth.

use bytes::Bytes;
use muster_domain::policy::Principal;
use muster_domain::twin::{Members, Section, Touch, Twin, Value};
use muster_domain::{Body, Command, Record};
use muster_proto::stored::v1 as stored;
use muster_proto::stored::v1::{json_value, twin_member};
use proptest::prelude::*;
use prost::Message;

use super::{arbitrary, samples};
use crate::outcome::{OperationResult, Outcome};
use crate::request::Request;
use crate::store::codec::enums::StoredEnum;
use crate::store::codec::{
    RevisionEntry, encode_batch, encode_outcome, encode_record, encode_request, encode_revision, event, keys, operation,
};

fn section(section: &Section) -> Option<stored::TwinSection> {
    (*section != Section::default()).then(|| stored::TwinSection {
        version: section.version,
        updated_ms: section.updated_ms,
        updated_version: (section.updated_version != section.version).then_some(section.updated_version),
        members: members(
            section.document.members(),
            Touch { time_ms: section.updated_ms, version: section.updated_version },
        ),
    })
}

fn members(members: Members<'_>, above: Touch) -> Vec<stored::TwinMember> {
    let member = |member: muster_domain::twin::Member<'_>| {
        let touch = member.touch();
        stored::TwinMember {
            name: member.name().to_owned(),
            updated_ms: (touch.time_ms != above.time_ms).then_some(touch.time_ms),
            updated_version: (touch.version != above.version).then_some(touch.version),
            value: Some(match member.value() {
                Value::Null => unreachable!("a section holds no null"),
                Value::Bool(value) => twin_member::Value::Bool(value),
                Value::Int(value) => twin_member::Value::Int(value),
                Value::Float(value) => twin_member::Value::Float(value),
                Value::String(value) => twin_member::Value::String(value.to_owned()),
                Value::Array(items) => twin_member::Value::Array(array(items)),
                Value::Object(inner) => {
                    twin_member::Value::Object(stored::TwinObject { members: self::members(inner, touch) })
                }
            }),
        }
    };
    members.map(member).collect()
}

fn array(items: Members<'_>) -> stored::JsonArray {
    stored::JsonArray { items: items.map(json).collect() }
}

fn json(member: muster_domain::twin::Member<'_>) -> stored::JsonValue {
    let value = match member.value() {
        Value::Null => json_value::Value::Null(stored::JsonNull {}),
        Value::Bool(value) => json_value::Value::Bool(value),
        Value::Int(value) => json_value::Value::Int(value),
        Value::Float(value) => json_value::Value::Float(value),
        Value::String(value) => json_value::Value::String(value.to_owned()),
        Value::Array(items) => json_value::Value::Array(array(items)),
        Value::Object(members) => {
            json_value::Value::Object(stored::JsonObject { members: members.map(json).collect() })
        }
    };
    stored::JsonValue { name: member.name().to_owned(), value: Some(value) }
}

fn twin_record(record: &Record, twin: &Twin) -> Vec<u8> {
    let twin = stored::Twin {
        version: twin.version,
        tags: section(&twin.tags),
        desired: section(&twin.desired),
        reported: section(&twin.reported),
    };
    stored::Record {
        created_revision: record.created_revision,
        created_ms: record.created_ms,
        updated_revision: record.updated_revision,
        updated_ms: record.updated_ms,
        body: Some(stored::record::Body::Twin(twin)),
    }
    .encode_to_vec()
}

fn principal(principal: &Principal) -> stored::Principal {
    use stored::principal::Kind;
    let kind = match principal.clone() {
        Principal::Node(id) => Kind::Node(id),
        Principal::User { name, role, namespace, token } => {
            Kind::User(stored::UserPrincipal { name, role: role.number(), namespace, token })
        }
        Principal::Device { namespace, device, token } => {
            Kind::Device(stored::DevicePrincipal { namespace, device, token })
        }
        Principal::Edge { namespace, edge, token } => Kind::Edge(stored::EdgePrincipal { namespace, edge, token }),
    };
    stored::Principal { kind: Some(kind) }
}

fn request_bytes(request: &Request) -> Vec<u8> {
    let Command { operations, atomic } = &request.command;
    let operation = |operation| stored::Operation { kind: Some(operation::to_stored(operation)) };
    stored::Request {
        principal: Some(principal(&request.principal)),
        origin: request.origin.clone(),
        request_id: request.request_id.clone(),
        body_hash: Bytes::copy_from_slice(&request.body_hash),
        command: Some(stored::Command { operations: operations.iter().map(operation).collect(), atomic: *atomic }),
    }
    .encode_to_vec()
}

fn revision_bytes(entry: &RevisionEntry) -> Vec<u8> {
    let events = entry.events.iter().map(|event| stored::Event {
        key: Some(keys::to_stored(&event.key)),
        kind: Some(event::kind_to_stored(&event.kind)),
    });
    stored::Revision {
        revision: entry.revision,
        time_ms: entry.time_ms,
        actor: entry.actor.clone(),
        origin: entry.origin.clone(),
        request_id: entry.request_id.clone(),
        events: events.collect(),
        previous_revisions: entry.previous.clone(),
    }
    .encode_to_vec()
}

fn outcome_bytes(outcome: &Outcome) -> Vec<u8> {
    use stored::operation_result::Result as Kind;
    let result = |result: &OperationResult| match result.clone() {
        OperationResult::Accepted(accepted) => Kind::Accepted(stored::Accepted {
            etag: accepted.etag,
            version: accepted.version,
            tags_version: accepted.tags_version,
            desired_version: accepted.desired_version,
            reported_version: accepted.reported_version,
            deleted: accepted.deleted,
            finished: accepted.finished,
        }),
        OperationResult::Rejected(rejection) => Kind::Rejected(stored::Rejection {
            reason: rejection.reason.number(),
            field: rejection.field,
            message: rejection.message,
            current: rejection.current,
        }),
    };
    let results = outcome.results.iter().map(|item| stored::OperationResult { result: Some(result(item)) });
    stored::Outcome { revision: outcome.revision, results: results.collect() }.encode_to_vec()
}

#[test]
fn every_body_is_written_as_prost_writes_it() {
    for body in samples::bodies() {
        let bytes = encode_record(&samples::record(body));
        let message = stored::Record::decode(&bytes[..]).expect("prost reads it");
        assert!(message.body.is_some());
        assert_eq!(message.encode_to_vec(), bytes);
    }
    let twin = samples::twin();
    let record = samples::record(Body::Twin(twin.clone()));
    assert_eq!(encode_record(&record), twin_record(&record, &twin));
}

proptest! {
    #[test]
    fn twins(record in arbitrary::record_of(arbitrary::twin())) {
        let Body::Twin(twin) = &record.body else { unreachable!() };
        prop_assert_eq!(encode_record(&record), twin_record(&record, twin));
    }

    #[test]
    fn requests(request in arbitrary::request()) {
        prop_assert_eq!(encode_request(&request), request_bytes(&request));
    }

    #[test]
    fn revisions(entry in arbitrary::revision()) {
        prop_assert_eq!(encode_revision(&entry), revision_bytes(&entry));
    }

    #[test]
    fn outcomes(outcome in arbitrary::outcome()) {
        prop_assert_eq!(encode_outcome(&outcome), outcome_bytes(&outcome));
    }

    #[test]
    fn batches(items in prop::collection::vec((any::<u64>(), prop::collection::vec(any::<u8>(), 0..300)), 0..5)) {
        let items: Vec<(u64, Bytes)> = items.into_iter().map(|(ms, bytes)| (ms, bytes.into())).collect();
        let requests = items.iter().map(|(time_ms, request)| stored::Stamped {
            time_ms: *time_ms,
            request: request.clone(),
        });
        let message = stored::Batch { requests: requests.collect() };
        let bytes = encode_batch(items.iter().map(|(time_ms, request)| (*time_ms, request)));
        prop_assert_eq!(bytes, message.encode_to_vec());
    }
}
