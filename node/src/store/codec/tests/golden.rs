//! The bytes that earlier versions wrote, one file for each kind of operation, event and body in
//! `tests/golden/stored-v1/`.
//!
//! A file that is there must never change: this version must write the same bytes and read them as the same value.
//! `UPDATE_GOLDEN=1` writes files that are missing, and those of a format that has not been released yet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::PathBuf;

use bytes::Bytes;
use muster_domain::{Reason, Rejection};
use muster_proto::stored::v1 as stored;
use prost::Message;

use super::samples;
use crate::outcome::{Accepted, OperationResult, Outcome};
use crate::store::codec::{
    CodecError, decode_batch, decode_outcome, decode_record, decode_request, decode_revision, encode_batch,
    encode_outcome, encode_record, encode_request, encode_revision, event, operation, record,
};

struct Golden {
    seen: BTreeSet<String>,
    update: bool,
}

impl Golden {
    fn folder() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/stored-v1")
    }

    fn check<T: PartialEq + Debug>(
        &mut self,
        name: String,
        value: &T,
        bytes: impl AsRef<[u8]>,
        decode: impl Fn(&[u8]) -> Result<T, CodecError>,
    ) {
        let path = Self::folder().join(&name);
        if self.update {
            std::fs::write(&path, &bytes).expect("write a golden file");
        }
        let golden = std::fs::read(&path)
            .unwrap_or_else(|error| panic!("{name}: {error}; UPDATE_GOLDEN=1 writes the file of a new kind"));
        assert!(golden == bytes.as_ref(), "{name}: this version writes other bytes than earlier ones did");
        assert_eq!(decode(&golden).as_ref(), Ok(value), "{name}: this version reads something else than was written");
        assert!(self.seen.insert(name.clone()), "{name} stands for two samples");
    }
}

/// The names of the alternatives of a message's `oneof`, by number, from the .proto.
fn alternatives(message: &str) -> BTreeMap<u32, String> {
    let files = prost_types::FileDescriptorSet::decode(muster_proto::FILE_DESCRIPTOR_SET).expect("our own descriptors");
    let message = files
        .file
        .iter()
        .filter(|file| file.package() == "muster.stored.v1")
        .flat_map(|file| &file.message_type)
        .find(|found| found.name() == message)
        .expect(message);
    let number = |field: &prost_types::FieldDescriptorProto| field.number().cast_unsigned();
    let fields = message.field.iter().filter(|field| field.oneof_index.is_some());
    fields.map(|field| (number(field), field.name().to_owned())).collect()
}

/// The number of the first field in a message.
fn first_tag(bytes: &[u8]) -> u32 {
    prost::encoding::decode_key(&mut &bytes[..]).expect("a field").0
}

#[test]
fn stored_bytes_never_change() {
    let mut golden = Golden { seen: BTreeSet::new(), update: std::env::var_os("UPDATE_GOLDEN").is_some() };

    let names = alternatives("Operation");
    let mut covered = BTreeSet::new();
    for (suffix, operation) in samples::operations() {
        let message = stored::Operation { kind: Some(operation::to_stored(&operation)) };
        let name = &names[&first_tag(&message.encode_to_vec())];
        covered.insert(name.clone());
        let suffix = if suffix.is_empty() { String::new() } else { format!("-{suffix}") };
        let request = samples::request(operation);
        golden.check(format!("operation-{name}{suffix}.bin"), &request, encode_request(&request), decode_request);
    }
    assert_eq!(covered, names.into_values().collect(), "every operation has a sample");

    let names = alternatives("Event");
    let mut covered = BTreeSet::new();
    for sample in samples::events() {
        let message = stored::Event { key: None, kind: Some(event::kind_to_stored(&sample.kind)) };
        let name = &names[&first_tag(&message.encode_to_vec())];
        covered.insert(name.clone());
        let entry = samples::revision(vec![sample]);
        golden.check(format!("event-{name}.bin"), &entry, encode_revision(&entry), decode_revision);
    }
    assert_eq!(covered, names.into_values().collect(), "every kind of event has a sample");

    let names = alternatives("Record");
    let mut covered = BTreeSet::new();
    for body in samples::bodies() {
        let record = samples::record(body);
        let name = &names[&record::body_tag(&record.body)];
        covered.insert(name.clone());
        golden.check(format!("body-{name}.bin"), &record, encode_record(&record), decode_record);
    }
    assert_eq!(covered, names.into_values().collect(), "every kind of body has a sample");

    for (name, principal) in samples::principals() {
        let mut request = samples::request(samples::operations().remove(0).1);
        request.principal = principal;
        request.command.operations.clear();
        golden.check(format!("request-{name}.bin"), &request, encode_request(&request), decode_request);
    }

    let rejection = Rejection {
        reason: Reason::EtagMismatch,
        field: "etag".to_owned(),
        message: "etag is `1` but the current one is `2`".to_owned(),
        current: "2".to_owned(),
    };
    let accepted = Accepted {
        etag: "4711".to_owned(),
        version: 1,
        tags_version: 2,
        desired_version: 3,
        reported_version: 4,
        deleted: 5,
        finished: true,
    };
    let results = vec![OperationResult::Accepted(accepted), OperationResult::Rejected(rejection)];
    let outcome = Outcome { revision: 4_711, results };
    golden.check("outcome.bin".to_owned(), &outcome, encode_outcome(&outcome), decode_outcome);

    let batch = vec![(samples::NOW, Bytes::from_static(b"one")), (0, Bytes::new())];
    let bytes = encode_batch(batch.iter().map(|(time_ms, request)| (*time_ms, request)));
    golden.check("batch.bin".to_owned(), &batch, bytes, |bytes| decode_batch(Bytes::copy_from_slice(bytes)));

    let files = std::fs::read_dir(Golden::folder()).expect("the folder of golden files");
    let found: BTreeSet<String> =
        files.map(|file| file.expect("a file").file_name().into_string().expect("an ASCII name")).collect();
    assert_eq!(found, golden.seen, "a golden file is never removed: what it holds may lie on some disk");
}
