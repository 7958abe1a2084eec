//! What the operator calls a backend.

use std::fmt;
use std::str::FromStr;

/// Bytes of a name: it is part of the socket's path, which the system limits to about a hundred.
const LONGEST: usize = 32;

/// The name of a backend in the configuration, in logs and in metrics: lower-case letters, digits and single hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendName(String);

/// The text is no name of a backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name of a backend has 1 to {LONGEST} lower-case letters and digits, with single hyphens between them")]
pub struct InvalidName;

impl BackendName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BackendName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        match text.len() <= LONGEST && text.split('-').all(is_word) {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidName),
        }
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_a_file_and_a_label() {
        for name in ["container", "gpu-2", "a"] {
            assert_eq!(name.parse::<BackendName>().unwrap().as_str(), name);
        }
        for name in ["", "-", "a--b", "a-", "A", "a.b", "../x", "a/b", &"a".repeat(LONGEST + 1)] {
            assert!(name.parse::<BackendName>().is_err(), "{name:?}");
        }
    }
}
