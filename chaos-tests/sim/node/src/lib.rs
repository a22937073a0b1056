//! The node's own sources, every file of them but `main.rs`, compiled against simulated doors: `std`, `rocksdb`, `tokio`,
//! `tokio-stream` and `fs4` are the crates in `../doors`. Nothing of the node is changed or left out for it.
//!
//! [`simulated`] puts a node together as `server.rs` does, without listeners, TLS and signals.
#![allow(clippy::all, missing_docs, unreachable_pub, dead_code, reason = "linted where they belong")]

extern crate muster_sim_std as std;

pub mod simulated;

#[path = "../../../../node/src/api/mod.rs"]
pub mod api;
#[path = "../../../../node/src/apply/mod.rs"]
pub mod apply;
#[path = "../../../../node/src/authorize/mod.rs"]
pub mod authorize;
#[path = "../../../../node/src/backup/mod.rs"]
pub mod backup;
#[path = "../../../../node/src/broken_disk.rs"]
mod broken_disk;
#[path = "../../../../node/src/cli/mod.rs"]
pub mod cli;
#[path = "../../../../node/src/clock.rs"]
pub mod clock;
#[path = "../../../../node/src/compare/mod.rs"]
pub mod compare;
#[path = "../../../../node/src/config/mod.rs"]
pub mod config;
#[path = "../../../../node/src/context_file.rs"]
pub mod context_file;
#[path = "../../../../node/src/convert/mod.rs"]
pub mod convert;
#[path = "../../../../node/src/data_dir.rs"]
pub mod data_dir;
#[path = "../../../../node/src/detour.rs"]
mod detour;
#[path = "../../../../node/src/disk_space.rs"]
pub mod disk_space;
#[path = "../../../../node/src/failpoint.rs"]
pub mod failpoint;
#[path = "../../../../node/src/files.rs"]
pub mod files;
#[path = "../../../../node/src/first_start.rs"]
pub mod first_start;
#[path = "../../../../node/src/identity.rs"]
pub mod identity;
#[path = "../../../../node/src/ids_source.rs"]
pub mod ids_source;
#[path = "../../../../node/src/join_token.rs"]
pub mod join_token;
#[path = "../../../../node/src/membership/mod.rs"]
pub mod membership;
#[path = "../../../../node/src/node.rs"]
pub mod node;
#[path = "../../../../node/src/observe.rs"]
pub mod observe;
#[path = "../../../../node/src/outcome.rs"]
pub mod outcome;
#[path = "../../../../node/src/pki/mod.rs"]
pub mod pki;
#[path = "../../../../node/src/propose/mod.rs"]
pub mod propose;
#[path = "../../../../node/src/queries/mod.rs"]
pub mod queries;
#[path = "../../../../node/src/raft/mod.rs"]
pub mod raft;
#[path = "../../../../node/src/rehearse.rs"]
pub mod rehearse;
#[path = "../../../../node/src/removed.rs"]
pub mod removed;
#[path = "../../../../node/src/request.rs"]
pub mod request;
#[path = "../../../../node/src/secrets.rs"]
pub mod secrets;
#[path = "../../../../node/src/store/mod.rs"]
pub mod store;
#[path = "../../../../node/src/sync/mod.rs"]
pub mod sync;
#[path = "../../../../node/src/tasks.rs"]
pub mod tasks;
#[path = "../../../../node/src/telemetry.rs"]
pub mod telemetry;
#[path = "../../../../node/src/tls/mod.rs"]
pub mod tls;
#[path = "../../../../node/src/token.rs"]
pub mod token;
#[path = "../../../../node/src/views/mod.rs"]
pub mod views;
#[path = "../../../../node/src/watch/mod.rs"]
pub mod watch;

/// Modules with a file beside their folder: where theirs are follows from the folder of the module around them.
#[path = "../../../../node/src"]
mod beside {
    pub mod read;
    pub mod retention;
    pub mod server;
}
pub use beside::{read, retention, server};
