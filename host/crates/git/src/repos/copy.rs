//! A repository as a copy of another, with all of its history: branches and tags are copied, objects are linked, since no
//! object ever changes. The copy appears by one rename, as a new repository does.

use std::io;
use std::sync::Arc;

use cap_std::fs::Dir;
use spaceport_core::id::SpaceId;

use super::{Repos, blocking, parent, place, sync_dir, sync_tree};
use crate::error::GitError;
use crate::process::{Call, READ_DEADLINE};
use crate::repo::Repo;

/// What is copied beside the objects, where it is there. Other refs belong to what happens around the original: pull
/// requests and what builds have left.
const COPIED: [&str; 4] = ["HEAD", "packed-refs", "refs/heads", "refs/tags"];
/// Refs of the original that the copy does not have, in the file of packed ones.
const LEFT_OUT: [&str; 3] = ["refs/pr", "refs/convert", "refs/spaceport"];
/// What git names files that it is still writing.
const UNFINISHED: [&str; 3] = ["tmp_", "incoming-", "quarantine"];

impl Repos {
    /// Makes a Space's repository as a copy of another Space's; one that is there already is left as it is.
    pub async fn copy(&self, from: SpaceId, to: SpaceId) -> Result<Repo, GitError> {
        let (source, repo) = (self.repo(from), self.repo(to));
        let _writing = repo.writing.lock().await;
        // Nothing moves in the original meanwhile.
        let _reading = source.writing.lock().await;
        let target = place(to);
        if self.is_dir(target.clone()).await? {
            drop(_writing);
            return Ok(repo);
        }
        if !self.is_dir(place(from)).await? {
            return Err(GitError::NoRepository(from));
        }
        let work = self.work_name(to);
        let args = ["--bare", "--quiet", "--template=", &work];
        let call = Call { command: "init", args: &args, max_output: 4096, deadline: READ_DEADLINE };
        self.shared.git.run(&self.shared.path, call, Vec::new()).await?.ok("init")?;
        let shared = Arc::clone(&self.shared);
        blocking("copy a repository", move || {
            let copy = shared.dir.open_dir(&work)?;
            fill(&shared.dir.open_dir(place(from))?, &copy)?;
            sync_tree(&shared.dir, &work)?;
            shared.dir.create_dir_all(parent(&target))?;
            shared.dir.rename(&work, &shared.dir, &target)?;
            sync_dir(&shared.dir.open_dir(parent(&target))?)?;
            sync_dir(&shared.dir)
        })
        .await?
        .map_err(GitError::io("copy a repository"))?;
        drop(_writing);
        Ok(repo)
    }
}

/// Refs first: whatever they lead to is among the objects by then.
fn fill(from: &Dir, to: &Dir) -> io::Result<()> {
    for name in COPIED {
        match from.metadata(name) {
            Ok(found) if found.is_dir() => copy_folder(&from.open_dir(name)?, to, name)?,
            Ok(_) => copy_file(from, to, name)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    link_folder(&from.open_dir("objects")?, to, "objects")
}

fn copy_file(from: &Dir, to: &Dir, name: &str) -> io::Result<()> {
    let text = from.read(name)?;
    match name {
        "packed-refs" => to.write(name, kept_refs(&String::from_utf8_lossy(&text))),
        _ => to.write(name, text),
    }
}

/// The lines of packed refs that the copy has; one that starts with `^` says more of the one before it.
fn kept_refs(packed: &str) -> String {
    let mut kept = String::new();
    let mut is_kept = true;
    for line in packed.lines() {
        if !line.starts_with('^') {
            let name = line.split_once(' ').map_or("", |(_, name)| name);
            is_kept = !LEFT_OUT.iter().any(|out| name.strip_prefix(out).is_some_and(|rest| rest.starts_with('/')));
        }
        if is_kept {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn copy_folder(from: &Dir, to: &Dir, path: &str) -> io::Result<()> {
    to.create_dir_all(path)?;
    for entry in from.entries()? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{path}/{name}");
        if entry.file_type()?.is_dir() {
            copy_folder(&from.open_dir(&name)?, to, &path)?;
        } else if !name.ends_with(".lock") {
            to.write(&path, from.read(&name)?)?;
        }
    }
    Ok(())
}

/// Links every file of a folder that the other does not have.
pub(super) fn link_folder(from: &Dir, to: &Dir, path: &str) -> io::Result<()> {
    to.create_dir_all(path)?;
    for entry in from.entries()? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{path}/{name}");
        if UNFINISHED.iter().any(|start| name.starts_with(start)) || name.ends_with(".lock") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            link_folder(&from.open_dir(&name)?, to, &path)?;
            continue;
        }
        match from.hard_link(&name, to, &path) {
            Ok(()) => {}
            // An object is the same wherever it is.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // Some file systems have no links.
            Err(_) => from.copy(&name, to, &path).map(drop)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_of_pull_requests_are_left_behind() {
        let packed = "# pack-refs with: peeled fully-peeled sorted\naa refs/heads/main\nbb refs/pr/1\n^cc\ndd refs/tags/v1\n^ee\nff refs/private\n";
        let kept =
            "# pack-refs with: peeled fully-peeled sorted\naa refs/heads/main\ndd refs/tags/v1\n^ee\nff refs/private\n";
        assert_eq!(kept_refs(packed), kept);
    }
}
