//! Storing the lifecycle: at once where somebody waits for it, else one write at a time behind what happens.

use spaceport_core::lifecycle::State;
use spaceport_db::{Batch, CommitError, Expect};
use tokio::task::JoinHandle;

use super::Supervisor;
use super::member::Input;
use crate::fleet::FleetError;

/// Where storing stands.
#[derive(Default)]
pub(super) struct Saving {
    /// The state has changed since it was handed to the database.
    is_due: bool,
    /// The write under way.
    current: Option<(u64, JoinHandle<()>)>,
    next_number: u64,
}

impl Supervisor<'_> {
    /// Stores a state with what belongs to it, before anything else happens.
    pub(super) async fn save_now(&mut self, state: &State, batch: Batch) -> Result<(), FleetError> {
        self.settle_save().await;
        let batch = self.with_state(batch, state);
        self.shared.db.commit(batch).await?;
        self.own.saving.is_due = false;
        Ok(())
    }

    /// Stores the state while other things happen.
    pub(super) fn save_soon(&mut self) {
        self.own.saving.is_due = true;
        if self.own.saving.current.is_none() {
            self.start_save();
        }
    }

    /// A write has ended. A failed one is tried again with the next change: the disk is full, or worse.
    pub(super) fn saved(&mut self, number: u64, stored: Result<(), CommitError>) -> Result<(), FleetError> {
        let saving = &mut self.own.saving;
        if saving.current.as_ref().is_none_or(|(current, _)| *current != number) {
            return Ok(());
        }
        saving.current = None;
        match stored {
            Ok(()) if saving.is_due => self.start_save(),
            Ok(()) => {}
            // A Space that was deleted meanwhile has nothing to be stored.
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => {
                saving.is_due = true;
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Waits for the write under way, so that a later one cannot be overtaken by it.
    pub(super) async fn settle_save(&mut self) {
        if let Some((_, write)) = self.own.saving.current.take() {
            // It reports by message; here only its end counts.
            let _ = write.await;
        }
    }

    fn start_save(&mut self) {
        let saving = &mut self.own.saving;
        saving.is_due = false;
        saving.next_number += 1;
        let number = saving.next_number;
        let batch = self.with_state(Batch::default(), &self.own.state);
        let (shared, member) = (self.shared.clone(), self.member.clone());
        let write = self.shared.spawn(async move {
            let stored = shared.db.commit(batch).await.map(drop);
            member.post(&shared, Input::Saved { number, stored });
        });
        self.own.saving.current = Some((number, write));
    }

    fn with_state(&self, mut batch: Batch, state: &State) -> Batch {
        let db = &self.shared.db;
        batch.expect(db.spaces(), &self.member.space, Expect::Present);
        batch.put(db.lifecycles(), &self.member.space, state);
        batch
    }
}
