//! How long the hot path takes. Prints; run with `cargo test -p muster-node codec::tests::speed -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use muster_domain::{At, Event, EventKind, Key, Operation, Record, evolve};

use super::samples::{self, text};
use crate::outcome::{Accepted, OperationResult, Outcome};
use crate::store::codec::{
    decode_batch, decode_outcome, decode_record, decode_request, decode_revision, encode_batch, encode_outcome,
    encode_record, encode_request, encode_revision,
};

#[allow(clippy::disallowed_methods, reason = "measuring is about real time")]
fn time<T>(name: &str, bytes: usize, mut run: impl FnMut() -> T) {
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        for _ in 0..10_000 {
            black_box(run());
        }
        best = best.min(start.elapsed() / 10_000);
    }
    println!("{name:<24} {:>6} ns {bytes:>6} bytes", best.as_nanos());
}

/// A twin of about 330 bytes of JSON, as a device fleet has it: written in full, then patched twice.
fn twin() -> Record {
    let tags = r#"{"building":"B12","customer":"contoso","floor":3,"location":{"lat":48.137154,"lon":11.576124},"ring":"canary"}"#;
    let desired =
        r#"{"firmware":{"channel":"stable","version":"2.14.3"},"interval":60,"mode":"auto","telemetry":true}"#;
    let reported = r#"{"battery":87.5,"firmware":{"version":"2.14.1"},"ip":"10.20.30.40","rssi":-67,"state":"ok","uptime":1234567}"#;
    println!("a twin of {} bytes of JSON", tags.len() + desired.len() + reported.len());
    let replaced = EventKind::TwinReplaced {
        tags: Some(text(tags)),
        desired: Some(text(desired)),
        reported: Some(text(reported)),
    };
    let patched = EventKind::TwinPatched { tags: None, desired: Some(text(r#"{"interval":30}"#)) };
    let report = EventKind::TwinReported(text(r#"{"battery":86.0,"uptime":1234667}"#));
    let mut record = None;
    for (revision, event) in (1_000_000..).zip([EventKind::TwinCreated, replaced, patched, report]) {
        record = Some(evolve(record.as_ref(), &event, At { revision, time_ms: samples::NOW + 1_000 * revision }));
    }
    record.expect("four events")
}

#[test]
#[ignore = "prints how long it takes"]
fn of_the_hot_path() {
    let record = twin();
    let stored = encode_record(&record);
    time("encode_record twin", stored.len(), || encode_record(black_box(&record)));
    time("decode_record twin", stored.len(), || decode_record(black_box(&stored)));
    time("clone twin", 0, || black_box(&record).clone());

    let key = || Key::DeviceTwin(text("plant1"), text("0x00158d0001dc126a"));
    let patch = || Some(text(r#"{"interval":30,"mode":"eco"}"#));
    let request = samples::request(Operation::PatchTwin { key: key(), tags: None, desired: patch(), etag: None });
    let stored = encode_request(&request);
    time("encode_request patch", stored.len(), || encode_request(black_box(&request)));
    time("decode_request patch", stored.len(), || decode_request(black_box(&stored)));

    let event = Event { key: key(), kind: EventKind::TwinPatched { tags: None, desired: patch() } };
    let entry = samples::revision(vec![event]);
    let stored = encode_revision(&entry);
    time("encode_revision patch", stored.len(), || encode_revision(black_box(&entry)));
    time("decode_revision patch", stored.len(), || decode_revision(black_box(&stored)));

    let accepted = Accepted { etag: text("1000000"), version: 7, tags_version: 2, ..Accepted::default() };
    let outcome = Outcome { revision: 1_000_000, results: vec![OperationResult::Accepted(accepted)] };
    let stored = encode_outcome(&outcome);
    time("encode_outcome", stored.len(), || encode_outcome(black_box(&outcome)));
    time("decode_outcome", stored.len(), || decode_outcome(black_box(&stored)));

    let requests: Vec<Bytes> = (0..64).map(|_| encode_request(&request)).collect();
    let encode = || encode_batch(requests.iter().map(|request| (samples::NOW, black_box(request))));
    let stored = encode();
    time("encode_batch of 64", stored.len(), encode);
    time("decode_batch of 64", stored.len(), || decode_batch(black_box(stored.clone())));
}
