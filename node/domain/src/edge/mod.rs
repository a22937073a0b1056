//! Edges: the agents that hold a part of the registry away from the cluster, and what the cluster keeps of their sessions.
//! The protocol is `muster/v1/sync.md` beside the proto files; rules and invariants are named here as they are there.
//!
//! It knows no stream and no time: which epoch is the newest and what was applied are facts of the log. Invariants:
//!
//! - `E1-exactly-once`, `E2-order`: per incarnation, operations take effect in the order of their sequence, each once.
//! - `E3-fencing`: nothing takes effect in an epoch after a newer one was granted.
//! - `E6-no-fork`: of two copies of one store at most one goes on after both were here.

mod decide;
mod definition;
mod open;
mod overlay;
mod scope;
mod session;
mod uplink;

pub(crate) use decide::{check_enabled, check_exists, decide, deletion};
pub use definition::{Edge, EdgeDefinition, EdgeField};
pub use scope::edge_of;
pub use session::{EdgeSession, Refusal};
pub use uplink::UplinkChange;

use crate::Key;

fn key(namespace: &str, edge: &str) -> Key {
    Key::Edge(namespace.to_owned(), edge.to_owned())
}

fn session_key(namespace: &str, edge: &str) -> Key {
    Key::EdgeSession(namespace.to_owned(), edge.to_owned())
}
