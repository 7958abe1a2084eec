//! Signing in by a public key: the keys of users, who a key is, and passes for the large files of whoever came by SSH.

mod pass;

use spaceport_core::id::AccountId;
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, Denied, TokenRole, User};
use spaceport_core::ssh::{Fingerprint, LfsOperation, PublicKey};
use spaceport_db::{Batch, CommitError, Expect, SshKey, SshKeyUse};

use super::Control;
use super::audit::Act;
use super::error::{ServiceError, ServiceResult};
use super::storage::{commit_failed, read_failed};

/// Keys of one account: one for each machine and robot of somebody who has many.
const MAX_KEYS: usize = 100;
/// Longest title of a key, in bytes.
const MAX_TITLE: usize = 100;
/// How exactly it is known when a key was used last: a robot that fetches each second must not fill the journal.
const USE_STEP: Millis = 60 * 60 * 1000;

/// A user's key, for its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKeyView {
    /// What tells it from every other.
    pub fingerprint: Fingerprint,
    /// What its owner calls it.
    pub title: String,
    /// Type and key, as in a `.pub` file.
    pub text: String,
    /// When it was added.
    pub created_at: Millis,
    /// When it was used last, to the hour.
    pub last_used_at: Option<Millis>,
}

/// A pass for the large files of one Space, for a client that has none of its user's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LfsPass {
    /// Where git-lfs asks.
    pub href: String,
    /// What it sends as `Authorization`.
    pub authorization: String,
    /// Seconds for which the pass is good.
    pub expires_in: u64,
}

impl Control {
    /// The keys of whoever asks, newest first.
    pub fn ssh_keys(&self, actor: &Actor) -> ServiceResult<Vec<SshKeyView>> {
        let Actor::User(user) = actor else { return Err(Denied::SignIn.into()) };
        let mut keys = Vec::new();
        for (fingerprint, key) in self.inner.db.ssh_keys_of(user.id).map_err(read_failed)? {
            keys.push(self.key_view(fingerprint, key)?);
        }
        keys.sort_by_key(|key| (std::cmp::Reverse(key.created_at), key.fingerprint));
        Ok(keys)
    }

    /// Adds a key, after which whoever has its other half acts as this user. Without a title it gets that of its comment.
    pub async fn add_ssh_key(&self, actor: &Actor, title: &str, text: &str) -> ServiceResult<SshKeyView> {
        let user = key_owner(actor)?;
        let key = PublicKey::parse(text).map_err(|error| ServiceError::Invalid(error.to_string()))?;
        let title = [title.trim(), key.comment()].into_iter().find(|title| !title.is_empty());
        let title = title.unwrap_or(key.kind().as_str()).to_owned();
        if title.len() > MAX_TITLE || title.contains(char::is_control) {
            let message = format!("A key's title is one line of at most {MAX_TITLE} bytes");
            return Err(ServiceError::Invalid(message));
        }
        let db = &self.inner.db;
        if db.ssh_keys_of(user.id).map_err(read_failed)?.len() >= MAX_KEYS {
            return Err(ServiceError::Forbidden(format!("An account has at most {MAX_KEYS} keys: delete one first")));
        }
        let fingerprint = key.fingerprint();
        let created_at = self.inner.clock.now();
        let stored = SshKey { account: user.id, title, text: key.text(), created_at };
        let mut batch = self.noted(actor, Act::new("ssh_key.add").to(fingerprint).with("title", &stored.title));
        batch.insert_new(db.ssh_keys(), &fingerprint, &stored);
        batch.delete(db.ssh_key_uses(), &fingerprint);
        match db.commit(batch).await {
            Ok(_) => {}
            Err(CommitError::Conflict { .. }) => return Err(self.key_taken(user.id, fingerprint)?),
            Err(error) => return Err(commit_failed(error)),
        }
        tracing::info!(actor = %user.name, %fingerprint, "an SSH key was added");
        self.key_view(fingerprint, stored)
    }

    /// Deletes a key; from then on it signs nobody in.
    pub async fn delete_ssh_key(&self, actor: &Actor, fingerprint: Fingerprint) -> ServiceResult<()> {
        let user = key_owner(actor)?;
        let db = &self.inner.db;
        let found = db.ssh_keys().get_versioned(&fingerprint).map_err(read_failed)?;
        // Whether somebody else has such a key is not told.
        let Some((key, version)) = found.filter(|(key, _)| key.account == user.id) else {
            return Err(ServiceError::NothingToDelete(format!("You have no key {fingerprint}")));
        };
        let mut batch = self.noted(actor, Act::new("ssh_key.delete").to(fingerprint).with("title", key.title));
        batch.expect(db.ssh_keys(), &fingerprint, Expect::Version(version));
        batch.delete(db.ssh_keys(), &fingerprint);
        batch.delete(db.ssh_key_uses(), &fingerprint);
        db.commit(batch).await.map_err(commit_failed)?;
        tracing::info!(actor = %user.name, %fingerprint, "an SSH key was deleted");
        Ok(())
    }

    /// Who has the other half of a key. As with a password, whoever administers the host does that with a token.
    pub fn ssh_sign_in(&self, fingerprint: Fingerprint) -> ServiceResult<Option<User>> {
        let db = &self.inner.db;
        let Some(key) = db.ssh_keys().get(&fingerprint).map_err(read_failed)? else { return Ok(None) };
        let account = self.inner.accounts.account_by_id(key.account)?;
        account.map(|account| self.inner.accounts.user(account, TokenRole::Write)).transpose()
    }

    /// Notes that somebody has signed in by a key, if that was not noted lately.
    pub async fn ssh_key_used(&self, fingerprint: Fingerprint) -> ServiceResult<()> {
        let (db, now) = (&self.inner.db, self.inner.clock.now());
        let last = db.ssh_key_uses().get(&fingerprint).map_err(read_failed)?;
        if last.is_some_and(|last| last.at.saturating_add(USE_STEP) > now) {
            return Ok(());
        }
        let mut batch = Batch::default();
        batch.expect(db.ssh_keys(), &fingerprint, Expect::Present);
        batch.put(db.ssh_key_uses(), &fingerprint, &SshKeyUse { at: now });
        match db.commit(batch).await {
            // It has just been deleted.
            Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(commit_failed(error)),
        }
    }

    /// Where a client that came by SSH sends and fetches the large files of a Space, and with what.
    pub fn lfs_pass(&self, actor: &Actor, path: &SpacePath, operation: LfsOperation) -> ServiceResult<LfsPass> {
        let action = match operation {
            LfsOperation::Download => Action::See,
            LfsOperation::Upload => Action::Write,
        };
        let space = self.space(actor, path, action)?;
        let Actor::User(user) = actor else { return Err(Denied::SignIn.into()) };
        let pass = pass::Pass { operation, space: space.id, account: user.id };
        let text = pass::sign(&self.inner.keys, &pass, self.inner.clock.now());
        Ok(LfsPass {
            href: format!("{}/spaces/{}.git/info/lfs", self.addresses().hub_url(), space.path),
            authorization: format!("{} {text}", pass::SCHEME),
            expires_in: pass::VALID / 1000,
        })
    }

    /// Who bears such a pass for this Space; `None` if it is not good for it. Whoever bears one for fetching changes nothing.
    pub fn lfs_bearer(&self, pass: &str, path: &SpacePath) -> ServiceResult<Option<User>> {
        let Some(pass) = pass::read(&self.inner.keys, pass, self.inner.clock.now()) else { return Ok(None) };
        let space = self.inner.db.space_by_path(path).map_err(read_failed)?;
        if space.is_none_or(|space| space.id != pass.space) {
            return Ok(None);
        }
        let account = self.inner.accounts.account_by_id(pass.account)?;
        let role = match pass.operation {
            LfsOperation::Download => TokenRole::Read,
            LfsOperation::Upload => TokenRole::Write,
        };
        account.map(|account| self.inner.accounts.user(account, role)).transpose()
    }

    fn key_view(&self, fingerprint: Fingerprint, key: SshKey) -> ServiceResult<SshKeyView> {
        let SshKey { title, text, created_at, .. } = key;
        let last = self.inner.db.ssh_key_uses().get(&fingerprint).map_err(read_failed)?;
        Ok(SshKeyView { fingerprint, title, text, created_at, last_used_at: last.map(|last| last.at) })
    }

    fn key_taken(&self, user: AccountId, fingerprint: Fingerprint) -> ServiceResult<ServiceError> {
        let there = self.inner.db.ssh_keys().get(&fingerprint).map_err(read_failed)?;
        let is_theirs = there.is_some_and(|key| key.account == user);
        Ok(ServiceError::Conflict(match is_theirs {
            true => format!("You have added this key already: it is {fingerprint}"),
            false => "This key is in use by another account: make a new pair with ssh-keygen -t ed25519".to_owned(),
        }))
    }
}

/// Whoever may change which keys are an account's: a token that only reads must not become one that writes.
fn key_owner(actor: &Actor) -> ServiceResult<&User> {
    match actor {
        Actor::Nobody => Err(Denied::SignIn.into()),
        Actor::User(user) if user.role < TokenRole::Write => {
            Err(ServiceError::Forbidden("Changing SSH keys needs a token with the role \"write\"".to_owned()))
        }
        Actor::User(user) => Ok(user),
    }
}
