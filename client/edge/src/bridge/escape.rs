//! Ids as parts of topics and paths: characters that mean something there are written `%XX`, as in an address.
//!
//! - Each id has one spelling, and each spelling one id.

use std::fmt::Write;

/// The id with everything that is not plain written as `%XX`. `%` is never plain.
pub(super) fn escape(id: &str, is_plain: impl Fn(u8) -> bool) -> String {
    let mut escaped = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte != b'%' && byte.is_ascii() && is_plain(byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            write!(escaped, "%{byte:02X}").ok();
        }
    }
    escaped
}

/// The id that [`escape`] writes this way; `None` when there is none.
pub(super) fn unescape(escaped: &str, is_plain: impl Fn(u8) -> bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = behind;
    }
    let id = String::from_utf8(bytes).ok()?;
    (escape(&id, is_plain) == escaped).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || byte == b'-'
    }

    #[test]
    fn each_id_has_one_spelling() {
        for (id, spelling) in [("pump-7", "pump-7"), ("a+b#c", "a%2Bb%23c"), ("50%", "50%25"), ("ä", "%C3%A4")] {
            assert_eq!(escape(id, plain), spelling);
            assert_eq!(unescape(spelling, plain).as_deref(), Some(id));
        }
        for wrong in ["a+b", "%2b", "%41", "%", "%2", "%zz", "%+1", "%C3"] {
            assert_eq!(unescape(wrong, plain), None, "{wrong}");
        }
    }
}
