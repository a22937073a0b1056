//! Rust client of Muster: connections that find a healthy node, retries that are safe, errors that say what failed.
//!
//! ```no_run
//! # async fn tour() -> Result<(), Box<dyn std::error::Error>> {
//! use muster_client::{Client, ClientConfig, names, proto};
//!
//! let config = ClientConfig::new(["https://127.0.0.1:7420"]).ca_file("client-ca.crt")?.token_file("admin.token")?;
//! let client = Client::new(config)?;
//! let answer = client.twins().get(proto::GetTwinRequest { name: names::twin("plant1", "pump7"), ..Default::default() }).await?;
//! println!("{:?}", answer.twin);
//! # Ok(()) }
//! ```
//!
//! - Any node takes any call (followers forward), so the client stays with one endpoint until it fails, then moves on.
//! - A write always carries a `request_id`, made here when the caller gave none and kept over all tries, so that a repeated
//!   write has one effect. That is why the client may repeat a write whose outcome it did not hear.
//! - The types of the API are [`proto`]; this crate knows nothing of what the server does with them.

// The shapes name this crate as the command line does, which shares them.
extern crate self as muster_client;

mod aggregation;
mod calls;
mod connection;
pub mod context;
mod endpoints;
mod error;
pub mod json;
pub mod names;
mod paging;
mod resumed;
mod retry;
mod twin_stream;

mod assets;
mod cluster;
mod cursors;
mod devices;
mod discovery;
mod edge_verification;
mod edges;
mod history;
mod maintenance;
mod members;
mod modules;
mod namespaces;
mod queries;
mod query_watches;
mod retention;
mod saved_queries;
mod served;
#[allow(dead_code, unused_imports, reason = "the command line shows and reads more than `json` gives away")]
#[path = "cli/shapes/mod.rs"]
mod shapes;
mod sites;
mod sync;
mod twins;
mod watches;

pub use aggregation::Aggregation;
pub use assets::Assets;
pub use cluster::Cluster;
pub use connection::{Client, ClientConfig, ConfigError, MESSAGE_BYTES_MAX};
pub use cursors::Cursors;
pub use devices::Devices;
pub use discovery::Discovery;
pub use edges::Edges;
pub use error::{CallError, FieldViolation};
pub use history::History;
pub use maintenance::{Answers, Maintenance};
pub use members::Members;
pub use modules::Modules;
/// The types of the API.
pub use muster_proto::v1 as proto;
pub use namespaces::Namespaces;
pub use paging::ListRequest;
pub use queries::Queries;
pub use query_watches::QueryWatcher;
pub use retention::Retention;
pub use retry::{RetryPolicy, new_request_id};
pub use saved_queries::SavedQueries;
pub use sites::Sites;
pub use sync::SyncLink;
pub use tonic::Code;
pub use twin_stream::{PatchReceiver, PatchSender};
pub use twins::Twins;
pub use watches::Watcher;
