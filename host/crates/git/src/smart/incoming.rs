//! Where the objects of a push are until it is accepted: a directory beside the repository's own objects, seen by nobody
//! else. It goes when the push does.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use crate::error::GitError;

/// How its name begins; the sweep at the start of the host knows it.
const NAME: &str = "incoming-";
/// Tries to remove it while a git that was told to end is still writing in it.
const REMOVALS: u32 = 40;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// In what order files become visible: git takes a pack for complete when its index is there.
const ORDER: [&str; 3] = ["pack", "rev", "idx"];

/// The objects of one push.
#[derive(Debug)]
pub(crate) struct Incoming {
    path: PathBuf,
}

impl Incoming {
    /// A new one for a repository.
    pub(crate) async fn make(repository: &Path) -> Result<Self, GitError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{NAME}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = repository.join("objects").join(name);
        let made = Self { path: path.clone() };
        // Not the folders above: a repository that was removed meanwhile must not come back.
        tokio::fs::create_dir(&path).await.map_err(GitError::io("make room for a push"))?;
        tokio::fs::create_dir(path.join("pack")).await.map_err(GitError::io("make room for a push"))?;
        Ok(made)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes its packs the repository's. Their content is durable already; that of the directory is for the caller.
    pub(crate) async fn accept(&self, repository: &Path) -> Result<(), GitError> {
        let (from, to) = (self.path.join("pack"), repository.join("objects/pack"));
        let moved = tokio::task::spawn_blocking(move || move_packs(&from, &to)).await;
        moved.unwrap_or_else(|panicked| Err(io::Error::other(panicked))).map_err(GitError::io("take in a push"))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        let remove = move || {
            for _ in 0..REMOVALS {
                match std::fs::remove_dir_all(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => std::thread::sleep(PAUSE),
                    _ => return,
                }
            }
            tracing::warn!("what is left of a push is removed at the next start");
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

fn move_packs(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (open(from)?, open(to)?);
    let mut names = Vec::new();
    for entry in from.entries()? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let rank = ORDER.iter().position(|end| name.rsplit('.').next() == Some(end));
        if let Some(rank) = rank.filter(|_| name.starts_with("pack-")) {
            names.push((rank, name));
        }
    }
    names.sort();
    names.iter().try_for_each(|(_, name)| from.rename(name, &to, name))
}

fn open(path: &Path) -> io::Result<Dir> {
    Dir::open_ambient_dir(path, ambient_authority())
}
