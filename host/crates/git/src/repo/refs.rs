//! Branches and tags: listed, made, removed. A ref is made only where none is and removed only where it still is what was
//! looked at, by git's own locks; both are durable when they return.

use std::path::PathBuf;

use bytes::Bytes;
use spaceport_core::discussion::PULL_REFS;
use spaceport_core::revision::Oid;

use super::{Repo, branch, import_identity};
use crate::commit::{Author, import};
use crate::error::GitError;
use crate::process::{Call, READ_DEADLINE};

/// Branches and tags a repository may have, and pull requests beside them: each is a file, and all of them are told as one
/// list.
pub const MAX_REFS: usize = 2_000;
/// For the list of refs: a generous line for each, and room for those that were pushed.
const REFS_OUTPUT: usize = 4 << 20;
/// What is listed. Everything else in a repository is git's or ours.
const LISTED: [&str; 4] = ["refs/heads", "refs/tags", "refs/convert", "refs/pr"];

/// A branch, a tag, or another ref that clients may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefEntry {
    /// Its full name, such as `refs/heads/main`.
    pub name: String,
    /// The commit it leads to.
    pub target: Oid,
}

/// How making or removing a ref went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefChange {
    /// It was done.
    Done,
    /// There is one of this name, or one that this name would be a folder of.
    Exists,
    /// There is none of this name.
    Missing,
    /// The repository has as many as it may have.
    TooMany,
}

impl Repo {
    /// Every branch, tag and other ref that leads to a commit, in the order of names.
    pub async fn refs(&self) -> Result<Vec<RefEntry>, GitError> {
        let mut args = vec!["--format=%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)"];
        args.extend(LISTED);
        let call = Call { command: "for-each-ref", args: &args, max_output: REFS_OUTPUT, deadline: READ_DEADLINE };
        let finished = self.run(call, Vec::new()).await?;
        // As many as could be read are better than none.
        let output = if finished.is_cut { finished.stdout } else { finished.ok("for-each-ref")? };
        let text = String::from_utf8_lossy(&output);
        Ok(text.lines().filter_map(ref_entry).collect())
    }

    /// Makes a branch that leads to a commit.
    pub async fn create_branch(&self, name: &str, target: Oid) -> Result<RefChange, GitError> {
        let full_name = branch::full_name(name)?;
        let _writing = self.writing.lock().await;
        self.create_ref(&full_name, target, target).await
    }

    /// Removes a branch; its commits stay, since something built from them may be launched again.
    pub async fn delete_branch(&self, name: &str) -> Result<RefChange, GitError> {
        let full_name = branch::full_name(name)?;
        let _writing = self.writing.lock().await;
        self.delete_ref(&full_name).await
    }

    /// Makes a tag of a commit, with a message an annotated one.
    pub async fn create_tag(
        &self,
        name: &str,
        target: Oid,
        message: Option<&str>,
        author: &Author,
    ) -> Result<RefChange, GitError> {
        let full_name = branch::tag_name(name)?;
        let _writing = self.writing.lock().await;
        let object = match message.map(str::trim).filter(|message| !message.is_empty()) {
            Some(message) => self.tag_object(name, target, message, author).await?,
            None => target,
        };
        self.create_ref(&full_name, object, target).await
    }

    /// Removes a tag.
    pub async fn delete_tag(&self, name: &str) -> Result<RefChange, GitError> {
        let full_name = branch::tag_name(name)?;
        let _writing = self.writing.lock().await;
        self.delete_ref(&full_name).await
    }
}

// === how it is done ===

impl Repo {
    async fn create_ref(&self, name: &str, object: Oid, commit: Oid) -> Result<RefChange, GitError> {
        self.require_commit(commit).await?;
        let refs = self.refs().await?;
        if refs.iter().any(|there| is_in_the_way(&there.name, name)) {
            return Ok(RefChange::Exists);
        }
        // Pull requests are counted by themselves: strangers open them, and must not use up what the owner may have.
        if refs.iter().filter(|there| !there.name.starts_with(PULL_REFS)).count() >= MAX_REFS {
            return Ok(RefChange::TooMany);
        }
        let none = Oid::from_bytes([0; 20]).to_string();
        let args = ["--no-deref", name, &object.to_string(), &none];
        let call = Call { command: "update-ref", args: &args, max_output: 4096, deadline: READ_DEADLINE };
        let updated = self.run(call, Vec::new()).await?;
        if !updated.success {
            let is_there = self.refs().await?.iter().any(|there| is_in_the_way(&there.name, name));
            return if is_there { Ok(RefChange::Exists) } else { Err(updated.into_error("update-ref")) };
        }
        self.sync_ref(name).await?;
        Ok(RefChange::Done)
    }

    async fn delete_ref(&self, name: &str) -> Result<RefChange, GitError> {
        if !self.refs().await?.iter().any(|there| there.name == name) {
            return Ok(RefChange::Missing);
        }
        let args = ["--no-deref", "-d", name];
        let call = Call { command: "update-ref", args: &args, max_output: 4096, deadline: READ_DEADLINE };
        self.run(call, Vec::new()).await?.ok("update-ref")?;
        self.sync_ref(name).await?;
        Ok(RefChange::Done)
    }

    /// Stores an annotated tag; its id.
    async fn tag_object(&self, name: &str, target: Oid, message: &str, author: &Author) -> Result<Oid, GitError> {
        let identity = import_identity(author);
        let message = import::clean_message(message);
        let text = format!("object {target}\ntype commit\ntag {name}\ntagger {identity}\n\n{message}");
        let call = Call { command: "mktag", args: &[], max_output: 4096, deadline: READ_DEADLINE };
        let output = self.run(call, vec![Bytes::from(text)]).await?.ok("mktag")?;
        let text = String::from_utf8_lossy(&output).trim().to_owned();
        let oid: Oid = text
            .parse()
            .map_err(|_| GitError::Git { command: "mktag", message: format!("it names no tag: {text:?}") })?;
        let objects = self.folder().join("objects");
        super::upkeep::sync_directories(vec![objects.join(&text[..2]), objects]).await?;
        Ok(oid)
    }

    /// Makes a made or removed ref durable: the folders of its name that are there, and the file of packed refs.
    async fn sync_ref(&self, full_name: &str) -> Result<(), GitError> {
        let file = self.folder().join(full_name);
        let top = self.folder().to_path_buf();
        let folders = file.ancestors().skip(1).take_while(|folder| folder.starts_with(&top));
        let mut folders: Vec<PathBuf> = folders.map(PathBuf::from).collect();
        folders.retain(|folder| folder.is_dir());
        super::upkeep::sync_directories(folders).await
    }
}

/// Whether a ref takes the place of another, as the same name or as a folder where a file would be.
fn is_in_the_way(there: &str, name: &str) -> bool {
    let is_below = |longer: &str, shorter: &str| longer.strip_prefix(shorter).is_some_and(|rest| rest.starts_with('/'));
    there == name || is_below(there, name) || is_below(name, there)
}

fn ref_entry(line: &str) -> Option<RefEntry> {
    let fields: Vec<&str> = line.split('\0').collect();
    let [name, kind, oid, peeled_kind, peeled] = fields[..] else { return None };
    let target = match (kind, peeled_kind) {
        ("commit", _) => oid,
        ("tag", "commit") => peeled,
        _ => return None,
    };
    Some(RefEntry { name: name.to_owned(), target: target.parse().ok()? })
}
