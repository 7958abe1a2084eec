//! Variables, secrets and every other setting of a Space. Changes to one Space happen one after the other, are durable
//! before the fleet hears of them, and restart what runs with them.

use std::collections::BTreeMap;

use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, Denied};
use spaceport_core::space::{MAX_VARIABLES, Sdk, SecretInfo, Space, Variable, check_variable};
use spaceport_db::Batch;

use super::audit::Act;
use super::error::{ServiceError, ServiceResult};
use super::storage::{commit_failed, fleet_failed, read_failed};
use super::{Control, Happening, Turn};

/// Longest description of a variable or secret, in bytes.
const MAX_DESCRIPTION: usize = 1000;

/// A variable or a secret to be set.
#[derive(Clone)]
pub struct NewSetting {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// What it is for; without one, what was said before stays.
    pub description: Option<String>,
}

/// What an operation answers, and what the owner should be told beside.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled<T> {
    /// The answer.
    pub value: T,
    /// What the owner may not expect.
    pub warnings: Vec<Warning>,
}

/// Something that was done and that the owner may not expect, with a sentence that says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Visitors can read a secret.
    ExposedSecret(String),
    /// The host sets the sleep time.
    FixedSleepTime(String),
    /// A commit has what looks like secrets.
    LeakedSecrets(String),
    /// A copy lacks secrets that the original has.
    MissingSecrets(String),
}

impl Control {
    /// A Space's variables.
    pub fn variables(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<BTreeMap<String, Variable>> {
        Ok(self.space(actor, path, Action::SeeSettings)?.variables)
    }

    /// Sets a variable; all of them.
    pub async fn set_variable(
        &self,
        actor: &Actor,
        path: &SpacePath,
        new: NewSetting,
    ) -> ServiceResult<BTreeMap<String, Variable>> {
        let found = self.space(actor, path, Action::Write)?;
        check_setting(&new)?;
        let now = self.inner.clock.now();
        let change = |space: &mut Space, batch: &mut Batch| {
            self.note(batch, actor, Act::on("variable.set", space).with("name", &new.name));
            put_variable(space, new, now)
        };
        let space = self.change(actor, found.id, change).await?;
        Ok(space.variables)
    }

    /// Removes a variable, if it is there; all that remain.
    pub async fn delete_variable(
        &self,
        actor: &Actor,
        path: &SpacePath,
        name: &str,
    ) -> ServiceResult<BTreeMap<String, Variable>> {
        let found = self.space(actor, path, Action::Write)?;
        if !found.variables.contains_key(name) {
            return Ok(found.variables);
        }
        let space = self
            .change(actor, found.id, |space, batch| {
                space.variables.remove(name);
                self.note(batch, actor, Act::on("variable.delete", space).with("name", name));
                Ok(())
            })
            .await?;
        Ok(space.variables)
    }

    /// What may be told of a Space's secrets.
    pub fn secrets(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<BTreeMap<String, SecretInfo>> {
        Ok(self.space(actor, path, Action::SeeSettings)?.secrets)
    }

    /// Sets a secret. On a static Space the owner is warned: pages get it.
    pub async fn set_secret(&self, actor: &Actor, path: &SpacePath, new: NewSetting) -> ServiceResult<Settled<()>> {
        let found = self.space(actor, path, Action::Write)?;
        check_setting(&new)?;
        let now = self.inner.clock.now();
        let sealed = self.inner.keys.seal_secret(found.id, &new.name, &new.value);
        let name = new.name.clone();
        self.change(actor, found.id, |space, batch| {
            self.note(batch, actor, Act::on("secret.set", space).with("name", &name));
            batch.put(self.inner.db.secrets(), &(found.id, name), &sealed);
            put_secret(space, new, now)
        })
        .await?;
        Ok(Settled { value: (), warnings: self.secret_warning(self.runtime_of(&found).sdk).into_iter().collect() })
    }

    /// What to tell an owner who sets secrets of a Space of this kind.
    pub(super) fn secret_warning(&self, sdk: Sdk) -> Option<Warning> {
        let is_exposed = sdk == Sdk::Static && self.inner.fleet.config().expose_static_secrets;
        is_exposed.then(|| {
            let text = "This is a static Space: every visitor of its pages can read its secrets in \
                        window.huggingface.variables";
            Warning::ExposedSecret(text.to_owned())
        })
    }

    /// Removes a secret, if it is there.
    pub async fn delete_secret(&self, actor: &Actor, path: &SpacePath, name: &str) -> ServiceResult<()> {
        let found = self.space(actor, path, Action::Write)?;
        if !found.secrets.contains_key(name) {
            return Ok(());
        }
        self.change(actor, found.id, |space, batch| {
            space.secrets.remove(name);
            batch.delete(self.inner.db.secrets(), &(found.id, name.to_owned()));
            self.note(batch, actor, Act::on("secret.delete", space).with("name", name));
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// Changes settings, durably and with more to be stored in the same step, and restarts what runs with them.
    pub(super) async fn change(
        &self,
        actor: &Actor,
        id: SpaceId,
        change: impl FnOnce(&mut Space, &mut Batch) -> ServiceResult<()>,
    ) -> ServiceResult<Space> {
        let turn = self.settings_turn(actor, id).await?;
        let space = self.store_change(&turn, change).await?;
        self.inner.fleet.settings_changed(&space).await.map_err(fleet_failed)?;
        self.previews_changed(&space).await?;
        self.tell_webhooks(Happening::settings(&space, false)).await;
        Ok(space)
    }

    /// Stores a change of settings, beside what was stored since the turn came.
    pub(super) async fn store_change(
        &self,
        turn: &Turn,
        change: impl FnOnce(&mut Space, &mut Batch) -> ServiceResult<()>,
    ) -> ServiceResult<Space> {
        let (db, id) = (&self.inner.db, turn.space.id);
        let (mut space, version) = db.spaces().get_versioned(&id).map_err(read_failed)?.ok_or(Denied::Hidden)?;
        let mut batch = Batch::default();
        change(&mut space, &mut batch)?;
        space.updated_at = self.inner.clock.now();
        batch.replace(db.spaces(), &id, &space, version);
        db.commit(batch).await.map_err(commit_failed)?;
        Ok(space)
    }
}

/// Refuses a name or value that cannot be set.
pub(super) fn check_setting(new: &NewSetting) -> ServiceResult<()> {
    check_variable(&new.name, &new.value).map_err(|error| ServiceError::Invalid(error.to_string()))?;
    if new.description.as_ref().is_some_and(|text| text.len() > MAX_DESCRIPTION) {
        return Err(ServiceError::Invalid(format!(
            "The description of {} may have at most {MAX_DESCRIPTION} bytes",
            new.name
        )));
    }
    Ok(())
}

pub(super) fn put_variable(space: &mut Space, new: NewSetting, now: Millis) -> ServiceResult<()> {
    check_count(space, space.variables.contains_key(&new.name))?;
    let earlier = space.variables.remove(&new.name).and_then(|variable| variable.description);
    let variable = Variable { value: new.value, description: new.description.or(earlier), updated_at: now };
    space.variables.insert(new.name, variable);
    Ok(())
}

pub(super) fn put_secret(space: &mut Space, new: NewSetting, now: Millis) -> ServiceResult<()> {
    check_count(space, space.secrets.contains_key(&new.name))?;
    let earlier = space.secrets.remove(&new.name).and_then(|secret| secret.description);
    space.secrets.insert(new.name, SecretInfo { description: new.description.or(earlier), updated_at: now });
    Ok(())
}

fn check_count(space: &Space, is_there: bool) -> ServiceResult<()> {
    if is_there || space.variables.len() + space.secrets.len() < MAX_VARIABLES {
        return Ok(());
    }
    Err(ServiceError::Invalid(format!("A Space may have at most {MAX_VARIABLES} variables and secrets together")))
}
