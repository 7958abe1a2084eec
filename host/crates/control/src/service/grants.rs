//! Community GPU grants: asking for hardware that costs nothing, and answering.

use spaceport_core::grant::{Grant, GrantState, MAX_GRANTS, MAX_REASON};
use spaceport_core::hardware::Hardware;
use spaceport_core::id::{GrantId, SpaceId};
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, Denied};
use spaceport_core::space::Space;
use spaceport_db::{Batch, Expect, Version};

use super::Control;
use super::accounts::new_id;
use super::admin::administrator;
use super::audit::Act;
use super::error::{ServiceError, ServiceResult};
use super::hardware::refuse_static;
use super::storage::{commit_failed, read_failed};

/// A grant with its Space, for lists.
#[derive(Debug, Clone, PartialEq)]
pub struct SpaceGrant {
    /// The Space.
    pub space: SpacePath,
    /// The grant.
    pub grant: Grant,
}

/// An administrator's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantAnswer {
    /// The flavor is free from now on.
    Approve,
    /// It is not, and why.
    Deny(String),
}

impl Control {
    /// Asks for a flavor to be free for a Space.
    pub async fn ask_for_grant(
        &self,
        actor: &Actor,
        path: &SpacePath,
        flavor: &str,
        reason: &str,
    ) -> ServiceResult<SpaceGrant> {
        let space = self.space(actor, path, Action::Write)?;
        let Actor::User(user) = actor else { return Err(Denied::SignIn.into()) };
        let sdk = self.runtime_of(&space).sdk;
        refuse_static(sdk, "A grant of hardware")?;
        self.check_flavor(sdk, flavor)?;
        if self.catalogue().flavor(flavor).is_some_and(Hardware::is_free) {
            return Err(ServiceError::Invalid(format!("{flavor} costs nothing: it needs no grant")));
        }
        check_reason(reason, "what the Space shows and why it needs the hardware")?;
        let _turn = self.settings_turn(actor, space.id).await?;
        let mut earlier = self.grants_of(space.id)?;
        if let Some(there) = earlier.iter().find(|there| there.flavor == flavor && is_open(there)) {
            let what = if there.is_active() { "is free for this Space already" } else { "is asked for already" };
            return Err(ServiceError::Conflict(format!("{flavor} {what}")));
        }
        let now = self.inner.clock.now();
        let grant = Grant {
            id: GrantId::from_bytes(new_id(now)),
            flavor: flavor.to_owned(),
            reason: reason.trim().to_owned(),
            asked_by: user.id,
            asked_at: now,
            state: GrantState::Pending,
        };
        let grants = self.inner.db.grants();
        let act = Act::on("grant.ask", &space).with("grant", grant.id).with("flavor", flavor);
        let mut batch = self.noted(actor, act);
        batch.expect(self.inner.db.spaces(), &space.id, Expect::Present);
        batch.insert_new(grants, &(space.id, grant.id), &grant);
        // Those that are over and done with make room.
        earlier.retain(|there| !is_open(there));
        let surplus = (earlier.len() + 1).saturating_sub(MAX_GRANTS);
        for old in earlier.iter().take(surplus) {
            batch.delete(grants, &(space.id, old.id));
        }
        self.inner.db.commit(batch).await.map_err(commit_failed)?;
        Ok(SpaceGrant { space: space.path, grant })
    }

    /// The grants of a Space, newest first.
    pub fn grants(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<Vec<SpaceGrant>> {
        let space = self.space(actor, path, Action::SeeSettings)?;
        let grants = self.grants_of(space.id)?.into_iter().rev();
        Ok(grants.map(|grant| SpaceGrant { space: space.path.clone(), grant }).collect())
    }

    /// Every grant of this host, newest first.
    pub fn all_grants(&self, actor: &Actor) -> ServiceResult<Vec<SpaceGrant>> {
        administrator(actor)?;
        let mut all = Vec::new();
        for ((id, _), grant) in self.inner.db.grants().scan().map_err(read_failed)? {
            // One that was deleted between the two looks has none.
            if let Some(space) = self.inner.db.spaces().get(&id).map_err(read_failed)? {
                all.push(SpaceGrant { space: space.path, grant });
            }
        }
        all.sort_by_key(|found| std::cmp::Reverse((found.grant.asked_at, found.grant.id)));
        Ok(all)
    }

    /// One grant.
    pub fn grant_of(&self, actor: &Actor, id: GrantId) -> ServiceResult<SpaceGrant> {
        administrator(actor)?;
        let (space, grant, _) = self.grant_of_id(id)?;
        Ok(SpaceGrant { space: space.path, grant })
    }

    /// Answers a grant that is asked for. One that was approved may be denied later: the flavor then costs again.
    pub async fn answer_grant(&self, actor: &Actor, id: GrantId, answer: GrantAnswer) -> ServiceResult<SpaceGrant> {
        let by = administrator(actor)?.id;
        let (space, _, _) = self.grant_of_id(id)?;
        let _turn = self.bare_turn(space.id).await;
        let (space, grant, version) = self.grant_of_id(id)?;
        let at = self.inner.clock.now();
        let (action, state) = match (&grant.state, answer) {
            (GrantState::Pending, GrantAnswer::Approve) => {
                ("grant.approve", GrantState::Approved { by, at, ended_at: None })
            }
            (GrantState::Pending, GrantAnswer::Deny(reason)) => {
                check_reason(&reason, "why, for whoever has asked")?;
                ("grant.deny", GrantState::Denied { by, at, reason: reason.trim().to_owned() })
            }
            (GrantState::Approved { by, at: since, ended_at: None }, GrantAnswer::Deny(_)) => {
                ("grant.end", GrantState::Approved { by: *by, at: *since, ended_at: Some(at) })
            }
            (GrantState::Approved { .. } | GrantState::Denied { .. }, _) => {
                return Err(ServiceError::Conflict("This grant was answered already".to_owned()));
            }
        };
        let grant = Grant { state, ..grant };
        let act = Act::on(action, &space).with("grant", id).with("flavor", &grant.flavor);
        let mut batch = self.noted(actor, act);
        batch.replace(self.inner.db.grants(), &(space.id, id), &grant, version);
        self.inner.db.commit(batch).await.map_err(commit_failed)?;
        Ok(SpaceGrant { space: space.path, grant })
    }

    /// Ends the grants that a Space leaves by moving to another flavor.
    pub(super) fn end_grants(&self, space: &Space, flavor: &str, batch: &mut Batch) -> ServiceResult<()> {
        let now = self.inner.clock.now();
        for grant in self.grants_of(space.id)? {
            if let Some(ended) = grant.after_move(&space.hardware, flavor, now) {
                batch.put(self.inner.db.grants(), &(space.id, ended.id), &ended);
            }
        }
        Ok(())
    }

    /// The grants of a Space, oldest first.
    fn grants_of(&self, space: SpaceId) -> ServiceResult<Vec<Grant>> {
        let grants = self.inner.db.grants().under(&space).map_err(read_failed)?;
        Ok(grants.into_iter().map(|(_, grant)| grant).collect())
    }

    fn grant_of_id(&self, id: GrantId) -> ServiceResult<(Space, Grant, Version)> {
        let db = &self.inner.db;
        let all = db.grants().scan().map_err(read_failed)?;
        let key = all.into_iter().map(|(key, _)| key).find(|(_, there)| *there == id).ok_or_else(no_such_grant)?;
        let (grant, version) = db.grants().get_versioned(&key).map_err(read_failed)?.ok_or_else(no_such_grant)?;
        let space = db.spaces().get(&key.0).map_err(read_failed)?.ok_or_else(no_such_grant)?;
        Ok((space, grant, version))
    }
}

/// Whether it stands for something still.
fn is_open(grant: &Grant) -> bool {
    grant.is_pending() || grant.is_active()
}

fn no_such_grant() -> ServiceError {
    ServiceError::NotFound("There is no such grant".to_owned())
}

fn check_reason(reason: &str, what: &str) -> ServiceResult<()> {
    if reason.trim().is_empty() {
        return Err(ServiceError::Invalid(format!("\"reason\" says {what}")));
    }
    if reason.len() > MAX_REASON {
        return Err(ServiceError::Invalid(format!("\"reason\" may have at most {MAX_REASON} bytes")));
    }
    Ok(())
}
