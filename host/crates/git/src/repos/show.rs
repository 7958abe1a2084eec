//! A repository whose deploy branch is a revision of another one: what a preview is built from. Objects are linked and the
//! branch is led to the revision after them, so a crash leaves it where it was.

use std::io;
use std::sync::Arc;

use cap_std::fs::Dir;
use spaceport_core::id::SpaceId;
use spaceport_core::revision::{DEPLOY_BRANCH, Oid};

use super::copy::link_folder;
use super::{Repos, blocking, place, sync_dir};
use crate::error::GitError;
use crate::repo::Repo;

/// Where a repository keeps its objects.
const OBJECTS: &str = "objects";

impl Repos {
    /// Leads the deploy branch of `to`, which is made if it is not there, to a commit of `from`.
    pub async fn show(&self, from: SpaceId, to: SpaceId, commit: Oid) -> Result<Repo, GitError> {
        let source = self.repo(from);
        let repo = self.create(to).await?;
        let _writing = repo.writing.lock().await;
        // Nothing moves in the original meanwhile.
        let _reading = source.writing.lock().await;
        let shared = Arc::clone(&self.shared);
        blocking("link a repository", move || {
            let target = shared.dir.open_dir(place(to))?;
            link_folder(&shared.dir.open_dir(place(from))?.open_dir(OBJECTS)?, &target, OBJECTS)?;
            sync_folders(&target.open_dir(OBJECTS)?)
        })
        .await?
        .map_err(GitError::io("link a repository"))?;
        let before = repo.head(DEPLOY_BRANCH).await?;
        if before != Some(commit) && !repo.move_branch(DEPLOY_BRANCH, commit, before).await? {
            let message = format!("{DEPLOY_BRANCH} was moved by somebody else");
            return Err(GitError::Git { command: "update-ref", message });
        }
        drop(_writing);
        Ok(repo)
    }
}

/// Flushes the names in a folder and those below. What they name was flushed when it was made.
fn sync_folders(folder: &Dir) -> io::Result<()> {
    for entry in folder.entries()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.open_dir()?)?;
        }
    }
    sync_dir(folder)
}
