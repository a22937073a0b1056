//! Sealing of small secrets (device keys) before they enter the Raft log, with ChaCha20-Poly1305.
//!
//! Deliberately does not know what it seals, nor who may have it opened.
//!
//! - A sealed secret is `key id (8) ‖ nonce (12) ‖ ciphertext and tag`. The associated data binds it to its place:
//!   a sealed key moved to another device does not open.
//! - The key file holds one key a line (64 hexadecimal digits). The first line seals, every line opens, so a key is
//!   rotated by putting a new line on top. All members of a cluster need the same file.
//! - Nonces are random: good for 2^32 seals with one key, far beyond what a fleet regenerates.
//! - Clear text and keys are wiped from memory when dropped.

use crate::ids_source::IdsSource;
use muster_planted::{self as planted, Bug};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// Bytes in a sealing key.
pub const KEY_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 8;
/// Separates key ids from every other use of BLAKE3, so that an id says nothing about its key.
const KEY_ID_CONTEXT: &str = "muster 2026 sealing key id v1";

/// A sealing key in memory; wiped when dropped.
pub type SealingKey = Zeroizing<[u8; KEY_BYTES]>;

/// Why a sealed secret did not open, or a key could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key file cannot be read.
    #[error("cannot read the secrets key file {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A line of the key file is not a key.
    #[error("{}: line {line} is not a key: expected 64 hexadecimal digits", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Counted from 1; 0 when the file holds no key at all.
        line: usize,
    },
    /// Too short to be something this module sealed.
    #[error("the sealed secret is truncated")]
    Truncated,
    /// Sealed with a key that is not in this node's file.
    #[error("sealed with key {key_id}, which is not in this node's secrets key file")]
    UnknownKey {
        /// First bytes of a hash of the key, in hexadecimal.
        key_id: String,
    },
    /// Changed, or moved from the place it was sealed for.
    #[error("the sealed secret does not belong here or was changed")]
    Forged,
}

struct Key {
    id: [u8; KEY_ID_BYTES],
    key: LessSafeKey,
}

impl Key {
    fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&blake3::derive_key(KEY_ID_CONTEXT, bytes)[..KEY_ID_BYTES]);
        let key = UnboundKey::new(&CHACHA20_POLY1305, bytes).expect("the cipher takes keys of KEY_BYTES bytes");
        Self { id, key: LessSafeKey::new(key) }
    }
}

/// Seals and opens.
pub struct Sealer {
    /// The first seals.
    keys: Vec<Key>,
    ids: Arc<dyn IdsSource>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({} keys)", self.keys.len())
    }
}

impl Sealer {
    /// A sealer with one key.
    #[must_use]
    pub fn from_key(key: &[u8; KEY_BYTES], ids: Arc<dyn IdsSource>) -> Self {
        Self { keys: vec![Key::new(key)], ids }
    }

    /// Reads the key file.
    ///
    /// # Errors
    /// When the file cannot be read or a line is not a key.
    pub fn from_file(path: &Path, ids: Arc<dyn IdsSource>) -> Result<Self, SealError> {
        let text = std::fs::read_to_string(path).map(Zeroizing::new);
        let text = text.map_err(|source| SealError::Read { path: path.to_owned(), source })?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let keys = lines.map(|(index, line)| {
            let malformed = || SealError::Malformed { path: path.to_owned(), line: index + 1 };
            parse_key(line.trim()).map(|key| Key::new(&key)).ok_or_else(malformed)
        });
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(SealError::Malformed { path: path.to_owned(), line: 0 });
        }
        Ok(Self { keys, ids })
    }

    /// Seals `plaintext` for the place that `aad` names, such as a resource name.
    #[must_use]
    pub fn seal(&self, plaintext: &[u8], aad: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        self.ids.fill(&mut nonce);
        let aad: &[u8] = if planted::is(Bug::KeyOfAnotherPlace) { &[] } else { aad };
        let Key { id, key } = &self.keys[0];
        let mut buffer = plaintext.to_vec();
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut buffer)
            .expect("only fails beyond 256 GiB of plaintext");
        [id.as_slice(), &nonce, &buffer, tag.as_ref()].concat()
    }

    /// Opens what [`Sealer::seal`] returned for the same `aad`.
    ///
    /// # Errors
    /// When it was truncated, changed, moved, or sealed with a key this node does not have.
    pub fn open(&self, sealed: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let aad: &[u8] = if planted::is(Bug::KeyOfAnotherPlace) { &[] } else { aad };
        let (key_id, rest) = sealed.split_at_checked(KEY_ID_BYTES).ok_or(SealError::Truncated)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN).ok_or(SealError::Truncated)?;
        let key = self.keys.iter().find(|key| key.id == key_id);
        let key = key.ok_or_else(|| SealError::UnknownKey { key_id: crate::token::hex(key_id) })?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Truncated)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let clear = key.key.open_in_place(nonce, Aad::from(aad), &mut buffer).map_err(|_| SealError::Forged)?.len();
        buffer.truncate(clear);
        Ok(buffer)
    }
}

/// A new key, as the text of a key file.
#[must_use]
pub fn generate_key_file(ids: &dyn IdsSource) -> Zeroizing<String> {
    let mut key = SealingKey::new([0; KEY_BYTES]);
    ids.fill(key.as_mut());
    let mut text = Zeroizing::new(crate::token::hex(key.as_ref()));
    text.push('\n');
    text
}

fn parse_key(digits: &str) -> Option<SealingKey> {
    let mut key = SealingKey::new([0; KEY_BYTES]);
    if digits.len() != KEY_BYTES * 2 {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let mut pair = [char::from(pair[0]).to_digit(16)?, char::from(pair[1]).to_digit(16)?];
        *byte = u8::try_from(pair[0] << 4 | pair[1]).ok()?;
        pair.zeroize();
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids_source::{OsIds, SeededIds};

    fn sealer(seed: u8) -> Sealer {
        Sealer::from_key(&[seed; KEY_BYTES], Arc::new(OsIds))
    }

    #[test]
    fn opens_what_it_sealed_and_never_seals_the_same_twice() {
        let sealer = sealer(1);
        let sealed = sealer.seal(b"primary key", b"namespaces/a/devices/b");
        assert_eq!(*sealer.open(&sealed, b"namespaces/a/devices/b").expect("opens"), b"primary key");
        assert_ne!(sealed, sealer.seal(b"primary key", b"namespaces/a/devices/b"), "the nonce is fresh");
        assert!(!sealed.windows(11).any(|part| part == b"primary key"));
        assert_eq!(*sealer.open(&sealer.seal(b"", b""), b"").expect("empty is fine"), b"");
    }

    #[test]
    fn moved_changed_truncated_or_foreign_does_not_open() {
        let ours = sealer(1);
        let sealed = ours.seal(b"secret", b"here");
        assert!(matches!(ours.open(&sealed, b"there"), Err(SealError::Forged)));
        for at in KEY_ID_BYTES..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(matches!(ours.open(&changed, b"here"), Err(SealError::Forged)), "byte {at}");
        }
        for length in 0..KEY_ID_BYTES + NONCE_LEN {
            assert!(matches!(ours.open(&sealed[..length], b"here"), Err(SealError::Truncated)), "{length} bytes");
        }
        assert!(matches!(ours.open(&sealed[..sealed.len() - 1], b"here"), Err(SealError::Forged)));
        assert!(matches!(sealer(2).open(&sealed, b"here"), Err(SealError::UnknownKey { .. })));
    }

    #[test]
    fn a_new_line_on_top_rotates_the_key() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("secrets.key");
        let (old, new) = (generate_key_file(&SeededIds::new(1)), generate_key_file(&SeededIds::new(2)));
        std::fs::write(&path, old.as_bytes()).expect("written");
        let before = Sealer::from_file(&path, Arc::new(OsIds)).expect("read");
        let sealed = before.seal(b"secret", b"");
        std::fs::write(&path, format!("{}{}", *new, *old)).expect("written");
        let after = Sealer::from_file(&path, Arc::new(OsIds)).expect("read");
        assert_eq!(*after.open(&sealed, b"").expect("the old key still opens"), b"secret");
        assert!(
            matches!(before.open(&after.seal(b"x", b""), b""), Err(SealError::UnknownKey { .. })),
            "the new key seals"
        );
    }

    #[test]
    fn a_bad_key_file_says_which_line() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("secrets.key");
        assert!(matches!(Sealer::from_file(&path, Arc::new(OsIds)), Err(SealError::Read { .. })));
        for (text, bad_line) in
            [("", 0), ("00ff\n", 1), (&format!("{}\nxyz\n", "0".repeat(64)), 2), (&"g".repeat(64), 1)]
        {
            std::fs::write(&path, text).expect("written");
            let error = Sealer::from_file(&path, Arc::new(OsIds)).expect_err("refused");
            assert!(matches!(error, SealError::Malformed { line, .. } if line == bad_line), "{text:?}: {error}");
        }
    }
}
