//! Opening: lock, journal, index, in this order of trust.
//!
//! The journal is read whole and checked at every start. The index is brought up to it, then compared with it row by row;
//! one that cannot be opened or turns out different is set aside and made again. Only a journal that has lost what was
//! acknowledged stops the start, unless the operator accepts the loss.

mod index_dir;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::dir::create_private_dir;
use crate::error::OpenError;
use crate::index::Index;
use crate::journal::{self, Cut, Journal, Readable};
use crate::lock;
use index_dir::{IndexDir, unix_seconds, unused};

/// Journal size from which compaction is worth its while: reading 4 MiB at a start takes a few milliseconds.
const COMPACT_AFTER: u64 = 4 << 20;

/// How to open the database.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to do when the journal is damaged.
    pub on_damage: OnDamage,
    /// Bytes of journal from which it is compacted, if the last snapshot is not larger than that.
    pub compact_after: u64,
}

/// What to do when the journal has lost batches that were acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnDamage {
    /// Refuse to open and change nothing.
    #[default]
    Refuse,
    /// Keep what can be read before the damage; set the damaged files aside.
    KeepReadable,
}

/// What was found and done on opening.
#[derive(Debug, Clone)]
pub struct OpenReport {
    /// Number of the newest batch.
    pub last: u64,
    /// Rows there are.
    pub rows: u64,
    /// How the index was.
    pub index: IndexReport,
    /// What a crash had left unfinished at the end of the journal, in words; nobody was told that it was stored.
    pub unfinished: Option<String>,
    /// What was lost by [`OnDamage::KeepReadable`], in words.
    pub lost: Option<String>,
}

/// How the index was on opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexReport {
    /// Equal to the journal.
    Current,
    /// There was none.
    Created,
    /// Behind the journal by this many changes, which were applied.
    CaughtUp(u64),
    /// Unusable; made again from the journal.
    Rebuilt {
        /// What was wrong with it.
        why: String,
        /// Where it was set aside.
        set_aside: PathBuf,
    },
    /// Unusable, and a new one could not be made: the rows are in memory.
    InMemory {
        /// What went wrong.
        why: String,
    },
}

/// An opened database, not yet written to.
pub(crate) struct Opened {
    pub(crate) lock: File,
    pub(crate) journal: Journal,
    pub(crate) index: Index,
    pub(crate) report: OpenReport,
}

impl Default for Options {
    fn default() -> Self {
        Self { on_damage: OnDamage::default(), compact_after: COMPACT_AFTER }
    }
}

impl OpenReport {
    /// What the operator should know, a sentence each; empty if all was well.
    pub fn warnings(&self) -> Vec<String> {
        let index = match &self.index {
            IndexReport::Current | IndexReport::Created | IndexReport::CaughtUp(_) => None,
            IndexReport::Rebuilt { why, set_aside } => Some(format!(
                "the database's index was unusable ({why}); it was rebuilt from the journal and the old one set aside as {}",
                set_aside.display()
            )),
            IndexReport::InMemory { why } => Some(format!(
                "the database's index could not be rebuilt on disk ({why}); it is in memory until the next start"
            )),
        };
        [&self.lost, &index, &self.unfinished].into_iter().flatten().cloned().collect()
    }
}

pub(crate) fn open(dir: &Path, options: Options) -> Result<Opened, OpenError> {
    let journal_dir = dir.join("journal");
    let lock = prepare(dir, &journal_dir)?;
    let index_dir = IndexDir::new(dir);
    let mut found = index_dir.open();
    let mut lost = None;
    let after = found.applied();
    let opened = Journal::open(&journal_dir, after, options.compact_after).and_then(|(journal, loaded)| {
        // An index that was never written to has no say.
        if after > loaded.last {
            let error = OpenError::JournalBehindIndex { journal: loaded.last, index: after };
            return Err(Box::new(Readable { error, loaded }));
        }
        Ok((journal, loaded))
    });
    let (journal, mut loaded) = match opened {
        Ok(opened) => opened,
        Err(readable) => {
            lost = Some(accept_loss(&journal_dir, *readable, options.on_damage)?);
            found = index_dir.set_aside(found, "it has seen batches that were lost".into());
            Journal::open(&journal_dir, u64::MAX, options.compact_after).map_err(|readable| readable.error)?
        }
    };
    let unfinished = loaded.cut.take().map(|cut| describe(&cut));
    let (last, rows) = (loaded.last, loaded.rows.len() as u64);
    let (index, index_report) = index_dir.bring_up(found, loaded);
    let report = OpenReport { last, rows, index: index_report, unfinished, lost };
    Ok(Opened { lock, journal, index, report })
}

/// Makes the directories and makes sure that no other process has them.
fn prepare(dir: &Path, journal_dir: &Path) -> Result<File, OpenError> {
    create_private_dir(dir).map_err(OpenError::io("create", dir))?;
    let lock_path = dir.join("lock");
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
    let lock = lock.map_err(OpenError::io("open", &lock_path))?;
    match lock::take(&lock) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(dir.to_owned())),
        Err(TryLockError::Error(error)) => return Err(OpenError::io("lock", &lock_path)(error)),
    }
    let make_journal = || -> io::Result<()> {
        journal::finish_interrupted(journal_dir)?;
        create_private_dir(journal_dir)
    };
    make_journal().map_err(OpenError::io("create", journal_dir))?;
    Ok(lock)
}

/// Puts what could be read in place of a journal that has lost something, if the operator accepts that; says what was
/// lost.
fn accept_loss(journal_dir: &Path, readable: Readable, on_damage: OnDamage) -> Result<String, OpenError> {
    let Readable { error, loaded } = readable;
    let is_loss = matches!(error, OpenError::Damaged { .. } | OpenError::JournalBehindIndex { .. });
    if on_damage == OnDamage::Refuse || !is_loss {
        return Err(error);
    }
    let aside = unused(journal_dir.with_file_name(format!("journal.damaged-{}", unix_seconds())));
    let aside = journal::salvage(journal_dir, &loaded, &aside)?;
    Ok(format!("{error}; {} rows were kept and the old journal set aside as {}", loaded.rows.len(), aside.display()))
}

fn describe(cut: &Cut) -> String {
    format!(
        "the last write before the host ended was incomplete and was never confirmed: {} bytes at the end of {} were cut off",
        cut.bytes,
        cut.file.display()
    )
}
