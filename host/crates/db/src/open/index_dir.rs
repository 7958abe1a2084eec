//! The directory of the index: open what is there, set aside what cannot be trusted, make a new one from the journal.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::index::{DiskIndex, Index, IndexFailure};
use crate::journal::Loaded;
use crate::open::IndexReport;

/// Indexes set aside that are kept for a look at what went wrong; older ones are removed. Nothing in them is needed.
const KEEP_BAD: usize = 2;
/// What the name of an index that was set aside starts with.
const BAD: &str = "sled.bad-";

/// Where the index is.
pub(super) struct IndexDir {
    store: PathBuf,
    path: PathBuf,
}

/// The index as found.
pub(super) enum Found {
    /// There was none; this one is empty.
    New(DiskIndex),
    /// It opened, and says how far it is.
    Usable(DiskIndex, u64),
    /// It did not.
    Unusable(Unusable),
}

/// An index that cannot be used.
pub(super) struct Unusable {
    why: String,
    /// Where it is now, if it could be set aside.
    set_aside: Option<PathBuf>,
}

impl Found {
    /// How far the index says it is.
    pub(super) fn applied(&self) -> u64 {
        match self {
            Self::Usable(_, applied) => *applied,
            Self::New(_) | Self::Unusable(_) => 0,
        }
    }
}

impl IndexDir {
    pub(super) fn new(store: &Path) -> Self {
        Self { store: store.to_owned(), path: store.join("sled") }
    }

    pub(super) fn open(&self) -> Found {
        let is_new = !self.path.exists();
        let opened = DiskIndex::open(&self.path).and_then(|disk| {
            let applied = disk.applied()?;
            Ok((disk, applied))
        });
        match opened {
            Ok((disk, None)) if is_new => Found::New(disk),
            Ok((disk, Some(applied))) => Found::Usable(disk, applied),
            // sled opens what it cannot read as if nothing had ever been in it.
            Ok((disk, None)) => {
                drop(disk);
                Found::Unusable(self.move_aside("it had lost everything".into()))
            }
            Err(failure) => Found::Unusable(self.move_aside(failure.0)),
        }
    }

    /// Closes an index and sets it aside.
    pub(super) fn set_aside(&self, found: Found, why: String) -> Found {
        match found {
            Found::New(disk) | Found::Usable(disk, _) => Found::Unusable(self.close_and_move(disk, why)),
            unusable @ Found::Unusable(_) => unusable,
        }
    }

    /// Brings the index up to the journal, or makes it again, or does without.
    pub(super) fn bring_up(&self, found: Found, loaded: Loaded) -> (Index, IndexReport) {
        let unusable = match found {
            Found::New(disk) => match disk.reconcile(&loaded.rows, loaded.last) {
                Ok(_) => return (Index::on_disk(disk), IndexReport::Created),
                Err(failure) => self.close_and_move(disk, failure.0),
            },
            Found::Usable(disk, applied) => match catch_up(&disk, applied, &loaded) {
                Ok(report) => return (Index::on_disk(disk), report),
                Err(failure) => self.close_and_move(disk, failure.0),
            },
            Found::Unusable(unusable) => unusable,
        };
        match self.replace(unusable, &loaded) {
            Ok((disk, report)) => (Index::on_disk(disk), report),
            Err(why) => (Index::in_memory(loaded.rows), IndexReport::InMemory { why }),
        }
    }

    /// Makes a new index where an unusable one was; the error says why there is none.
    fn replace(&self, unusable: Unusable, loaded: &Loaded) -> Result<(DiskIndex, IndexReport), String> {
        let Unusable { why, set_aside } = unusable;
        let Some(set_aside) = set_aside else { return Err(why) };
        let create = || -> Result<DiskIndex, IndexFailure> {
            let disk = DiskIndex::open(&self.path)?;
            disk.reconcile(&loaded.rows, loaded.last)?;
            Ok(disk)
        };
        match create() {
            Ok(disk) => Ok((disk, IndexReport::Rebuilt { why, set_aside })),
            Err(failure) => Err(format!("{why}; making it again failed: {failure}")),
        }
    }

    fn close_and_move(&self, disk: DiskIndex, why: String) -> Unusable {
        // Closing comes first: sled holds a lock on its files.
        drop(disk);
        self.move_aside(why)
    }

    fn move_aside(&self, why: String) -> Unusable {
        let aside = unused(self.store.join(format!("{BAD}{}", unix_seconds())));
        match fs::rename(&self.path, &aside) {
            Ok(()) => {
                self.forget_oldest();
                Unusable { why, set_aside: Some(aside) }
            }
            Err(error) => Unusable { why: format!("{why}; setting it aside failed: {error}"), set_aside: None },
        }
    }

    /// Removes all but the newest of the indexes that were set aside.
    fn forget_oldest(&self) {
        let Ok(entries) = fs::read_dir(&self.store) else { return };
        let mut bad: Vec<PathBuf> = entries
            .flatten()
            .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(BAD)))
            .map(|entry| entry.path())
            .collect();
        bad.sort();
        for path in bad.iter().rev().skip(KEEP_BAD) {
            if let Err(error) = fs::remove_dir_all(path).or_else(|_| fs::remove_file(path)) {
                tracing::warn!(path = %path.display(), %error, "an old index that was set aside cannot be removed");
            }
        }
    }
}

/// Applies what the index lacks and compares it with the journal; the error says why it cannot be trusted.
fn catch_up(disk: &DiskIndex, applied: u64, loaded: &Loaded) -> Result<IndexReport, IndexFailure> {
    // Batches that have become part of the snapshot are no longer there to be applied, so a comparison tells what is missing.
    let lacks_merged = loaded.snapshot.is_some_and(|snapshot| applied < snapshot);
    let missing = if lacks_merged {
        disk.reconcile(&loaded.rows, loaded.last)?
    } else {
        disk.apply(&loaded.since)?;
        loaded.since.len() as u64
    };
    disk.check(&loaded.rows)?;
    Ok(if missing == 0 { IndexReport::Current } else { IndexReport::CaughtUp(missing) })
}

/// A path that does not exist yet: this one, or this one with a number.
pub(super) fn unused(path: PathBuf) -> PathBuf {
    let with_number = |number: u32| PathBuf::from(format!("{}-{number}", path.display()));
    std::iter::once(path.clone())
        .chain((2..).map(with_number))
        .find(|path| matches!(fs::symlink_metadata(path), Err(error) if error.kind() == ErrorKind::NotFound))
        .unwrap_or(path)
}

#[expect(clippy::disallowed_methods, reason = "names what is set aside; nothing is decided by it")]
pub(super) fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
