//! Public keys by which users sign in over SSH. A key is looked up by its fingerprint, so it belongs to one account.

use spaceport_core::id::AccountId;
use spaceport_core::lifecycle::Millis;
use spaceport_core::ssh::Fingerprint;

use crate::db::Db;
use crate::error::ReadError;

/// A user's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKey {
    /// Whose it is.
    pub account: AccountId,
    /// What its owner calls it.
    pub title: String,
    /// Type and key, as in a `.pub` file.
    pub text: String,
    /// When it was added.
    pub created_at: Millis,
}

/// When a key was used last, roughly: apart from the key, so that a use changes nothing that somebody else changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SshKeyUse {
    /// When.
    pub at: Millis,
}

impl Db {
    /// The keys of an account.
    pub fn ssh_keys_of(&self, account: AccountId) -> Result<Vec<(Fingerprint, SshKey)>, ReadError> {
        let mut keys = self.ssh_keys().scan()?;
        keys.retain(|(_, key)| key.account == account);
        Ok(keys)
    }
}
