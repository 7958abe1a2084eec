//! The end of a Space: its rows and routes at once, its files when nothing uses them any more.
//!
//! The rows go in one batch that leaves a lifecycle marked as deleted; that one goes last. A host that is killed in
//! between finds the mark at its next start and finishes.

use std::sync::Arc;

use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::{Desired, Event, State, decide};
use spaceport_db::Batch;

use super::Supervisor;
use crate::checkouts::CheckoutError;
use crate::fleet::{FleetError, Shared};
use crate::ledger::last_rows;
use crate::lfs::LfsError;

impl Supervisor<'_> {
    /// Deletes the Space: when this returns its name is free and nothing leads to it.
    pub(super) async fn remove(&mut self, with: Batch) -> Result<(), FleetError> {
        let (next, commands) = decide(self.own.state.clone(), Event::DeleteRequested, self.shared.clock.now());
        self.settle_save().await;
        self.remove_rows(&next, with).await?;
        self.own.state = next;
        self.unpublish();
        for command in commands {
            self.execute(command).await;
        }
        self.remove_files_when_idle();
        Ok(())
    }

    /// Removes the files as soon as no instance and no launch uses them.
    pub(super) fn remove_files_when_idle(&mut self) {
        let own = &mut self.own;
        let is_idle = own.instances.is_empty() && own.launching.is_empty() && own.stopping == 0;
        if own.state.desired == Desired::Deleted && is_idle && !own.is_removing_files {
            own.is_removing_files = true;
            let (shared, space) = (self.shared.clone(), self.member.space);
            self.shared.spawn(async move { remove_files(&shared, space).await });
        }
    }

    async fn remove_rows(&self, next: &State, with: Batch) -> Result<(), FleetError> {
        let db = &self.shared.db;
        // Until it is forgotten nobody else may write down what it has used: its rows would come a second time.
        let _turn = self.shared.ledger.turn().await;
        let mut batch = with;
        batch.append(last_rows(self.shared, self.member)?);
        if let Some(space) = db.spaces().get(&self.member.space)? {
            batch.remove_space(db, &space)?;
        }
        batch.put(db.lifecycles(), &self.member.space, next);
        db.commit(batch).await?;
        // Nothing of it is written after this.
        self.shared.forget(self.member.space);
        Ok(())
    }

    fn unpublish(&mut self) {
        let hosts = std::mem::take(&mut self.own.hosts).into_iter();
        let hosts: Vec<_> = hosts.map(|host| (host, self.member.slot.clone())).collect();
        self.shared.routes.update(Vec::new(), &hosts);
        self.member.slot.entry.store(Arc::new(self.own.route(self.member.space)));
        self.member.view.send_replace(self.own.view(self.member.space, self.shared));
        self.schedule();
    }
}

/// Removes the files of a deleted Space, then the mark that it was deleted.
pub(crate) async fn remove_files(shared: &Shared, space: SpaceId) {
    if let Err(error) = try_remove_files(shared, space).await {
        tracing::warn!(space_id = %space, %error, "files of a deleted Space stay until the next start");
    }
}

async fn try_remove_files(shared: &Shared, space: SpaceId) -> Result<(), FleetError> {
    shared.checkouts.remove_storage(space).await;
    shared.checkouts.remove_copies(space).await.map_err(|error| match error {
        CheckoutError::Git(error) => error.into(),
        CheckoutError::Files { attempt, source } => FleetError::Files { attempt, source },
    })?;
    let logs = shared.logs.clone();
    let removed = tokio::task::spawn_blocking(move || logs.remove(space)).await;
    removed
        .unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)))
        .map_err(FleetError::files("remove logs"))?;
    shared.repos.remove(space).await?;
    shared.lfs.forget(space).await.map_err(|error| match error {
        LfsError::Commit(error) => error.into(),
        LfsError::Read(error) => error.into(),
        error => FleetError::Files { attempt: "remove large files", source: std::io::Error::other(error) },
    })?;
    collect(shared).await;
    let mut batch = Batch::default();
    batch.delete(shared.db.lifecycles(), &space);
    shared.db.commit(batch).await?;
    Ok(())
}

/// Removes large files that no Space has any more, as a host that was killed leaves them.
pub(crate) async fn collect_large_files(shared: Arc<Shared>) {
    collect(&shared).await;
}

/// Removes uploads that nobody goes on with.
pub(crate) async fn drop_stale_parts(shared: &Shared) {
    if let Err(error) = shared.lfs.drop_stale_parts().await {
        tracing::warn!(%error, "uploads that nobody goes on with stay for now");
    }
}

async fn collect(shared: &Shared) {
    match shared.lfs.collect().await {
        Ok(0) => {}
        Ok(files) => tracing::info!(files, "large files that no Space has were removed"),
        Err(error) => tracing::warn!(%error, "large files that no Space has stay until the next start"),
    }
}
