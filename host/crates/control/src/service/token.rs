//! The text of an access token: `sp_`, thirty random letters and digits (178 bits), and six more that are the checksum of
//! what stands before them, so that a scanner recognises a leaked one exactly and a mistyped one is refused without a
//! lookup. Only its hash is stored: with that much randomness a plain SHA-256 cannot be reversed by guessing.

use std::fmt;

use rand::Rng;
use rand::distr::Alphanumeric;
use sha2::{Digest, Sha256};

/// What every token starts with. Another prefix than the Hub's, so that scanners do not send ours there to be checked.
pub const TOKEN_PREFIX: &str = "sp_";

/// Random characters; each carries 5.95 bits, so that there are more than the 160 that nobody can guess.
const RANDOM_CHARS: usize = 30;
/// Characters of the checksum: 62^6 exceeds 2^32.
const CHECK_CHARS: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A whole token. It is shown once, when it is made, and never in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenText(String);

impl TokenText {
    /// A new token.
    pub fn generate() -> Self {
        let random: String = rand::rng().sample_iter(Alphanumeric).take(RANDOM_CHARS).map(char::from).collect();
        let check = checksum(&random);
        Self(format!("{TOKEN_PREFIX}{random}{check}"))
    }

    /// Reads a token; `None` if it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.strip_prefix(TOKEN_PREFIX)?;
        if body.len() != RANDOM_CHARS + CHECK_CHARS || !body.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let (random, check) = body.split_at(RANDOM_CHARS);
        (checksum(random) == check).then(|| Self(text.to_owned()))
    }

    /// What is stored and looked up.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The token itself, for the one who asked for it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(***)")
    }
}

fn checksum(random: &str) -> String {
    let mut rest = crc32fast::hash(random.as_bytes()) as usize;
    let mut digits = [b'0'; CHECK_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[rest % BASE62.len()];
        rest /= BASE62.len();
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_never_repeats() {
        let (one, other) = (TokenText::generate(), TokenText::generate());
        assert_eq!(TokenText::parse(one.expose()), Some(one.clone()));
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.expose().len(), 39);
        assert_eq!(format!("{one:?}"), "TokenText(***)");
    }

    #[test]
    fn a_mistyped_token_is_none() {
        let token = TokenText::generate().expose().to_owned();
        let swapped = if token.as_bytes()[10] == b'a' { "b" } else { "a" };
        let mistyped = format!("{}{swapped}{}", &token[..10], &token[11..]);
        for text in [mistyped.as_str(), &token[1..], "", "sp_", "hf_abcdefghijklmnopqrstuvwxyzabcdefgh"] {
            assert_eq!(TokenText::parse(text), None, "{text}");
        }
    }
}
