//! From text to what was written: [`ast`]. It knows the grammar of `docs/language.md` and no meaning.

pub mod ast;
