//! The one thread that writes: it takes batches as they come, settles their expectations, and stores a group of them with
//! one fsync.
//!
//! Order of things for a group: checked against the rows and against each other, appended to the journal, on disk,
//! applied to the index, acknowledged. A failure before "on disk" changes nothing; a failure of the index after it moves
//! the index to memory; a disk that cannot be trusted ends all writing.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};

use crate::batch::{Batch, Expect, Expectation};
use crate::error::{CommitError, ReadError, chain};
use crate::index::Index;
use crate::journal::{AppendError, Change, Journal};
use crate::watchdog::Pulse;

/// Batches that may wait for the writer; whoever comes later waits to get in line.
pub(crate) const QUEUE: usize = 1024;
/// Bytes after which a group is closed: by then the fsync is a small part of the work.
const GROUP_BYTES: usize = 1 << 20;

/// A batch to store, and where the answer goes; nobody may be waiting for it any more.
pub(crate) type Waiting = (Batch, oneshot::Sender<Result<u64, CommitError>>);

/// Why nothing can be written any more, once it is so.
#[derive(Debug, Default)]
pub(crate) struct Status(RwLock<Option<String>>);

pub(crate) struct Writer {
    pub(crate) journal: Journal,
    pub(crate) index: Arc<Index>,
    pub(crate) status: Arc<Status>,
    /// What the watchdog looks at.
    pub(crate) pulse: Arc<Pulse>,
}

impl Status {
    /// Why the database is read-only, if it is.
    pub(crate) fn read_only(&self) -> Option<String> {
        self.0.read().clone()
    }
}

impl Writer {
    /// Works until every sender has gone.
    pub(crate) fn run(mut self, mut batches: mpsc::Receiver<Waiting>) {
        while let Some(first) = batches.blocking_recv() {
            self.pulse.turn();
            let mut size = first.0.size();
            let mut group = vec![first];
            while size < GROUP_BYTES
                && let Ok(next) = batches.try_recv()
            {
                size += next.0.size();
                group.push(next);
            }
            self.write(group);
            self.pulse.turn();
        }
    }

    /// Stores a group of batches and answers all who wait for them.
    fn write(&mut self, group: Vec<Waiting>) {
        let (batches, replies): (Vec<Batch>, Vec<_>) = group.into_iter().unzip();
        let results = self.try_write(batches);
        for (position, reply) in replies.into_iter().enumerate() {
            let result = match &results {
                Ok(results) => results[position].clone(),
                Err(error) => Err(error.clone()),
            };
            // The one who asked may have gone; the batch stays.
            let _ = reply.send(result);
        }
    }

    /// One result per batch, or the failure of all of them.
    fn try_write(&mut self, group: Vec<Batch>) -> Result<Vec<Result<u64, CommitError>>, CommitError> {
        if let Some(reason) = self.status.read_only() {
            return Err(CommitError::ReadOnly(reason));
        }
        let (results, batches) = self.settle(group)?;
        if !batches.is_empty() {
            let first = self.journal.last() + 1;
            self.journal.append(&batches).map_err(|error| self.append_failed(error))?;
            self.pulse.step();
            self.apply(first, batches)?;
            self.pulse.step();
            if let Err(error) = self.journal.compact_if_due() {
                // This group is safe; the next one will be told.
                self.append_failed(error);
            }
        }
        Ok(results)
    }

    /// Decides which batches hold what they expect, each after those before it, and numbers them.
    #[expect(clippy::type_complexity, reason = "a pair used once")]
    fn settle(&mut self, group: Vec<Batch>) -> Result<(Vec<Result<u64, CommitError>>, Vec<Vec<Change>>), CommitError> {
        let mut results = Vec::new();
        let mut accepted: Vec<Vec<Change>> = Vec::new();
        // What rows will be once the batches accepted so far are written: their number, or none for a removed row.
        let mut versions: HashMap<Vec<u8>, Option<u64>> = HashMap::new();
        for batch in group {
            match self.first_unmet(&batch.expectations, &versions)? {
                Some(conflict) => results.push(Err(conflict)),
                None if batch.changes.is_empty() => results.push(Ok(self.journal.last() + accepted.len() as u64)),
                None => {
                    let number = self.journal.last() + accepted.len() as u64 + 1;
                    for change in &batch.changes {
                        versions.insert(change.key.clone(), change.value.is_some().then_some(number));
                    }
                    accepted.push(batch.changes);
                    results.push(Ok(number));
                }
            }
        }
        Ok((results, accepted))
    }

    fn first_unmet(
        &mut self,
        expectations: &[Expectation],
        versions: &HashMap<Vec<u8>, Option<u64>>,
    ) -> Result<Option<CommitError>, CommitError> {
        for expectation in expectations {
            let version = match versions.get(&expectation.key) {
                Some(version) => *version,
                None => self.stored_version(&expectation.key)?,
            };
            let holds = match expectation.expect {
                Expect::Absent => version.is_none(),
                Expect::Present => version.is_some(),
                Expect::Version(wanted) => version == Some(wanted.0),
            };
            if !holds {
                let key = expectation.key[1..].escape_ascii().to_string();
                return Ok(Some(CommitError::Conflict { table: expectation.table, key }));
            }
        }
        Ok(None)
    }

    fn stored_version(&mut self, key: &[u8]) -> Result<Option<u64>, CommitError> {
        let read = |index: &Index| -> Result<_, ReadError> { Ok(index.get(key)?.map(|row| row.version)) };
        match read(&self.index) {
            Ok(version) => Ok(version),
            Err(failure) => {
                self.leave_the_disk(&failure.to_string())?;
                read(&self.index).map_err(|failure| self.end_writing(failure.to_string()))
            }
        }
    }

    /// Makes batches that are in the journal visible to reads.
    fn apply(&mut self, first: u64, batches: Vec<Vec<Change>>) -> Result<(), CommitError> {
        let numbered = |(changes, number): (Vec<Change>, u64)| changes.into_iter().map(move |change| (number, change));
        let changes: Vec<(u64, Change)> = batches.into_iter().zip(first..).flat_map(numbered).collect();
        match self.index.apply(&changes) {
            Ok(()) => Ok(()),
            Err(failure) => self.leave_the_disk(&failure.to_string()),
        }
    }

    /// The index on disk has failed: goes on with the rows in memory, as the journal has them.
    fn leave_the_disk(&mut self, why: &str) -> Result<(), CommitError> {
        tracing::error!(why, "the database's index failed; it is in memory until the host restarts");
        match self.journal.reload() {
            Ok(loaded) => {
                self.index.move_to_memory(loaded.rows);
                Ok(())
            }
            Err(error) => Err(self.end_writing(chain(&error))),
        }
    }

    fn append_failed(&self, error: AppendError) -> CommitError {
        match error {
            AppendError::Full => CommitError::StorageFull,
            AppendError::Broken(why) => self.end_writing(why),
        }
    }

    fn end_writing(&self, why: String) -> CommitError {
        tracing::error!(why, "the database is read-only until the host restarts");
        *self.status.0.write() = Some(why.clone());
        CommitError::ReadOnly(why)
    }
}
