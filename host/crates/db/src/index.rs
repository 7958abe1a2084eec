//! The index: the rows as they are now, for reading. Everything in it can be had from the journal again.
//!
//! On disk it is sled. Should sled fail while the host runs, the writer loads the rows from the journal and the index
//! goes on in memory: a broken index costs neither a read nor a write, only a rebuild at the next start.

mod on_disk;
#[cfg(test)]
mod tests;
mod watched;

use std::collections::BTreeMap;

use parking_lot::RwLock;

use crate::error::ReadError;
use crate::journal::Change;

pub(crate) use on_disk::{DiskIndex, IndexFailure};
pub(crate) use watched::{Changed, Watched};

/// The rows by stored key.
pub(crate) type Rows = BTreeMap<Vec<u8>, Row>;

/// A stored value and the number of the batch that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) version: u64,
    pub(crate) value: Vec<u8>,
}

/// Where reads go.
pub(crate) struct Index {
    home: RwLock<Home>,
    watched: Watched,
}

enum Home {
    Disk(DiskIndex),
    Memory(Rows),
}

impl Index {
    pub(crate) fn on_disk(disk: DiskIndex) -> Self {
        Self { home: RwLock::new(Home::Disk(disk)), watched: Watched::default() }
    }

    pub(crate) fn in_memory(rows: Rows) -> Self {
        Self { home: RwLock::new(Home::Memory(rows)), watched: Watched::default() }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Row>, ReadError> {
        match &*self.home.read() {
            Home::Disk(disk) => disk.get(key).map_err(unreadable),
            Home::Memory(rows) => Ok(rows.get(key).cloned()),
        }
    }

    /// The rows whose key starts with `prefix`, in order.
    pub(crate) fn scan(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Row)>, ReadError> {
        match &*self.home.read() {
            Home::Disk(disk) => disk.scan(prefix).collect::<Result<_, _>>().map_err(unreadable),
            Home::Memory(rows) => Ok(rows
                .range(prefix.to_vec()..)
                .take_while(|(key, _)| key.starts_with(prefix))
                .map(|(key, row)| (key.clone(), row.clone()))
                .collect()),
        }
    }

    /// Up to `most` rows from one key up to, not including, another, in order or backwards.
    pub(crate) fn slice(
        &self,
        from: &[u8],
        to: &[u8],
        is_backwards: bool,
        most: usize,
    ) -> Result<Vec<(Vec<u8>, Row)>, ReadError> {
        let taken = |rows: &mut dyn Iterator<Item = (&Vec<u8>, &Row)>| {
            rows.take(most).map(|(key, row)| (key.clone(), row.clone())).collect()
        };
        match &*self.home.read() {
            Home::Disk(disk) => disk.slice(from, to, is_backwards, most).map_err(unreadable),
            Home::Memory(_) if from >= to => Ok(Vec::new()),
            Home::Memory(rows) => {
                let mut rows = rows.range(from.to_vec()..to.to_vec());
                Ok(if is_backwards { taken(&mut rows.rev()) } else { taken(&mut rows) })
            }
        }
    }

    /// How many rows have a key that starts with `prefix`.
    pub(crate) fn count(&self, prefix: &[u8]) -> Result<usize, ReadError> {
        match &*self.home.read() {
            Home::Disk(disk) => disk.scan(prefix).try_fold(0, |count, row| row.map(|_| count + 1)).map_err(unreadable),
            Home::Memory(rows) => {
                Ok(rows.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix)).count())
            }
        }
    }

    /// Applies changes in order, each with the number of its batch; all or none of them survive a crash.
    pub(crate) fn apply(&self, changes: &[(u64, Change)]) -> Result<(), IndexFailure> {
        let applied = match &mut *self.home.write() {
            Home::Disk(disk) => disk.apply(changes),
            Home::Memory(rows) => {
                changes.iter().for_each(|(version, change)| apply_change(rows, *version, change.clone()));
                Ok(())
            }
        };
        self.watched.note(changes);
        applied
    }

    /// Which rows have changed, of tables that are kept decoded.
    pub(crate) fn watched(&self) -> &Watched {
        &self.watched
    }

    /// Goes on in memory with these rows, and lets go of the disk.
    pub(crate) fn move_to_memory(&self, rows: Rows) {
        let disk = std::mem::replace(&mut *self.home.write(), Home::Memory(rows));
        self.watched.note_everything();
        // Closing what has failed may take its whole time, which neither readers nor the writer have to wait for.
        let closing = std::thread::Builder::new().name("db-leave".into()).spawn(move || drop(disk));
        if let Err(error) = closing {
            tracing::warn!(%error, "the failed index was closed without a thread of its own");
        }
    }

    /// Whether it has left the disk.
    pub(crate) fn is_in_memory(&self) -> bool {
        matches!(&*self.home.read(), Home::Memory(_))
    }

    /// Runs `use_disk` with what is on disk, if it is in use.
    pub(crate) fn with_disk<T>(&self, use_disk: impl FnOnce(&DiskIndex) -> T) -> Option<T> {
        match &*self.home.read() {
            Home::Disk(disk) => Some(use_disk(disk)),
            Home::Memory(_) => None,
        }
    }
}

/// Changes one row of a map.
pub(crate) fn apply_change(rows: &mut Rows, version: u64, change: Change) {
    match change.value {
        Some(value) => rows.insert(change.key, Row { version, value }),
        None => rows.remove(&change.key),
    };
}

fn unreadable(failure: IndexFailure) -> ReadError {
    ReadError::Index(failure.0)
}
