//! Previews: a branch or a pull request of a Space, built and run beside it on request, at an address of its own. A preview
//! follows its ref and ends with it. It sleeps as any Space on free hardware does, so one that nobody looks at costs its
//! files and no more.
//!
//! To the fleet a preview is a Space of its own, with a repository that shows its ref as the deploy branch; what people see
//! and set is the Space it belongs to.

use spaceport_core::discussion::PULL_REFS;
use spaceport_core::hardware::DEFAULT_FLAVOR;
use spaceport_core::id::SpaceId;
use spaceport_core::name::{SpacePath, Subdomain};
use spaceport_core::permission::{Action, Actor};
use spaceport_core::revision::{BRANCHES, DEPLOY_BRANCH, Oid};
use spaceport_core::space::{Preview, SleepAfter, Space};
use spaceport_core::stage::Stage;
use spaceport_db::{Batch, CommitError, TableId};

use super::Control;
use super::accounts::new_id;
use super::audit::Act;
use super::error::{ServiceError, ServiceResult};
use super::storage::{commit_failed, fleet_failed, git_failed, read_failed};
use crate::logs::{LogKind, LogReader};

/// Previews of one Space at the same time: more branches than people look at, few enough to be listed and told of settings
/// one by one.
const MAX_PREVIEWS: usize = 50;

/// A preview at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewView {
    /// The ref, as people write it: a branch by its name, a pull request as `refs/pr/N`.
    pub reference: String,
    /// Where it answers.
    pub url: String,
    /// How it is.
    pub stage: Stage,
    /// The revision that answers, or would after waking.
    pub revision: Option<Oid>,
    /// Why it does not answer.
    pub error_message: Option<String>,
}

impl Control {
    /// Builds and runs a branch or a pull request beside its Space; one that has a preview keeps it.
    pub async fn open_preview(&self, actor: &Actor, path: &SpacePath, reference: &str) -> ServiceResult<PreviewView> {
        let found = self.space(actor, path, Action::Write)?;
        let full_name = full_name(reference)?;
        let turn = self.settings_turn(actor, found.id).await?;
        let space = &turn.space;
        let head = self.ref_head(space.id, &full_name).await?;
        let head = head.ok_or_else(|| ServiceError::RevisionNotFound(reference.to_owned()))?;
        let there = self.inner.db.previews_of(space.id).map_err(read_failed)?;
        if let Some((_, id)) = there.iter().find(|(name, _)| *name == full_name) {
            return self.preview_view(space, &full_name, *id);
        }
        if there.len() >= MAX_PREVIEWS {
            let message = format!("A Space may have at most {MAX_PREVIEWS} previews at a time: end some first");
            return Err(ServiceError::Invalid(message));
        }
        let preview = self.new_preview(space, full_name);
        let id = preview.id;
        let name = preview.preview.as_ref().map(|preview| preview.reference.clone()).unwrap_or_default();
        let noted = self.noted(actor, Act::on("preview.open", space).to(&name));
        let made = async {
            self.inner.repos.show(space.id, id, head).await.map_err(git_failed)?;
            let stored = self.store_preview(space, preview, noted).await?;
            Ok((stored.beside(space), Some(head)))
        };
        self.bring_in(id, made).await?;
        tracing::info!(space = %space.path, reference = name, "a preview was opened");
        self.preview_view(space, &name, id)
    }

    /// Ends a preview; the ref stays.
    pub async fn end_preview(&self, actor: &Actor, path: &SpacePath, reference: &str) -> ServiceResult<()> {
        let found = self.space(actor, path, Action::Write)?;
        let turn = self.settings_turn(actor, found.id).await?;
        let space = &turn.space;
        let id = self.preview_id(space.id, reference)?;
        let noted = self.noted(actor, Act::on("preview.end", space).to(reference));
        self.inner.fleet.remove_with(id, noted).await.map_err(fleet_failed)?;
        tracing::info!(space = %space.path, reference, "a preview was ended");
        Ok(())
    }

    /// The previews of a Space, in the order of refs.
    pub fn previews(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<Vec<PreviewView>> {
        let space = self.space(actor, path, Action::See)?;
        let there = self.inner.db.previews_of(space.id).map_err(read_failed)?;
        there.into_iter().map(|(name, id)| self.preview_view(&space, &name, id)).collect()
    }

    /// A log of a preview.
    pub fn preview_logs(
        &self,
        actor: &Actor,
        path: &SpacePath,
        reference: &str,
        kind: LogKind,
    ) -> ServiceResult<LogReader> {
        let space = self.space(actor, path, Action::SeeSettings)?;
        Ok(self.inner.fleet.logs(self.preview_id(space.id, reference)?, kind))
    }

    /// Tells the preview of a ref, if it has one, that the ref has moved or is gone. The caller has the Space's turn.
    pub(super) async fn preview_follows(&self, space: SpaceId, full_name: &str, head: Option<Oid>) {
        let followed = async {
            let Some(id) = self.inner.db.previews().get(&(space, full_name.to_owned())).map_err(read_failed)? else {
                return Ok(());
            };
            let Some(head) = head else { return self.inner.fleet.remove(id).await.map_err(fleet_failed) };
            self.inner.repos.show(space, id, head).await.map_err(git_failed)?;
            let mut batch = Batch::default();
            batch.copy_lfs_links(&self.inner.db, space, id).map_err(read_failed)?;
            self.inner.db.commit(batch).await.map_err(commit_failed)?;
            self.inner.fleet.pushed(id, head).await.map_err(fleet_failed)
        };
        let followed: ServiceResult<()> = followed.await;
        if let Err(error) = followed {
            // The ref has moved, and its author need not hear of it; the next move or a new preview makes up for it.
            tracing::warn!(space_id = %space, reference = full_name, %error, "a preview stays behind its ref");
        }
    }

    /// Tells the previews of a Space that what they share with it has changed.
    pub(super) async fn previews_changed(&self, space: &Space) -> ServiceResult<()> {
        for (_, id) in self.inner.db.previews_of(space.id).map_err(read_failed)? {
            if let Some(preview) = self.inner.db.running_space(id).map_err(read_failed)? {
                self.inner.fleet.settings_changed(&preview).await.map_err(fleet_failed)?;
            }
        }
        Ok(())
    }

    /// Ends all previews of a Space that is about to be deleted.
    pub(super) async fn end_previews(&self, space: SpaceId) -> ServiceResult<()> {
        for (_, id) in self.inner.db.previews_of(space).map_err(read_failed)? {
            self.inner.fleet.remove(id).await.map_err(fleet_failed)?;
        }
        Ok(())
    }

    fn new_preview(&self, of: &Space, reference: String) -> Space {
        let now = self.inner.clock.now();
        Space {
            id: SpaceId::from_bytes(new_id(now)),
            subdomain: of.subdomain.preview(short_name(&reference)),
            created_at: now,
            updated_at: now,
            hardware: DEFAULT_FLAVOR.to_owned(),
            storage: None,
            sleep_after: SleepAfter::HostDefault,
            variables: Default::default(),
            secrets: Default::default(),
            preview: Some(Preview { of: of.id, reference }),
            ..of.clone()
        }
    }

    /// Stores a new preview, under another label if its own is taken.
    async fn store_preview(&self, of: &Space, mut preview: Space, noted: Batch) -> ServiceResult<Space> {
        let reference = preview.preview.as_ref().map(|preview| short_name(&preview.reference)).unwrap_or_default();
        let hashed: Subdomain = of.subdomain.preview_with_hash(reference);
        loop {
            let mut batch = noted.clone();
            batch.insert_space(&self.inner.db, &preview);
            batch.copy_lfs_links(&self.inner.db, of.id, preview.id).map_err(read_failed)?;
            match self.inner.db.commit(batch).await {
                Ok(_) => return Ok(preview),
                Err(CommitError::Conflict { table: TableId::Subdomains, .. }) if preview.subdomain != hashed => {
                    preview.subdomain.clone_from(&hashed);
                }
                Err(error) => return Err(commit_failed(error)),
            }
        }
    }

    async fn ref_head(&self, space: SpaceId, full_name: &str) -> ServiceResult<Option<Oid>> {
        self.inner.repos.repo(space).head(short_name(full_name)).await.map_err(git_failed)
    }

    fn preview_id(&self, space: SpaceId, reference: &str) -> ServiceResult<SpaceId> {
        let found = self.inner.db.previews().get(&(space, full_name(reference)?)).map_err(read_failed)?;
        found.ok_or_else(|| ServiceError::NoSuchPreview(reference.to_owned()))
    }

    fn preview_view(&self, of: &Space, full_name: &str, id: SpaceId) -> ServiceResult<PreviewView> {
        let preview = self.inner.db.running_space(id).map_err(read_failed)?.unwrap_or_else(|| of.clone());
        let runtime = self.runtime_of(&preview);
        Ok(PreviewView {
            reference: short_name(full_name).to_owned(),
            url: self.addresses().app_url(&preview.subdomain, runtime.sdk),
            stage: runtime.stage,
            revision: runtime.revision,
            error_message: runtime.error_message,
        })
    }
}

/// The full name of a ref that may have a preview.
fn full_name(reference: &str) -> ServiceResult<String> {
    let full_name = match reference.strip_prefix(BRANCHES) {
        Some(_) => reference.to_owned(),
        None if reference.starts_with(PULL_REFS) => reference.to_owned(),
        None => format!("{BRANCHES}{reference}"),
    };
    if full_name.strip_prefix(BRANCHES) == Some(DEPLOY_BRANCH) {
        let message = format!("{DEPLOY_BRANCH} is what the Space itself serves: previews are of other branches");
        return Err(ServiceError::Invalid(message));
    }
    Ok(full_name)
}

/// A ref as people write it.
fn short_name(full_name: &str) -> &str {
    full_name.strip_prefix(BRANCHES).unwrap_or(full_name)
}
