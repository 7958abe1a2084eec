//! All repositories of this host, in one directory.
//!
//! `<2 hex digits>/<24 hex digits>.git` by the Space's id, and `tmp/` for what is being made or removed: a repository
//! appears and disappears by one rename, so a crash leaves none by halves.

mod copy;
mod show;
pub(crate) mod sweep;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions};
use rustix::fs::FlockOperation;
use spaceport_core::id::SpaceId;
use spaceport_core::revision::DEPLOY_BRANCH;

use crate::error::GitError;
use crate::process::{Call, Git, READ_DEADLINE};
use crate::repo::Repo;

/// Where repositories are made and removed.
const WORK: &str = "tmp";
/// Held by the process that works on the repositories.
const LOCK: &str = "lock";

/// The repositories of this host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Repos {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The same directory twice: as a path for git, as a capability for what is done without it.
    path: PathBuf,
    dir: Dir,
    git: Arc<Git>,
    /// One lock per repository in use.
    writing: Mutex<HashMap<SpaceId, Arc<tokio::sync::Mutex<()>>>>,
    /// Tells names in `tmp` apart.
    next_work: AtomicU64,
    /// Locked for as long as it is open.
    _lock: File,
}

impl Repos {
    /// Opens the directory, makes it if it is not there, and sweeps what a crash left behind. One process at a time.
    pub async fn open(dir: &Path) -> Result<Self, GitError> {
        let git = Arc::new(Git::find().await?);
        let path = std::path::absolute(dir).map_err(GitError::io("open the directory of the repositories"))?;
        let (path, dir, lock) = blocking("open the directory of the repositories", move || prepare(path)).await??;
        let shared = Shared { path, dir, git, writing: Mutex::default(), next_work: AtomicU64::new(0), _lock: lock };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Makes an empty repository for a Space; one that is there already is left as it is.
    pub async fn create(&self, space: SpaceId) -> Result<Repo, GitError> {
        let repo = self.repo(space);
        let _writing = repo.writing.lock().await;
        let place = place(space);
        if self.is_dir(place.clone()).await? {
            drop(_writing);
            return Ok(repo);
        }
        let work = self.work_name(space);
        let branch = format!("--initial-branch={DEPLOY_BRANCH}");
        let args = ["--bare", "--quiet", "--template=", &branch, &work];
        let call = Call { command: "init", args: &args, max_output: 4096, deadline: READ_DEADLINE };
        self.shared.git.run(&self.shared.path, call, Vec::new()).await?.ok("init")?;
        let shared = Arc::clone(&self.shared);
        blocking("make a repository", move || {
            sync_tree(&shared.dir, &work)?;
            shared.dir.create_dir_all(parent(&place))?;
            shared.dir.rename(&work, &shared.dir, &place)?;
            sync_dir(&shared.dir.open_dir(parent(&place))?)?;
            sync_dir(&shared.dir)
        })
        .await?
        .map_err(GitError::io("make a repository"))?;
        drop(_writing);
        Ok(repo)
    }

    /// The repository of a Space. Reads nothing: a missing one shows at the first use.
    pub fn repo(&self, space: SpaceId) -> Repo {
        let writing = {
            let mut locks = self.shared.writing.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(space).or_default())
        };
        let path = self.shared.path.join(place(space));
        Repo { space, path, git: Arc::clone(&self.shared.git), writing, incoming: None }
    }

    /// Removes a Space's repository, if it has one.
    pub async fn remove(&self, space: SpaceId) -> Result<(), GitError> {
        let repo = self.repo(space);
        let _writing = repo.writing.lock().await;
        let work = self.work_name(space);
        let shared = Arc::clone(&self.shared);
        blocking("remove a repository", move || {
            let place = place(space);
            match shared.dir.rename(&place, &shared.dir, &work) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                renamed => renamed?,
            }
            sync_dir(&shared.dir.open_dir(parent(&place))?)?;
            shared.dir.remove_dir_all(&work)
        })
        .await?
        .map_err(GitError::io("remove a repository"))
    }

    /// Every Space that has a repository.
    pub async fn list(&self) -> Result<Vec<SpaceId>, GitError> {
        let shared = Arc::clone(&self.shared);
        blocking("list the repositories", move || sweep::repositories(&shared.dir))
            .await?
            .map(|found| found.into_iter().map(|(space, _)| space).collect())
            .map_err(GitError::io("list the repositories"))
    }

    async fn is_dir(&self, place: String) -> Result<bool, GitError> {
        let shared = Arc::clone(&self.shared);
        blocking("look for a repository", move || shared.dir.is_dir(place)).await
    }

    fn work_name(&self, space: SpaceId) -> String {
        format!("{WORK}/{space}-{}", self.shared.next_work.fetch_add(1, Ordering::Relaxed))
    }
}

/// Opens, locks and sweeps.
fn prepare(path: PathBuf) -> Result<(PathBuf, Dir, File), GitError> {
    let open = || -> io::Result<(Dir, File)> {
        Dir::create_ambient_dir_all(&path, ambient_authority())?;
        let dir = Dir::open_ambient_dir(&path, ambient_authority())?;
        // The name of the directory itself: without it, whatever is flushed below is lost with it.
        sync_dir(&dir.open_parent_dir(ambient_authority())?)?;
        let lock = dir.open_with(LOCK, OpenOptions::new().write(true).create(true))?;
        Ok((dir, lock))
    };
    let (dir, lock) = open().map_err(GitError::io("open the directory of the repositories"))?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| GitError::InUse)?;
    sweep::sweep(&dir, WORK).map_err(GitError::io("sweep the repositories"))?;
    Ok((path, dir, lock))
}

/// Where a repository lies. The first digits of an id are its time and the same for many, the last ones are not.
fn place(space: SpaceId) -> String {
    let id = space.to_string();
    let (_, last) = id.split_at(id.len() - 2);
    format!("{last}/{id}.git")
}

fn parent(place: &str) -> &str {
    place.split('/').next().unwrap_or_default()
}

/// Flushes the names in a directory. It is opened anew, since what a [`Dir`] holds cannot be flushed.
pub(crate) fn sync_dir(dir: &Dir) -> io::Result<()> {
    dir.open(".")?.sync_all()
}

/// Flushes a directory with everything in it.
fn sync_tree(dir: &Dir, path: &str) -> io::Result<()> {
    let folder = dir.open_dir(path)?;
    for entry in folder.entries()? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            sync_tree(&folder, &name)?;
        } else {
            folder.open(&name)?.sync_all()?;
        }
    }
    sync_dir(&folder)
}

/// Runs what blocks on the disk where it may.
async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, GitError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| GitError::Io { doing, source: io::ErrorKind::Other.into() })
}

#[cfg(test)]
mod tests;
