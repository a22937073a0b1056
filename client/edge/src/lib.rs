//! Muster's edge agent: a site's own copy of its part of the registry, and a durable queue of what happens there.
//!
//! ```text
//!   applications ──▶ local (gRPC on a socket) ──▶ keeper ──▶ store (redb)
//!                      reads: store + what waits    │  protocol: frames and writes of each step
//!   cluster ◀──────────── session (one stream) ◀────┘
//! ```
//!
//! An application asks the agent what it would ask the cluster, and is answered at once, connected or not: reads come from
//! the replica with the site's own reports merged on top; reports are judged by the cluster's rules, synced into the queue and
//! then answered, and each takes effect in the cluster exactly once, in order, whatever the link does
//! (`proto/muster/v1/sync.md`).
//!
//! ```no_run
//! # async fn tour() -> Result<(), Box<dyn std::error::Error>> {
//! let config = muster_edge::Config::load("edge.toml".as_ref())?;
//! let agent = muster_edge::Agent::start(&config)?;
//! let twin = "namespaces/plant1/devices/pump7/twin";
//! let report = muster_edge::Report { name: twin.to_owned(), reported_json: r#"{"t": 20.5}"#.to_owned(), ..Default::default() };
//! agent.handle().report(report).await?; // durable
//! println!("{:?}", agent.handle().resource(twin)?);
//! agent.stop().await?;
//! # Ok(()) }
//! ```

mod agent;
mod bridge;
mod clock;
pub mod config;
pub mod contents;
mod failpoint;
mod handle;
pub mod index;
mod keeper;
mod local;
mod observe;
pub mod protocol;
mod published;
pub mod queue;
pub mod rules;
mod session;
pub mod store;
mod submission;
pub mod telemetry;

pub use agent::{Agent, StartError};
pub use bridge::folder::FolderError;
pub use bridge::mqtt::Ended;
pub use config::Config;
pub use handle::{Handle, Report};
pub use submission::Refused;
