//! Records: what the state store holds. It knows no key: a record does not say whose it is.

use muster_domain::{Body, Record};
use muster_proto::stored::v1 as stored;
use prost::Message;
use prost::encoding::WireType;

use super::backwards::{self, Backwards};
use super::reader::Reader;
use super::{CodecError, discovery, edges, identities, nodes, retention, settings, twin};

/// The stored bytes of a record.
#[must_use]
pub fn encode_record(record: &Record) -> Vec<u8> {
    backwards::encode(|out| {
        write_body(out, &record.body);
        out.number_if(4, record.updated_ms);
        out.number_if(3, record.updated_revision);
        out.number_if(2, record.created_ms);
        out.number_if(1, record.created_revision);
    })
}

/// The field that a kind of body lies in.
pub(super) fn body_tag(body: &Body) -> u32 {
    match body {
        Body::Cluster(_) => 5,
        Body::Token(_) => 6,
        Body::Namespace(_) => 7,
        Body::Device(_) => 8,
        Body::Module(_) => 9,
        Body::Twin(_) => 10,
        Body::Asset(_) => 11,
        Body::Deleted(_) => 12,
        Body::Cursor(_) => 13,
        Body::Retention(_) => 14,
        Body::Node(_) => 20,
        Body::SavedQuery(_) => 50,
        Body::Site(_) => 70,
        Body::Edge(_) => 71,
        Body::EdgeSession(_) => 72,
        Body::DiscoveredDevice(_) => 80,
        Body::DiscoveredAsset(_) => 81,
        Body::DiscoveryCount(_) => 82,
    }
}

fn write_body(out: &mut Backwards, body: &Body) {
    let tag = body_tag(body);
    match body {
        Body::Cluster(cluster) => out.message(tag, &settings::cluster_to_stored(cluster)),
        Body::Token(token) => out.message(tag, &settings::token_to_stored(token)),
        Body::Cursor(cursor) => out.message(tag, &settings::cursor_to_stored(cursor)),
        Body::Namespace(namespace) => out.message(tag, &settings::namespace_to_stored(namespace)),
        Body::Device(device) => out.message(tag, &identities::device_to_stored(device)),
        Body::Module(module) => out.message(tag, &identities::module_to_stored(module)),
        Body::Twin(twin) => twin::write(out, tag, twin),
        Body::Asset(asset) => out.message(tag, &settings::asset_to_stored(asset)),
        Body::SavedQuery(query) => out.message(tag, &settings::saved_query_to_stored(query)),
        Body::Site(site) => out.message(tag, &edges::site_to_stored(site)),
        Body::Edge(edge) => out.message(tag, &edges::edge_to_stored(edge)),
        Body::EdgeSession(session) => out.message(tag, &edges::session_to_stored(session)),
        Body::DiscoveredDevice(device) => out.message(tag, &discovery::device_to_stored(device)),
        Body::DiscoveredAsset(asset) => out.message(tag, &discovery::asset_to_stored(asset)),
        Body::DiscoveryCount(count) => out.message(tag, &discovery::count_to_stored(*count)),
        Body::Node(node) => out.message(tag, &nodes::node_to_stored(node)),
        Body::Deleted(tombstone) => out.message(tag, &settings::tombstone_to_stored(*tombstone)),
        Body::Retention(retention) => out.message(tag, &retention::to_stored(*retention)),
    }
}

/// Reads the stored bytes of a record.
///
/// # Errors
/// When the bytes are malformed, or of a kind that this version does not know.
pub fn decode_record(bytes: &[u8]) -> Result<Record, CodecError> {
    let mut message = Reader::new("a record", bytes);
    let (mut created_revision, mut created_ms, mut updated_revision, mut updated_ms) = (0, 0, 0, 0);
    let mut body = None;
    while let Some((tag, wire)) = message.field()? {
        match tag {
            1 => created_revision = message.number(wire)?,
            2 => created_ms = message.number(wire)?,
            3 => updated_revision = message.number(wire)?,
            4 => updated_ms = message.number(wire)?,
            10 => body = Some(Body::Twin(twin::read(message.message("a twin", wire)?)?)),
            5..=14 | 20 | 50 | 70..=72 | 80..=82 => body = Some(read_body(tag, wire, &mut message)?),
            _ => message.skip(tag, wire)?,
        }
    }
    let body = body.ok_or(CodecError::UnknownKind { what: "a record" })?;
    Ok(Record { created_revision, created_ms, updated_revision, updated_ms, body })
}

fn read_body(tag: u32, wire: WireType, message: &mut Reader<'_>) -> Result<Body, CodecError> {
    let bytes = message.bytes(wire)?;
    Ok(match tag {
        5 => Body::Cluster(settings::cluster_from_stored(read("the cluster's settings", bytes)?)?),
        6 => Body::Token(settings::token_from_stored(read("a token", bytes)?)?),
        7 => Body::Namespace(settings::namespace_from_stored(read("a namespace", bytes)?)?),
        8 => Body::Device(Box::new(identities::device_from_stored(read("a device", bytes)?)?)),
        9 => Body::Module(identities::module_from_stored(read("a module", bytes)?)?),
        11 => Body::Asset(Box::new(settings::asset_from_stored(read("an asset", bytes)?)?)),
        20 => Body::Node(Box::new(nodes::node_from_stored(read("a node", bytes)?)?)),
        12 => Body::Deleted(settings::tombstone_from_stored(&read::<stored::Tombstone>("a tombstone", bytes)?)),
        13 => Body::Cursor(settings::cursor_from_stored(read("a cursor", bytes)?)),
        50 => Body::SavedQuery(settings::saved_query_from_stored(read("a saved query", bytes)?)?),
        70 => Body::Site(edges::site_from_stored(read("a site", bytes)?)?),
        71 => Body::Edge(edges::edge_from_stored(read("an edge", bytes)?)?),
        72 => Body::EdgeSession(Box::new(edges::session_from_stored(read("the session of an edge", bytes)?)?)),
        80 => Body::DiscoveredDevice(Box::new(discovery::device_from_stored(read("a discovered device", bytes)?)?)),
        81 => Body::DiscoveredAsset(Box::new(discovery::asset_from_stored(read("a discovered asset", bytes)?)?)),
        82 => Body::DiscoveryCount(discovery::count_from_stored(read("a count of discovered things", bytes)?)),
        14 => Body::Retention(retention::from_stored(&read::<stored::Retention>("a retention", bytes)?)),
        _ => return Err(CodecError::UnknownKind { what: "a record" }),
    })
}

fn read<M: Message + Default>(what: &'static str, bytes: &[u8]) -> Result<M, CodecError> {
    M::decode(bytes).map_err(CodecError::decoding(what))
}
