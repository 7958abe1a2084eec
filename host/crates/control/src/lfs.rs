//! Large files: kept once for all Spaces, by the SHA-256 of their content.
//!
//! ```text
//!   lfs/objects/<2 digits>/<64 digits>   a content; there only once all of it is there, hashed and on the medium
//!   lfs/tmp/                             what is being sent in one piece; gone at every start
//!   lfs/parts/<space>-<content>          what is being sent in parts; gone when nobody goes on for a day
//! ```
//!
//! A Space *has* a large file if a row of the database says so, and the row comes only after somebody who may write to the
//! Space has sent the whole content, even if it is here already: knowing a hash gives nobody the file. Whatever makes or
//! removes a content holds one lock, so that none is removed between its arrival and its row.

mod collect;
mod parts;
mod place;
mod receive;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use spaceport_core::id::SpaceId;
use spaceport_core::lfs::{LfsOid, MAX_LARGE_FILE};
use spaceport_db::{Batch, CommitError, Db, Expect, LfsLink, ReadError};
use tokio::io::{AsyncReadExt, AsyncSeekExt, Take};
use tokio::sync::{Mutex, OwnedSemaphorePermit, RwLock, Semaphore};
use tokio::time::timeout;

use crate::ports::Clock;

pub use parts::PART;

/// Uploads at a time: each keeps a thread busy with hashing and writing.
const MAX_UPLOADS: usize = 16;
/// Longest wait for a turn to upload.
const TURN: Duration = Duration::from_secs(30);
/// Bytes of large files that one Space may have: ten revisions of the largest size.
pub(crate) const MAX_SPACE_BYTES: u64 = 100 << 30;
/// Large files that one Space may have: they are listed whole, and change hands in one batch of the database.
const MAX_SPACE_FILES: usize = 20_000;
/// The directory below the data directory.
const FOLDER: &str = "lfs";
const OBJECTS: &str = "objects";
const TMP: &str = "tmp";
const PARTS: &str = "parts";

/// The large files of this host. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LfsStore {
    shared: Arc<Shared>,
}

struct Shared {
    dir: Dir,
    db: Arc<Db>,
    clock: Arc<dyn Clock>,
    /// Held by whoever makes or removes a content, or the row that a Space has it.
    turn: Mutex<()>,
    uploads: Arc<Semaphore>,
    /// Uploads in parts that somebody works on: many write parts, one puts them together.
    in_parts: parking_lot::Mutex<HashMap<String, Arc<RwLock<()>>>>,
    next: AtomicU64,
    /// Bytes that uploads may still take on the disk.
    room: Box<dyn Fn() -> io::Result<u64> + Send + Sync>,
}

/// What a Space takes of its share.
pub(crate) struct Taken {
    /// Its large files.
    pub(crate) has: HashMap<LfsOid, u64>,
    /// What of others has come in parts so far.
    unfinished: HashMap<LfsOid, u64>,
}

/// Why a large file cannot be had or taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LfsError {
    /// What came is not what was announced.
    #[error("the content is not what its id and size say: {0}")]
    Mismatch(String),
    /// Nothing of the kind was begun, or it is over.
    #[error("there is no such upload: ask for it anew")]
    NoUpload,
    /// A file is larger than what is kept, or the Space has too much already.
    #[error("{0}")]
    TooLarge(String),
    /// As many uploads go on as can at a time.
    #[error("too many large files are being uploaded at the same time: try again in a moment")]
    Busy,
    /// The disk is full.
    #[error("this host has no disk space left")]
    StorageFull,
    /// The Space is gone.
    #[error("the Space was deleted")]
    NoSpace,
    /// The sender broke off.
    #[error("the upload broke off: {0}")]
    BrokenOff(io::Error),
    /// The database did not take it.
    #[error(transparent)]
    Commit(CommitError),
    /// The database did not tell.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk did not do it.
    #[error("cannot {attempt}: {source}")]
    Files {
        /// What was attempted.
        attempt: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// A part of a content, to be read.
pub type LargeContent = Take<tokio::fs::File>;

impl LfsStore {
    /// Opens the directories and removes what was being sent in one piece. Blocks on the disk.
    pub(crate) fn open(data: &Path, db: Arc<Db>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let path = data.join(FOLDER);
        Dir::create_ambient_dir_all(&path, ambient_authority())?;
        let dir = Dir::open_ambient_dir(&path, ambient_authority())?;
        if dir.is_dir(TMP) {
            dir.remove_dir_all(TMP)?;
        }
        for folder in [OBJECTS, TMP, PARTS] {
            dir.create_dir_all(folder)?;
        }
        sync(&dir)?;
        let shared = Shared {
            dir,
            db,
            clock,
            turn: Mutex::default(),
            uploads: Arc::new(Semaphore::new(MAX_UPLOADS)),
            in_parts: parking_lot::Mutex::default(),
            next: AtomicU64::new(0),
            room: Box::new(move || spaceport_git::room(&path)),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// A large file that a Space has.
    pub(crate) fn find(&self, space: SpaceId, oid: LfsOid) -> Result<Option<LfsLink>, LfsError> {
        Ok(self.shared.db.lfs_links().get(&(space, oid))?)
    }

    /// Every large file that a Space has.
    pub(crate) fn of(&self, space: SpaceId) -> Result<HashMap<LfsOid, u64>, LfsError> {
        let links = self.shared.db.lfs_links().under(&space)?;
        Ok(links.into_iter().map(|((_, oid), link)| (oid, link.size)).collect())
    }

    /// What a Space takes of its share.
    pub(crate) async fn taken(&self, space: SpaceId) -> Result<Taken, LfsError> {
        let has = self.of(space)?;
        let mut unfinished = self.unfinished(space).await?;
        unfinished.retain(|oid, _| !has.contains_key(oid));
        Ok(Taken { has, unfinished })
    }

    /// Refuses what a Space may not have, or the disk cannot hold, before a byte of it is sent.
    pub(crate) async fn admit(&self, space: SpaceId, oid: LfsOid, size: u64) -> Result<(), LfsError> {
        self.admit_beside(&self.taken(space).await?, oid, size)
    }

    /// The same beside what the Space takes already.
    pub(crate) fn admit_beside(&self, taken: &Taken, oid: LfsOid, size: u64) -> Result<(), LfsError> {
        // Of the file itself all is counted, however much of it is here.
        let unfinished = taken.unfinished.iter().filter(|(other, _)| **other != oid);
        let sizes: Vec<u64> = taken.has.values().chain(unfinished.map(|(_, bytes)| bytes)).copied().collect();
        if sizes.len() >= MAX_SPACE_FILES {
            return Err(LfsError::TooLarge(format!("a Space may have at most {MAX_SPACE_FILES} large files")));
        }
        if size > MAX_LARGE_FILE {
            let most = MAX_LARGE_FILE >> 30;
            return Err(LfsError::TooLarge(format!("a file may have at most {most} GiB, and this has {size} bytes")));
        }
        let has = sizes.into_iter().fold(0, u64::saturating_add);
        if has.saturating_add(size) > MAX_SPACE_BYTES {
            let most = MAX_SPACE_BYTES >> 30;
            return Err(LfsError::TooLarge(format!(
                "the large files of a Space may have at most {most} GiB together, and it has {has} bytes already, unfinished uploads among them"
            )));
        }
        let room = (self.shared.room)().map_err(failed("look at the disk"))?;
        if room < size { Err(LfsError::StorageFull) } else { Ok(()) }
    }

    /// A part of a content, which must lie within its size.
    pub(crate) async fn read(&self, oid: LfsOid, part: Range<u64>) -> Result<LargeContent, LfsError> {
        let attempt = "read a large file";
        let file = self.blocking(attempt, move |shared| shared.dir.open(object(oid))).await?;
        let mut file = tokio::fs::File::from_std(file.into_std());
        file.seek(io::SeekFrom::Start(part.start)).await.map_err(failed(attempt))?;
        Ok(file.take(part.end.saturating_sub(part.start)))
    }

    async fn upload_turn(&self) -> Result<OwnedSemaphorePermit, LfsError> {
        let turn = timeout(TURN, self.shared.uploads.clone().acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or(LfsError::Busy)
    }

    /// Makes a complete file, hashed and on the medium, a content that a Space has.
    async fn keep(&self, file: String, space: SpaceId, oid: LfsOid, size: u64) -> Result<(), LfsError> {
        let _turn = self.shared.turn.lock().await;
        let attempt = "keep a large file";
        self.blocking(attempt, move |shared| {
            let place = object(oid);
            let (folder, _) = place.rsplit_once('/').unwrap_or_default();
            if !shared.dir.is_dir(folder) {
                shared.dir.create_dir_all(folder)?;
                sync(&shared.dir.open_dir(OBJECTS)?)?;
            }
            shared.dir.rename(&file, &shared.dir, &place)?;
            sync(&shared.dir.open_dir(folder)?)
        })
        .await?;
        let db = &self.shared.db;
        let mut batch = Batch::default();
        batch.expect(db.spaces(), &space, Expect::Present);
        batch.put(db.lfs_links(), &(space, oid), &LfsLink { size, created_at: self.shared.clock.now() });
        match db.commit(batch).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict { .. }) => Err(LfsError::NoSpace),
            Err(CommitError::StorageFull) => Err(LfsError::StorageFull),
            Err(error) => Err(LfsError::Commit(error)),
        }
    }

    /// Runs what blocks on the disk where it may.
    async fn blocking<T: Send + 'static>(
        &self,
        attempt: &'static str,
        work: impl FnOnce(&Shared) -> io::Result<T> + Send + 'static,
    ) -> Result<T, LfsError> {
        let shared = self.shared.clone();
        let done = tokio::task::spawn_blocking(move || work(&shared)).await;
        done.unwrap_or_else(|panicked| Err(io::Error::other(panicked))).map_err(failed(attempt))
    }
}

impl std::fmt::Debug for LfsStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LfsStore")
    }
}

/// Where a content is.
fn object(oid: LfsOid) -> String {
    let text = oid.to_string();
    format!("{OBJECTS}/{}/{text}", text.split_at(2).0)
}

/// For `map_err`: what the disk said, with what was attempted.
fn failed(attempt: &'static str) -> impl Fn(io::Error) -> LfsError {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => LfsError::StorageFull,
        _ => LfsError::Files { attempt, source },
    }
}

/// Flushes the names in a directory. It is opened anew, since what a [`Dir`] holds cannot be flushed.
fn sync(dir: &Dir) -> io::Result<()> {
    dir.open(".")?.sync_all()
}
