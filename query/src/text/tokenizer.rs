//! Words for tantivy, cut by the rule of the language.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

use crate::evaluate::words::cut_lower;

/// Cuts as `evaluate::words` does.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ByLanguage;

/// The words of one text.
pub(super) struct Stream<'t> {
    words: Box<dyn FnMut(&mut String) -> bool + 't>,
    token: Token,
}

impl Tokenizer for ByLanguage {
    type TokenStream<'t> = Stream<'t>;

    fn token_stream<'t>(&'t mut self, text: &'t str) -> Stream<'t> {
        Stream { words: Box::new(cut_lower(text)), token: Token::default() }
    }
}

impl TokenStream for Stream<'_> {
    fn advance(&mut self) -> bool {
        let token = &mut self.token;
        token.position = token.position.wrapping_add(1);
        (self.words)(&mut token.text)
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}
