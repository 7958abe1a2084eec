//! Reading repositories: revisions, folders, files.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use spaceport_core::id::SpaceId;
use spaceport_core::lfs::LfsPointer;
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor};
use spaceport_core::revision::{DEPLOY_BRANCH, Oid};
use spaceport_git::{FileStream, Repo, TreeEntry};

use super::Control;
use super::error::{ServiceError, ServiceResult};
use super::git_tree::folders;
use super::lfs::lfs_failed;
use super::storage::git_failed;
use crate::lfs::{LargeContent, LfsStore};

/// The name by which clients mean the default branch.
const HEAD: &str = "HEAD";

/// Largest file that is read into memory as a whole: most are far smaller, and a process of git for each would cost more.
const SMALL_FILE: u64 = 1 << 20;

/// A commit, as far as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its id.
    pub oid: Oid,
    /// When it was made.
    pub at: Millis,
}

/// One line of a folder's listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderEntry {
    /// A file.
    File {
        /// Its path from the root.
        path: String,
        /// The id of its content.
        oid: Oid,
        /// Bytes of its content.
        size: u64,
        /// The large file that it stands for.
        large: Option<LfsPointer>,
    },
    /// A folder.
    Folder {
        /// Its path from the root.
        path: String,
        /// The id of its listing.
        oid: Oid,
    },
}

/// A file of a revision.
#[derive(Debug)]
pub struct FoundFile {
    /// The commit.
    pub commit: Oid,
    /// The id of its content.
    pub oid: Oid,
    /// Bytes of its content; of a file that stands for a large one, of that.
    pub size: u64,
    /// The large file that it stands for.
    pub large: Option<LfsPointer>,
    path: String,
    repo: Repo,
    store: LfsStore,
}

/// A part of a file's content.
pub enum FileContent {
    /// Of a small file, at once.
    Whole(Bytes),
    /// Of a larger one, in pieces.
    Stream(FileStream),
    /// Of a large file that is kept beside the repository.
    Large(LargeContent),
}

impl FoundFile {
    /// A part of its content, which must lie within its size.
    pub async fn content(&self, part: Range<u64>) -> ServiceResult<FileContent> {
        if let Some(pointer) = self.large {
            return Ok(FileContent::Large(self.store.read(pointer.oid, part).await.map_err(lfs_failed)?));
        }
        if self.size > SMALL_FILE {
            return Ok(FileContent::Stream(self.repo.stream(self.oid, part).await.map_err(git_failed)?));
        }
        let content = self.repo.read(self.commit, &self.path).await.map_err(git_failed)?.unwrap_or_default();
        let part = usize::try_from(part.start).ok().zip(usize::try_from(part.end).ok());
        let part = part.filter(|(start, end)| start <= end && *end <= content.len());
        let (start, end) = part.ok_or_else(|| ServiceError::internal("read a file", "it is shorter than was said"))?;
        Ok(FileContent::Whole(content.slice(start..end)))
    }
}

impl FolderEntry {
    /// Its path from the root.
    pub fn path(&self) -> &str {
        match self {
            Self::File { path, .. } | Self::Folder { path, .. } => path,
        }
    }
}

impl Control {
    /// The commit that a branch, a tag or an id stands for.
    pub async fn resolve_revision(&self, actor: &Actor, path: &SpacePath, revision: &str) -> ServiceResult<Oid> {
        let space = self.space(actor, path, Action::See)?;
        resolve(&self.inner.repos.repo(space.id), revision).await
    }

    /// A folder of a revision, or everything below it; with the commit.
    pub async fn folder(
        &self,
        actor: &Actor,
        path: &SpacePath,
        revision: &str,
        folder: &str,
        is_recursive: bool,
    ) -> ServiceResult<(Oid, Vec<FolderEntry>)> {
        let space = self.space(actor, path, Action::See)?;
        let repo = self.inner.repos.repo(space.id);
        let commit = resolve(&repo, revision).await?;
        let entries = self.entries(space.id, &repo, commit).await?;
        let folder = folder.trim_matches('/');
        if folder.is_empty() {
            return Ok((commit, below(entries, "", is_recursive)));
        }
        let listed = below(entries, &format!("{folder}/"), is_recursive);
        // Git knows no empty folder.
        if listed.is_empty() {
            let message = format!("{folder} does not exist on {revision:?}");
            return Err(ServiceError::EntryNotFound { message, commit });
        }
        Ok((commit, listed))
    }

    /// What is at these paths of a revision, with the commit; those where nothing is are left out.
    pub async fn entries_at(
        &self,
        actor: &Actor,
        path: &SpacePath,
        revision: &str,
        wanted: &[&str],
    ) -> ServiceResult<(Oid, Vec<FolderEntry>)> {
        let space = self.space(actor, path, Action::See)?;
        let repo = self.inner.repos.repo(space.id);
        let commit = resolve(&repo, revision).await?;
        let mut all: BTreeMap<String, FolderEntry> = self
            .entries(space.id, &repo, commit)
            .await?
            .into_iter()
            .map(|entry| (entry.path().to_owned(), entry))
            .collect();
        Ok((commit, wanted.iter().filter_map(|path| all.remove(path.trim_end_matches('/'))).collect()))
    }

    /// One file of a revision; as what it stands for, or as it is in the repository.
    pub async fn file(
        &self,
        actor: &Actor,
        path: &SpacePath,
        revision: &str,
        file: &str,
        is_raw: bool,
    ) -> ServiceResult<FoundFile> {
        let space = self.space(actor, path, Action::See)?;
        let repo = self.inner.repos.repo(space.id);
        let commit = resolve(&repo, revision).await?;
        let missing =
            || ServiceError::EntryNotFound { message: format!("{file} does not exist on {revision:?}"), commit };
        let tree = repo.tree(commit).await.map_err(git_failed)?;
        let entry = tree.iter().find(|entry| entry.path.as_str() == file).ok_or_else(missing)?;
        let large = match is_raw {
            true => None,
            false => self.pointers(space.id, &repo, &[entry]).await?.remove(&entry.oid),
        };
        let size = large.map_or(entry.size, |pointer| pointer.size);
        let (path, store) = (file.to_owned(), self.large().clone());
        Ok(FoundFile { commit, oid: entry.oid, size, large, path, repo, store })
    }

    /// Files and folders of a revision, in the order of paths.
    async fn entries(&self, space: SpaceId, repo: &Repo, commit: Oid) -> ServiceResult<Vec<FolderEntry>> {
        let tree = repo.tree(commit).await.map_err(git_failed)?;
        let pointers = self.pointers(space, repo, &tree.iter().collect::<Vec<_>>()).await?;
        Ok(entries(&tree, &pointers))
    }
}

/// The commit that a branch, a tag or an id stands for.
pub(super) async fn resolve(repo: &Repo, revision: &str) -> ServiceResult<Oid> {
    let name = if revision == HEAD { DEPLOY_BRANCH } else { revision };
    let found = repo.resolve(name).await.map_err(git_failed)?;
    found.ok_or_else(|| ServiceError::RevisionNotFound(revision.to_owned()))
}

/// Files and the folders that they make, in the order of paths.
fn entries(files: &[TreeEntry], pointers: &BTreeMap<Oid, LfsPointer>) -> Vec<FolderEntry> {
    let files_listed = files.iter().map(|file| FolderEntry::File {
        path: file.path.as_str().to_owned(),
        oid: file.oid,
        size: file.size,
        large: pointers.get(&file.oid).copied(),
    });
    let folders_listed = folders(files).into_iter().map(|(path, oid)| FolderEntry::Folder { path, oid });
    let mut all: Vec<FolderEntry> = folders_listed.chain(files_listed).collect();
    all.sort_by(|a, b| a.path().cmp(b.path()));
    all
}

fn below(entries: Vec<FolderEntry>, prefix: &str, is_recursive: bool) -> Vec<FolderEntry> {
    let is_listed =
        |entry: &FolderEntry| entry.path().strip_prefix(prefix).is_some_and(|rest| is_recursive || !rest.contains('/'));
    entries.into_iter().filter(is_listed).collect()
}
