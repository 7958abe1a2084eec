//! The index on disk, and the only module that names sled.
//!
//! sled 0.34 has lost data in the hands of others when its process was killed, so nothing here is trusted: it is compared
//! with the journal at every start, a panic inside it is a failure like any other, and it is thrown away when in doubt.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::index::{Row, Rows};
use crate::journal::Change;
use crate::lock;

/// Memory sled may keep pages in. Its default of 1 GiB is meant for databases that are a machine's only purpose.
const CACHE_BYTES: u64 = 64 << 20;
/// Key of the mark that says how far the journal has been applied. No table has the number 0.
const APPLIED: &[u8] = &[0];
/// The file that sled locks, below its directory.
const LOCKED: &str = "db";
/// Tree of the metrics, which the journal does not know.
const METRICS: &str = "metrics";
/// Rows written to a new index at once.
const LOAD_CHUNK: usize = 4096;

/// How long closing may take: enough to write what is cached. Whatever is not written then comes from the journal.
const CLOSE: Duration = Duration::from_secs(5);

/// A key and its value, as stored.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// sled could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct IndexFailure(pub(crate) String);

pub(crate) struct DiskIndex {
    /// Taken when it is dropped.
    sled: Option<Sled>,
}

struct Sled {
    // Declared before the database, so that the trees let go of it first.
    rows: sled::Tree,
    metrics: sled::Tree,
    db: sled::Db,
}

impl DiskIndex {
    /// Opens what is in this directory, or creates it.
    pub(crate) fn open(path: &Path) -> Result<Self, IndexFailure> {
        wait_until_closed(path);
        guarded(|| {
            let db = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).open()?;
            let rows = sled::Tree::clone(&db);
            let metrics = db.open_tree(METRICS)?;
            Ok(Self { sled: Some(Sled { rows, metrics, db }) })
        })
    }

    /// Number of the newest batch applied; `None` if none ever was.
    pub(crate) fn applied(&self) -> Result<Option<u64>, IndexFailure> {
        guarded(|| self.sled().rows.get(APPLIED))?.map(|mark| number(&mark)).transpose()
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Row>, IndexFailure> {
        guarded(|| self.sled().rows.get(key))?.map(|stored| decode(&stored)).transpose()
    }

    pub(crate) fn scan(&self, prefix: &[u8]) -> impl Iterator<Item = Result<(Vec<u8>, Row), IndexFailure>> + use<> {
        let mut entries = self.sled().rows.scan_prefix(prefix);
        std::iter::from_fn(move || match guarded(|| entries.next().transpose()) {
            Ok(None) => None,
            Ok(Some((key, stored))) => Some(decode(&stored).map(|row| (key.to_vec(), row))),
            Err(failure) => Some(Err(failure)),
        })
    }

    /// Up to `most` rows from one key up to, not including, another, in order or backwards.
    pub(crate) fn slice(
        &self,
        from: &[u8],
        to: &[u8],
        is_backwards: bool,
        most: usize,
    ) -> Result<Vec<(Vec<u8>, Row)>, IndexFailure> {
        if from >= to {
            return Ok(Vec::new());
        }
        let entries = guarded(|| {
            let range = self.sled().rows.range(from..to);
            let taken: sled::Result<Vec<_>> =
                if is_backwards { range.rev().take(most).collect() } else { range.take(most).collect() };
            taken
        })?;
        entries.into_iter().map(|(key, stored)| Ok((key.to_vec(), decode(&stored)?))).collect()
    }

    /// Applies changes in order, and the mark of the last one's batch, as one.
    pub(crate) fn apply(&self, changes: &[(u64, Change)]) -> Result<(), IndexFailure> {
        let Some((last, _)) = changes.last() else { return Ok(()) };
        let mut batch = sled::Batch::default();
        for (version, change) in changes {
            match &change.value {
                Some(value) => batch.insert(change.key.as_slice(), encode(*version, value)),
                None => batch.remove(change.key.as_slice()),
            }
        }
        batch.insert(APPLIED, &last.to_be_bytes());
        guarded(|| self.sled().rows.apply_batch(batch))
    }

    /// Makes the rows equal to these and returns how many were not.
    pub(crate) fn reconcile(&self, rows: &Rows, last: u64) -> Result<u64, IndexFailure> {
        let different = self.differences(rows)?;
        for chunk in different.chunks(LOAD_CHUNK) {
            let mut batch = sled::Batch::default();
            for key in chunk {
                match rows.get(key) {
                    Some(row) => batch.insert(key.as_slice(), encode(row.version, &row.value)),
                    None => batch.remove(key.as_slice()),
                }
            }
            guarded(|| self.sled().rows.apply_batch(batch))?;
        }
        guarded(|| self.sled().rows.insert(APPLIED, &last.to_be_bytes()).map(drop))?;
        guarded(|| self.sled().db.flush())?;
        Ok(different.len() as u64)
    }

    /// The keys whose rows differ from these.
    pub(crate) fn differences(&self, rows: &Rows) -> Result<Vec<Vec<u8>>, IndexFailure> {
        let mut different = Vec::new();
        let mut expected = rows.iter().peekable();
        for entry in self.scan(&[]) {
            let (key, row) = entry?;
            if key == APPLIED {
                continue;
            }
            while let Some((missing, _)) = expected.next_if(|(wanted, _)| **wanted < key) {
                different.push(missing.clone());
            }
            match expected.next_if(|(wanted, _)| **wanted == key) {
                Some((_, wanted)) if *wanted == row => {}
                _ => different.push(key),
            }
        }
        different.extend(expected.map(|(key, _)| key.clone()));
        Ok(different)
    }

    /// Whether it answers with these rows, by order as by key: a damaged tree may still find one way what it misses the
    /// other, also a row that it has just been given.
    pub(crate) fn check(&self, rows: &Rows) -> Result<(), IndexFailure> {
        let different = self.differences(rows)?.len();
        let mut missed = 0_usize;
        for (key, row) in rows {
            missed += usize::from(self.get(key)?.as_ref() != Some(row));
        }
        match different.max(missed) {
            0 => Ok(()),
            wrong => Err(IndexFailure(format!("{wrong} of its rows differed from the journal"))),
        }
    }

    pub(crate) fn put_metrics(&self, key: &[u8], value: &[u8]) -> Result<(), IndexFailure> {
        guarded(|| self.sled().metrics.insert(key, value).map(drop))
    }

    /// The metrics in a range of keys, in order.
    pub(crate) fn metrics(&self, from: &[u8], to: &[u8]) -> Result<Vec<Entry>, IndexFailure> {
        guarded(|| {
            self.sled().metrics.range(from..to).map(|entry| entry.map(|(k, v)| (k.to_vec(), v.to_vec()))).collect()
        })
    }

    /// Removes the metrics whose key is refused by `keep`; returns how many.
    pub(crate) fn retain_metrics(&self, keep: impl Fn(&[u8]) -> bool) -> Result<u64, IndexFailure> {
        guarded(|| {
            let mut batch = sled::Batch::default();
            let mut removed = 0;
            for key in self.sled().metrics.iter().keys() {
                let key = key?;
                if !keep(&key) {
                    batch.remove(key);
                    removed += 1;
                }
            }
            self.sled().metrics.apply_batch(batch).map(|()| removed)
        })
    }

    fn sled(&self) -> &Sled {
        self.sled.as_ref().expect("only dropping takes it")
    }
}

impl Drop for Sled {
    fn drop(&mut self) {
        if let Err(failure) = guarded(|| self.db.flush()) {
            tracing::warn!(%failure, "the index was not flushed; the next start brings it up to date");
        }
    }
}

impl Drop for DiskIndex {
    fn drop(&mut self) {
        if !dropped_within(CLOSE, self.sled.take()) {
            tracing::warn!(seconds = CLOSE.as_secs(), "the index does not close; going on without waiting for it");
        }
    }
}

/// Waits a moment for whoever still has the files: to sled a lock that is taken is an error like those of damaged files.
fn wait_until_closed(path: &Path) {
    if let Ok(file) = File::open(path.join(LOCKED)) {
        // If it stays locked, sled says so.
        let _ = lock::take(&file);
    }
}

/// Drops a value on a thread of its own and says whether that was done in this time. sled waits without an end for a
/// thread of its own that may have panicked, and may panic itself.
fn dropped_within<T: Send + 'static>(patience: Duration, value: T) -> bool {
    let (done, wait) = mpsc::channel::<()>();
    let spawned = std::thread::Builder::new().name("db-close".into()).spawn(move || {
        // What it says of the panic is in the log; the index is checked before it is used again.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
        drop(done);
    });
    spawned.is_err() || wait.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
}

/// Runs a piece of sled, so that an error or a panic in it comes out as the same failure.
fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, IndexFailure> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(IndexFailure(error.to_string())),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(IndexFailure(format!("panic in the index: {text}")))
        }
    }
}

fn encode(version: u64, value: &[u8]) -> Vec<u8> {
    let mut stored = version.to_be_bytes().to_vec();
    stored.extend_from_slice(value);
    stored
}

fn decode(stored: &[u8]) -> Result<Row, IndexFailure> {
    let (version, value) = stored.split_at_checked(8).ok_or_else(malformed)?;
    Ok(Row { version: number(version)?, value: value.to_vec() })
}

fn number(bytes: &[u8]) -> Result<u64, IndexFailure> {
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| malformed())
}

fn malformed() -> IndexFailure {
    IndexFailure("a row of the index is malformed".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does something when it is dropped.
    struct AtDrop<F: FnMut()>(F);

    impl<F: FnMut()> Drop for AtDrop<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }

    #[test]
    fn dropping_what_hangs_or_panics_comes_to_an_end() {
        let (release, held) = mpsc::channel::<()>();
        assert!(!dropped_within(Duration::from_millis(10), AtDrop(move || assert!(held.recv().is_err()))), "it hangs");
        drop(release);
        assert!(dropped_within(CLOSE, AtDrop(|| panic!("as sled may"))), "it panics");
        assert!(dropped_within(CLOSE, AtDrop(|| {})));
    }

    #[test]
    fn an_index_that_was_dropped_can_be_opened_at_once() {
        let dir = tempfile::TempDir::new().unwrap();
        for _ in 0..3 {
            drop(DiskIndex::open(dir.path()).unwrap());
        }
    }
}
