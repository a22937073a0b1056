//! How a device or module proves who it is: the rules, and what becomes of keys. It knows no key material.

use super::{Authentication, SealedKey};
use crate::text::check_present;
use crate::{Reason, Rejection};

impl Authentication {
    /// Checks the form of thumbprints; fields are named below `authentication`.
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        match self {
            Self::Sas { .. } | Self::CertificateAuthority | Self::None => Ok(()),
            Self::SelfSigned { primary_thumbprint, secondary_thumbprint } => {
                check_present("primary_thumbprint", primary_thumbprint)
                    .and_then(|()| check_thumbprint("primary_thumbprint", primary_thumbprint))
                    .and_then(|()| check_thumbprint("secondary_thumbprint", secondary_thumbprint))
                    .map_err(|refusal| refusal.within("authentication.x509_thumbprint"))
            }
        }
    }

    /// Keeps the keys of `current` where this one says SAS without naming a key: reading never shows keys, so a caller
    /// that writes back what it read must not lose them.
    pub(crate) fn keep_keys(&mut self, current: &Self) {
        if let (
            Self::Sas { primary, secondary },
            Self::Sas { primary: current_primary, secondary: current_secondary },
        ) = (self, current)
        {
            if primary.is_none() {
                primary.clone_from(current_primary);
            }
            if secondary.is_none() {
                secondary.clone_from(current_secondary);
            }
        }
    }

    /// Takes the keys that are given. Without effect where there are no symmetric keys.
    pub(crate) fn take_keys(&mut self, new_primary: Option<&SealedKey>, new_secondary: Option<&SealedKey>) {
        if let Self::Sas { primary, secondary } = self {
            if let Some(key) = new_primary {
                *primary = Some(key.clone());
            }
            if let Some(key) = new_secondary {
                *secondary = Some(key.clone());
            }
        }
    }

    /// Refuses new keys where there is nothing to replace, or when none is given.
    pub(crate) fn check_regenerate(
        &self,
        primary: Option<&SealedKey>,
        secondary: Option<&SealedKey>,
    ) -> Result<(), Rejection> {
        if !matches!(self, Self::Sas { .. }) {
            let message = "only SAS authentication has keys; change the authentication type first";
            return Err(Rejection::new(Reason::InvalidField, "authentication.type", message));
        }
        if primary.is_none() && secondary.is_none() {
            return Err(Rejection::new(
                Reason::InvalidField,
                "which",
                "which must name the primary key, the secondary or both",
            ));
        }
        Ok(())
    }
}

/// A SHA-1 or SHA-256 in hexadecimal, or nothing.
fn check_thumbprint(field: &str, thumbprint: &str) -> Result<(), Rejection> {
    if matches!(thumbprint.len(), 0 | 40 | 64) && thumbprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    let message = format!("{field} must be 40 (SHA-1) or 64 (SHA-256) hexadecimal digits");
    Err(Rejection::new(Reason::InvalidField, field, message))
}
