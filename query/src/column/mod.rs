//! The documents of one collection as columns in memory: one column for each path that leads to a value.
//!
//! ```text
//! writer ── Table ── set(row, path, leaf) ──▶ chunks, copied when a snapshot holds them
//!                 └─ snapshot() ──▶ Snapshot: everything as it was, for as long as it is held
//! ```
//!
//! It knows no query text and no devices. Invariants:
//!
//! - A snapshot never changes, and taking one costs a handful of counters, not a copy.
//! - What a column says of a row is exact: it equals the document, types of numbers included. Only the contents of objects
//!   are elsewhere (in the columns of their members, and in the document).
//! - Memory is bounded by the number of columns; paths beyond it have none, and the table says so.
