//! Organizations: groups of users that own Spaces. Like users they need only the database, so that the shell can create
//! one while no host runs.
//!
//! The row of an organization is the lock for everything about it: each change of its members writes it anew, in the
//! version that was read, and so does each Space that it gets. Two changes at once thus never both count on what the other
//! takes away: the last admin, or the emptiness of what is about to be deleted.

use spaceport_core::id::AccountId;
use spaceport_core::name::OwnerName;
use spaceport_core::permission::{
    Actor, Denied, NotYours, OrgRole, TokenRole, User, may_leave, may_manage, may_see_inside,
};
use spaceport_db::{Account, AccountKind, AuditActor, Batch, CommitError, Expect, Member, TableId, Version};

use super::Control;
use super::accounts::Accounts;
use super::admin::administrator;
use super::audit::{Act, record, who};
use super::error::{ServiceError, ServiceResult};
use super::quotas::forget_quota;
use super::storage::{commit_failed, read_failed};

/// Most members of one organization: its list is read as a whole.
const MAX_MEMBERS: usize = 1000;
/// Most organizations of one user: they are looked up in every request of that user.
const MAX_ORGANIZATIONS: usize = 100;
/// Times that a change is tried again because another came between, before its caller is asked to try later.
const MAX_TRIES: usize = 32;

/// An organization's member as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// The user.
    pub account: Account,
    /// What it is there.
    pub member: Member,
}

impl Accounts {
    /// Creates an organization with its first admin, for whoever has the shell of this machine.
    pub async fn create_organization(&self, name: OwnerName, owner: &OwnerName) -> ServiceResult<Account> {
        self.create_organization_as(name, owner, AuditActor::Shell).await
    }

    /// Creates an organization with its first admin.
    async fn create_organization_as(
        &self,
        name: OwnerName,
        owner: &OwnerName,
        by: AuditActor,
    ) -> ServiceResult<Account> {
        let owner = self.user_named(owner)?;
        self.check_room_for_organization(&owner)?;
        let organization = self.new_account(name, AccountKind::Organization)?;
        let member = Member { role: OrgRole::Admin, since: organization.created_at };
        let mut batch = Batch::default();
        batch.insert_account(&self.db, &organization);
        batch.expect(self.db.accounts(), &owner.id, Expect::Present);
        batch.put_member(&self.db, organization.id, owner.id, &member);
        let act = Act::new("organization.create").to(&organization.name).with("owner", &owner.name);
        record(&self.db, self.clock.now(), by, act, &mut batch);
        self.insert_account(batch, organization).await
    }

    /// The organization of this name.
    pub fn organization(&self, name: &OwnerName) -> ServiceResult<Account> {
        let account = self.account(name)?;
        match account.kind {
            AccountKind::Organization => Ok(account),
            AccountKind::User => Err(ServiceError::AccountNotFound(name.to_string())),
        }
    }

    /// Every organization, in the order of names.
    pub fn organizations(&self) -> ServiceResult<Vec<Account>> {
        Ok(self.list()?.into_iter().filter(|account| account.kind == AccountKind::Organization).collect())
    }

    /// The organizations of a user with what it is there, in the order of names.
    pub fn organizations_of(&self, user: AccountId) -> ServiceResult<Vec<(Account, OrgRole)>> {
        let mut found = Vec::new();
        for ((_, organization), member) in self.db.memberships().under(&user).map_err(read_failed)? {
            found.extend(self.account_by_id(organization)?.map(|account| (account, member.role)));
        }
        found.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The members of an organization, in the order of names.
    pub fn members(&self, organization: AccountId) -> ServiceResult<Vec<MemberView>> {
        let mut found = Vec::new();
        for ((_, user), member) in self.db.members().under(&organization).map_err(read_failed)? {
            found.extend(self.account_by_id(user)?.map(|account| MemberView { account, member }));
        }
        found.sort_by(|a, b| a.account.name.cmp(&b.account.name));
        Ok(found)
    }

    /// Makes a user a member, or changes what it is, for whoever has the shell of this machine.
    pub async fn put_member(&self, organization: &OwnerName, user: &OwnerName, role: OrgRole) -> ServiceResult<Member> {
        self.put_member_as(organization, user, role, AuditActor::Shell).await
    }

    /// Makes a user a member, or changes what it is.
    async fn put_member_as(
        &self,
        organization: &OwnerName,
        user: &OwnerName,
        role: OrgRole,
        by: AuditActor,
    ) -> ServiceResult<Member> {
        self.change(organization, |organization, batch| {
            let user = self.user_named(user)?;
            let before = self.db.members().get(&(organization.id, user.id)).map_err(read_failed)?;
            match &before {
                Some(_) if role < OrgRole::Admin => self.refuse_to_lose(organization, &user)?,
                Some(_) => {}
                None => {
                    self.check_room_for_organization(&user)?;
                    self.check_room_for_member(organization)?;
                }
            }
            let since = before.map_or_else(|| self.clock.now(), |member| member.since);
            let member = Member { role, since };
            batch.expect(self.db.accounts(), &user.id, Expect::Present);
            batch.put_member(&self.db, organization.id, user.id, &member);
            let act = Act::new("member.put").to(&organization.name).with("user", &user.name);
            record(&self.db, self.clock.now(), by.clone(), act.with("role", role.as_str()), batch);
            Ok(member)
        })
        .await
    }

    /// Ends a membership.
    pub(super) async fn remove_member(
        &self,
        organization: &OwnerName,
        user: &OwnerName,
        by: AuditActor,
    ) -> ServiceResult<()> {
        self.change(organization, |organization, batch| {
            let user = self.user_named(user)?;
            if self.db.members().get(&(organization.id, user.id)).map_err(read_failed)?.is_none() {
                return Err(ServiceError::NothingToDelete(format!(
                    "{} is no member of {}",
                    user.name, organization.name
                )));
            }
            self.refuse_to_lose(organization, &user)?;
            batch.delete_member(&self.db, organization.id, user.id);
            let act = Act::new("member.remove").to(&organization.name).with("user", &user.name);
            record(&self.db, self.clock.now(), by.clone(), act, batch);
            Ok(())
        })
        .await
    }

    /// Deletes an organization that owns nothing, with its memberships.
    async fn delete_organization(&self, name: &OwnerName, by: AuditActor) -> ServiceResult<()> {
        for _ in 0..MAX_TRIES {
            let (organization, version) = self.organization_versioned(name)?;
            let spaces = self.db.all_spaces().map_err(read_failed)?;
            let owned = spaces.iter().filter(|space| space.owner == organization.id).count();
            if owned > 0 {
                let message = format!("{name} owns {owned} Spaces: delete them, or move them to another owner, first");
                return Err(ServiceError::Conflict(message));
            }
            let mut batch = Batch::default();
            forget_quota(&self.db, organization.id, &mut batch);
            batch.delete_memberships(&self.db, organization.id).map_err(read_failed)?;
            batch.remove_account(&self.db, &organization, version).map_err(read_failed)?;
            let act = Act::new("organization.delete").to(&organization.name);
            record(&self.db, self.clock.now(), by.clone(), act, &mut batch);
            if self.settled(batch).await? {
                return Ok(());
            }
        }
        Err(busy(name))
    }

    /// Changes something about an organization, as its row says it is; again if that has changed meanwhile.
    async fn change<T>(
        &self,
        name: &OwnerName,
        change: impl Fn(&Account, &mut Batch) -> ServiceResult<T>,
    ) -> ServiceResult<T> {
        for _ in 0..MAX_TRIES {
            let (organization, version) = self.organization_versioned(name)?;
            let mut batch = Batch::default();
            batch.replace(self.db.accounts(), &organization.id, &organization, version);
            let made = change(&organization, &mut batch)?;
            if self.settled(batch).await? {
                return Ok(made);
            }
        }
        Err(busy(name))
    }

    /// Whether a batch was stored; not, if an account that it counts on has changed.
    async fn settled(&self, batch: Batch) -> ServiceResult<bool> {
        match self.db.commit(batch).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict { table: TableId::Accounts, .. }) => Ok(false),
            Err(error) => Err(commit_failed(error)),
        }
    }

    fn organization_versioned(&self, name: &OwnerName) -> ServiceResult<(Account, Version)> {
        let id = self.organization(name)?.id;
        let found = self.db.accounts().get_versioned(&id).map_err(read_failed)?;
        found.ok_or_else(|| ServiceError::AccountNotFound(name.to_string()))
    }

    fn user_named(&self, name: &OwnerName) -> ServiceResult<Account> {
        let account = self.account(name)?;
        match account.kind {
            AccountKind::User => Ok(account),
            AccountKind::Organization => {
                Err(ServiceError::Invalid(format!("{name} is an organization: only users can be members of one")))
            }
        }
    }

    /// Refuses to let an organization be without an admin.
    pub(super) fn refuse_to_lose(&self, organization: &Account, user: &Account) -> ServiceResult<()> {
        let members = self.db.members().under(&organization.id).map_err(read_failed)?;
        let is_admin = |member: &Member| member.role == OrgRole::Admin;
        let is_theirs = members.iter().any(|((_, id), member)| *id == user.id && is_admin(member));
        if is_theirs && !members.iter().any(|((_, id), member)| *id != user.id && is_admin(member)) {
            let message =
                format!("{} is the last admin of {}: make another member admin first", user.name, organization.name);
            return Err(ServiceError::Conflict(message));
        }
        Ok(())
    }

    fn check_room_for_organization(&self, user: &Account) -> ServiceResult<()> {
        if self.db.memberships().under(&user.id).map_err(read_failed)?.len() >= MAX_ORGANIZATIONS {
            let message = format!("{} is in {MAX_ORGANIZATIONS} organizations, as many as a user may be in", user.name);
            return Err(ServiceError::Invalid(message));
        }
        Ok(())
    }

    fn check_room_for_member(&self, organization: &Account) -> ServiceResult<()> {
        if self.db.members().under(&organization.id).map_err(read_failed)?.len() >= MAX_MEMBERS {
            let message = format!("{} has {MAX_MEMBERS} members, as many as it may have", organization.name);
            return Err(ServiceError::Invalid(message));
        }
        Ok(())
    }
}

impl Control {
    /// Creates an organization, of which the actor is the first admin.
    pub async fn create_organization(&self, actor: &Actor, name: OwnerName) -> ServiceResult<Account> {
        let Actor::User(user) = actor else { return Err(Denied::SignIn.into()) };
        if user.role < TokenRole::Write {
            return Err(needs_write("Creating an organization"));
        }
        // A user is not deleted meanwhile.
        let _place = self.inner.places.lock().await;
        let made = self.accounts().create_organization_as(name, &user.name, who(actor)).await?;
        tracing::info!(organization = %made.name, actor = %user.name, "an organization was created");
        Ok(made)
    }

    /// Creates an organization for a user, who is its first admin.
    pub async fn create_organization_for(
        &self,
        actor: &Actor,
        name: OwnerName,
        owner: &OwnerName,
    ) -> ServiceResult<Account> {
        let by = administrator(actor)?;
        let _place = self.inner.places.lock().await;
        let made = self.accounts().create_organization_as(name, owner, who(actor)).await?;
        tracing::info!(organization = %made.name, %owner, actor = %by.name, "an organization was created");
        Ok(made)
    }

    /// An organization and its members, and whether the actor is shown what they are in it.
    pub fn members(&self, actor: &Actor, name: &OwnerName) -> ServiceResult<(Account, Vec<MemberView>, bool)> {
        let organization = self.accounts().organization(name)?;
        let is_inside = matches!(actor, Actor::User(user) if may_see_inside(user, organization.id).is_ok());
        let members = self.accounts().members(organization.id)?;
        Ok((organization, members, is_inside))
    }

    /// Makes a user a member, or changes what it is.
    pub async fn put_member(
        &self,
        actor: &Actor,
        organization: &OwnerName,
        user: &OwnerName,
        role: OrgRole,
    ) -> ServiceResult<Member> {
        let by = self.managing(actor, organization)?;
        // The user is not deleted meanwhile.
        let _place = self.inner.places.lock().await;
        let member = self.accounts().put_member_as(organization, user, role, who(actor)).await?;
        tracing::info!(%organization, %user, role = role.as_str(), actor = %by.name, "a member was put");
        Ok(member)
    }

    /// Ends a membership: an admin's, or the actor's own.
    pub async fn remove_member(&self, actor: &Actor, organization: &OwnerName, user: &OwnerName) -> ServiceResult<()> {
        let Actor::User(by) = actor else { return Err(Denied::SignIn.into()) };
        let account = self.accounts().organization(organization)?;
        let member = self.accounts().account(user)?;
        may_leave(by, account.id, member.id).map_err(|why| not_managed(why, &account))?;
        self.accounts().remove_member(organization, user, who(actor)).await?;
        tracing::info!(%organization, %user, actor = %by.name, "a member was removed");
        Ok(())
    }

    /// Deletes an organization that owns nothing.
    pub async fn delete_organization(&self, actor: &Actor, name: &OwnerName) -> ServiceResult<()> {
        let by = self.managing(actor, name)?;
        self.accounts().delete_organization(name, who(actor)).await?;
        tracing::info!(organization = %name, actor = %by.name, "an organization was deleted");
        Ok(())
    }

    /// The actor, if it may manage this organization.
    fn managing<'a>(&self, actor: &'a Actor, organization: &OwnerName) -> ServiceResult<&'a User> {
        let Actor::User(user) = actor else { return Err(Denied::SignIn.into()) };
        let account = self.accounts().organization(organization)?;
        may_manage(user, account.id).map_err(|why| not_managed(why, &account))?;
        Ok(user)
    }

    /// Makes a batch count on the owner of a new Space being there still: an organization that is deleted meanwhile is a
    /// conflict in `Accounts`, and so is the deletion of one that has got a Space.
    pub(super) fn hold_owner(&self, batch: &mut Batch, owner: AccountId) -> ServiceResult<()> {
        let accounts = self.inner.db.accounts();
        let found = accounts.get_versioned(&owner).map_err(read_failed)?;
        let (account, version) = found.ok_or_else(|| ServiceError::AccountNotFound(owner.to_string()))?;
        batch.replace(accounts, &owner, &account, version);
        Ok(())
    }
}

fn needs_write(what: &str) -> ServiceError {
    ServiceError::Forbidden(format!("{what} needs a token with the role \"write\""))
}

fn not_managed(why: NotYours, organization: &Account) -> ServiceError {
    match why {
        NotYours::Token => needs_write("Managing an organization"),
        NotYours::User => ServiceError::Forbidden(format!("Only admins of {} may do this", organization.name)),
    }
}

fn busy(name: &OwnerName) -> ServiceError {
    ServiceError::Unavailable(format!("{name} is being changed by others at the same moment: try again"))
}
