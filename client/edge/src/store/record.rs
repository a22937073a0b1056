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
}
