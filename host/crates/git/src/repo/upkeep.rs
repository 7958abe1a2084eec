//! What keeps a repository durable and small: directories flushed to disk, packs merged when they become many.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::Repo;
use crate::error::GitError;
use crate::process::{Call, READ_DEADLINE};
use crate::repos::sweep::sweep_import;
use crate::repos::sync_dir;

/// Packs at which they are merged. Every commit adds one, and each costs a lookup whenever an object is read.
const MAX_PACKS: usize = 32;
/// The longest a merge may take.
const REPACK_DEADLINE: Duration = Duration::from_secs(600);

impl Repo {
    /// Makes the names of new packs durable; their content was made so by git.
    pub(crate) async fn sync_packs(&self) -> Result<(), GitError> {
        sync_directories(vec![self.folder().join("objects/pack")]).await
    }

    /// Makes a moved branch, or a pull request, durable with the folders that its name has.
    pub(super) async fn sync_branch(&self, full_name: &str) -> Result<(), GitError> {
        let file = self.folder().join(full_name);
        let heads = self.folder().join(if full_name.starts_with("refs/heads/") { "refs/heads" } else { "refs" });
        let folders = file.ancestors().skip(1).take_while(|folder| folder.starts_with(&heads));
        sync_directories(folders.map(Path::to_path_buf).collect()).await
    }

    /// Removes what a failed import has left, as far as that can be done; the next start does it again.
    pub(super) async fn discard_import(&self) {
        let folder = self.folder().to_owned();
        let sweep = move || sweep_import(&Dir::open_ambient_dir(folder, ambient_authority())?);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(sweep).await {
            tracing::warn!(space = %self.space, error = %error, "cannot remove what a failed import has left");
        }
    }

    /// Makes refs of any kind durable that were moved, made or removed: their folders, and the top, where git keeps those
    /// that it has packed.
    pub(crate) async fn sync_refs(&self, full_names: &[&str]) -> Result<(), GitError> {
        let top = self.folder().to_path_buf();
        let refs = top.join("refs");
        let mut folders = std::collections::BTreeSet::from([top.clone()]);
        for name in full_names {
            let file = top.join(name);
            folders
                .extend(file.ancestors().skip(1).take_while(|folder| folder.starts_with(&refs)).map(Path::to_path_buf));
        }
        // Git removes the folders of a removed ref that are empty then.
        let is_there = |folder: &PathBuf| folder.is_dir();
        sync_directories(folders.into_iter().filter(is_there).collect()).await
    }

    /// Bytes that the objects of the repository take on disk.
    pub async fn disk_bytes(&self) -> Result<u64, GitError> {
        let call = Call { command: "count-objects", args: &["-v"], max_output: 4096, deadline: READ_DEADLINE };
        let output = self.run(call, Vec::new()).await?.ok("count-objects")?;
        let text = String::from_utf8_lossy(&output);
        // Lines such as `size-pack: 12`, in KiB.
        let size = |line: &str| {
            let (name, number) = line.split_once(": ")?;
            matches!(name, "size" | "size-pack" | "size-garbage").then(|| number.trim().parse::<u64>().ok())?
        };
        Ok(text.lines().filter_map(size).sum::<u64>() << 10)
    }

    /// Merges packs if there are many; to be called now and then after commits, which wait for it. A failure costs speed
    /// only, so it is said and passed over.
    pub async fn tidy(&self) {
        let _writing = self.writing.lock().await;
        let packs = self.folder().join("objects/pack");
        let count = tokio::task::spawn_blocking(move || count_packs(&packs)).await.unwrap_or(0);
        if count < MAX_PACKS {
            return;
        }
        let args = ["--geometric=2", "-d", "-q"];
        let call = Call { command: "repack", args: &args, max_output: 4096, deadline: REPACK_DEADLINE };
        if let Err(error) = self.run(call, Vec::new()).await.and_then(|finished| finished.ok("repack")) {
            tracing::warn!(space = %self.space, error = %error, "cannot merge the packs of a repository");
        }
    }
}

fn count_packs(folder: &Path) -> usize {
    let Ok(folder) = Dir::open_ambient_dir(folder, ambient_authority()) else { return 0 };
    let Ok(entries) = folder.entries() else { return 0 };
    entries.flatten().filter(|entry| entry.file_name().to_string_lossy().ends_with(".pack")).count()
}

/// Flushes directories: the names in them, that is, not the content of the files.
pub(super) async fn sync_directories(folders: Vec<PathBuf>) -> Result<(), GitError> {
    let sync =
        move || folders.iter().try_for_each(|folder| sync_dir(&Dir::open_ambient_dir(folder, ambient_authority())?));
    match tokio::task::spawn_blocking(sync).await {
        Ok(synced) => synced.map_err(GitError::io("flush a repository's directory")),
        Err(_) => {
            Err(GitError::Io { doing: "flush a repository's directory", source: std::io::ErrorKind::Other.into() })
        }
    }
}
