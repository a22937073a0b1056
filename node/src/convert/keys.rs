//! Symmetric keys between a request, where they are base64, and a command, where they are sealed.
//!
//! It does not know who may see a key; callers ask `authorize` before they open one.
//!
//! - A key is sealed for the name of its device or module: moved to another record it does not open.
//! - What is sealed is the key's bytes, so that a key reads back as its canonical base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use muster_domain::device::{Authentication, SealedKey};
use muster_domain::{Key, Reason, Rejection};
use muster_proto::v1;
use zeroize::Zeroizing;

use crate::ids_source::IdsSource;
use crate::secrets::{SealError, Sealer};

/// Bytes in a generated key.
pub const GENERATED_KEY_BYTES: usize = 32;
/// Least and most bytes in a given key.
pub const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// Seals keys for one device or module.
#[derive(Clone, Copy)]
pub struct KeyMaker<'a> {
    sealer: &'a Sealer,
    ids: &'a dyn IdsSource,
}

/// What becomes of keys that a request leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbsentKeys {
    /// New ones are made: on creation.
    Make,
    /// They stay as they are: on change.
    Keep,
}

impl<'a> KeyMaker<'a> {
    /// A maker of keys that seals with `sealer`.
    #[must_use]
    pub fn new(sealer: &'a Sealer, ids: &'a dyn IdsSource) -> Self {
        Self { sealer, ids }
    }

    /// Where its chance comes from.
    #[must_use]
    pub fn ids(&self) -> &'a dyn IdsSource {
        self.ids
    }

    /// A new random key for `owner`.
    #[must_use]
    pub fn make(&self, owner: &Key) -> SealedKey {
        let mut key = Zeroizing::new([0; GENERATED_KEY_BYTES]);
        self.ids.fill(key.as_mut());
        SealedKey(self.sealer.seal(key.as_ref(), owner.to_string().as_bytes()))
    }

    /// A key as given in `field`, for `owner`; an empty text is an absent key.
    ///
    /// # Errors
    /// When it is not base64 of 16 to 64 bytes. The message does not repeat the key.
    pub fn take(
        &self,
        owner: &Key,
        field: &str,
        base64: &str,
        absent: AbsentKeys,
    ) -> Result<Option<SealedKey>, Rejection> {
        if base64.is_empty() {
            return Ok((absent == AbsentKeys::Make).then(|| self.make(owner)));
        }
        let key = STANDARD
            .decode(base64)
            .map(Zeroizing::new)
            .map_err(|_| Rejection::new(Reason::InvalidField, field, format!("{field} must be base64 with padding")))?;
        if !KEY_BYTES.contains(&key.len()) {
            let message = format!("{field} must be base64 of 16 to 64 bytes, has {}", key.len());
            return Err(Rejection::new(Reason::InvalidField, field, message));
        }
        Ok(Some(SealedKey(self.sealer.seal(&key, owner.to_string().as_bytes()))))
    }
}

/// The keys in clear, for the one call that may see them; `None` when the owner authenticates in another way.
///
/// # Errors
/// When a key was sealed with a key this node does not have, or was changed.
pub fn open(
    sealer: &Sealer,
    owner: &Key,
    authentication: &Authentication,
) -> Result<Option<v1::SymmetricKey>, SealError> {
    let Authentication::Sas { primary, secondary } = authentication else { return Ok(None) };
    let place = owner.to_string();
    let open = |key: &Option<SealedKey>| match key {
        None => Ok(String::new()),
        Some(SealedKey(sealed)) => sealer.open(sealed, place.as_bytes()).map(|key| STANDARD.encode(key.as_slice())),
    };
    Ok(Some(v1::SymmetricKey { primary_key: open(primary)?, secondary_key: open(secondary)? }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ids_source::SeededIds;

    fn owner() -> Key {
        Key::Device("plant1".to_owned(), "pump7".to_owned())
    }

    #[test]
    fn a_given_key_reads_back_and_only_in_its_place() {
        let ids: Arc<dyn IdsSource> = Arc::new(SeededIds::new(1));
        let sealer = Sealer::from_key(&[1; 32], Arc::clone(&ids));
        let maker = KeyMaker::new(&sealer, &*ids);
        let given = STANDARD.encode([5; 16]);
        let primary = maker.take(&owner(), "primary_key", &given, AbsentKeys::Keep).expect("a good key");
        let secondary = maker.take(&owner(), "secondary_key", "", AbsentKeys::Keep).expect("absent is fine");
        assert_eq!(secondary, None);
        let authentication = Authentication::Sas { primary, secondary };
        let keys = open(&sealer, &owner(), &authentication).expect("opens").expect("has keys");
        assert_eq!((keys.primary_key, keys.secondary_key), (given, String::new()));
        let elsewhere = Key::Device("plant1".to_owned(), "pump8".to_owned());
        assert!(open(&sealer, &elsewhere, &authentication).is_err());
        assert!(matches!(open(&sealer, &owner(), &Authentication::None), Ok(None)));
    }

    #[test]
    fn absent_keys_are_made_when_asked_for() {
        let ids: Arc<dyn IdsSource> = Arc::new(SeededIds::new(1));
        let sealer = Sealer::from_key(&[1; 32], Arc::clone(&ids));
        let maker = KeyMaker::new(&sealer, &*ids);
        let made = |field| maker.take(&owner(), field, "", AbsentKeys::Make).expect("made");
        let authentication = Authentication::Sas { primary: made("p"), secondary: made("s") };
        let keys = open(&sealer, &owner(), &authentication).expect("opens").expect("has keys");
        assert_ne!(keys.primary_key, keys.secondary_key);
        assert_eq!(STANDARD.decode(keys.primary_key).expect("base64").len(), GENERATED_KEY_BYTES);
    }

    #[test]
    fn bad_keys_name_the_field_and_are_not_repeated() {
        let ids: Arc<dyn IdsSource> = Arc::new(SeededIds::new(1));
        let sealer = Sealer::from_key(&[1; 32], Arc::clone(&ids));
        let maker = KeyMaker::new(&sealer, &*ids);
        for bad in ["not base64!", &STANDARD.encode([0; 15]), &STANDARD.encode([0; 65]), "AAAA", "AAA"] {
            let refusal = maker.take(&owner(), "primary_key", bad, AbsentKeys::Make).expect_err(bad);
            assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::InvalidField, "primary_key"));
            assert!(!refusal.message.contains(bad), "a secret does not belong into a message");
        }
    }
}
