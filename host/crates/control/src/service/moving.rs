//! Giving a Space another owner or name. The Space stays what it is: its repository, disk and releases lie under its id.
//! What runs goes on until an instance that knows the new name has answered.

use spaceport_core::name::{SpacePath, Subdomain};
use spaceport_core::permission::{Action, Actor, Subject, can};
use spaceport_core::space::Space;
use spaceport_db::{Batch, CommitError, TableId};

use super::audit::Act;
use super::error::{ServiceError, ServiceResult};
use super::storage::{commit_failed, fleet_failed, read_failed};
use super::{Control, Happening};

impl Control {
    /// Moves a Space to another path, to which the old one leads from then on.
    pub async fn move_space(&self, actor: &Actor, from: &SpacePath, to: &SpacePath) -> ServiceResult<Space> {
        let found = self.space(actor, from, Action::Write)?;
        let (_, owner, owner_name) = self.creator(actor, Some(&to.owner))?;
        let action = |before| if owner == before { Action::Write } else { Action::GiveAway };
        can(actor, action(found.owner), Subject::of(&found))?;
        let to = SpacePath { owner: owner_name, name: to.name.clone() };
        let turn = self.settings_turn(actor, found.id).await?;
        let (old, version) = (turn.space.clone(), turn.version);
        // It may have got another owner while this waited for its turn.
        can(actor, action(old.owner), Subject::of(&old))?;
        if old.path == to {
            return Ok(old);
        }
        if let Some(there) = self.inner.db.space_by_path(&to).map_err(read_failed)?.filter(|there| there.id != old.id) {
            return Err(ServiceError::NameTaken(there.path));
        }
        // Another owner has to have room for it; within one, nothing becomes more.
        let _place = self.inner.places.lock().await;
        if owner != old.owner {
            self.require_place(owner)?;
            self.require_large_room(owner, self.large_bytes_of(old.id)?)?;
            let repo = self.inner.repos.repo(old.id);
            self.require_repository_room(owner, repo.disk_bytes()).await?;
        }
        let subdomain = Subdomain::derive(&to);
        let mut new = Space { path: to, owner, subdomain, updated_at: self.inner.clock.now(), ..old.clone() };
        loop {
            let mut batch = Batch::default();
            self.hold_owner(&mut batch, owner)?;
            batch.move_space(&self.inner.db, &old, &new, version).map_err(read_failed)?;
            self.note(&mut batch, actor, Act::on("space.move", &new).with("before", &old.path));
            let hashed = Subdomain::derive_with_hash(&new.path);
            match self.inner.db.commit(batch).await {
                Ok(_) => break,
                Err(CommitError::Conflict { table: TableId::Subdomains, .. }) if new.subdomain != hashed => {
                    new.subdomain = hashed;
                }
                // The new owner has changed at the same moment, or is gone: it is looked at again.
                Err(CommitError::Conflict { table: TableId::Accounts, .. }) => {}
                Err(CommitError::Conflict { table: TableId::SpacePaths, .. }) => {
                    return Err(ServiceError::NameTaken(new.path));
                }
                Err(error) => return Err(commit_failed(error)),
            }
        }
        // The app is told its name and its host by its environment, so it is launched with the new ones.
        self.inner.fleet.settings_changed(&new).await.map_err(fleet_failed)?;
        self.previews_changed(&new).await?;
        self.tell_webhooks(Happening::moved(&old, &new)).await;
        tracing::info!(space = %new.path, before = %old.path, "a Space was moved");
        Ok(new)
    }
}
