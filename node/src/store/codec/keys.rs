//! Keys, as they lie inside of values. How a key orders records is the state store's business, not this file's.

use std::borrow::Cow;

use muster_domain::Key;
use muster_proto::stored::v1 as stored;
use muster_proto::stored::v1::KeyKind;

use super::CodecError;
use super::backwards::Backwards;

fn parts(key: &Key) -> (KeyKind, &str, Cow<'_, str>, &str) {
    let (kind, namespace, id, module) = match key {
        Key::Node(id) => return (KeyKind::Node, "", Cow::Owned(id.to_string()), ""),
        Key::Cluster => (KeyKind::Cluster, "", "", ""),
        Key::Token(token) => (KeyKind::Token, "", token.as_str(), ""),
        Key::Cursor(namespace, cursor) => (KeyKind::Cursor, namespace.as_str(), cursor.as_str(), ""),
        Key::SavedQuery(namespace, query) => (KeyKind::SavedQuery, namespace.as_str(), query.as_str(), ""),
        Key::Site(namespace, site) => (KeyKind::Site, namespace.as_str(), site.as_str(), ""),
        Key::Edge(namespace, edge) => (KeyKind::Edge, namespace.as_str(), edge.as_str(), ""),
        Key::EdgeSession(namespace, edge) => (KeyKind::EdgeSession, namespace.as_str(), edge.as_str(), ""),
        Key::DiscoveredDevice(namespace, edge, device) => {
            (KeyKind::DiscoveredDevice, namespace.as_str(), edge.as_str(), device.as_str())
        }
        Key::DiscoveredAsset(namespace, edge, asset) => {
            (KeyKind::DiscoveredAsset, namespace.as_str(), edge.as_str(), asset.as_str())
        }
        Key::DiscoveryCount(namespace, edge) => (KeyKind::DiscoveryCount, namespace.as_str(), edge.as_str(), ""),
        Key::Namespace(namespace) => (KeyKind::Namespace, namespace.as_str(), "", ""),
        Key::Device(namespace, device) => (KeyKind::Device, namespace.as_str(), device.as_str(), ""),
        Key::Module(namespace, device, module) => {
            (KeyKind::Module, namespace.as_str(), device.as_str(), module.as_str())
        }
        Key::DeviceTwin(namespace, device) => (KeyKind::DeviceTwin, namespace.as_str(), device.as_str(), ""),
        Key::ModuleTwin(namespace, device, module) => {
            (KeyKind::ModuleTwin, namespace.as_str(), device.as_str(), module.as_str())
        }
        Key::Asset(namespace, asset) => (KeyKind::Asset, namespace.as_str(), asset.as_str(), ""),
        Key::Retention => (KeyKind::Retention, "", "", ""),
        Key::NamespaceRetention(namespace) => (KeyKind::NamespaceRetention, namespace.as_str(), "", ""),
    };
    (kind, namespace, Cow::Borrowed(id), module)
}

/// Writes a key as field `tag`.
pub(super) fn write(out: &mut Backwards, tag: u32, key: &Key) {
    let (kind, namespace, id, module) = parts(key);
    let end = out.end();
    out.text_if(4, module);
    out.text_if(3, &*id);
    out.text_if(2, namespace);
    out.number_if(1, u64::from(i32::from(kind).cast_unsigned()));
    out.begin(tag, end);
}

pub(super) fn to_stored(key: &Key) -> stored::Key {
    let (kind, namespace, id, module) = parts(key);
    stored::Key { kind: kind.into(), namespace: namespace.to_owned(), id: id.into_owned(), module: module.to_owned() }
}

pub(super) fn from_stored(key: stored::Key) -> Result<Key, CodecError> {
    let unknown = || CodecError::UnknownNumber { what: "the kind of a key", number: key.kind };
    let kind = KeyKind::try_from(key.kind).map_err(|_| unknown())?;
    let stored::Key { namespace, id, module, .. } = key;
    Ok(match kind {
        KeyKind::Unspecified => return Err(unknown()),
        KeyKind::Cluster => Key::Cluster,
        KeyKind::Token => Key::Token(id),
        KeyKind::Cursor => Key::Cursor(namespace, id),
        KeyKind::SavedQuery => Key::SavedQuery(namespace, id),
        KeyKind::Site => Key::Site(namespace, id),
        KeyKind::Edge => Key::Edge(namespace, id),
        KeyKind::EdgeSession => Key::EdgeSession(namespace, id),
        KeyKind::DiscoveredDevice => Key::DiscoveredDevice(namespace, id, module),
        KeyKind::DiscoveredAsset => Key::DiscoveredAsset(namespace, id, module),
        KeyKind::DiscoveryCount => Key::DiscoveryCount(namespace, id),
        KeyKind::Namespace => Key::Namespace(namespace),
        KeyKind::Device => Key::Device(namespace, id),
        KeyKind::Module => Key::Module(namespace, id, module),
        KeyKind::DeviceTwin => Key::DeviceTwin(namespace, id),
        KeyKind::ModuleTwin => Key::ModuleTwin(namespace, id, module),
        KeyKind::Asset => Key::Asset(namespace, id),
        KeyKind::Node => {
            Key::Node(id.parse().map_err(|_| CodecError::malformed("the key of a node", "its id is not a number"))?)
        }
        KeyKind::Retention => Key::Retention,
        KeyKind::NamespaceRetention => Key::NamespaceRetention(namespace),
    })
}
