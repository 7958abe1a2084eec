//! The open database: a handle to rows and writer.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use crate::batch::{Batch, MAX_BATCH};
use crate::error::{CommitError, OpenError};
use crate::index::Index;
use crate::keys::KeyStore;
use crate::open::{self, OpenReport, Opened, Options};
use crate::shelf::Shelf;
use crate::table::{Table, TableId};
use crate::watchdog::{self, Pulse};
use crate::writer::{QUEUE, Status, Waiting, Writer};

/// Row of [`TableId::Meta`] that says which master key the secrets are sealed with.
const KEY_ID: &str = "master key";

/// The database, open. Clones are handles to the same one; it closes when the last one goes.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    batches: Option<mpsc::Sender<Waiting>>,
    writer: Option<JoinHandle<()>>,
    status: Arc<Status>,
    index: Arc<Index>,
    shelf: Shelf,
    /// While it is there the writer is watched.
    _watched: std::sync::mpsc::Sender<()>,
    /// Let go of last: until then no other process may open what is still being written.
    _lock: File,
}

/// How the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Why nothing can be written until the host restarts, if so.
    pub read_only: Option<String>,
    /// The index on disk has failed and is replaced by one in memory until the host restarts.
    pub is_index_in_memory: bool,
}

impl Db {
    /// Opens what is in a directory, or creates it, and checks that the keys are those its secrets were sealed with.
    pub fn open(dir: &Path, keys: &KeyStore, options: Options) -> Result<(Self, OpenReport), OpenError> {
        let (db, report) = Self::open_without_keys(dir, options)?;
        db.claim(dir, &keys.id())?;
        Ok((db, report))
    }

    /// The same for who neither seals nor unseals: whose keys the secrets are sealed with is left as it is.
    pub fn open_without_keys(dir: &Path, options: Options) -> Result<(Self, OpenReport), OpenError> {
        Self::start(dir, open::open(dir, options)?)
    }

    /// Starts the writer.
    fn start(dir: &Path, opened: Opened) -> Result<(Self, OpenReport), OpenError> {
        let Opened { lock, journal, index, report } = opened;
        let (index, status) = (Arc::new(index), Arc::new(Status::default()));
        let (batches, queue) = mpsc::channel(QUEUE);
        let (_watched, open) = std::sync::mpsc::channel();
        let pulse = Arc::new(Pulse::default());
        let writer = Writer { journal, index: index.clone(), status: status.clone(), pulse: pulse.clone() };
        let thread = |name: &str| std::thread::Builder::new().name(name.into());
        let writer = thread("db-writer").spawn(move || writer.run(queue));
        let writer = writer.map_err(OpenError::io("start the writer of", dir))?;
        let watchdog = thread("db-watchdog").spawn(move || watchdog::watch(&pulse, &open));
        watchdog.map_err(OpenError::io("start the watchdog of", dir))?;
        let inner = Inner {
            batches: Some(batches),
            writer: Some(writer),
            status,
            index,
            shelf: Shelf::default(),
            _watched,
            _lock: lock,
        };
        Ok((Self { inner: Arc::new(inner) }, report))
    }

    /// An empty batch.
    pub fn batch(&self) -> Batch {
        Batch::default()
    }

    /// Commits a batch: when this returns its number, all of it is on disk and visible to reads. Dropping the future does
    /// not take the batch back.
    pub async fn commit(&self, batch: Batch) -> Result<u64, CommitError> {
        let batch = fitting(batch)?;
        let (reply, answer) = oneshot::channel();
        self.batches().send((batch, reply)).await.map_err(|_| CommitError::Closed)?;
        answer.await.unwrap_or(Err(CommitError::Closed))
    }

    /// The same for callers outside any asynchronous runtime; panics inside one.
    pub fn commit_blocking(&self, batch: Batch) -> Result<u64, CommitError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.batches().blocking_send((fitting(batch)?, reply));
        sent.ok().and_then(|()| answer.blocking_recv().ok()).unwrap_or(Err(CommitError::Closed))
    }

    /// How it is.
    pub fn health(&self) -> Health {
        Health { read_only: self.inner.status.read_only(), is_index_in_memory: self.inner.index.is_in_memory() }
    }

    pub(crate) fn index(&self) -> &Index {
        &self.inner.index
    }

    pub(crate) fn shelf(&self) -> &Shelf {
        &self.inner.shelf
    }

    fn batches(&self) -> &mpsc::Sender<Waiting> {
        self.inner.batches.as_ref().expect("the sender goes with the last handle only")
    }

    /// Ties the database to a master key, or makes sure that it is tied to this one.
    fn claim(&self, dir: &Path, given: &str) -> Result<(), OpenError> {
        let meta: Table<'_, String, String> = Table::new(TableId::Meta, self.index());
        let name = KEY_ID.to_owned();
        let broken = |why: String| OpenError::Io {
            action: "use the database in",
            path: dir.to_owned(),
            source: std::io::Error::other(why),
        };
        match meta.get(&name).map_err(|error| broken(error.to_string()))? {
            Some(stored) if stored == given => Ok(()),
            Some(stored) => Err(OpenError::WrongKey { stored, given: given.to_owned() }),
            None => {
                let mut batch = self.batch();
                batch.insert_new(meta, &name, &given.to_owned());
                // Opening may happen inside a runtime, where blocking on a channel is not allowed, so a thread waits.
                let committed = std::thread::scope(|scope| scope.spawn(|| self.commit_blocking(batch)).join());
                committed.unwrap_or(Err(CommitError::Closed)).map(drop).map_err(|error| broken(error.to_string()))
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without senders the writer ends when it has written what waits.
        drop(self.batches.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn fitting(batch: Batch) -> Result<Batch, CommitError> {
    let size = batch.size();
    if size > MAX_BATCH { Err(CommitError::TooLarge(size)) } else { Ok(batch) }
}
