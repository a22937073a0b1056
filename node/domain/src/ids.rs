//! The rules for ids. It knows no resource beyond its id.
//!
//! Sources: IoT Hub's identity registry for devices and modules; Azure Device Registry for namespaces and assets.

use crate::limits::DEVICE_ID_CHARS_MAX;
use crate::{Reason, Rejection};

/// Checks a namespace id: 3 to 64 characters, `^[a-z0-9][a-z0-9-]*[a-z0-9]$`.
///
/// # Errors
/// [`Reason::InvalidId`], naming `field`.
pub fn check_namespace(field: &str, id: &str) -> Result<(), Rejection> {
    check_label(field, id, 64)
}

/// Checks an asset id: 3 to 63 characters, `^[a-z0-9][a-z0-9-]*[a-z0-9]$`.
///
/// # Errors
/// [`Reason::InvalidId`], naming `field`.
pub fn check_asset(field: &str, id: &str) -> Result<(), Rejection> {
    check_label(field, id, 63)
}

/// Checks a cursor id: 1 to 128 characters of `a-z`, `0-9` and `-`.
///
/// # Errors
/// [`Reason::InvalidId`], naming `field`.
pub fn check_cursor(field: &str, id: &str) -> Result<(), Rejection> {
    check_plain(field, id)
}

/// Checks the id of a saved query: 1 to 128 characters of `a-z`, `0-9` and `-`.
///
/// # Errors
/// [`Reason::InvalidId`], naming `field`.
pub fn check_saved_query(field: &str, id: &str) -> Result<(), Rejection> {
    check_plain(field, id)
}

/// Checks the id of a site: 1 to 128 characters of `a-z`, `0-9` and `-`.
///
/// # Errors
/// [`Reason::InvalidId`], naming `field`.
pub fn check_site(field: &str, id: &str) -> Result<(), Rejection> {
    check_plain(field, id)
}

/// Checks the id of an edge: 1 to 128 characters of `a-z`, `0-9` and `-`.
///
/// # Errors
/// [`Reason::InvalidId`], naming `field`.
pub fn check_edge(field: &str, id: &str) -> Result<(), Rejection> {
    check_plain(field, id)
}

fn check_plain(field: &str, id: &str) -> Result<(), Rejection> {
    let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=DEVICE_ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(is_legal) {
        return Ok(());
    }
    Err(invalid(field, format!("must have 1 to {DEVICE_ID_CHARS_MAX} characters of a-z, 0-9 and -")))
}

/// Checks a device or module id: 1 to 128 ASCII letters, digits and `- . + % _ # * ? ! ( ) , = @ $ ' : ;`.
///
/// # Errors
/// [`Reason::InvalidId`], naming `field` and the first illegal character.
pub fn check_device(field: &str, id: &str) -> Result<(), Rejection> {
    let chars = id.chars().count();
    if chars == 0 || chars > DEVICE_ID_CHARS_MAX {
        return Err(invalid(field, format!("must have 1 to {DEVICE_ID_CHARS_MAX} characters, has {chars}")));
    }
    match id.chars().find(|c| !is_device_char(*c)) {
        None => Ok(()),
        Some(c) => {
            Err(invalid(field, format!("must hold only ASCII letters, digits and -.+%_#*?!(),=@$':; but holds {c:?}")))
        }
    }
}

fn is_device_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-.+%_#*?!(),=@$':;".contains(c)
}

fn check_label(field: &str, id: &str, chars_max: usize) -> Result<(), Rejection> {
    let chars = id.chars().count();
    if chars < 3 || chars > chars_max {
        return Err(invalid(field, format!("must have 3 to {chars_max} characters, has {chars}")));
    }
    if let Some(c) = id.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
        return Err(invalid(field, format!("must hold only a-z, 0-9 and -, but holds {c:?}")));
    }
    if id.starts_with('-') || id.ends_with('-') {
        return Err(invalid(field, "must begin and end with a letter or digit".to_owned()));
    }
    Ok(())
}

fn invalid(field: &str, rule: String) -> Rejection {
    Rejection::new(Reason::InvalidId, field, format!("{field} {rule}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_ids_follow_iot_hubs_character_set() {
        for good in ["a", "A-b.c+d%e_f#g*h?i!j(k)l,m=n@o$p'q:r;s", &"x".repeat(128)] {
            assert_eq!(check_device("device_id", good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "a/b", "ä", "a\u{7}", &"x".repeat(129)] {
            let refusal = check_device("device_id", bad).expect_err(bad);
            assert_eq!((refusal.reason, refusal.field.as_str()), (Reason::InvalidId, "device_id"));
        }
    }

    #[test]
    fn labels_follow_device_registry() {
        for good in ["abc", "a-b", "0a0", &"x".repeat(63)] {
            assert_eq!(check_asset("asset_id", good), Ok(()), "{good}");
        }
        for bad in ["ab", "-ab", "ab-", "Abc", "a_b", "a b", &"x".repeat(64)] {
            assert!(check_asset("asset_id", bad).is_err(), "{bad}");
        }
        assert!(check_namespace("namespace_id", &"x".repeat(64)).is_ok());
    }
}
