//! What can go wrong, one enum per thing a caller does: open, read, commit. Variants by what the caller can do about it.

use std::io;
use std::path::PathBuf;

use crate::table::TableId;

/// The database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// A file or directory cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The journal is damaged where it once was whole. Nothing has been changed; everything before the damage can be kept
    /// with [`crate::OnDamage::KeepReadable`].
    #[error(
        "the journal is damaged: {} at byte {offset}: {what}. What lies before, up to batch {readable}, can be read. \
         Restore the directory from a backup, or give up what follows by starting once with `serve --accept-loss`",
        file.display()
    )]
    Damaged {
        /// The damaged file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        what: String,
        /// The last batch before the damage.
        readable: u64,
    },
    /// The index has seen batches that the journal no longer holds: acknowledged writes are missing from the journal.
    #[error(
        "the journal ends at batch {journal}, but the index has seen batch {index}: the journal has lost \
         acknowledged batches. Restore the directory from a backup, or give those up by starting once with \
         `serve --accept-loss`"
    )]
    JournalBehindIndex {
        /// Last batch of the journal.
        journal: u64,
        /// Last batch that was applied to the index.
        index: u64,
    },
    /// What is stored was written by a newer version.
    #[error("{} was written by a newer version of Spaceport (format {found}, this one reads up to {known})", file.display())]
    TooNew {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// The stored secrets were sealed with another master key.
    #[error(
        "the secrets in this data directory were sealed with master key {stored}, but the key given is {given}: put the \
         right master.key back"
    )]
    WrongKey {
        /// Id of the key that the data needs.
        stored: String,
        /// Id of the key that was given.
        given: String,
    },
}

/// A value cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The index failed. The journal still has everything; a restart brings the index back.
    #[error("the index of the database failed: {0}")]
    Index(String),
    /// A stored value does not read as what its table holds.
    #[error("a row of {table} cannot be read: {why}")]
    Row {
        /// The table.
        table: TableId,
        /// What is wrong with it.
        why: String,
    },
}

/// A batch was not committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// An expectation of the batch does not hold. Nothing has changed.
    #[error("{key} in {table} is not as expected")]
    Conflict {
        /// The table of the row.
        table: TableId,
        /// The row's key, made printable.
        key: String,
    },
    /// The batch is larger than [`crate::MAX_BATCH`]. Nothing has changed.
    #[error("a change of {0} bytes is too large to store at once")]
    TooLarge(usize),
    /// The disk is full. Nothing has changed; it can be tried again once there is room.
    #[error("the disk that holds the database is full")]
    StorageFull,
    /// An earlier write failed, or this one did, in a way after which the disk cannot be trusted. Reading goes on. Whether
    /// this very batch was stored will be known after a restart.
    #[error("the database is read-only until the host restarts: {0}")]
    ReadOnly(String),
    /// The database has been closed.
    #[error("the database is closed")]
    Closed,
}

impl OpenError {
    /// For `map_err`: a failed attempt to do something with a path.
    pub(crate) fn io(action: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
