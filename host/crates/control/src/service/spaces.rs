//! Creating, changing and deleting Spaces.

use bytes::Bytes;
use spaceport_core::hardware::DEFAULT_FLAVOR;
use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::name::{OwnerName, SpaceName, SpacePath, Subdomain};
use spaceport_core::permission::{Action, Actor, Denied, NotYours, User, may_create};
use spaceport_core::revision::{DEPLOY_BRANCH, Oid};
use spaceport_core::space::{Sdk, SleepAfter, Space, Visibility};
use spaceport_db::{Batch, CommitError, TableId};
use spaceport_git::{Change, CommitSpec, FileMode, RepoPath};

use super::accounts::new_id;
use super::audit::Act;
use super::commit::{author, commit_refused};
use super::error::{ServiceError, ServiceResult};
use super::settings::{NewSetting, Settled, Warning, check_setting, put_secret, put_variable};
use super::storage::{commit_failed, fleet_failed, git_failed, read_failed};
use super::template::first_files;
use super::{Control, Happening};

/// What a Space's first commit is called.
const FIRST_COMMIT: &str = "initial commit";

/// A Space to be created.
pub struct NewSpace {
    /// Its owner; `None`: the actor.
    pub owner: Option<OwnerName>,
    /// Its name.
    pub name: SpaceName,
    /// Its kind. Clients that know only other kinds send one of those; the README decides from its first commit on.
    pub sdk: Sdk,
    /// Who may see it.
    pub visibility: Visibility,
    /// The flavor to start on; `None`: the free one.
    pub hardware: Option<String>,
    /// The storage tier.
    pub storage: Option<String>,
    /// Seconds to sleep after, -1 for never.
    pub sleep_after: Option<i64>,
    /// Variables.
    pub variables: Vec<NewSetting>,
    /// Secrets.
    pub secrets: Vec<NewSetting>,
    /// Goes into the front matter.
    pub license: Option<String>,
}

/// Settings to be changed.
#[derive(Debug, Clone, Default)]
pub struct SpaceChanges {
    /// Who may see it.
    pub visibility: Option<Visibility>,
}

impl Control {
    /// The kinds of Spaces that this host runs.
    pub fn kinds(&self) -> Vec<String> {
        self.inner.fleet.sdks().into_iter().map(String::from).collect()
    }

    /// The organizations in which a user may create Spaces.
    pub fn organizations_to_create_in(&self, user: &User) -> ServiceResult<Vec<OwnerName>> {
        let open = user.memberships.iter().filter(|membership| may_create(user, membership.organization).is_ok());
        let accounts = open.map(|membership| self.inner.accounts.account_by_id(membership.organization));
        let mut names: Vec<OwnerName> =
            accounts.collect::<ServiceResult<Vec<_>>>()?.into_iter().flatten().map(|account| account.name).collect();
        names.sort();
        Ok(names)
    }

    /// Creates a Space with its first commit.
    pub async fn create_space(&self, actor: &Actor, new: NewSpace) -> ServiceResult<Settled<Space>> {
        let (user, owner, path) = self.free_place(actor, new.owner.as_ref(), &new.name)?;
        let license = new.license.clone();
        let exposed = self.secret_warning(new.sdk).filter(|_| !new.secrets.is_empty());
        let (space, mut batch, fixed) = self.prepare(path, owner, user.id, new)?;
        self.note(&mut batch, actor, created(&space, "space.create"));
        let id = space.id;
        // A commit that follows at once must be heard of after the first.
        let _turn = self.bare_turn(id).await;
        let made = async {
            let head = self.first_commit(&space, user, license.as_deref()).await?;
            Ok((self.store_new(space, batch).await?, Some(head)))
        };
        let space = self.bring_in(id, made).await?;
        self.tell_webhooks(Happening::created(&space)).await;
        tracing::info!(space = %space.path, sdk = space.sdk.as_str(), actor = %user.name, "a Space was created");
        Ok(Settled { value: space, warnings: exposed.into_iter().chain(fixed).collect() })
    }

    /// Who creates at a path that is free, and for whom.
    pub(super) fn free_place<'a>(
        &self,
        actor: &'a Actor,
        owner: Option<&OwnerName>,
        name: &SpaceName,
    ) -> ServiceResult<(&'a User, AccountId, SpacePath)> {
        let (user, owner, owner_name) = self.creator(actor, owner)?;
        let path = SpacePath { owner: owner_name, name: name.clone() };
        match self.inner.db.space_by_path(&path).map_err(read_failed)? {
            Some(there) => Err(ServiceError::NameTaken(there.path)),
            None => {
                // Said before anything is made; what counts is said again when it is stored.
                self.require_place(owner)?;
                Ok((user, owner, path))
            }
        }
    }

    /// Takes in a Space that is being made with its repository and stored; what is made is taken away if that fails.
    pub(super) async fn bring_in(
        &self,
        id: SpaceId,
        made: impl Future<Output = ServiceResult<(Space, Option<Oid>)>>,
    ) -> ServiceResult<Space> {
        self.inner.fleet.announce(id).await.map_err(fleet_failed)?;
        let (space, head) = match made.await {
            Ok(made) => made,
            Err(error) => {
                // Whether it was stored may be unknown then; the next start knows.
                if !matches!(error, ServiceError::Unavailable(_)) {
                    self.inner.fleet.discard(id).await;
                }
                return Err(error);
            }
        };
        self.inner.fleet.add(&space).await.map_err(fleet_failed)?;
        if let Some(head) = head {
            self.inner.fleet.pushed(id, head).await.map_err(fleet_failed)?;
        }
        Ok(space)
    }

    /// Changes settings that are no part of what an app sees.
    pub async fn update_space(&self, actor: &Actor, path: &SpacePath, changes: SpaceChanges) -> ServiceResult<Space> {
        let found = self.space(actor, path, Action::Write)?;
        let turn = self.settings_turn(actor, found.id).await?;
        let space = self
            .store_change(&turn, |space, batch| {
                if let Some(visibility) = changes.visibility {
                    space.visibility = visibility;
                    let act = Act::on("space.settings", space).with("visibility", visibility.as_str());
                    self.note(batch, actor, act);
                }
                Ok(())
            })
            .await?;
        self.inner.fleet.republish(&space).await.map_err(fleet_failed)?;
        self.previews_changed(&space).await?;
        self.tell_webhooks(Happening::settings(&space, space.visibility != turn.space.visibility)).await;
        Ok(space)
    }

    /// Deletes a Space with everything it has.
    pub async fn delete_space(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<()> {
        let found = self.space(actor, path, Action::Write)?;
        let turn = self.settings_turn(actor, found.id).await?;
        let space = &turn.space;
        self.end_previews(space.id).await?;
        let noted = self.noted(actor, Act::on("space.delete", space));
        self.inner.fleet.remove_with(space.id, noted).await.map_err(fleet_failed)?;
        self.tell_webhooks(Happening::deleted(space)).await;
        tracing::info!(space = %space.path, "a Space was deleted");
        Ok(())
    }

    /// Who creates, and for whom.
    pub(super) fn creator<'a>(
        &self,
        actor: &'a Actor,
        owner: Option<&OwnerName>,
    ) -> ServiceResult<(&'a User, AccountId, OwnerName)> {
        let Actor::User(user) = actor else { return Err(Denied::SignIn.into()) };
        let (id, name) = match owner {
            None => (user.id, user.name.clone()),
            Some(owner) => match self.inner.accounts.account(owner) {
                Ok(account) => (account.id, account.name),
                Err(ServiceError::AccountNotFound(_)) if !user.administers() => return Err(not_an_owner(user, owner)),
                Err(error) => return Err(error),
            },
        };
        match may_create(user, id) {
            Ok(()) => Ok((user, id, name)),
            Err(NotYours::User) => Err(not_an_owner(user, &name)),
            Err(NotYours::Token) => Err(ServiceError::Forbidden(format!(
                "Creating a Space of {name} needs a token with the role \"write\", or a fine-grained one with \"repo.write\" \
                 on {name}"
            ))),
        }
    }

    /// The Space and what else is stored with it, with every rule checked, and what its owner may not expect of it.
    pub(super) fn prepare(
        &self,
        path: SpacePath,
        owner: AccountId,
        creator: AccountId,
        new: NewSpace,
    ) -> ServiceResult<(Space, Batch, Option<Warning>)> {
        let now = self.inner.clock.now();
        let hardware = new.hardware.unwrap_or_else(|| DEFAULT_FLAVOR.to_owned());
        self.check_flavor(new.sdk, &hardware)?;
        if let Some(tier) = &new.storage {
            self.check_tier(tier)?;
        }
        let (sleep, warning) = self.sleep_wish(&hardware, new.sleep_after)?;
        let id = SpaceId::from_bytes(new_id(now));
        let mut space = Space {
            id,
            subdomain: Subdomain::derive(&path),
            path,
            owner,
            creator,
            created_at: now,
            updated_at: now,
            visibility: new.visibility,
            sdk: new.sdk,
            hardware,
            storage: new.storage,
            sleep_after: sleep.unwrap_or(SleepAfter::HostDefault),
            variables: Default::default(),
            secrets: Default::default(),
            preview: None,
        };
        for variable in new.variables {
            check_setting(&variable)?;
            put_variable(&mut space, variable, now)?;
        }
        let mut batch = Batch::default();
        for secret in new.secrets {
            check_setting(&secret)?;
            let sealed = self.inner.keys.seal_secret(id, &secret.name, &secret.value);
            batch.put(self.inner.db.secrets(), &(id, secret.name.clone()), &sealed);
            put_secret(&mut space, secret, now)?;
        }
        Ok((space, batch, warning))
    }

    async fn first_commit(&self, space: &Space, user: &User, license: Option<&str>) -> ServiceResult<Oid> {
        let repo = self.inner.repos.create(space.id).await.map_err(git_failed)?;
        let mut changes = Vec::new();
        for (path, content) in first_files(&space.path, space.sdk, license) {
            let path = RepoPath::parse(path).map_err(|error| ServiceError::internal("write the first files", error))?;
            changes.push(Change::Put { path, mode: FileMode::Regular, content: Bytes::from(content) });
        }
        let spec = CommitSpec {
            branch: DEPLOY_BRANCH.to_owned(),
            parent: None,
            author: author(user, space.created_at),
            message: FIRST_COMMIT.to_owned(),
            changes,
        };
        repo.commit(spec).await.map_err(commit_refused)
    }

    /// Stores a new Space, under another subdomain if its own is taken.
    pub(super) async fn store_new(&self, mut space: Space, settings: Batch) -> ServiceResult<Space> {
        let _place = self.inner.places.lock().await;
        self.require_place(space.owner)?;
        loop {
            let mut batch = settings.clone();
            self.hold_owner(&mut batch, space.owner)?;
            batch.insert_space(&self.inner.db, &space);
            let hashed = Subdomain::derive_with_hash(&space.path);
            match self.inner.db.commit(batch).await {
                Ok(_) => return Ok(space),
                Err(CommitError::Conflict { table: TableId::Subdomains, .. }) if space.subdomain != hashed => {
                    space.subdomain = hashed;
                }
                // The owner has changed at the same moment, or is gone: it is looked at again.
                Err(CommitError::Conflict { table: TableId::Accounts, .. }) => {}
                Err(CommitError::Conflict { table: TableId::SpacePaths, .. }) => {
                    let there = self.inner.db.space_by_path(&space.path).map_err(read_failed)?;
                    return Err(ServiceError::NameTaken(there.map_or(space.path, |there| there.path)));
                }
                Err(error) => return Err(commit_failed(error)),
            }
        }
    }
}

fn not_an_owner(user: &User, owner: &OwnerName) -> ServiceError {
    ServiceError::Forbidden(format!(
        "You may create Spaces in your own namespace, {:?}, and in organizations where you are at least a contributor, not \
         in {:?}",
        user.name.as_str(),
        owner.as_str()
    ))
}

/// An entry of the audit log about a Space that was made.
pub(super) fn created(space: &Space, action: &'static str) -> Act {
    let act = Act::on(action, space).with("sdk", space.sdk.as_str()).with("hardware", &space.hardware);
    let act = act.with("visibility", space.visibility.as_str());
    let names: Vec<&str> = space.secrets.keys().map(String::as_str).collect();
    if names.is_empty() { act } else { act.with("secrets", names.join(", ")) }
}
