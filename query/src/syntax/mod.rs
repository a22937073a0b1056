//! From text to what was written: [`ast`]. It knows the grammar of `docs/language.md` and no meaning.
//!
//! ```text
//! text ─ lexer ─▶ tokens with places ─ parse ─▶ Select        print: the way back
//! ```
//!
//! Reading takes time in proportion to the text, and stack in proportion to [`Limits::depth`].

pub mod ast;
mod lexer;
mod names;
mod parse;
mod print;

pub use names::{is_reserved, path_text};
pub use parse::{parse, parse_condition};
pub use print::{print, print_condition};

/// Limits of a text; beyond them it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Characters.
    pub characters: usize,
    /// Levels of nesting.
    pub depth: usize,
    /// Elements of an array.
    pub list: usize,
    /// Elements of `SELECT`.
    pub elements: usize,
    /// Keys of `GROUP BY` and `ORDER BY`.
    pub keys: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { characters: 8_192, depth: 64, list: 1_000, elements: 100, keys: 16 }
    }
}

#[cfg(test)]
mod tests;
