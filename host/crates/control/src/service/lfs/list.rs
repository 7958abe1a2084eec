//! A Space's large files as a list, for whoever looks after its storage.

use std::collections::BTreeMap;

use spaceport_core::lfs::LfsOid;
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor};
use spaceport_core::revision::DEPLOY_BRANCH;

use crate::service::Control;
use crate::service::error::ServiceResult;
use crate::service::storage::{git_failed, read_failed};

/// A large file that a Space keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargeFile {
    /// The SHA-256 of its content.
    pub oid: LfsOid,
    /// Bytes of its content.
    pub size: u64,
    /// When the Space got it.
    pub created_at: Millis,
    /// Where it is on `main`; `None` if only other revisions have it.
    pub path: Option<String>,
}

impl Control {
    /// Every large file that a Space keeps, the newest first.
    pub async fn large_files(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<Vec<LargeFile>> {
        let space = self.space(actor, path, Action::SeeSettings)?.id;
        let repo = self.inner.repos.repo(space);
        let mut paths = BTreeMap::new();
        if let Some(head) = repo.head(DEPLOY_BRANCH).await.map_err(git_failed)? {
            let files = repo.tree(head).await.map_err(git_failed)?;
            let pointers = self.pointers(space, &repo, &files.iter().collect::<Vec<_>>()).await?;
            for file in files {
                if let Some(pointer) = pointers.get(&file.oid) {
                    paths.entry(pointer.oid).or_insert_with(|| file.path.to_string());
                }
            }
        }
        let links = self.inner.db.lfs_links().under(&space).map_err(read_failed)?.into_iter();
        let mut files: Vec<LargeFile> = links
            .map(|((_, oid), link)| LargeFile {
                oid,
                size: link.size,
                created_at: link.created_at,
                path: paths.remove(&oid),
            })
            .collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.created_at));
        Ok(files)
    }
}
