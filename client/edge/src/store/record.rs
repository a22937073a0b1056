//! How a record lies in the store: a header of eight bytes, then prost bytes.
//!
//! ```text
//!   'M' 'E'   format   kind   CRC-32C (little-endian) over kind, key and body   body
//! ```
//!
//! The key is part of the sum: a record that turns up under another key is damaged.

use muster_proto::stored::v1::{EdgeAgentQueued, EdgeAgentState};
use muster_proto::v1;
use prost::Message;

use super::STATE_KEY;

const MAGIC: [u8; 2] = *b"ME";
const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 8;

#[derive(Clone, Copy)]
enum Kind {
    Item = 1,
    Queued = 2,
    State = 3,
}

pub(super) fn encode_item(item: &v1::SyncItem) -> Vec<u8> {
    seal(Kind::Item, item.name.as_bytes(), item)
}

pub(super) fn decode_item(name: &str, bytes: &[u8]) -> Result<v1::SyncItem, String> {
    let item: v1::SyncItem = open(Kind::Item, name.as_bytes(), bytes)?;
    if item.name == name && item.resource.is_some() { Ok(item) } else { Err("holds another item".to_owned()) }
}

pub(super) fn encode_queued(key: u64, queued: &EdgeAgentQueued) -> Vec<u8> {
    seal(Kind::Queued, &key.to_be_bytes(), queued)
}

pub(super) fn decode_queued(key: u64, bytes: &[u8]) -> Result<EdgeAgentQueued, String> {
    open(Kind::Queued, &key.to_be_bytes(), bytes)
}

pub(super) fn encode_state(state: &EdgeAgentState) -> Vec<u8> {
    seal(Kind::State, STATE_KEY.as_bytes(), state)
}

pub(super) fn decode_state(bytes: &[u8]) -> Result<EdgeAgentState, String> {
    open(Kind::State, STATE_KEY.as_bytes(), bytes)
}

fn seal(kind: Kind, key: &[u8], body: &impl Message) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.encoded_len());
    bytes.extend_from_slice(&[MAGIC[0], MAGIC[1], FORMAT, kind as u8, 0, 0, 0, 0]);
    bytes.extend_from_slice(&body.encode_to_vec());
    let sum = sum(kind, key, &bytes[HEADER_BYTES..]);
    bytes[4..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn open<M: Message + Default>(kind: Kind, key: &[u8], bytes: &[u8]) -> Result<M, String> {
    let Some((header, body)) = bytes.split_at_checked(HEADER_BYTES) else {
        return Err(format!("has {} bytes", bytes.len()));
    };
    if header[..2] != MAGIC || header[3] != kind as u8 {
        return Err("is no such record".to_owned());
    }
    if header[2] != FORMAT {
        return Err(format!("has format {}, and this version knows {FORMAT}", header[2]));
    }
    if header[4..] != sum(kind, key, body).to_le_bytes() {
        return Err("does not match its checksum".to_owned());
    }
    M::decode(body).map_err(|error| error.to_string())
}

fn sum(kind: Kind, key: &[u8], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(&[kind as u8]), key), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_flipped_bit_is_found() {
        let resource = Some(v1::Resource::default());
        let item = v1::SyncItem { name: "namespaces/a/devices/b".to_owned(), revision: 9, resource };
        let bytes = encode_item(&item);
        assert_eq!(decode_item(&item.name, &bytes), Ok(item.clone()));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_item(&item.name, &damaged).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode_item(&item.name, &bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_record_under_another_key_is_damaged() {
        let queued = EdgeAgentQueued { request_id: "r".to_owned(), ..EdgeAgentQueued::default() };
        let bytes = encode_queued(7, &queued);
        assert_eq!(decode_queued(7, &bytes), Ok(queued));
        assert!(decode_queued(8, &bytes).is_err());
        assert!(decode_state(&bytes).is_err());
    }

    /// What the first version wrote: every later one reads it, and writes the same.
    #[test]
    fn stored_bytes_are_these_for_good() {
        let report = v1::SyncReport { name: "n/twin".to_owned(), reported_json: r#"{"a":1}"#.to_owned() };
        let operation = Some(v1::sync_operation::Operation::Report(report));
        let operation = Some(v1::SyncOperation { queued_ms: 5, operation });
        let queued = EdgeAgentQueued { operation, request_id: "r".to_owned() };
        let refusal = v1::SyncRefusal { sequence: 2, reason: "OUTSIDE_SCOPE".to_owned(), message: "gone".to_owned() };
        let state = EdgeAgentState {
            edge: "namespaces/p/edges/e".to_owned(),
            incarnation: vec![1; 16].into(),
            session: vec![2; 16].into(),
            cluster_id: "c".to_owned(),
            epoch: 3,
            cursor: 4,
            acknowledged: 5,
            acknowledged_revision: 6,
            sent: 7,
            newest: 8,
            acknowledged_key: 9,
            newest_key: 10,
            dropped: 11,
            refused: 12,
            refusals: vec![refusal],
            stopped_reason: "EDGE_REPLACED".to_owned(),
            stopped_message: "m".to_owned(),
            limits: None,
            feature_level: 0,
        };
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(&encode_queued(7, &queued)), QUEUED);
        assert_eq!(hex(&encode_state(&state)), STATE);
    }

    const QUEUED: &str = "4d450102a8fb74c40a15080512110a066e2f7477696e12077b2261223a317d120172";
    const STATE: &str = "4d4501036c86b0010a146e616d657370616365732f702f65646765732f651210010101010101010101010101010101011a10\
                          020202020202020202020202020202022201632803300438054006480750085809600a680b700c7a170802120d4f55545349\
                          44455f53434f50451a04676f6e6582010d454447455f5245504c414345448a01016d";
}
