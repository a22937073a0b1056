//! What Muster's answers to questions over many resources have in common: today the page tokens of every list.
//!
//! It knows no devices, no Raft, no clock and no storage: keys, times and positions arrive as plain values.
#![allow(clippy::disallowed_methods, reason = "nothing here asks for time, chance or tasks")]

pub mod page;

pub use page::{PageToken, PageTokenError, Position, Scope};
