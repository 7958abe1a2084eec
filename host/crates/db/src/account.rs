//! Accounts and access tokens: who may do what, as it is stored.

use std::sync::Arc;

use spaceport_core::id::{AccountId, TokenId};
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::OwnerName;
use spaceport_core::permission::{Scopes, TokenRole};

use crate::batch::{Batch, Expect};
use crate::db::Db;
use crate::error::ReadError;
use crate::table::Version;

/// A user or an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id, for ever.
    pub id: AccountId,
    /// Its name; unique regardless of case.
    pub name: OwnerName,
    /// What it is.
    pub kind: AccountKind,
    /// Whether it administers this host.
    pub is_admin: bool,
    /// Hash of its password in the PHC format; without one it signs in by token only.
    pub password: Option<PasswordHash>,
    /// When it was created.
    pub created_at: Millis,
}

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// A person or a robot.
    User,
    /// A group of users that owns Spaces.
    Organization,
}

/// A password's hash; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The SHA-256 of a token. Tokens carry enough randomness that no slow hash is needed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// What is known of an access token; the token itself is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub account: AccountId,
    /// What it allows at most.
    pub role: TokenRole,
    /// What it is for, in its owner's words.
    pub label: String,
    /// Its last four characters, to tell it from others.
    pub last_four: String,
    /// When it was created.
    pub created_at: Millis,
    /// What it is for, if it is fine-grained.
    pub scopes: Arc<Scopes>,
}

impl Batch {
    /// Adds an account; conflicts in `AccountNames` if the name is taken.
    pub fn insert_account(&mut self, db: &Db, account: &Account) -> &mut Self {
        self.insert_new(db.account_names(), &name_key(&account.name), &account.id);
        self.insert_new(db.accounts(), &account.id, account)
    }

    /// Removes an account with its tokens, keys and likes. Conflicts if it has changed since it was read.
    pub fn remove_account(&mut self, db: &Db, account: &Account, version: Version) -> Result<&mut Self, ReadError> {
        for (hash, _) in db.tokens_of(account.id)? {
            self.delete(db.tokens(), &hash);
        }
        for (key, _) in db.likes().scan()?.into_iter().filter(|((_, by), _)| *by == account.id) {
            self.delete(db.likes(), &key);
        }
        for (key, _) in db.ssh_keys().scan()?.into_iter().filter(|(_, key)| key.account == account.id) {
            self.delete(db.ssh_keys(), &key);
            self.delete(db.ssh_key_uses(), &key);
        }
        self.expect(db.accounts(), &account.id, Expect::Version(version));
        self.delete(db.account_names(), &name_key(&account.name));
        Ok(self.delete(db.accounts(), &account.id))
    }
}

impl Db {
    /// The account of this name, regardless of case.
    pub fn account_by_name(&self, name: &OwnerName) -> Result<Option<Account>, ReadError> {
        match self.account_names().get(&name_key(name))? {
            Some(id) => self.accounts().get(&id),
            None => Ok(None),
        }
    }

    /// The tokens of an account.
    pub fn tokens_of(&self, account: AccountId) -> Result<Vec<(TokenHash, AccessToken)>, ReadError> {
        let mut tokens = self.tokens().scan()?;
        tokens.retain(|(_, token)| token.account == account);
        Ok(tokens)
    }
}

fn name_key(name: &OwnerName) -> String {
    name.as_str().to_ascii_lowercase()
}
