//! The manifest of a backup and the header that seals it.
//!
//! ```text
//! "MUSTERBK"(8)  format(4)  length(8)  BLAKE3 of the body(32)  body(length)       integers big-endian
//! ```

use std::collections::BTreeSet;
use std::path::Path;

use muster_proto::stored::v1::BackupManifest;
use prost::Message;

use crate::error::{BackupError, damaged, truncated};

/// What a backup consists of.
pub type Manifest = BackupManifest;

/// The format this program writes and reads.
pub const FORMAT: u32 = 1;
/// A sealed manifest is at most this long: some hundred bytes for each file, of which there are at most some ten thousand.
pub const SEALED_BYTES_MAX: usize = 8 << 20;

const MAGIC: &[u8; 8] = b"MUSTERBK";
const HEADER_BYTES: usize = 52;

/// The manifest as it is sent and stored.
#[must_use]
pub fn seal(manifest: &Manifest) -> Vec<u8> {
    let body = manifest.encode_to_vec();
    let mut out = Vec::with_capacity(HEADER_BYTES + body.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT.to_be_bytes());
    out.extend_from_slice(&(body.len() as u64).to_be_bytes());
    out.extend_from_slice(blake3::hash(&body).as_bytes());
    out.extend_from_slice(&body);
    out
}

/// Opens the sealed manifest at the beginning of `bytes`, and gives its length too. `path` is for what is said.
///
/// # Errors
/// When it is none, has a newer format, is cut short or damaged, or names impossible files.
pub fn open(path: &Path, bytes: &[u8]) -> Result<(Manifest, usize), BackupError> {
    let magic = &bytes[..bytes.len().min(MAGIC.len())];
    if magic.is_empty() || !MAGIC.starts_with(magic) {
        return Err(BackupError::NotABackup(path.to_owned()));
    }
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(truncated(path, format!("{} bytes where a header of {HEADER_BYTES} belongs", bytes.len())));
    };
    let found = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    if found > FORMAT {
        return Err(BackupError::Newer { path: path.to_owned(), found, known: FORMAT });
    }
    if found == 0 {
        return Err(damaged(path, "its format number is 0"));
    }
    let mut length = [0; 8];
    length.copy_from_slice(&header[12..20]);
    let length = usize::try_from(u64::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > SEALED_BYTES_MAX {
        return Err(damaged(path, format!("its manifest claims {length} bytes")));
    }
    let Some(body) = rest.get(..length) else {
        return Err(truncated(path, format!("the manifest has {length} bytes, of which {} are there", rest.len())));
    };
    if blake3::hash(body).as_bytes()[..] != header[20..] {
        return Err(damaged(path, "the manifest's hash does not match"));
    }
    let manifest = Manifest::decode(body).map_err(|error| damaged(path, format!("the manifest: {error}")))?;
    check(&manifest).map_err(|what| damaged(path, what))?;
    Ok((manifest, HEADER_BYTES + length))
}

/// A manifest with a right hash may still come from somebody who means ill: names become paths.
fn check(manifest: &Manifest) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for file in &manifest.files {
        let ordinary = !file.name.is_empty()
            && file.name.len() < 256
            && file.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
            && !file.name.starts_with('.');
        if !ordinary || !names.insert(&file.name) {
            return Err(format!("the manifest has an impossible file name, {:?}", file.name));
        }
        if file.blake3.len() != 32 {
            return Err(format!("the manifest has no hash of {}", file.name));
        }
    }
    let place = manifest.cluster_id.len() < 128
        && !manifest.cluster_id.is_empty()
        && manifest.cluster_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !place || manifest.chain_hash.len() != 32 || manifest.last_log_id.is_none() {
        return Err("the manifest does not say which cluster and which revision it is of".to_owned());
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use muster_proto::stored::v1::{RaftLogId, SnapshotFile};

    use super::{BackupError, FORMAT, Manifest, open, seal};

    /// A manifest of these files.
    pub(crate) fn manifest(revision: u64, files: &[(&str, &[u8])]) -> Manifest {
        let file = |(name, content): &(&str, &[u8])| SnapshotFile {
            name: (*name).to_owned(),
            size_bytes: content.len() as u64,
            blake3: blake3::hash(content).as_bytes().to_vec().into(),
        };
        Manifest {
            cluster_id: "c-1".to_owned(),
            revision,
            chain_hash: vec![7; 32].into(),
            last_log_id: Some(RaftLogId { term: 1, index: 9 }),
            files: files.iter().map(file).collect(),
            ..Manifest::default()
        }
    }

    fn at() -> &'static Path {
        Path::new("b")
    }

    #[test]
    fn a_manifest_comes_back_and_every_flipped_bit_and_every_cut_is_noticed() {
        let sealed = seal(&manifest(5, &[("1.sst", b"abc")]));
        let (found, length) = open(at(), &sealed).expect("whole");
        assert_eq!((found.revision, length), (5, sealed.len()));
        for bit in 0..sealed.len() * 8 {
            let mut bad = sealed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open(at(), &bad).is_err(), "bit {bit} went unnoticed");
        }
        for length in 1..sealed.len() {
            assert!(matches!(open(at(), &sealed[..length]), Err(BackupError::Truncated { .. })), "{length}");
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let mut sealed = seal(&manifest(5, &[]));
        sealed[8..12].copy_from_slice(&(FORMAT + 1).to_be_bytes());
        let error = open(at(), &sealed).expect_err("newer").to_string();
        assert!(error.contains("format 2") && error.contains("reads format 1"), "{error}");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["../x", "a/b", ".hidden", "", "a\0"] {
            assert!(open(at(), &seal(&manifest(5, &[(name, b"x")]))).is_err(), "{name:?}");
        }
        assert!(open(at(), &seal(&manifest(5, &[("a", b"x"), ("a", b"y")]))).is_err(), "twice");
    }
}
