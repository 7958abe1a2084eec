//! A Space as a copy of another: its history and its variables, and of its own whatever is asked for. Secrets are not
//! copied; whoever copies is told which ones the app had.

use spaceport_core::id::SpaceId;
use spaceport_core::name::{OwnerName, SpaceName, SpacePath};
use spaceport_core::permission::{Action, Actor};
use spaceport_core::revision::{DEPLOY_BRANCH, Oid};
use spaceport_core::space::{Space, Visibility};
use spaceport_db::Batch;

use super::error::ServiceResult;
use super::scan::Brought;
use super::settings::{NewSetting, Settled, Warning};
use super::spaces::{NewSpace, created};
use super::storage::{git_failed, read_failed};
use super::{Control, Happening};

/// A copy to be made.
pub struct NewCopy {
    /// Its owner; `None`: the actor.
    pub owner: Option<OwnerName>,
    /// Its name.
    pub name: SpaceName,
    /// Who may see it; `None`: who sees the original.
    pub visibility: Option<Visibility>,
    /// The flavor to start on; `None`: the free one.
    pub hardware: Option<String>,
    /// The storage tier. What is on the original's disk is not copied.
    pub storage: Option<String>,
    /// Seconds to sleep after, -1 for never.
    pub sleep_after: Option<i64>,
    /// Variables beside those of the original, or in their place.
    pub variables: Vec<NewSetting>,
    /// Secrets.
    pub secrets: Vec<NewSetting>,
}

impl Control {
    /// Copies a Space that the actor may see.
    pub async fn duplicate_space(
        &self,
        actor: &Actor,
        from: &SpacePath,
        copy: NewCopy,
    ) -> ServiceResult<Settled<Space>> {
        let original = self.space(actor, from, Action::See)?;
        let (user, owner, path) = self.free_place(actor, copy.owner.as_ref(), &copy.name)?;
        let mut warnings: Vec<Warning> = secrets_to_fill_in(&original, &copy.secrets).into_iter().collect();
        let new = self.as_new(&original, copy);
        warnings.extend(self.secret_warning(new.sdk).filter(|_| !new.secrets.is_empty()));
        self.require_large_room(owner, self.large_bytes_of(original.id)?)?;
        let repo = self.inner.repos.repo(original.id);
        self.require_repository_room(owner, repo.disk_bytes()).await?;
        let (space, mut batch, fixed) = self.prepare(path, owner, user.id, new)?;
        warnings.extend(fixed);
        self.note(&mut batch, actor, created(&space, "space.duplicate").with("original", &original.path));
        let id = space.id;
        let _turn = self.bare_turn(id).await;
        let space = self.bring_in(id, self.copy_and_store(original.id, space, batch)).await?;
        self.tell_webhooks(Happening::created(&space)).await;
        // Its findings are its own: whoever copies may not see those of the original.
        self.begin_scan(&space, Brought::Head);
        tracing::info!(space = %space.path, original = %original.path, actor = %user.name, "a Space was duplicated");
        Ok(Settled { value: space, warnings })
    }

    /// The copy as a Space to be created.
    fn as_new(&self, original: &Space, copy: NewCopy) -> NewSpace {
        let inherited = original.variables.iter().map(|(name, variable)| NewSetting {
            name: name.clone(),
            value: variable.value.clone(),
            description: variable.description.clone(),
        });
        NewSpace {
            owner: copy.owner,
            name: copy.name,
            sdk: self.runtime_of(original).sdk,
            visibility: copy.visibility.unwrap_or(original.visibility),
            hardware: copy.hardware,
            storage: copy.storage,
            sleep_after: copy.sleep_after,
            variables: inherited.chain(copy.variables).collect(),
            secrets: copy.secrets,
            license: None,
        }
    }

    async fn copy_and_store(
        &self,
        from: SpaceId,
        space: Space,
        mut batch: Batch,
    ) -> ServiceResult<(Space, Option<Oid>)> {
        let repo = self.inner.repos.copy(from, space.id).await.map_err(git_failed)?;
        let head = repo.head(DEPLOY_BRANCH).await.map_err(git_failed)?;
        batch.copy_lfs_links(&self.inner.db, from, space.id).map_err(read_failed)?;
        Ok((self.store_new(space, batch).await?, head))
    }
}

/// Which secrets the original has and the copy does not.
fn secrets_to_fill_in(original: &Space, given: &[NewSetting]) -> Option<Warning> {
    let missing = original.secrets.keys().filter(|name| given.iter().all(|given| given.name != **name));
    let missing: Vec<&str> = missing.map(String::as_str).collect();
    (!missing.is_empty()).then(|| {
        let text =
            format!("Secrets are not copied. Set them in the copy if its app needs them: {}", missing.join(", "));
        Warning::MissingSecrets(text)
    })
}
