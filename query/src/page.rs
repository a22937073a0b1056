//! Page tokens: where the next page of a list begins, and as of which revision the whole list is told.
//!
//! It does not know what is listed, nor who keeps the key.
//!
//! ```text
//! base64url( version 1 ‖ kind 1 ‖ revision 8 ‖ issued_at_ms 8 ‖ position ‖ mac 16 )
//! position = the last id of the page before (kind 1)  |  revision 8 ‖ index 4 (kind 2)  |  row 8 ‖ now_ms 8 (kind 3)
//!          |  row 8 ‖ now_ms 8 ‖ said_at 8 (kind 4)
//! ```
//!
//! - The checksum is keyed with a secret of the cluster and covers the query and the caller too ([`Scope`]): a token
//!   works on every node of its cluster, for the one who got it, with the filters it was given for, and nowhere else.
//! - A token ends [`LIFETIME_MS`] after it was issued, and says so; it never starts over silently.
//! - Whatever is fed in, decoding neither panics nor allocates more than the text is long.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// How long a token may be used, milliseconds.
pub const LIFETIME_MS: u64 = 60 * 60 * 1_000;
/// Longest token that is looked at, characters; ids have at most 128.
pub const TOKEN_CHARS_MAX: usize = 1_024;

const VERSION: u8 = 1;
const MAC_BYTES: usize = 16;
const KIND_AFTER_ID: u8 = 1;
const KIND_AT_EVENT: u8 = 2;
const KIND_AT_ROW: u8 = 3;
const KIND_AT_SAVED_ROW: u8 = 4;

/// Where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// After this id.
    AfterId(String),
    /// At this event.
    AtEvent {
        /// Its revision.
        revision: u64,
        /// Its index among the events of that revision.
        index: u32,
    },
    /// At this row of an answer.
    AtRow {
        /// Counted from 0.
        row: u64,
        /// What `NOW()` is in the answer.
        now_ms: u64,
    },
    /// At this row of the answer of a saved query.
    AtSavedRow {
        /// Counted from 0.
        row: u64,
        /// What `NOW()` is in the answer.
        now_ms: u64,
        /// The revision that gave the saved query the text which is answered.
        said_at: u64,
    },
}

/// What a page token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken {
    /// The revision of the first page; all pages are told as of it.
    pub revision: u64,
    /// Where the next page begins.
    pub position: Position,
    /// When the token was made, milliseconds since the epoch, by the clock of the node that made it.
    pub issued_at_ms: u64,
}

impl Scope {
    /// The hash itself, to know an answer by.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.0
    }
}

/// The query and the caller a token belongs to, as a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope([u8; 32]);

impl Scope {
    /// `rpc` and `caller` by name, and every filter in a fixed order.
    #[must_use]
    pub fn new(rpc: &str, caller: &str, filters: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new();
        // Lengths in front, so that no two lists of texts look the same when joined.
        for part in [rpc, caller].iter().chain(filters) {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        Self(*hasher.finalize().as_bytes())
    }
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageTokenError {
    /// It is no token, was changed, or belongs to another query, caller or cluster; which of these is not told apart.
    #[error("page_token is damaged, or belongs to another query, caller or cluster")]
    Invalid,
    /// It was good once.
    #[error(
        "page_token expired: it was issued {age_ms} ms ago and lives {LIFETIME_MS} ms; start again at the first page"
    )]
    Expired {
        /// How long ago it was issued, milliseconds.
        age_ms: u64,
    },
}

impl PageToken {
    /// The token as text, bound to `scope` with the cluster's `key`.
    #[must_use]
    pub fn encode(&self, key: &[u8; 32], scope: &Scope) -> String {
        let mut bytes = Vec::with_capacity(64);
        bytes.push(VERSION);
        bytes.push(match self.position {
            Position::AfterId(_) => KIND_AFTER_ID,
            Position::AtEvent { .. } => KIND_AT_EVENT,
            Position::AtRow { .. } => KIND_AT_ROW,
            Position::AtSavedRow { .. } => KIND_AT_SAVED_ROW,
        });
        bytes.extend(self.revision.to_be_bytes());
        bytes.extend(self.issued_at_ms.to_be_bytes());
        match &self.position {
            Position::AfterId(id) => bytes.extend(id.as_bytes()),
            Position::AtEvent { revision, index } => {
                bytes.extend(revision.to_be_bytes());
                bytes.extend(index.to_be_bytes());
            }
            Position::AtRow { row, now_ms } => {
                bytes.extend(row.to_be_bytes());
                bytes.extend(now_ms.to_be_bytes());
            }
            Position::AtSavedRow { row, now_ms, said_at } => {
                [row, now_ms, said_at].into_iter().for_each(|number| bytes.extend(number.to_be_bytes()));
            }
        }
        let mac = mac(key, scope, &bytes);
        bytes.extend(mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token that was made for `scope` with `key`; `now_ms` is the time of the reading node.
    ///
    /// # Errors
    /// When it is not such a token, or too old.
    pub fn decode(text: &str, key: &[u8; 32], scope: &Scope, now_ms: u64) -> Result<Self, PageTokenError> {
        if text.len() > TOKEN_CHARS_MAX {
            return Err(PageTokenError::Invalid);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| PageTokenError::Invalid)?;
        let body_len = bytes.len().checked_sub(MAC_BYTES).ok_or(PageTokenError::Invalid)?;
        let (body, given) = bytes.split_at(body_len);
        if !same(&mac(key, scope, body), given) {
            return Err(PageTokenError::Invalid);
        }
        // From here on the bytes are our own, though perhaps of another version of this program.
        let token = Self::parse(body).ok_or(PageTokenError::Invalid)?;
        // Clocks differ between nodes: a token from the future is as old as one made now.
        let age_ms = now_ms.saturating_sub(token.issued_at_ms);
        if age_ms > LIFETIME_MS { Err(PageTokenError::Expired { age_ms }) } else { Ok(token) }
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let (version, rest) = body.split_first()?;
        let (kind, rest) = rest.split_first()?;
        let (revision, rest) = rest.split_first_chunk::<8>()?;
        let (issued, rest) = rest.split_first_chunk::<8>()?;
        let position = match (*version, *kind) {
            (VERSION, KIND_AFTER_ID) => Position::AfterId(String::from_utf8(rest.to_vec()).ok()?),
            (VERSION, KIND_AT_EVENT) => {
                let (event_revision, index) = rest.split_first_chunk::<8>()?;
                Position::AtEvent {
                    revision: u64::from_be_bytes(*event_revision),
                    index: u32::from_be_bytes(index.try_into().ok()?),
                }
            }
            (VERSION, KIND_AT_ROW) => {
                let (row, now_ms) = rest.split_first_chunk::<8>()?;
                Position::AtRow { row: u64::from_be_bytes(*row), now_ms: u64::from_be_bytes(now_ms.try_into().ok()?) }
            }
            (VERSION, KIND_AT_SAVED_ROW) => {
                let (row, rest) = rest.split_first_chunk::<8>()?;
                let (now_ms, said_at) = rest.split_first_chunk::<8>()?;
                Position::AtSavedRow {
                    row: u64::from_be_bytes(*row),
                    now_ms: u64::from_be_bytes(*now_ms),
                    said_at: u64::from_be_bytes(said_at.try_into().ok()?),
                }
            }
            _ => return None,
        };
        let (revision, issued_at_ms) = (u64::from_be_bytes(*revision), u64::from_be_bytes(*issued));
        Some(Self { revision, position, issued_at_ms })
    }
}

fn mac(key: &[u8; 32], scope: &Scope, body: &[u8]) -> [u8; MAC_BYTES] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&scope.0);
    hasher.update(body);
    let mut mac = [0; MAC_BYTES];
    mac.copy_from_slice(&hasher.finalize().as_bytes()[..MAC_BYTES]);
    mac
}

/// Compares in a time that does not depend on where the two differ.
fn same(left: &[u8; MAC_BYTES], right: &[u8]) -> bool {
    right.len() == MAC_BYTES && left.iter().zip(right).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const NOW: u64 = 1_800_000_000_000;

    fn token(position: Position) -> PageToken {
        PageToken { revision: 42, position, issued_at_ms: NOW }
    }

    fn scope() -> Scope {
        Scope::new("ListDevices", "user:alice", &["plant1", "pump"])
    }

    fn samples() -> [PageToken; 4] {
        [
            token(Position::AfterId("pump-7".to_owned())),
            token(Position::AtEvent { revision: 40, index: 3 }),
            token(Position::AtRow { row: 7, now_ms: NOW }),
            token(Position::AtSavedRow { row: 7, now_ms: NOW, said_at: 41 }),
        ]
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for token in samples() {
            let text = token.encode(&KEY, &scope());
            assert_eq!(PageToken::decode(&text, &KEY, &scope(), NOW + LIFETIME_MS), Ok(token), "{text}");
        }
    }

    #[test]
    fn a_token_from_a_clock_ahead_is_taken() {
        let text = samples()[0].encode(&KEY, &scope());
        assert!(PageToken::decode(&text, &KEY, &scope(), NOW - 5_000).is_ok());
    }

    #[test]
    fn an_old_token_says_that_it_expired() {
        for token in samples() {
            let text = token.encode(&KEY, &scope());
            let age_ms = LIFETIME_MS + 1;
            assert_eq!(PageToken::decode(&text, &KEY, &scope(), NOW + age_ms), Err(PageTokenError::Expired { age_ms }));
        }
    }

    #[test]
    fn another_query_caller_or_cluster_is_refused() {
        let text = samples()[0].encode(&KEY, &scope());
        let others = [
            Scope::new("ListAssets", "user:alice", &["plant1", "pump"]),
            Scope::new("ListDevices", "user:bob", &["plant1", "pump"]),
            Scope::new("ListDevices", "user:alice", &["plant1", ""]),
            Scope::new("ListDevices", "user:alice", &["plant1pump"]),
            Scope::new("ListDevices", "user:alice", &["plant1p", "ump"]),
        ];
        for other in others {
            assert_eq!(PageToken::decode(&text, &KEY, &other, NOW), Err(PageTokenError::Invalid));
        }
        assert_eq!(PageToken::decode(&text, &[8; 32], &scope(), NOW), Err(PageTokenError::Invalid));
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        for token in samples() {
            let text = token.encode(&KEY, &scope());
            let bytes = URL_SAFE_NO_PAD.decode(&text).expect("our own text");
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 1;
                let changed = URL_SAFE_NO_PAD.encode(changed);
                assert_eq!(PageToken::decode(&changed, &KEY, &scope(), NOW), Err(PageTokenError::Invalid), "byte {at}");
                let cut = URL_SAFE_NO_PAD.encode(&bytes[..at]);
                assert_eq!(PageToken::decode(&cut, &KEY, &scope(), NOW), Err(PageTokenError::Invalid), "cut at {at}");
            }
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", "x", "not base64!", "AAAA", &"A".repeat(TOKEN_CHARS_MAX), &"A".repeat(1_000_000)] {
            assert_eq!(PageToken::decode(text, &KEY, &scope(), NOW), Err(PageTokenError::Invalid));
        }
    }

    #[test]
    fn a_signed_body_of_another_version_or_shape_is_refused_without_panic() {
        let whole = [vec![VERSION, KIND_AT_EVENT], vec![0; 28]].concat();
        let bodies = (0..whole.len()).map(|len| whole[..len].to_vec()).chain([
            [vec![VERSION + 1, KIND_AFTER_ID], vec![0; 16]].concat(),
            [vec![VERSION, 9], vec![0; 16]].concat(),
            [vec![VERSION, KIND_AFTER_ID], vec![0; 16], vec![0xff]].concat(),
        ]);
        for body in bodies {
            let text = URL_SAFE_NO_PAD.encode([body.clone(), mac(&KEY, &scope(), &body).to_vec()].concat());
            assert_eq!(PageToken::decode(&text, &KEY, &scope(), NOW), Err(PageTokenError::Invalid), "{body:?}");
        }
    }
}
