//! The segment being written: appends that are on disk when they return, and what happens when the disk says no.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
#[cfg(test)]
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::error::OpenError;
use crate::journal::Change;
use crate::journal::file::{self, HEADER, Header, Kind};
use crate::journal::frame;

/// A segment as found on disk.
#[derive(Debug, Clone)]
pub(crate) struct FoundSegment {
    pub(super) path: PathBuf,
    pub(super) header: Header,
    /// Bytes that are whole frames.
    pub(super) len: u64,
}

/// The open segment.
pub(super) struct Segment {
    file: File,
    salt: u32,
    /// Bytes that are on disk for certain; what may lie behind them was never acknowledged.
    len: u64,
    #[cfg(test)]
    faults: Arc<Faults>,
}

/// Nothing was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AppendError {
    /// No room; the file is as it was, and there may be room later.
    Full,
    /// The file can no longer be trusted; it must not be written to again before it has been read anew.
    Broken(String),
}

/// Failures for tests to cause.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// The next fsync fails.
    pub(crate) sync: AtomicBool,
}

impl Segment {
    /// Creates the segment that starts with this batch.
    pub(super) fn create(dir: &Path, first: u64) -> Result<Self, OpenError> {
        let header = Header::new(Kind::Segment, first);
        let file = file::create(dir, header, |_| Ok(()))?;
        Ok(Self::with(file, header.salt, HEADER as u64))
    }

    /// Opens a segment for appending. What an earlier process wrote to it may have been read from memory only, so it is
    /// brought to disk before anything is built on it.
    pub(super) fn reopen(found: &FoundSegment) -> Result<Self, OpenError> {
        let open = || -> io::Result<File> {
            let file = OpenOptions::new().read(true).write(true).open(&found.path)?;
            file.set_len(found.len)?;
            file.sync_all()?;
            Ok(file)
        };
        let file = open().map_err(OpenError::io("open", &found.path))?;
        Ok(Self::with(file, found.header.salt, found.len))
    }

    /// Makes sure that there is no segment that starts with this batch.
    pub(super) fn remove(dir: &Path, first: u64) -> io::Result<()> {
        match fs::remove_file(file::path(dir, Kind::Segment, first)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => file::sync_dir(dir),
        }
    }

    /// Bytes in it.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Appends batches as one frame.
    pub(super) fn append(&mut self, first: u64, batches: &[Vec<Change>]) -> Result<(), AppendError> {
        let frame = frame::of_batches(self.salt, first, batches);
        if let Err(error) = self.file.write_all_at(&frame, self.len) {
            let cut = self.file.set_len(self.len);
            return match (is_full(&error), cut) {
                (true, Ok(())) => Err(AppendError::Full),
                _ => Err(AppendError::broken(error)),
            };
        }
        if let Err(error) = self.sync() {
            // After a failed fsync nobody knows what is on disk, and a second one would only claim success. The attempt to
            // cut the frame off spares the next start from reading a batch that may be in memory alone.
            let _ = self.file.set_len(self.len);
            return Err(AppendError::broken(error));
        }
        self.len += frame.len() as u64;
        Ok(())
    }

    fn with(file: File, salt: u32, len: u64) -> Self {
        Self {
            file,
            salt,
            len,
            #[cfg(test)]
            faults: Arc::default(),
        }
    }

    #[cfg(not(test))]
    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    #[cfg(test)]
    fn sync(&self) -> io::Result<()> {
        if self.faults.sync.swap(false, Ordering::SeqCst) {
            return Err(io::Error::other("injected"));
        }
        self.file.sync_data()
    }

    #[cfg(test)]
    pub(super) fn faults(&self) -> Arc<Faults> {
        self.faults.clone()
    }
}

impl AppendError {
    pub(super) fn broken(error: io::Error) -> Self {
        Self::Broken(format!("writing the journal failed: {error}"))
    }
}

/// Whether a write failed for want of room: the disk's, a quota's or the process's own limit.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}
