//! Rules for texts and lists: present, not too long, not too many. It knows no resource; callers put the path of theirs
//! before the field with [`Rejection::within`].
//!
//! - Nothing is allocated for a text that keeps its rules.

use crate::{Reason, Rejection};

/// Counts the bytes of the texts that pass through it, so that a resource can be bounded as a whole.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    /// Bytes seen so far.
    pub bytes: usize,
}

impl Texts {
    /// A text of at most `chars_max` characters; may be empty.
    pub(crate) fn optional(&mut self, field: &str, text: &str, chars_max: usize) -> Result<(), Rejection> {
        self.bytes = self.bytes.saturating_add(text.len());
        check_chars(field, text, chars_max)
    }

    /// A text of 1 to `chars_max` characters.
    pub(crate) fn required(&mut self, field: &str, text: &str, chars_max: usize) -> Result<(), Rejection> {
        check_present(field, text)?;
        self.optional(field, text, chars_max)
    }

    /// A free-form text of at most `bytes_max` bytes; may be empty.
    pub(crate) fn free_form(&mut self, field: &str, text: &str, bytes_max: usize) -> Result<(), Rejection> {
        self.bytes = self.bytes.saturating_add(text.len());
        check_bytes(field, text, bytes_max)
    }
}

/// Refuses an empty text.
pub(crate) fn check_present(field: &str, text: &str) -> Result<(), Rejection> {
    if text.is_empty() {
        return Err(Rejection::new(Reason::InvalidField, field, format!("{field} is required")));
    }
    Ok(())
}

/// Refuses a text of more than `chars_max` characters.
pub(crate) fn check_chars(field: &str, text: &str, chars_max: usize) -> Result<(), Rejection> {
    // A text has at least as many bytes as characters: most need no counting.
    if text.len() <= chars_max {
        return Ok(());
    }
    let chars = text.chars().count();
    if chars > chars_max {
        let message = format!("{field} must have at most {chars_max} characters, has {chars}");
        return Err(Rejection::new(Reason::TooLarge, field, message));
    }
    Ok(())
}

/// Refuses a text of more than `bytes_max` bytes.
pub(crate) fn check_bytes(field: &str, text: &str, bytes_max: usize) -> Result<(), Rejection> {
    if text.len() > bytes_max {
        let message = format!("{field} must have at most {bytes_max} bytes, has {}", text.len());
        return Err(Rejection::new(Reason::TooLarge, field, message));
    }
    Ok(())
}

/// Refuses a list of more than `count_max` elements.
pub(crate) fn check_count(field: &str, count: usize, count_max: usize) -> Result<(), Rejection> {
    if count > count_max {
        let message = format!("{field} must have at most {count_max} elements, has {count}");
        return Err(Rejection::new(Reason::TooMany, field, message));
    }
    Ok(())
}

/// Refuses a name that is empty, longer than `chars_max` characters or holds a control character.
pub(crate) fn check_name(field: &str, name: &str, chars_max: usize) -> Result<(), Rejection> {
    check_present(field, name)?;
    check_chars(field, name, chars_max)?;
    match name.chars().find(|c| c.is_control()) {
        None => Ok(()),
        Some(c) => {
            let message = format!("{field} must hold no control characters, but holds {c:?}");
            Err(Rejection::new(Reason::InvalidField, field, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_characters_or_bytes_as_said() {
        assert_eq!(check_chars("f", "äöü", 3), Ok(()));
        assert_eq!(check_chars("f", "äöüß", 3).expect_err("four").reason, Reason::TooLarge);
        assert_eq!(check_bytes("f", "äöü", 6), Ok(()));
        assert_eq!(check_bytes("f", "äöü", 5).expect_err("six").reason, Reason::TooLarge);
        assert_eq!(check_present("f", "").expect_err("empty").reason, Reason::InvalidField);
        assert_eq!(check_count("f", 3, 2).expect_err("three").reason, Reason::TooMany);
        assert!(check_name("f", "a\u{7}", 9).is_err());
    }

    #[test]
    fn texts_add_up() {
        let mut texts = Texts::default();
        texts.optional("a", "ab", 9).expect("short");
        texts.required("b", "c", 9).expect("short");
        texts.free_form("c", "def", 9).expect("short");
        assert_eq!(texts.bytes, 6);
    }
}
