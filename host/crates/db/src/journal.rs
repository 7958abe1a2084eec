//! The journal: every batch ever acknowledged, in order, and the only truth there is.
//!
//! ```text
//! journal/  snapshot-00000000000000000700   all rows as of batch 700
//!           segment-00000000000000000701    batches 701 and on, appended and fsynced; the newest one is being written
//! ```
//!
//! A *frame* holds the batches that were written together and one checksum over them. The next frame is only written once
//! the one before is on disk. So an unreadable frame with nothing readable behind it is a write that a crash cut short,
//! and nobody was told that it had succeeded: it is cut off. An unreadable frame with a readable one behind it was whole
//! once: that is damage, and opening refuses rather than forget acknowledged batches. Damage to the very last frame looks
//! like a torn write; the index, which remembers how far it was, tells it apart (see [`crate::open`]).
//!
//! *Compaction* writes the rows aside as a snapshot, from the journal itself and never from the index, and removes the
//! segments that it replaces only when the snapshot is on disk.

mod compact;
mod file;
mod frame;
mod load;
mod salvage;
mod segment;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crate::error::OpenError;
use segment::Segment;

pub(crate) use file::sync_dir;
pub(crate) use load::{Cut, Loaded, Readable};
pub(crate) use salvage::{finish_interrupted, salvage};
pub(crate) use segment::AppendError;
#[cfg(test)]
pub(crate) use segment::Faults;

/// A change of one row, as it is journaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// The stored key: table number and encoded key.
    pub(crate) key: Vec<u8>,
    /// The stored value; `None` removes the row.
    pub(crate) value: Option<Vec<u8>>,
}

impl Change {
    pub(crate) fn size(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// The open journal, in the hands of the one thread that writes.
pub(crate) struct Journal {
    dir: PathBuf,
    /// Where batches are appended.
    segment: Segment,
    /// Number of the newest batch on disk.
    last: u64,
    /// Bytes of segments that the newest snapshot has not replaced, without the open one.
    closed_bytes: u64,
    snapshot_bytes: u64,
    /// Journal size from which compaction is worth its while; see [`Journal::compact_if_due`].
    compact_after: u64,
    compaction: Option<JoinHandle<Option<u64>>>,
}

impl Journal {
    /// Reads the whole journal and makes it ready for writing. Changes of batches after number `after` are returned apart.
    pub(crate) fn open(dir: &Path, after: u64, compact_after: u64) -> Result<(Self, Loaded), Box<Readable>> {
        let loaded = load::load(dir, after, None)?;
        match Self::take_over(dir, &loaded, compact_after) {
            Ok(journal) => Ok((journal, loaded)),
            Err(error) => Err(Box::new(Readable { error, loaded })),
        }
    }

    fn take_over(dir: &Path, loaded: &Loaded, compact_after: u64) -> Result<Self, OpenError> {
        let segment = match &loaded.open_segment {
            Some(found) => Segment::reopen(found)?,
            None => Segment::create(dir, loaded.last + 1)?,
        };
        file::remove_unfinished(dir).map_err(OpenError::io("clean up", dir))?;
        if let Some(snapshot) = loaded.snapshot {
            compact::remove_replaced(dir, snapshot).map_err(OpenError::io("clean up", dir))?;
        }
        Ok(Self {
            dir: dir.to_owned(),
            segment,
            last: loaded.last,
            closed_bytes: loaded.closed_bytes,
            snapshot_bytes: loaded.snapshot_bytes,
            compact_after,
            compaction: None,
        })
    }

    /// Number of the newest batch.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Appends batches, numbered from `last() + 1`, as one frame, and waits until it is on disk.
    pub(crate) fn append(&mut self, batches: &[Vec<Change>]) -> Result<(), AppendError> {
        self.segment.append(self.last + 1, batches)?;
        self.last += batches.len() as u64;
        Ok(())
    }

    /// Reads everything that was ever appended, once more, from disk.
    pub(crate) fn reload(&mut self) -> Result<Loaded, OpenError> {
        self.finish_compaction();
        load::load(&self.dir, self.last, None).map_err(|readable| readable.error)
    }

    /// Starts a compaction in the background once what it would save outweighs the snapshot it has to write. Fails only if
    /// the journal can no longer be written to.
    pub(crate) fn compact_if_due(&mut self) -> Result<(), AppendError> {
        if self.compaction.as_ref().is_some_and(|running| !running.is_finished()) {
            return Ok(());
        }
        self.finish_compaction();
        if self.segment.len() < self.compact_after.max(self.snapshot_bytes) {
            return Ok(());
        }
        self.compact()
    }

    /// Starts a compaction of all there is.
    fn compact(&mut self) -> Result<(), AppendError> {
        let closed = self.segment.len();
        match Segment::create(&self.dir, self.last + 1) {
            Ok(next) => self.segment = next,
            Err(error) => {
                tracing::warn!(error = %crate::error::chain(&error), "journal not compacted");
                // Should the new segment be there after all, appending to the old one would contradict it.
                return Segment::remove(&self.dir, self.last + 1).map_err(AppendError::broken);
            }
        }
        self.closed_bytes += closed;
        let (dir, last) = (self.dir.clone(), self.last);
        let spawned = std::thread::Builder::new().name("db-compact".into()).spawn(move || compact::compact(&dir, last));
        match spawned {
            Ok(running) => self.compaction = Some(running),
            Err(error) => tracing::warn!(%error, "journal not compacted"),
        }
        Ok(())
    }

    fn finish_compaction(&mut self) {
        let Some(running) = self.compaction.take() else { return };
        // A compaction that failed or panicked has logged it and left the segments; the next one takes them along.
        if let Ok(Some(snapshot_bytes)) = running.join() {
            self.closed_bytes = 0;
            self.snapshot_bytes = snapshot_bytes;
        }
    }

    #[cfg(test)]
    pub(crate) fn faults(&self) -> std::sync::Arc<Faults> {
        self.segment.faults()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.finish_compaction();
    }
}
