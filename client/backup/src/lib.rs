//! How a backup lies on disk, in two forms; written by `muster`, read by `muster` and `musterd`.
//!
//! ```text
//! FILE                                  sealed manifest, then the content of its files in their order, without gaps
//! DIR/manifests/<revision>-<cluster>.manifest    one sealed manifest for each backup
//! DIR/files/<BLAKE3>                    the files of all of them; what two backups share is there once
//! ```
//!
//! It does not know what the files say: they are the tables of a node's state, and only `musterd` opens them. Invariants:
//! - A backup appears as a whole, by one rename, after everything in it is synced.
//! - A manifest is trusted only when its own hash is right; a file only when its BLAKE3 and its length are.
//! - A manifest of a newer format is refused by its number, before anything else in it is looked at.

mod directory;
mod error;
mod file;
mod manifest;
mod source;

pub use directory::{BackupDirectory, DirectoryWriter, Listed};
pub use error::BackupError;
pub use file::FileWriter;
pub use manifest::{FORMAT, Manifest, SEALED_BYTES_MAX, open, seal};
pub use muster_proto::stored::v1::SnapshotFile as FileEntry;
pub use source::{Backup, Verified};

/// A hash as lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS[usize::from(nibble)] as char;
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
