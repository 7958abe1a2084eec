//! Quotas of owners: what an administrator sets, and where it is enforced. Without a quota there is as much as fits.
//!
//! Spaces are counted while nobody else makes one. Bytes are looked at before something is taken in, so what several send
//! at the same moment may go beyond by as much as that is.

use std::collections::BTreeMap;

use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::name::OwnerName;
use spaceport_core::permission::Actor;
use spaceport_core::space::Space;
use spaceport_db::{Batch, Expect, OwnerQuota};
use spaceport_git::GitError;

use super::Control;
use super::admin::administrator;
use super::audit::Act;
use super::error::{ServiceError, ServiceResult};
use super::storage::{commit_failed, git_failed, read_failed};

/// An owner's quota and what of it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaView {
    /// The owner.
    pub owner: OwnerName,
    /// What it may have.
    pub quota: OwnerQuota,
    /// What it has; every value is there.
    pub used: OwnerQuota,
}

impl Control {
    /// The owners that have a quota, by name.
    pub fn quotas(&self, actor: &Actor) -> ServiceResult<Vec<(OwnerName, OwnerQuota)>> {
        administrator(actor)?;
        let mut named = BTreeMap::new();
        for (id, quota) in self.inner.db.quotas().scan().map_err(read_failed)? {
            if let Some(account) = self.inner.accounts.account_by_id(id)? {
                named.insert(account.name, quota);
            }
        }
        Ok(named.into_iter().collect())
    }

    /// The quota of an owner and what of it is used.
    pub async fn quota(&self, actor: &Actor, owner: &OwnerName) -> ServiceResult<QuotaView> {
        administrator(actor)?;
        let account = self.inner.accounts.account(owner)?;
        let used = OwnerQuota {
            spaces: Some(self.spaces_of(account.id)?.len() as u64),
            storage_bytes: Some(self.repository_bytes(account.id).await?),
            lfs_bytes: Some(self.large_bytes(account.id)?),
        };
        Ok(QuotaView { owner: account.name, quota: self.quota_of(account.id)?, used })
    }

    /// Sets the quota of an owner; one that limits nothing is none.
    pub async fn set_quota(&self, actor: &Actor, owner: &OwnerName, quota: OwnerQuota) -> ServiceResult<QuotaView> {
        administrator(actor)?;
        let account = self.inner.accounts.account(owner)?;
        let quotas = self.inner.db.quotas();
        let mut act = Act::new("quota.set").to(&account.name);
        let parts = [("spaces", quota.spaces), ("storageBytes", quota.storage_bytes), ("lfsBytes", quota.lfs_bytes)];
        for (name, limit) in parts {
            act = act.with(name, limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string()));
        }
        let mut batch = self.noted(actor, act);
        batch.expect(self.inner.db.accounts(), &account.id, Expect::Present);
        match quota == OwnerQuota::default() {
            true => batch.delete(quotas, &account.id),
            false => batch.put(quotas, &account.id, &quota),
        };
        self.inner.db.commit(batch).await.map_err(commit_failed)?;
        self.quota(actor, &account.name).await
    }

    /// Refuses one more Space. The caller has the turn for places, which it keeps until the Space is stored.
    pub(super) fn require_place(&self, owner: AccountId) -> ServiceResult<()> {
        let Some(limit) = self.quota_of(owner)?.spaces else { return Ok(()) };
        let used = self.spaces_of(owner)?.len();
        if (used as u64) < limit {
            return Ok(());
        }
        let message = format!("The quota of this owner is {limit} Spaces, and it has {used}: delete one first");
        Err(ServiceError::OverQuota(message))
    }

    /// Refuses more bytes of repositories than an owner may have. Nothing is measured for owners without a quota.
    pub(super) async fn require_repository_room(
        &self,
        owner: AccountId,
        more: impl Future<Output = Result<u64, GitError>>,
    ) -> ServiceResult<()> {
        let Some(limit) = self.quota_of(owner)?.storage_bytes else { return Ok(()) };
        let more = more.await.map_err(git_failed)?;
        let used = self.repository_bytes(owner).await?;
        require(limit, used, more, "the repositories")
    }

    /// Refuses more bytes of large files than an owner may have.
    pub(super) fn require_large_room(&self, owner: AccountId, more: u64) -> ServiceResult<()> {
        let Some(limit) = self.quota_of(owner)?.lfs_bytes else { return Ok(()) };
        require(limit, self.large_bytes(owner)?, more, "the large files")
    }

    /// Bytes of a Space's large files.
    pub(super) fn large_bytes_of(&self, space: SpaceId) -> ServiceResult<u64> {
        let links = self.inner.db.lfs_links().under(&space).map_err(read_failed)?;
        Ok(links.iter().map(|(_, link)| link.size).sum())
    }

    /// The Spaces of an owner.
    pub(super) fn spaces_of(&self, owner: AccountId) -> ServiceResult<Vec<std::sync::Arc<Space>>> {
        let all = self.inner.db.all_spaces().map_err(read_failed)?;
        Ok(all.iter().filter(|space| space.owner == owner).cloned().collect())
    }

    fn quota_of(&self, owner: AccountId) -> ServiceResult<OwnerQuota> {
        Ok(self.inner.db.quotas().get(&owner).map_err(read_failed)?.unwrap_or_default())
    }

    async fn repository_bytes(&self, owner: AccountId) -> ServiceResult<u64> {
        let mut sum = 0_u64;
        for space in self.spaces_of(owner)? {
            sum += self.inner.repos.repo(space.id).disk_bytes().await.map_err(git_failed)?;
        }
        Ok(sum)
    }

    fn large_bytes(&self, owner: AccountId) -> ServiceResult<u64> {
        self.spaces_of(owner)?.iter().map(|space| self.large_bytes_of(space.id)).sum()
    }
}

/// Removes the quota of an account that goes.
pub(super) fn forget_quota(db: &spaceport_db::Db, account: AccountId, batch: &mut Batch) {
    batch.delete(db.quotas(), &account);
}

fn require(limit: u64, used: u64, more: u64, what: &str) -> ServiceResult<()> {
    if used.saturating_add(more) <= limit {
        return Ok(());
    }
    let message = format!(
        "The quota of this owner is {limit} bytes for {what} of all its Spaces; {used} are used, and this would take \
         {more} more"
    );
    Err(ServiceError::OverQuota(message))
}
