//! Backups: made from a running node, and turned into the directory of a new cluster's first node.
//!
//! ```text
//! source.rs   state ── checkpoint ──▶ data/backup/ ── manifest, then files, in chunks ──▶ caller
//! restore.rs  backup ── checked ──▶ an empty data directory ── checked again ──▶ a cluster of one, at the backup's revision
//! verify.rs   a data directory or a backup, nobody running on it: does it agree with itself?
//! ```
//!
//! How a backup lies on disk is known to `muster_backup`; what a checkpoint holds, to `store`. Invariants:
//! - What a backup says of itself, revision and hash, is read from the copy, so that the two cannot disagree.
//! - A backup holds no key that opens anything: device keys are sealed, and the sealing key is not part of it.
//! - A directory is taken for a node's only when everything in it was checked.

pub mod restore;
pub mod source;
pub mod verify;
