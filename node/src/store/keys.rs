//! Every key layout of the state store, as one table. Keys sort as their resources do; integers are big-endian, ids are
//! prefixed by their length in one byte wherever something follows, and a retired prefix is never given out again.
//!
//! | column family | key | value |
//! | --- | --- | --- |
//! | `states` | `01` | the cluster's settings |
//! | `states` | `02 token` | a token |
//! | `states` | `03 namespace` | a namespace |
//! | `states` | `04 len namespace cursor` | a cursor; the cluster's have an empty namespace |
//! | `states` | `05 id(8)` | a node of the cluster |
//! | `states` | `08` | the cluster's event retention |
//! | `states` | `09 namespace` | a namespace's own event retention |
//! | `states` | `0a len namespace query` | a saved query |
//! | `states` | `0b len namespace site` | a site |
//! | `states` | `0c len namespace edge` | an edge |
//! | `states` | `0d len namespace edge` | what is kept of an edge's sessions |
//! | `states` | `0e len namespace edge 00 device` | a discovered device; no id holds the byte 00 |
//! | `states` | `0f len namespace edge 00 asset` | a discovered asset |
//! | `states` | `10 len namespace device` | a device |
//! | `states` | `11 len namespace asset` | an asset |
//! | `states` | `12 len namespace len device module` | a module |
//! | `states` | `13 len namespace device` | a device's twin |
//! | `states` | `14 len namespace len device module` | a module's twin |
//! | `states` | `15 len namespace edge` | how many things an edge discovered |
//! | `events` | `revision` (8) | chain hash (32), revision entry |
//! | `history` | `len(2) states-key revision(8)` | image: the record after that revision |
//! | `dedup` | `bucket(4) row(8)` | requests of one Raft entry: id hash (16), body hash (16), length(4), outcome |
//! | `secondary` | `01 len namespace len device asset` | empty: the asset refers to the device |
//! | `secondary` | `02 len namespace len parent site` | empty: the site is inside of the parent |
//! | `meta` | `applied` | revision, chain hash, last time |
//! | `meta` | `swept` | the oldest revision in `events` on this node, chain hash before it |
//! | `meta` | `twins` | the revision up to which all twins lie in `states` |
//! | `meta` | `raft/…` | Raft's own, written in the same batch |

use muster_domain::{Body, Key};

mod kinds;

pub use kinds::{Kind, StateKind, discovered_prefix, kind_prefix, state_prefix};

const CLUSTER: u8 = 0x01;
const TOKEN: u8 = 0x02;
const NAMESPACE: u8 = 0x03;
const CURSOR: u8 = 0x04;
const NODE: u8 = 0x05;
const RETENTION: u8 = 0x08;
const NAMESPACE_RETENTION: u8 = 0x09;
const SAVED_QUERY: u8 = 0x0a;
const SITE: u8 = 0x0b;
const EDGE: u8 = 0x0c;
const EDGE_SESSION: u8 = 0x0d;
const DISCOVERED_DEVICE: u8 = 0x0e;
const DISCOVERED_ASSET: u8 = 0x0f;
const DEVICE: u8 = 0x10;
const ASSET: u8 = 0x11;
const MODULE: u8 = 0x12;
const DEVICE_TWIN: u8 = 0x13;
const MODULE_TWIN: u8 = 0x14;
const DISCOVERY_COUNT: u8 = 0x15;
pub(crate) const ASSET_BY_DEVICE: u8 = 0x01;
pub(crate) const SITE_BY_PARENT: u8 = 0x02;

/// Key of the applied position in `meta`.
pub const APPLIED: &[u8] = b"applied";

/// Key of the mark in `meta` from which on events are left.
pub const SWEPT: &[u8] = b"swept";

/// Key of the mark in `meta` up to which twins lie in `states`.
pub const TWINS_WRITTEN: &[u8] = b"twins";

/// The prefixes in use, each with its name; a test keeps them unique.
pub const STATE_PREFIXES: [(u8, &str); 19] = [
    (CLUSTER, "cluster"),
    (TOKEN, "token"),
    (NAMESPACE, "namespace"),
    (CURSOR, "cursor"),
    (NODE, "node"),
    (RETENTION, "retention"),
    (NAMESPACE_RETENTION, "namespace retention"),
    (SAVED_QUERY, "saved query"),
    (SITE, "site"),
    (EDGE, "edge"),
    (EDGE_SESSION, "session of an edge"),
    (DISCOVERED_DEVICE, "discovered device"),
    (DISCOVERED_ASSET, "discovered asset"),
    (DEVICE, "device"),
    (ASSET, "asset"),
    (MODULE, "module"),
    (DEVICE_TWIN, "device twin"),
    (MODULE_TWIN, "module twin"),
    (DISCOVERY_COUNT, "count of discovered things"),
];

fn push_id(out: &mut Vec<u8>, id: &str) {
    // Ids have at most 128 bytes once a command got this far; a longer one in a lookup finds nothing.
    out.push(u8::try_from(id.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(id.as_bytes());
}

/// The key of a record in `states`.
#[must_use]
pub fn state(key: &Key) -> Vec<u8> {
    let mut out = Vec::with_capacity(48);
    match key {
        Key::Cluster => out.push(CLUSTER),
        Key::Token(id) => {
            out.push(TOKEN);
            out.extend_from_slice(id.as_bytes());
        }
        Key::Namespace(id) => {
            out.push(NAMESPACE);
            out.extend_from_slice(id.as_bytes());
        }
        Key::Cursor(ns, id) => in_namespace(&mut out, CURSOR, ns, id),
        Key::Node(id) => {
            out.push(NODE);
            out.extend_from_slice(&id.to_be_bytes());
        }
        Key::Retention => out.push(RETENTION),
        Key::NamespaceRetention(id) => {
            out.push(NAMESPACE_RETENTION);
            out.extend_from_slice(id.as_bytes());
        }
        Key::SavedQuery(ns, id) => in_namespace(&mut out, SAVED_QUERY, ns, id),
        Key::Site(ns, id) => in_namespace(&mut out, SITE, ns, id),
        Key::Edge(ns, id) => in_namespace(&mut out, EDGE, ns, id),
        Key::EdgeSession(ns, id) => in_namespace(&mut out, EDGE_SESSION, ns, id),
        Key::DiscoveredDevice(ns, edge, id) => of_edge(&mut out, DISCOVERED_DEVICE, ns, edge, id),
        Key::DiscoveredAsset(ns, edge, id) => of_edge(&mut out, DISCOVERED_ASSET, ns, edge, id),
        Key::DiscoveryCount(ns, edge) => in_namespace(&mut out, DISCOVERY_COUNT, ns, edge),
        Key::Device(ns, id) => in_namespace(&mut out, DEVICE, ns, id),
        Key::Asset(ns, id) => in_namespace(&mut out, ASSET, ns, id),
        Key::DeviceTwin(ns, id) => in_namespace(&mut out, DEVICE_TWIN, ns, id),
        Key::Module(ns, device, id) => in_device(&mut out, MODULE, ns, device, id),
        Key::ModuleTwin(ns, device, id) => in_device(&mut out, MODULE_TWIN, ns, device, id),
    }
    out
}

fn in_namespace(out: &mut Vec<u8>, prefix: u8, namespace: &str, id: &str) {
    out.push(prefix);
    push_id(out, namespace);
    out.extend_from_slice(id.as_bytes());
}

/// Things of edges are listed by edge and then by id, also those of all edges at once.
fn of_edge(out: &mut Vec<u8>, prefix: u8, namespace: &str, edge: &str, id: &str) {
    in_namespace(out, prefix, namespace, edge);
    out.push(0);
    out.extend_from_slice(id.as_bytes());
}

fn in_device(out: &mut Vec<u8>, prefix: u8, namespace: &str, device: &str, id: &str) {
    out.push(prefix);
    push_id(out, namespace);
    push_id(out, device);
    out.extend_from_slice(id.as_bytes());
}

/// The record that a key in `states` belongs to; `None` for bytes that no key has.
#[must_use]
pub fn parse_state(bytes: &[u8]) -> Option<Key> {
    let (&prefix, rest) = bytes.split_first()?;
    match prefix {
        CLUSTER if rest.is_empty() => Some(Key::Cluster),
        TOKEN => Some(Key::Token(text(rest)?)),
        NAMESPACE => Some(Key::Namespace(text(rest)?)),
        NODE => Some(Key::Node(u64::from_be_bytes(rest.try_into().ok()?))),
        RETENTION if rest.is_empty() => Some(Key::Retention),
        NAMESPACE_RETENTION => Some(Key::NamespaceRetention(text(rest)?)),
        CURSOR | SAVED_QUERY | SITE | EDGE | EDGE_SESSION | DISCOVERY_COUNT | DEVICE | ASSET | DEVICE_TWIN => {
            let (namespace, id) = split_id(rest)?;
            let id = text(id)?;
            Some(match prefix {
                CURSOR => Key::Cursor(namespace, id),
                SAVED_QUERY => Key::SavedQuery(namespace, id),
                SITE => Key::Site(namespace, id),
                EDGE => Key::Edge(namespace, id),
                EDGE_SESSION => Key::EdgeSession(namespace, id),
                DISCOVERY_COUNT => Key::DiscoveryCount(namespace, id),
                DEVICE => Key::Device(namespace, id),
                ASSET => Key::Asset(namespace, id),
                _ => Key::DeviceTwin(namespace, id),
            })
        }
        DISCOVERED_DEVICE | DISCOVERED_ASSET => {
            let (namespace, rest) = split_id(rest)?;
            parse_discovered(prefix == DISCOVERED_DEVICE, namespace, &text(rest)?)
        }
        MODULE | MODULE_TWIN => {
            let (namespace, rest) = split_id(rest)?;
            let (device, id) = split_id(rest)?;
            let id = text(id)?;
            Some(if prefix == MODULE {
                Key::Module(namespace, device, id)
            } else {
                Key::ModuleTwin(namespace, device, id)
            })
        }
        _ => None,
    }
}

/// The key of what an edge discovered, from the end of its bytes: edge and id.
fn parse_discovered(is_device: bool, namespace: String, end: &str) -> Option<Key> {
    let (edge, id) = end.split_once('\0')?;
    let (edge, id) = (edge.to_owned(), id.to_owned());
    Some(if is_device { Key::DiscoveredDevice(namespace, edge, id) } else { Key::DiscoveredAsset(namespace, edge, id) })
}

/// Whether a key in `states` is that of a twin.
#[must_use]
pub fn is_twin(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(&(DEVICE_TWIN | MODULE_TWIN)))
}

/// The part of a key in `states` that it shares with all records of its kind in its namespace, or of its kind.
#[must_use]
pub fn range_of(bytes: &[u8]) -> &[u8] {
    let in_namespace = |prefix: u8| {
        matches!(
            prefix,
            SAVED_QUERY
                | SITE
                | EDGE
                | EDGE_SESSION
                | DISCOVERED_DEVICE
                | DISCOVERED_ASSET
                | DISCOVERY_COUNT
                | DEVICE
                | ASSET
                | MODULE
                | DEVICE_TWIN
                | MODULE_TWIN
        )
    };
    match bytes {
        [prefix, length, ..] if in_namespace(*prefix) => bytes.get(..2 + usize::from(*length)).unwrap_or(bytes),
        [_, ..] => &bytes[..1],
        [] => bytes,
    }
}

/// The same for what has secondary keys only, without the cost of parsing any other key.
#[must_use]
pub fn parse_indexed(bytes: &[u8]) -> Option<Key> {
    if matches!(bytes.first(), Some(&(ASSET | SITE))) { parse_state(bytes) } else { None }
}

/// The key in `secondary` under which a record is found; `None` when it refers to nothing, or is deleted.
#[must_use]
pub fn secondary(key: &Key, body: &Body) -> Option<Vec<u8>> {
    match (key, body) {
        (Key::Asset(namespace, asset), Body::Asset(record)) => {
            Some(asset_by_device(namespace, &record.definition.device_ref.device, asset))
        }
        (Key::Site(namespace, site), Body::Site(record)) if !record.definition.parent.is_empty() => {
            Some(site_by_parent(namespace, &record.definition.parent, site))
        }
        _ => None,
    }
}

fn split_id(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (&len, rest) = bytes.split_first()?;
    let (id, rest) = rest.split_at_checked(usize::from(len))?;
    Some((text(id)?, rest))
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// Prefixes in `states` of all records that views are made of, definitions before their twins.
#[must_use]
pub fn view_prefixes() -> [[u8; 1]; 5] {
    [DEVICE, MODULE, DEVICE_TWIN, MODULE_TWIN, ASSET].map(|prefix| [prefix])
}

/// Prefix in `states` of a device's modules.
#[must_use]
pub fn modules_prefix(namespace: &str, device: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(48);
    in_device(&mut out, MODULE, namespace, device, "");
    out
}

/// Prefix in `states` of all namespaces.
#[must_use]
pub fn namespaces_prefix() -> Vec<u8> {
    vec![NAMESPACE]
}

/// Prefix in `states` of all namespaces' own retention.
#[must_use]
pub fn namespace_retentions_prefix() -> Vec<u8> {
    vec![NAMESPACE_RETENTION]
}

/// Prefix in `states` of all tokens.
#[must_use]
pub fn tokens_prefix() -> Vec<u8> {
    vec![TOKEN]
}

/// The first key after all that begin with `prefix`; `None` when there is none.
#[must_use]
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

/// The key of a revision in `events`.
#[must_use]
pub fn event(revision: u64) -> [u8; 8] {
    revision.to_be_bytes()
}

/// The key in `history` of what `revision` did to the record at `state_key`.
#[must_use]
pub fn history(state_key: &[u8], revision: u64) -> Vec<u8> {
    let mut out = history_prefix(state_key);
    out.extend_from_slice(&revision.to_be_bytes());
    out
}

/// Prefix in `history` of all changes of the record at `state_key`.
#[must_use]
pub fn history_prefix(state_key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(state_key.len() + 10);
    out.extend_from_slice(&u16::try_from(state_key.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(state_key);
    out
}

/// The revision at the end of a key in `history` or of a key in `events`.
#[must_use]
pub fn revision_at_end(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

/// The key of a row of outcomes in `dedup`.
#[must_use]
pub fn dedup(bucket: u32, row: u64) -> [u8; 12] {
    let mut out = [0; 12];
    out[..4].copy_from_slice(&bucket.to_be_bytes());
    out[4..].copy_from_slice(&row.to_be_bytes());
    out
}

/// Bucket and row of a key in `dedup`.
#[must_use]
pub fn parse_dedup(key: &[u8]) -> Option<(u32, u64)> {
    let (bucket, row) = key.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*bucket), u64::from_be_bytes(row.try_into().ok()?)))
}

/// The key in `secondary` that says `asset` refers to `device`.
#[must_use]
pub fn asset_by_device(namespace: &str, device: &str, asset: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    in_device(&mut out, ASSET_BY_DEVICE, namespace, device, asset);
    out
}

/// The key in `secondary` that says `site` is inside of `parent`.
#[must_use]
pub fn site_by_parent(namespace: &str, parent: &str, site: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    in_device(&mut out, SITE_BY_PARENT, namespace, parent, site);
    out
}

/// The asset or site id at the end of a key in `secondary` that begins with `prefix`.
#[must_use]
pub fn id_at_end(prefix: &[u8], key: &[u8]) -> Option<String> {
    text(key.strip_prefix(prefix)?)
}

#[cfg(test)]
mod tests;
