//! Text as words, strings and punctuation, as far as Python and JavaScript agree on them.

use super::super::Syntax;

/// Marks of Python's strings: they say how it is read, not what is in it.
const PREFIXES: [&str; 8] = ["r", "b", "f", "u", "rb", "br", "fr", "rf"];

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A name, a keyword or a number.
    Word(&'a str),
    /// What is between quotes, as written.
    Text(&'a str),
    /// Any other character.
    Punctuation(u8),
}

/// Tells the pieces of a text apart; each character is looked at a fixed number of times.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    syntax: Syntax,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, syntax: Syntax) -> Self {
        Self { text, at: 0, syntax }
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// Goes on to the first byte that is none of these.
    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        let length = self.rest().iter().take_while(|byte| is_skipped(**byte)).count();
        self.at += length;
        &self.text[start..self.at]
    }

    /// A string whose quote is next. One that does not end, ends with its line.
    fn string(&mut self, quote: u8) -> Token<'a> {
        let is_long = self.syntax == Syntax::Python && self.rest().starts_with(&[quote; 3]);
        let marks = if is_long { 3 } else { 1 };
        self.at += marks;
        let start = self.at;
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at).copied() {
            match byte {
                b'\\' => self.at += 1,
                b'\n' if !is_long => break,
                _ if byte == quote && (!is_long || self.rest().starts_with(&[quote; 3])) => {
                    let inside = &self.text[start..self.at];
                    self.at += marks;
                    return Token::Text(inside);
                }
                _ => {}
            }
            self.at += 1;
        }
        self.at = self.at.min(bytes.len());
        Token::Punctuation(quote)
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            self.skip(|byte| byte.is_ascii_whitespace());
            match *self.rest().first()? {
                b'#' if self.syntax == Syntax::Python => {
                    self.skip(|byte| byte != b'\n');
                }
                quote @ (b'"' | b'\'') => return Some(self.string(quote)),
                quote @ b'`' if self.syntax == Syntax::Page => return Some(self.string(quote)),
                byte if is_in_word(byte) => {
                    let word = self.skip(is_in_word);
                    let is_mark = PREFIXES.iter().any(|mark| mark.eq_ignore_ascii_case(word));
                    if !(is_mark && matches!(self.rest().first(), Some(b'"' | b'\''))) {
                        return Some(Token::Word(word));
                    }
                }
                byte => {
                    self.at += 1;
                    return Some(Token::Punctuation(byte));
                }
            }
        }
    }
}

/// Bytes of words; what is not ASCII is in words of other languages.
fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}
