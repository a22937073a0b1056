//! API tokens: `mst_<id>_<secret>`, where the id names the token and the secret proves it.
//!
//! Deliberately does not know who may do what with a token, nor where hashes are kept.
//!
//! - The secret exists in clear only with its owner; the cluster keeps a hash. The secret has 256 random bits, so
//!   a fast hash is enough: there is nothing to guess from a dictionary.
//! - Hashes are compared in constant time.

use crate::ids_source::IdsSource;
use zeroize::Zeroizing;

const PREFIX: &str = "mst_";
const ID_CHARS: usize = 12;
const SECRET_CHARS: usize = 64;
/// Separates these hashes from every other use of BLAKE3.
const HASH_CONTEXT: &str = "muster 2026 api token v1";

/// A token just made. The text is shown once and then forgotten.
#[derive(Debug)]
pub struct NewToken {
    /// Names the token in lists and in `revoke`: 12 hexadecimal digits.
    pub id: String,
    /// The whole token, to be given to its owner.
    pub text: Zeroizing<String>,
    /// What the cluster keeps.
    pub hash: [u8; 32],
}

/// A token as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedToken {
    /// Which token it claims to be.
    pub id: String,
    /// What must equal the kept hash; compare with [`same_hash`].
    pub hash: [u8; 32],
}

/// Makes a token.
#[must_use]
pub fn generate(ids: &dyn IdsSource) -> NewToken {
    let mut id = [0; ID_CHARS / 2];
    let mut secret = Zeroizing::new([0; SECRET_CHARS / 2]);
    ids.fill(&mut id);
    ids.fill(secret.as_mut());
    let id = hex(&id);
    let text = Zeroizing::new(format!("{PREFIX}{id}_{}", *Zeroizing::new(hex(secret.as_ref()))));
    let hash = hash(&text);
    NewToken { id, text, hash }
}

/// Reads a token; white space around it is ignored, since it often comes from a file.
#[must_use]
pub fn parse(text: &str) -> Option<ParsedToken> {
    let text = text.trim();
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let well_formed =
        |part: &str, chars| part.len() == chars && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (well_formed(id, ID_CHARS) && well_formed(secret, SECRET_CHARS))
        .then(|| ParsedToken { id: id.to_owned(), hash: hash(text) })
}

/// Compares two hashes in a time that does not depend on where they differ.
#[must_use]
pub fn same_hash(left: &[u8; 32], right: &[u8]) -> bool {
    // `blake3::Hash` compares in constant time; a wrong length is no secret.
    <[u8; 32]>::try_from(right).is_ok_and(|right| blake3::Hash::from_bytes(*left) == blake3::Hash::from_bytes(right))
}

fn hash(text: &str) -> [u8; 32] {
    blake3::derive_key(HASH_CONTEXT, text.as_bytes())
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids_source::SeededIds;

    #[test]
    fn a_made_token_parses_to_its_own_id_and_hash() {
        let made = generate(&SeededIds::new(1));
        let parsed = parse(&format!("{}\n", *made.text)).expect("a token as it comes from a file");
        assert_eq!(parsed.id, made.id);
        assert!(same_hash(&made.hash, &parsed.hash));
        assert_eq!(made.text.len(), PREFIX.len() + ID_CHARS + 1 + SECRET_CHARS);
    }

    #[test]
    fn another_secret_under_the_same_id_has_another_hash() {
        let made = generate(&SeededIds::new(1));
        let forged = format!("mst_{}_{}", made.id, "0".repeat(SECRET_CHARS));
        assert!(!same_hash(&made.hash, &parse(&forged).expect("well formed").hash));
        assert!(!same_hash(&made.hash, &made.hash[..31]));
    }

    #[test]
    fn malformed_tokens_are_no_tokens() {
        let good = generate(&SeededIds::new(1)).text.to_string();
        let upper = good.replacen("mst_", "MST_", 1);
        let short = &good[..good.len() - 1];
        let long = format!("{good}0");
        for bad in ["", "mst_", "mst__", "Bearer x", &upper, short, &long, &good.replace('_', "-")] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
