//! What a Space's code uses: read when a revision's configuration is, and kept for lists of Spaces.
//!
//! It is kept with the revision that was read. Whoever speaks of another revision reads that one.

use spaceport_core::id::SpaceId;
use spaceport_core::linked::{Linked, MAX_FILE, MAX_FILES, MAX_TOTAL, is_read};
use spaceport_core::revision::Oid;
use spaceport_db::{Batch, Db, Expect, LinkedRepos};
use spaceport_git::{FileMode, GitError, Repo, TreeEntry};

use crate::fleet::Shared;

/// Reads what a revision of a Space uses and keeps it. What fails is only missing from lists.
pub(crate) async fn refresh(shared: &Shared, space: SpaceId, revision: Oid) {
    match shared.db.linked_repos().get(&space) {
        Ok(Some(kept)) if kept.revision == revision => return,
        Ok(_) => {}
        Err(error) => tracing::warn!(%space, %error, "what a Space uses is read anew"),
    }
    let repo = shared.repos.repo(space);
    let read = async {
        let files = repo.tree(revision).await?;
        of_revision(&repo, &files, &shared.config.addresses.hub).await
    };
    match read.await {
        Ok(linked) => keep(&shared.db, space, LinkedRepos { revision, linked }).await,
        Err(error) => tracing::warn!(%space, %revision, %error, "what a Space uses cannot be read"),
    }
}

/// What the files of a revision name. `hub` is the authority of this hub.
pub(crate) async fn of_revision(repo: &Repo, files: &[TreeEntry], hub: &str) -> Result<Linked, GitError> {
    let files = worth_reading(files);
    let ids: Vec<Oid> = files.iter().map(|file| file.oid).collect();
    let contents = repo.read_blobs(&ids, MAX_FILE).await?;
    let paths: Vec<String> = files.iter().map(|file| file.path.to_string()).collect();
    let hub = hub.to_owned();
    let read = move || {
        let mut linked = Linked::default();
        for (path, content) in paths.iter().zip(contents) {
            linked.read(path, &String::from_utf8_lossy(&content.unwrap_or_default()), &hub);
        }
        linked
    };
    // It takes milliseconds, and for files that are meant to take long, tens of them.
    tokio::task::spawn_blocking(read)
        .await
        .map_err(|error| GitError::Git { command: "cat-file", message: error.to_string() })
}

/// The files that are read: those nearest to the root, where apps begin.
fn worth_reading(files: &[TreeEntry]) -> Vec<&TreeEntry> {
    let is_code = |file: &&TreeEntry| file.mode != FileMode::Symlink && is_read(file.path.as_str(), file.size);
    let mut files: Vec<&TreeEntry> = files.iter().filter(is_code).collect();
    files.sort_by_key(|file| file.path.as_str().matches('/').count());
    let mut total = 0;
    files.retain(|file| {
        let fits = total + file.size <= MAX_TOTAL;
        total += if fits { file.size } else { 0 };
        fits
    });
    files.truncate(MAX_FILES);
    files
}

async fn keep(db: &Db, space: SpaceId, linked: LinkedRepos) {
    let mut batch = Batch::default();
    batch.expect(db.spaces(), &space, Expect::Present);
    batch.put(db.linked_repos(), &space, &linked);
    if let Err(error) = db.commit(batch).await {
        tracing::warn!(%space, %error, "what a Space uses cannot be kept");
    }
}

#[cfg(test)]
mod tests {
    use spaceport_git::RepoPath;

    use super::*;

    fn entry(path: &str, mode: FileMode, size: u64) -> TreeEntry {
        TreeEntry { path: RepoPath::parse(path).unwrap(), mode, oid: Oid::from_bytes([1; 20]), size }
    }

    #[test]
    fn code_near_the_root_is_read_first_and_not_without_end() {
        let mut files = vec![
            entry("a/b/deep.py", FileMode::Regular, 1),
            entry("app.py", FileMode::Executable, 1),
            entry("data.bin", FileMode::Regular, 1),
            entry("link.py", FileMode::Symlink, 1),
            entry("z/index.html", FileMode::Regular, 1),
        ];
        let names = |files: &[TreeEntry]| -> Vec<String> {
            worth_reading(files).iter().map(|file| file.path.to_string()).collect()
        };
        assert_eq!(names(&files), ["app.py", "z/index.html", "a/b/deep.py"]);
        files.extend((0..MAX_TOTAL / MAX_FILE).map(|n| entry(&format!("b{n}.py"), FileMode::Regular, MAX_FILE)));
        assert_eq!(names(&files).len() as u64, 3 + MAX_TOTAL / MAX_FILE - 1, "three bytes are taken by others");
        files.extend((0..MAX_FILES).map(|n| entry(&format!("c{n}.py"), FileMode::Regular, 0)));
        assert_eq!(names(&files).len(), MAX_FILES);
    }
}
