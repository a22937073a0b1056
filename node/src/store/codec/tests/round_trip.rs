//! Decoding what was encoded gives the same value.

use bytes::Bytes;
use proptest::prelude::*;

use super::arbitrary;
use crate::store::codec::{
    decode_batch, decode_outcome, decode_record, decode_request, decode_revision, encode_batch, encode_outcome,
    encode_record, encode_request, encode_revision,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn requests(request in arbitrary::request()) {
        prop_assert_eq!(decode_request(&encode_request(&request)), Ok(request));
    }

    #[test]
    fn revisions(entry in arbitrary::revision()) {
        prop_assert_eq!(decode_revision(&encode_revision(&entry)), Ok(entry));
    }

    #[test]
    fn records(record in arbitrary::record()) {
        prop_assert_eq!(decode_record(&encode_record(&record)), Ok(record));
    }

    #[test]
    fn outcomes(outcome in arbitrary::outcome()) {
        prop_assert_eq!(decode_outcome(&encode_outcome(&outcome)), Ok(outcome));
    }
}

#[test]
fn the_requests_of_a_batch_share_its_memory() {
    let requests = [Bytes::from_static(b"one"), Bytes::new(), Bytes::from(vec![7; 5_000])];
    let bytes = encode_batch((5_u64..).zip(&requests));
    let within = bytes.as_ptr_range();
    let decoded = decode_batch(bytes.clone()).expect("a batch");
    assert_eq!(decoded, (5_u64..).zip(requests.clone()).collect::<Vec<_>>());
    assert!(within.contains(&decoded[0].1.as_ptr()) && within.contains(&decoded[2].1.as_ptr()));
    assert_eq!(decode_batch(encode_batch(std::iter::empty())), Ok(Vec::new()));
}
