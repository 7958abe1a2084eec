//! Secrets replaced before a line is stored.
//!
//! Against accidents, such as a printed environment: the value itself, and how it looks in a URL or in base64. An app
//! that wants to give its secrets away can.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands in place of a secret.
const MASK: &str = "***";
/// Values shorter than this are no secrets but words and numbers, and would make a log unreadable.
const MIN_SECRET: usize = 4;

/// The texts that must not be stored.
#[derive(Default)]
pub(super) struct Redactor {
    /// Longest first, so that a secret that holds another is replaced as a whole.
    needles: Vec<String>,
}

impl Redactor {
    /// From secret values in the clear.
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = &'a String>) -> Self {
        let mut needles = Vec::new();
        for secret in secrets {
            // Lines are stored one by one, so a key of many lines is looked for line by line.
            let lines = secret.lines().map(str::trim).filter(|line| line.len() >= MIN_SECRET);
            needles.extend(lines.flat_map(forms));
        }
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        Self { needles }
    }

    /// Bytes of the longest text that is replaced.
    pub(super) fn longest(&self) -> usize {
        self.needles.first().map_or(0, String::len)
    }

    /// The line without secrets.
    pub(super) fn redact<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let mut line = Cow::Borrowed(line);
        for needle in &self.needles {
            if line.contains(needle.as_str()) {
                line = Cow::Owned(line.replace(needle.as_str(), MASK));
            }
        }
        line
    }
}

fn forms(secret: &str) -> [String; 4] {
    [
        secret.to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_in_every_form() {
        let secrets = ["p@ss/word?".to_owned(), "p@ss/word?longer".to_owned(), "abc".to_owned(), String::new()];
        let redactor = Redactor::new(&secrets);
        for (line, stored) in [
            ("nothing to hide", "nothing to hide"),
            ("x p@ss/word? y p@ss/word?", "x *** y ***"),
            ("p@ss/word?longer", "***"),
            ("?token=p%40ss%2Fword%3F", "?token=***"),
            ("cEBzcy93b3JkPw==", "***=="),
            ("abc is too short to be told from a word", "abc is too short to be told from a word"),
        ] {
            assert_eq!(redactor.redact(line), stored);
        }
    }

    #[test]
    fn a_secret_of_many_lines_is_replaced_line_by_line() {
        let secrets = ["-----BEGIN KEY-----\r\nMIIEvQIBADAN\nshort9\n".to_owned()];
        let redactor = Redactor::new(&secrets);
        assert_eq!(redactor.redact("MIIEvQIBADAN"), "***");
        assert_eq!(redactor.redact("-----BEGIN KEY-----"), "***");
    }
}
