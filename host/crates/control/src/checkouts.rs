//! The directories that guests see: revisions checked out for `/app`, `/tmp` of each instance, `/data` of each Space.
//!
//! ```text
//!   checkouts/<space>/<revision>/        a revision's files; there only once they are all there
//!   checkouts/<space>/<revision>.files   what they are
//!   tmp/<space>/<instance>/              gone with the instance, and at every start
//!   storage/<space>/                     kept until the owner gives the storage or the Space up
//! ```
//!
//! Checkouts are copies and may be removed at any time that nothing runs from them. They are not flushed to the medium, so
//! a machine that was switched off makes all of them again.

mod index;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use spaceport_core::id::{BuildId, SpaceId};
use spaceport_core::lifecycle::InstanceId;
use spaceport_core::revision::Oid;
use spaceport_git::{CheckedOutFile, GitError, Repos};

use crate::lfs::LfsStore;
use crate::ports::Mount;

/// Looks at a folder that others remove things from, before giving up: each removal beside us costs one.
const REMOVALS: u32 = 100;

/// A revision's files by path: their sizes and the ids of their contents.
pub type FileList = BTreeMap<String, CheckedOutFile>;

/// Names the run of the machine that the checkouts were made in.
const BOOT_FILE: &str = "boot";
/// Where Linux says which run of the machine this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// How directories begin that are being made or removed.
const WORK: &str = ".work-";

/// Why a revision's files cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckoutError {
    /// The repository does not give them.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The disk does not.
    #[error("cannot {attempt}: {source}")]
    Files {
        /// What was attempted.
        attempt: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// The directories that guests see. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Checkouts {
    shared: Arc<Shared>,
}

struct Shared {
    repos: Arc<Repos>,
    lfs: LfsStore,
    checkouts: Folder,
    tmp: Folder,
    storage: Folder,
    next_work: AtomicU64,
}

/// A directory twice: as a path for guests' file systems, as a capability for the host.
struct Folder {
    path: PathBuf,
    dir: Dir,
}

impl Checkouts {
    /// Opens the directories and removes what the last process left in them and this one cannot use. Blocks on the disk.
    pub(crate) fn open(data: &Path, repos: Arc<Repos>, lfs: LfsStore) -> io::Result<Self> {
        let data = std::path::absolute(data)?;
        let shared = Shared {
            repos,
            lfs,
            checkouts: Folder::open(data.join("checkouts"))?,
            tmp: Folder::open(data.join("tmp"))?,
            storage: Folder::open(data.join("storage"))?,
            next_work: AtomicU64::new(0),
        };
        shared.sweep()?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// A revision's files, checked out if they are not yet.
    pub(crate) async fn ensure(&self, space: SpaceId, revision: Oid) -> Result<Mount, CheckoutError> {
        let place = format!("{space}/{revision}");
        let found = {
            let place = place.clone();
            self.blocking("open a checkout", move |shared| shared.checkouts.mount_if_there(&place)).await?
        };
        if let Some(mount) = found {
            return Ok(mount);
        }
        let work = format!("{space}/{WORK}{}", self.shared.next_work.fetch_add(1, Ordering::Relaxed));
        let made = self.make(space, revision, &work).await;
        if made.is_err() {
            let dropped = self.blocking("remove a checkout", move |shared| shared.checkouts.remove(&work)).await;
            report("remove an unfinished checkout", dropped);
        }
        made
    }

    /// What the files of a checked-out revision are.
    pub(crate) async fn files(&self, space: SpaceId, revision: Oid) -> Result<Arc<FileList>, CheckoutError> {
        let read = move |shared: &Shared| index::read(&shared.checkouts.dir, &index_name(space, revision));
        Ok(Arc::new(self.blocking("read the list of a checkout", read).await?))
    }

    /// An empty directory for an instance's `/tmp`.
    pub(crate) async fn make_tmp(&self, space: SpaceId, instance: InstanceId) -> Result<Mount, CheckoutError> {
        let place = tmp_name(space, instance);
        let make = move |shared: &Shared| {
            shared.tmp.remove(&place)?;
            shared.tmp.mount(&place)
        };
        self.blocking("make a directory for /tmp", make).await
    }

    /// An empty directory for the web site that a build makes; gone with the build, and at every start.
    pub(crate) async fn make_site(&self, space: SpaceId, build: BuildId) -> Result<Mount, CheckoutError> {
        let place = site_name(space, build);
        let make = move |shared: &Shared| {
            shared.tmp.remove(&place)?;
            shared.tmp.mount(&place)
        };
        self.blocking("make a directory for a web site", make).await
    }

    /// Removes the web site of a build.
    pub(crate) async fn remove_site(&self, space: SpaceId, build: BuildId) {
        let place = site_name(space, build);
        report("remove a web site", self.blocking("remove a web site", move |shared| shared.tmp.remove(&place)).await);
    }

    /// Removes an instance's `/tmp`.
    pub(crate) async fn remove_tmp(&self, space: SpaceId, instance: InstanceId) {
        let place = tmp_name(space, instance);
        report("remove a /tmp", self.blocking("remove a /tmp", move |shared| shared.tmp.remove(&place)).await);
    }

    /// A Space's `/data`.
    pub(crate) async fn storage(&self, space: SpaceId) -> Result<Mount, CheckoutError> {
        self.blocking("make a directory for /data", move |shared| shared.storage.mount(&space.to_string())).await
    }

    /// Removes a Space's `/data` with everything on it. It is out of the way when this returns, a large one is still being
    /// deleted.
    pub(crate) async fn remove_storage(&self, space: SpaceId) {
        let work = format!("{WORK}{}", self.shared.next_work.fetch_add(1, Ordering::Relaxed));
        let away = work.clone();
        let rename = move |shared: &Shared| {
            let folder = &shared.storage;
            match folder.dir.rename(space.to_string(), &folder.dir, &away) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                renamed => renamed.map(|()| true),
            }
        };
        let renamed = self.blocking("put a /data out of the way", rename).await;
        if let Ok(true) = renamed {
            let shared = self.shared.clone();
            // What a stopping host leaves of it the next start removes.
            drop(tokio::task::spawn_blocking(move || shared.storage.remove(&work)));
        }
        report("remove a /data", renamed.map(drop));
    }

    /// Removes the checkouts of all revisions but these. They are out of the way when this returns.
    pub(crate) async fn prune(&self, space: SpaceId, keep: BTreeSet<Oid>) {
        let put_away = move |shared: &Shared| shared.put_away(space, &keep);
        match self.blocking("put old checkouts out of the way", put_away).await {
            Ok(works) if works.is_empty() => {}
            Ok(works) => {
                let shared = self.shared.clone();
                let remove = move || works.iter().try_for_each(|work| shared.checkouts.remove(work));
                // What a stopping host leaves of them the next start removes.
                drop(tokio::task::spawn_blocking(remove));
            }
            Err(error) => report("remove old checkouts", Err(error)),
        }
    }

    /// Removes everything of a Space that can be made again: checkouts and `/tmp`.
    pub(crate) async fn remove_copies(&self, space: SpaceId) -> Result<(), CheckoutError> {
        let remove = move |shared: &Shared| {
            shared.checkouts.remove(&space.to_string())?;
            shared.tmp.remove(&space.to_string())
        };
        self.blocking("remove the directories of a Space", remove).await
    }

    /// Every Space that has checkouts or a `/tmp`.
    pub(crate) async fn spaces(&self) -> Result<BTreeSet<SpaceId>, CheckoutError> {
        let list = |shared: &Shared| {
            let names = shared.checkouts.names()?.into_iter().chain(shared.tmp.names()?);
            Ok(names.filter_map(|name| name.parse().ok()).collect())
        };
        self.blocking("list the directories of Spaces", list).await
    }

    async fn make(&self, space: SpaceId, revision: Oid, work: &str) -> Result<Mount, CheckoutError> {
        let into = {
            let work = work.to_owned();
            self.blocking("make a checkout", move |shared| shared.checkouts.mount(&work)).await?
        };
        let report = self.shared.repos.repo(space).checkout(revision, &into.dir).await?;
        let report = self.shared.lfs.materialise(space, &into.dir, report).await?;
        let work = work.to_owned();
        self.blocking("make a checkout", move |shared| {
            let folder = &shared.checkouts;
            let list = (&*format!("{work}.files"), &*index_name(space, revision));
            index::write(&folder.dir, list, &report.files)?;
            let place = format!("{space}/{revision}");
            match folder.dir.rename(&work, &folder.dir, &place) {
                Ok(()) => {}
                // Somebody else was faster; the files are the same.
                Err(_) if folder.dir.is_dir(&place) => folder.remove(&work)?,
                Err(error) => return Err(error),
            }
            folder.mount(&place)
        })
        .await
    }

    /// Runs what blocks on the disk where it may.
    async fn blocking<T: Send + 'static>(
        &self,
        attempt: &'static str,
        work: impl FnOnce(&Shared) -> io::Result<T> + Send + 'static,
    ) -> Result<T, CheckoutError> {
        let shared = self.shared.clone();
        let done = tokio::task::spawn_blocking(move || work(&shared)).await;
        done.unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
            .map_err(|source| CheckoutError::Files { attempt, source })
    }
}

impl Shared {
    /// Removes what is in work, every `/tmp`, and, after the machine was started anew, every checkout.
    fn sweep(&self) -> io::Result<()> {
        for name in self.tmp.names()? {
            self.tmp.remove(&name)?;
        }
        for name in self.storage.names()?.iter().filter(|name| name.starts_with(WORK)) {
            self.storage.remove(name)?;
        }
        let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
        let is_same_boot =
            !boot.is_empty() && self.checkouts.dir.read_to_string(BOOT_FILE).is_ok_and(|was| was == boot);
        for name in self.checkouts.names()? {
            if !is_same_boot || name.starts_with(WORK) {
                self.checkouts.remove(&name)?;
            } else if let Ok(space) = self.checkouts.dir.open_dir(&name) {
                for work in names(&space)?.iter().filter(|name| name.starts_with(WORK)) {
                    self.checkouts.remove(&format!("{name}/{work}"))?;
                }
            }
        }
        self.checkouts.dir.write(BOOT_FILE, boot)
    }

    /// Renames checkouts, since half of one must not pass for a whole one; returns what is to be removed.
    fn put_away(&self, space: SpaceId, keep: &BTreeSet<Oid>) -> io::Result<Vec<String>> {
        let folder = match self.checkouts.dir.open_dir(space.to_string()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened?,
        };
        let mut works = Vec::new();
        for name in names(&folder)? {
            let Ok(revision) = name.parse::<Oid>() else { continue };
            if !keep.contains(&revision) {
                let work = format!("{space}/{WORK}{}", self.next_work.fetch_add(1, Ordering::Relaxed));
                self.checkouts.dir.rename(format!("{space}/{name}"), &self.checkouts.dir, &work)?;
                works.push(work);
                works.push(index_name(space, revision));
            }
        }
        Ok(works)
    }
}

impl Folder {
    fn open(path: PathBuf) -> io::Result<Self> {
        Dir::create_ambient_dir_all(&path, ambient_authority())?;
        Ok(Self { dir: Dir::open_ambient_dir(&path, ambient_authority())?, path })
    }

    /// A folder in here, made if it is not there.
    fn mount(&self, place: &str) -> io::Result<Mount> {
        self.dir.create_dir_all(place)?;
        Ok(Mount { path: self.path.join(place), dir: Arc::new(self.dir.open_dir(place)?) })
    }

    fn mount_if_there(&self, place: &str) -> io::Result<Option<Mount>> {
        match self.dir.open_dir(place) {
            Ok(dir) => Ok(Some(Mount { path: self.path.join(place), dir: Arc::new(dir) })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a file or a folder with everything in it; one that is not there is fine.
    fn remove(&self, place: &str) -> io::Result<()> {
        for _ in 0..REMOVALS {
            let removed = match self.dir.symlink_metadata(place) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
                Ok(metadata) if metadata.is_dir() => self.dir.remove_dir_all(place),
                Ok(_) => self.dir.remove_file(place),
            };
            match removed {
                // Something in it went away beside us, so look again whether all of it is gone.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => return removed,
            }
        }
        Err(io::Error::other("what is removed keeps changing"))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        names(&self.dir)
    }
}

fn names(dir: &Dir) -> io::Result<Vec<String>> {
    dir.entries()?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn site_name(space: SpaceId, build: BuildId) -> String {
    format!("{space}/site-{build}")
}

fn tmp_name(space: SpaceId, instance: InstanceId) -> String {
    format!("{space}/{}", instance.0)
}

fn index_name(space: SpaceId, revision: Oid) -> String {
    format!("{space}/{revision}.files")
}

/// For what is tried again later, at the latest by the next start.
fn report(attempt: &'static str, done: Result<(), CheckoutError>) {
    if let Err(error) = done {
        tracing::warn!(%error, "cannot {attempt}");
    }
}
