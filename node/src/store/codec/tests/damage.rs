//! What nobody wrote: damaged bytes, and bytes of a version to come. Nothing panics, and what is not known is named.

use bytes::Bytes;
use muster_domain::Body;
use muster_proto::stored::v1 as stored;
use proptest::prelude::*;
use prost::Message;

use super::{arbitrary, samples};
use crate::store::codec::backwards;
use crate::store::codec::{
    CodecError, decode_batch, decode_outcome, decode_record, decode_request, decode_revision, encode_outcome,
    encode_record, encode_request, encode_revision, twin,
};

fn decode_all(bytes: &[u8]) {
    drop(decode_request(bytes));
    drop(decode_revision(bytes));
    drop(decode_record(bytes));
    drop(decode_outcome(bytes));
    drop(decode_batch(Bytes::copy_from_slice(bytes)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        decode_all(&bytes);
    }

    #[test]
    fn changed_bytes(
        source in prop_oneof![
            arbitrary::record().prop_map(|record| encode_record(&record)),
            arbitrary::revision().prop_map(|entry| encode_revision(&entry)),
            arbitrary::request().prop_map(|request| encode_request(&request).to_vec()),
            arbitrary::outcome().prop_map(|outcome| encode_outcome(&outcome).to_vec()),
        ],
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = source;
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        decode_all(&bytes);
        bytes.truncate(cut.index(bytes.len() + 1));
        decode_all(&bytes);
    }
}

/// A twin whose `desired` nests `depth` objects, or as many arrays.
fn nested(depth: usize, array: bool) -> Vec<u8> {
    backwards::encode(|out| {
        let ends = [out.end(), out.end(), out.end()];
        let (outer, inner) = if array { (8, 7) } else { (9, 9) };
        let levels: Vec<_> = (0..depth).map(|_| out.end()).collect();
        for (level, end) in levels.into_iter().enumerate().rev() {
            // Each level is a value with the next container in it; all end at the end of the buffer.
            out.begin(if level == 0 { outer } else { inner }, end);
            out.begin(if level == 0 { 4 } else { 1 }, end);
        }
        out.begin(3, ends[2]);
        out.begin(10, ends[1]);
    })
}

#[test]
fn nesting_is_bounded() {
    for array in [false, true] {
        assert!(decode_record(&nested(24, array)).is_ok(), "24 levels are allowed in twins");
        for depth in [60, 100_000] {
            let error = decode_record(&nested(depth, array)).expect_err("too deep");
            assert!(matches!(error, CodecError::Malformed { .. }), "{error}");
        }
    }
}

#[test]
fn a_member_that_is_there_twice_is_refused() {
    let member = stored::TwinMember {
        name: "a".to_owned(),
        value: Some(stored::twin_member::Value::Bool(true)),
        ..Default::default()
    };
    let section = stored::TwinSection { members: vec![member.clone(), member], ..Default::default() };
    let twin = stored::Twin { desired: Some(section), ..Default::default() };
    let record = stored::Record { body: Some(stored::record::Body::Twin(twin)), ..Default::default() };
    let error = decode_record(&record.encode_to_vec()).expect_err("twice");
    assert_eq!(error.to_string(), "a twin cannot be decoded: the member \"a\" is there twice");
}

#[test]
fn kinds_of_a_newer_version_are_named() {
    // Field 999 stands for a kind to come: prost passes over it, and the kind is then missing.
    let to_come = backwards::encode(|out| out.text(999, "to come"));
    let with = |tag: u32, known: &[u8]| {
        let mut bytes = known.to_vec();
        bytes.extend(backwards::encode(|out| out.text(tag, &to_come)));
        bytes
    };
    let mut request = samples::request(samples::operations().remove(0).1);
    request.command.operations.clear();
    request.command.atomic = false;
    let command = with(1, &[]);
    let mut bytes = encode_request(&request).to_vec();
    bytes.extend(backwards::encode(|out| out.text(5, &command)));
    assert_eq!(decode_request(&bytes), Err(CodecError::UnknownKind { what: "an operation" }));

    let key = stored::Event { key: Some(stored::Key { kind: 1, ..Default::default() }), kind: None };
    let mut event = key.encode_to_vec();
    event.extend(&to_come);
    let bytes = backwards::encode(|out| out.text(6, &event));
    assert_eq!(decode_revision(&bytes), Err(CodecError::UnknownKind { what: "an event" }));

    assert_eq!(decode_record(&to_come), Err(CodecError::UnknownKind { what: "a record" }));
    let result = with(2, &[]);
    assert_eq!(decode_outcome(&result), Err(CodecError::UnknownKind { what: "the result of an operation" }));
}

#[test]
fn numbers_of_a_newer_version_are_named() {
    let token = stored::Token { hash: Bytes::from_static(&[0; 32]), role: 99, ..Default::default() };
    let record = stored::Record { body: Some(stored::record::Body::Token(token)), ..Default::default() };
    let error = decode_record(&record.encode_to_vec()).expect_err("an unknown role");
    assert_eq!(error, CodecError::UnknownNumber { what: "a role", number: 99 });

    let token = stored::Token { hash: Bytes::from_static(&[0; 31]), role: 1, ..Default::default() };
    let record = stored::Record { body: Some(stored::record::Body::Token(token)), ..Default::default() };
    let error = decode_record(&record.encode_to_vec()).expect_err("a short hash");
    assert_eq!(error, CodecError::Length { what: "the hash of a token", expected: 32, found: 31 });

    let key = stored::Key { kind: 99, ..Default::default() };
    let patch = stored::TwinPatched::default();
    let event = stored::Event { key: Some(key), kind: Some(stored::event::Kind::TwinPatched(patch)) };
    let entry = stored::Revision { events: vec![event], ..Default::default() };
    let error = decode_revision(&entry.encode_to_vec()).expect_err("an unknown key");
    assert_eq!(error, CodecError::UnknownNumber { what: "the kind of a key", number: 99 });
}

#[test]
fn an_event_without_its_previous_revision_is_refused() {
    let mut entry = samples::revision(samples::events());
    entry.previous.pop();
    let error = decode_revision(&encode_revision(&entry)).expect_err("one is missing");
    assert_eq!(error.to_string(), "a revision cannot be decoded: not every event says what came before it");
}

#[test]
fn fields_of_a_newer_version_are_passed_over() {
    let record = samples::record(Body::Twin(samples::twin()));
    let mut bytes = encode_record(&record);
    bytes.extend(backwards::encode(|out| {
        out.double(502, 1.5);
        out.number(501, 7);
        out.text(500, "new");
    }));
    assert_eq!(decode_record(&bytes), Ok(record));
    let mut reader = crate::store::codec::reader::Reader::new("a twin", &[]);
    assert!(matches!(reader.field(), Ok(None)));
    assert_eq!(twin::read(reader).map(|twin| twin.version), Ok(0));
}
