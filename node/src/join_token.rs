//! Join tokens: `mjt_<node id>_<secret>`. Who holds one may join the cluster as that node, once.
//!
//! It does not know whether a token still counts; the cluster keeps a hash and decides. The secret has 256 random bits,
//! so a fast hash is enough.

use crate::ids_source::IdsSource;
use crate::token::hex;
use zeroize::Zeroizing;

const PREFIX: &str = "mjt_";
const SECRET_CHARS: usize = 64;
/// Separates these hashes from every other use of BLAKE3.
const HASH_CONTEXT: &str = "muster 2026 join token v1";

/// A secret just made, before the node's id is known.
#[derive(Debug)]
pub struct NewJoinSecret {
    secret: Zeroizing<String>,
    /// What the cluster keeps.
    pub hash: [u8; 32],
}

impl NewJoinSecret {
    /// Makes one.
    #[must_use]
    pub fn generate(ids: &dyn IdsSource) -> Self {
        let mut secret = Zeroizing::new([0; SECRET_CHARS / 2]);
        ids.fill(secret.as_mut());
        let secret = Zeroizing::new(hex(secret.as_ref()));
        let hash = hash(&secret);
        Self { secret, hash }
    }

    /// The whole token, to be given to the node.
    #[must_use]
    pub fn text(&self, node_id: u64) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{node_id}_{}", *self.secret))
    }
}

/// A token as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedJoinToken {
    /// Which node it admits.
    pub node_id: u64,
    /// What must equal the kept hash.
    pub hash: [u8; 32],
}

/// Reads a token; white space around it is ignored, since it comes from a file.
#[must_use]
pub fn parse(text: &str) -> Option<ParsedJoinToken> {
    let (id, secret) = text.trim().strip_prefix(PREFIX)?.split_once('_')?;
    let node_id = id.parse().ok().filter(|node_id: &u64| *node_id > 0 && node_id.to_string() == id)?;
    let well_formed = secret.len() == SECRET_CHARS && secret.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    well_formed.then(|| ParsedJoinToken { node_id, hash: hash(secret) })
}

fn hash(secret: &str) -> [u8; 32] {
    blake3::derive_key(HASH_CONTEXT, secret.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids_source::SeededIds;

    #[test]
    fn a_made_token_reads_back_and_a_malformed_one_does_not() {
        let made = NewJoinSecret::generate(&SeededIds::new(1));
        let text = made.text(4);
        assert_eq!(parse(&format!("{}\n", *text)), Some(ParsedJoinToken { node_id: 4, hash: made.hash }));
        let cut = &text[..text.len() - 1];
        for bad in ["", "mjt_", "mst_4_x", cut, &text.replace("mjt_4", "mjt_04"), &text.replace("mjt_4", "mjt_0")] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
