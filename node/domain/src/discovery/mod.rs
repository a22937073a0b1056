//! What edges discover: devices and assets that are seen but not managed, until an operator accepts or dismisses them.
//!
//! A discovered thing lies below the edge that found it and has the shape of the real one, without what operators own
//! (authentication, status, edge, site). It is data and nothing else: it authenticates nobody, holds no twin, and is in no
//! edge's scope. It knows no scanner and no protocol.
//!
//! ```text
//!            report                accept                 real resource deleted, then accept
//!   (none) ─────────▶ NEW ───────────────────▶ ACCEPTED ───────────────────▶ ACCEPTED
//!                     ▲ │ dismiss                │ dismiss, once the real resource is gone
//!     report with     │ ▼                        ▼
//!     another mark   DISMISSED ◀─────────────────┘
//! ```
//!
//! Invariants:
//!
//! - `E7-one-writer`: only its edge, and operators, report a thing; two edges never write the same record.
//! - Repeats are merged: a report that says what is known already changes nothing at all.
//! - Accepting is one change: the real resource, which points back, and the mark of the discovered one.
//! - The record of the count says how many discovered things of an edge live, at most [`crate::limits::DISCOVERED_MAX`].

mod accept;
mod count;
mod decide;
mod definition;
mod report;
mod thing;

pub use count::DiscoveryCount;
pub(crate) use decide::{decide, deletion, end_of_edge, ending_of_count};
pub use definition::{AuthenticationMethod, DiscoveredDeviceDefinition, DiscoveredEndpoint};
pub(crate) use report::{report_asset, report_device};
pub(crate) use thing::evolve;
pub use thing::{Acceptance, Discovered, DiscoveredAsset, DiscoveredDevice, DiscoveryState, Report};
