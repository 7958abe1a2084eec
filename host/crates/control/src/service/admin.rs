//! What only an administrator of this host may ask for: users and their tokens, hardware in use, backends.

use std::collections::BTreeMap;

use spaceport_core::hardware::Hardware;
use spaceport_core::id::TokenId;
use spaceport_core::name::OwnerName;
use spaceport_core::permission::{Actor, Denied, User};
use spaceport_db::{AccessToken, Account, AccountKind};

use super::account_changes::no_such_token;
use super::accounts::{AccountChanges, NewToken, NewUser, TokenChanges};
use super::audit::who;
use super::error::{ServiceError, ServiceResult};
use super::token::TokenText;
use super::{Control, storage};

/// A flavor with what is in use of it.
#[derive(Debug, Clone, PartialEq)]
pub struct HardwareInUse {
    /// The row of the catalogue.
    pub row: Hardware,
    /// Spaces that are set to it.
    pub spaces: usize,
    /// Spaces that something answers for on it now.
    pub running: usize,
    /// Bytes of memory that these hold.
    pub memory_bytes: u64,
}

/// What this host has.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    /// Each flavor on offer.
    pub hardware: Vec<HardwareInUse>,
    /// The memory that all Spaces together may hold, if the operator has set it.
    pub memory_limit: Option<u64>,
    /// Builds that wait for their turn, and builds under way.
    pub builds: (usize, usize),
}

/// The administrator that an actor is.
pub(super) fn administrator(actor: &Actor) -> ServiceResult<&User> {
    match actor {
        Actor::User(user) if user.administers() => Ok(user),
        Actor::User(_) => {
            let message = "This needs a token with the role \"admin\" of a user who administers this host";
            Err(ServiceError::Forbidden(message.to_owned()))
        }
        Actor::Nobody => Err(Denied::SignIn.into()),
    }
}

impl Control {
    /// Refuses whoever does not administer this host, or has no token that says so.
    pub fn require_administrator(&self, actor: &Actor) -> ServiceResult<()> {
        administrator(actor).map(drop)
    }

    /// Every user, by name.
    pub fn users(&self, actor: &Actor) -> ServiceResult<Vec<Account>> {
        administrator(actor)?;
        let mut accounts = self.inner.accounts.list()?;
        accounts.retain(|account| account.kind == AccountKind::User);
        Ok(accounts)
    }

    /// A user, and how many Spaces it owns.
    pub fn user(&self, actor: &Actor, name: &OwnerName) -> ServiceResult<(Account, usize)> {
        administrator(actor)?;
        let account = self.user_named(name)?;
        let spaces = self.spaces_of(account.id)?.len();
        Ok((account, spaces))
    }

    /// Creates a user.
    pub async fn create_user(&self, actor: &Actor, new: NewUser) -> ServiceResult<Account> {
        administrator(actor)?;
        self.inner.accounts.create_user_as(new, who(actor)).await
    }

    /// Changes a user's standing or password.
    pub async fn change_user(
        &self,
        actor: &Actor,
        name: &OwnerName,
        changes: AccountChanges,
    ) -> ServiceResult<Account> {
        administrator(actor)?;
        let account = self.user_named(name)?;
        let is_password_changed = changes.password.is_some();
        let changed = self.inner.accounts.change_user(account.id, changes, who(actor)).await?;
        if is_password_changed {
            self.sign_out_everywhere(account.id).await?;
        }
        Ok(changed)
    }

    /// Deletes a user who owns nothing, with its tokens.
    pub async fn delete_user(&self, actor: &Actor, name: &OwnerName) -> ServiceResult<()> {
        administrator(actor)?;
        let account = self.user_named(name)?;
        // Nobody creates or moves a Space meanwhile.
        let _turn = self.inner.places.lock().await;
        let owned = self.spaces_of(account.id)?;
        if let Some(first) = owned.first() {
            let message = format!(
                "{} owns {} Spaces, {} among them: delete them or give them to somebody else first",
                account.name,
                owned.len(),
                first.path
            );
            return Err(ServiceError::Conflict(message));
        }
        self.inner.accounts.delete_user(account.id, who(actor)).await
    }

    /// The tokens of a user, newest first.
    pub fn tokens_of(&self, actor: &Actor, name: &OwnerName) -> ServiceResult<Vec<AccessToken>> {
        administrator(actor)?;
        self.user_named(name)?;
        self.inner.accounts.tokens(name)
    }

    /// Creates a token for a user.
    pub async fn create_token_for(&self, actor: &Actor, new: NewToken) -> ServiceResult<TokenText> {
        administrator(actor)?;
        self.inner.accounts.create_token_as(new, who(actor)).await
    }

    /// Changes a token, whosever it is.
    pub async fn change_token(
        &self,
        actor: &Actor,
        id: TokenId,
        changes: TokenChanges,
    ) -> ServiceResult<(AccessToken, OwnerName)> {
        administrator(actor)?;
        self.inner.accounts.change_any_token(id, changes, who(actor)).await?;
        self.token(actor, id)
    }

    /// Ends a token, whosever it is.
    pub async fn revoke_token(&self, actor: &Actor, id: TokenId) -> ServiceResult<()> {
        administrator(actor)?;
        self.inner.accounts.revoke_any_token(id, who(actor)).await
    }

    /// The hardware on offer with what is in use of it.
    pub fn capacity(&self, actor: &Actor) -> ServiceResult<Capacity> {
        administrator(actor)?;
        let fleet = &self.inner.fleet;
        let mut running = BTreeMap::<String, (usize, u64)>::new();
        for (flavor, usage) in fleet.live_hardware() {
            let (count, memory) = running.entry(flavor).or_default();
            *count += 1;
            *memory = memory.saturating_add(usage.memory_bytes);
        }
        let all = self.inner.db.all_spaces().map_err(storage::read_failed)?;
        let in_use = |row: &Hardware| {
            let (running, memory_bytes) = running.get(&row.name).copied().unwrap_or_default();
            let spaces = all.iter().filter(|space| space.hardware == row.name).count();
            HardwareInUse { row: row.clone(), spaces, running, memory_bytes }
        };
        let snapshot = fleet.snapshot();
        Ok(Capacity {
            hardware: self.catalogue().hardware.iter().map(in_use).collect(),
            memory_limit: fleet.config().limits.node_memory.map(|bytes| bytes.0),
            builds: (snapshot.builds_waiting, snapshot.builds_running),
        })
    }

    /// The `sdk:` words of the Spaces that something here builds and runs, unless it is switched off.
    pub fn sdks(&self, actor: &Actor) -> ServiceResult<Vec<String>> {
        administrator(actor)?;
        let fleet = &self.inner.fleet;
        Ok(fleet.sdks().into_iter().filter(|sdk| fleet.runs(*sdk)).map(String::from).collect())
    }

    /// One token, and whose it is.
    pub fn token(&self, actor: &Actor, id: TokenId) -> ServiceResult<(AccessToken, OwnerName)> {
        self.tokens(actor)?.into_iter().find(|(token, _)| token.id == id).ok_or_else(no_such_token)
    }

    /// Every token and whose it is, newest first.
    pub fn tokens(&self, actor: &Actor) -> ServiceResult<Vec<(AccessToken, OwnerName)>> {
        administrator(actor)?;
        let all = self.inner.db.tokens().scan().map_err(storage::read_failed)?;
        let mut named = Vec::with_capacity(all.len());
        for (_, token) in all {
            // One whose user was deleted between the two looks is none any more.
            let owner = self.inner.accounts.account_by_id(token.account)?;
            named.extend(owner.map(|owner| (token, owner.name)));
        }
        named.sort_by_key(|(token, _)| std::cmp::Reverse((token.created_at, token.id)));
        Ok(named)
    }

    pub(super) fn user_named(&self, name: &OwnerName) -> ServiceResult<Account> {
        let account = self.inner.accounts.account(name)?;
        match account.kind {
            AccountKind::User => Ok(account),
            AccountKind::Organization => Err(ServiceError::AccountNotFound(name.to_string())),
        }
    }
}
