//! Git's words as values: object ids, ref names and ref updates. Nothing here reads a repository.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::hex_bytes;

/// The id of a git object (SHA-1), usually a commit: a *revision*.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Oid([u8; 20]);

/// The text is not 40 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a git object id is 40 lower-case hexadecimal digits")]
pub struct InvalidOid;

impl Oid {
    /// The object id made of these bytes.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Oid {
    type Err = InvalidOid;

    fn from_str(text: &str) -> Result<Self, InvalidOid> {
        hex_bytes(text).map(Self).ok_or(InvalidOid)
    }
}

impl TryFrom<String> for Oid {
    type Error = InvalidOid;

    fn try_from(text: String) -> Result<Self, InvalidOid> {
        text.parse()
    }
}

impl From<Oid> for String {
    fn from(oid: Oid) -> String {
        oid.to_string()
    }
}

/// The first digits of an id, as people and clients shorten it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct OidPrefix(String);

/// The text is not the beginning of an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a commit is named by {MIN_PREFIX} to 40 hexadecimal digits")]
pub struct InvalidPrefix;

/// Fewest digits that name a commit: the clients' own limit.
const MIN_PREFIX: usize = 5;

impl OidPrefix {
    /// Whether an id begins with these digits.
    pub fn matches(&self, oid: Oid) -> bool {
        oid.to_string().starts_with(&self.0)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Oid> for OidPrefix {
    fn from(oid: Oid) -> Self {
        Self(oid.to_string())
    }
}

impl TryFrom<String> for OidPrefix {
    type Error = InvalidPrefix;

    fn try_from(text: String) -> Result<Self, InvalidPrefix> {
        let is_prefix = (MIN_PREFIX..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_prefix { Ok(Self(text.to_ascii_lowercase())) } else { Err(InvalidPrefix) }
    }
}

/// The branch whose commits are built and served.
pub const DEPLOY_BRANCH: &str = "main";
/// What the full names of branches begin with.
pub const BRANCHES: &str = "refs/heads/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_named_by_its_first_digits() {
        let oid: Oid = "46f3011723fd0db027ec3604767d75603cb25ba0".parse().unwrap();
        for text in ["46f30", "46F3011", "46f3011723fd0db027ec3604767d75603cb25ba0"] {
            assert!(OidPrefix::try_from(text.to_owned()).unwrap().matches(oid), "{text}");
        }
        assert!(!OidPrefix::try_from("46f31".to_owned()).unwrap().matches(oid));
        for text in ["", "46f3", "main1", "46f3011723fd0db027ec3604767d75603cb25ba00"] {
            assert_eq!(OidPrefix::try_from(text.to_owned()), Err(InvalidPrefix), "{text}");
        }
    }
}
