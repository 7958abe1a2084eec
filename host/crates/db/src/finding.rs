//! Secrets that were found in a Space's repository: where, never what.

use spaceport_core::lifecycle::Millis;
use spaceport_core::revision::Oid;

/// A secret that somebody committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of secret it is, in a word.
    pub rule: String,
    /// The file.
    pub path: String,
    /// Its line, from 1.
    pub line: u32,
    /// The content of the file, which is gone from a revision when no file of it has this content.
    pub blob: Oid,
    /// The head with which it came.
    pub revision: Oid,
    /// When it was found.
    pub found_at: Millis,
    /// The line around it without the secret.
    pub excerpt: String,
    /// Whether it was a token of this host, which is valid no more.
    pub is_revoked: bool,
    /// Whether the deploy branch's head does not have it any more, and only the history does.
    pub is_in_history: bool,
}
