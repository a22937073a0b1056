//! From text to what was written, [`ast`], and back. It knows the grammar of `docs/language.md` and no meaning.
//!
//! ```text
//! text ── lexer ──▶ tokens ── parse ──▶ ast ── printer ──▶ canonical text
//! ```
//!
//! Invariants: no text panics; nothing recurses deeper than [`Limits::depth`] and no tree is higher; time is linear in
//! the text, and longer text than [`Limits::characters`] is refused before it is looked at.

pub mod ast;
mod chain;
mod keyword;
mod lexer;
mod limits;
mod parse;
mod printer;
#[cfg(test)]
mod tests;

pub use limits::Limits;
pub use parse::{parse, parse_condition};
pub use printer::{path_text, print, print_condition};
