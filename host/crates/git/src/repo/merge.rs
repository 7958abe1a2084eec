//! Pull requests as git has them: the refs of their heads, what merging one would make, and merging it.
//!
//! A merge is tried where nobody sees what it makes, as a push is looked at, so that one that is refused leaves nothing. One
//! that is wanted is made in the repository, and the branch moves last, from the head that it was made for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use spaceport_core::discussion::PULL_REFS;
use spaceport_core::revision::Oid;

use super::{LogEntry, MAX_REFS, RefChange, Repo, SMALL_OUTPUT, branch, import_identity};
use crate::commit::{Author, CommitError, import};
use crate::error::GitError;
use crate::process::{BULK_DEADLINE, Call, Finished, Place, READ_DEADLINE};
use crate::smart::Incoming;

/// For the names of files in conflict: some thousands, and the rest is not named.
const CONFLICTS_OUTPUT: usize = 1 << 20;
/// How `git merge-tree` ends if there are conflicts, and `git merge-base` if there is none.
const NO: Option<i32> = Some(1);
/// Directories that loose objects lie in: one for each value of an id's first byte.
const FAN_OUT: u16 = 256;

/// What merging two commits makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeOutcome {
    /// This tree.
    Clean(Oid),
    /// Nothing before somebody has decided about these files.
    Conflicts(Vec<String>),
}

/// A merge that was tried.
#[derive(Debug)]
pub struct TriedMerge {
    /// The repository with what the merge has made, which goes when this is dropped.
    pub repo: Repo,
    /// What it made.
    pub outcome: MergeOutcome,
}

/// A merge to be made.
#[derive(Debug, Clone)]
pub struct MergeSpec {
    /// The branch that moves.
    pub branch: String,
    /// Its head, as it must be.
    pub ours: Oid,
    /// What it is merged with.
    pub theirs: Oid,
    /// Who merges, and when.
    pub author: Author,
    /// What for.
    pub message: String,
}

impl Repo {
    /// Sets the ref of a pull request's head, whether or not there is one.
    pub async fn set_pull_ref(&self, number: u64, target: Oid) -> Result<RefChange, GitError> {
        let name = format!("{PULL_REFS}{number}");
        let _writing = self.writing.lock().await;
        self.require_commit(target).await?;
        let refs = self.refs().await?;
        let others = refs.iter().filter(|there| there.name.starts_with(PULL_REFS) && there.name != name);
        if others.count() >= MAX_REFS {
            return Ok(RefChange::TooMany);
        }
        let target = target.to_string();
        let args = ["--no-deref", &name, &target];
        let call = Call { command: "update-ref", args: &args, max_output: SMALL_OUTPUT, deadline: READ_DEADLINE };
        self.run(call, Vec::new()).await?.ok("update-ref")?;
        self.sync_refs(&[&name]).await?;
        Ok(RefChange::Done)
    }

    /// Removes the ref of a pull request's head, if there is one.
    pub async fn delete_pull_ref(&self, number: u64) -> Result<(), GitError> {
        let name = format!("{PULL_REFS}{number}");
        let _writing = self.writing.lock().await;
        let args = ["--no-deref", "-d", &name];
        let call = Call { command: "update-ref", args: &args, max_output: SMALL_OUTPUT, deadline: READ_DEADLINE };
        self.run(call, Vec::new()).await?.ok("update-ref")?;
        self.sync_refs(&[&name]).await
    }

    /// The last commit that two histories have in common, if they have any.
    pub async fn merge_base(&self, one: Oid, other: Oid) -> Result<Option<Oid>, GitError> {
        let (one_text, other_text) = (one.to_string(), other.to_string());
        let args = [one_text.as_str(), &other_text];
        let call = Call { command: "merge-base", args: &args, max_output: SMALL_OUTPUT, deadline: READ_DEADLINE };
        let found = self.run(call, Vec::new()).await?;
        if found.code == NO {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&found.ok("merge-base")?).trim().to_owned();
        let message = || format!("it names no commit: {text:?}");
        text.parse().map(Some).map_err(|_| GitError::Git { command: "merge-base", message: message() })
    }

    /// The newest commits of a revision's history that are in none of the others', newest first.
    pub async fn new_commits(&self, head: Oid, known: &[Oid], limit: usize) -> Result<Vec<LogEntry>, GitError> {
        let (limit, head_text) = (limit.to_string(), head.to_string());
        let known: Vec<String> = known.iter().map(|oid| format!("^{oid}")).collect();
        let mut args = vec!["-n", &limit, &head_text];
        args.extend(known.iter().map(String::as_str));
        self.log_entries(head, &args).await
    }

    /// What differs between two revisions, as a patch; of a long one its first `most` bytes, cut after a line. Whether it was
    /// cut.
    pub async fn diff(&self, from: Oid, to: Oid, most: usize) -> Result<(String, bool), GitError> {
        self.patch_by("diff", &[&from.to_string(), &to.to_string()], most).await
    }

    /// The same of what a commit changes in its first parent's content, or of all that the first commit has.
    pub async fn patch(&self, commit: Oid, most: usize) -> Result<(String, bool), GitError> {
        let args = ["--root", "--no-commit-id", "-p", "--diff-merges=first-parent", &commit.to_string()];
        self.patch_by("diff-tree", &args, most).await
    }

    async fn patch_by(&self, command: &'static str, what: &[&str], most: usize) -> Result<(String, bool), GitError> {
        let args =
            ["--no-color", "--no-ext-diff", "--no-textconv", "--no-prefix", "--src-prefix=a/", "--dst-prefix=b/"];
        let args: Vec<&str> = args.into_iter().chain(what.iter().copied()).chain(["--"]).collect();
        let call = Call { command, args: &args, max_output: most, deadline: READ_DEADLINE };
        let Finished { mut stdout, is_cut, .. } = match self.run_bounded(call).await? {
            cut if cut.is_cut => cut,
            whole if whole.success => whole,
            failed => return Err(failed.into_error(command)),
        };
        if is_cut {
            let end = stdout.iter().rposition(|byte| *byte == b'\n').map_or(0, |line_break| line_break + 1);
            stdout.truncate(end);
        }
        Ok((String::from_utf8_lossy(&stdout).into_owned(), is_cut))
    }

    /// What merging two commits would make. The repository is left as it is.
    pub async fn try_merge(&self, ours: Oid, theirs: Oid) -> Result<TriedMerge, GitError> {
        let incoming = Incoming::make(self.folder()).await.map_err(|error| self.missing(error))?;
        let repo = Self { incoming: Some(Arc::new(incoming)), ..self.clone() };
        let outcome = repo.merge_tree(ours, theirs, READ_DEADLINE).await?;
        Ok(TriedMerge { repo, outcome })
    }

    /// Makes a merge commit; the branch's new head. Durable when this returns. With conflicts, or if the branch is elsewhere
    /// by now, nothing moves.
    pub async fn merge(&self, spec: MergeSpec) -> Result<Oid, CommitError> {
        // As a name first: nothing is written for one that is none.
        branch::full_name(&spec.branch)?;
        let _writing = self.writing.lock().await;
        let moved =
            |actual| CommitError::Conflict { branch: spec.branch.clone(), expected: Some(spec.ours.into()), actual };
        let head = self.head(&spec.branch).await?;
        if head != Some(spec.ours) {
            return Err(moved(head));
        }
        let MergeOutcome::Clean(tree) = self.merge_tree(spec.ours, spec.theirs, BULK_DEADLINE).await? else {
            return Err(moved(head));
        };
        // A revision keeps to the rules whichever way it came.
        self.check(tree).await?;
        let commit = self.merge_commit(tree, &spec).await?;
        self.sync_loose_objects().await?;
        match self.move_branch(&spec.branch, commit, head).await? {
            true => Ok(commit),
            false => Err(moved(self.head(&spec.branch).await?)),
        }
    }
}

// === how it is done ===

impl Repo {
    async fn merge_tree(&self, ours: Oid, theirs: Oid, deadline: Duration) -> Result<MergeOutcome, GitError> {
        let (ours, theirs) = (ours.to_string(), theirs.to_string());
        let args = ["--write-tree", "-z", "--name-only", "--no-messages", &ours, &theirs];
        let call = Call { command: "merge-tree", args: &args, max_output: CONFLICTS_OUTPUT, deadline };
        let merged = self.run_bounded(call).await?;
        let text = String::from_utf8_lossy(&merged.stdout).into_owned();
        let mut fields = text.split('\0').filter(|field| !field.is_empty());
        match (fields.next().and_then(|tree| tree.parse().ok()), merged.success, merged.is_cut || merged.code == NO) {
            (Some(tree), true, _) => Ok(MergeOutcome::Clean(tree)),
            (Some(_), false, true) => Ok(MergeOutcome::Conflicts(fields.map(str::to_owned).collect())),
            _ => Err(merged.into_error("merge-tree")),
        }
    }

    /// Stores the commit of a merge, which no ref leads to yet; its id.
    async fn merge_commit(&self, tree: Oid, spec: &MergeSpec) -> Result<Oid, GitError> {
        let MergeSpec { ours, theirs, author, message, .. } = spec;
        let (identity, message) = (import_identity(author), import::clean_message(message));
        let text = format!(
            "tree {tree}\nparent {ours}\nparent {theirs}\nauthor {identity}\ncommitter {identity}\n\n{message}"
        );
        let args = ["-t", "commit", "-w", "--stdin"];
        let call = Call { command: "hash-object", args: &args, max_output: SMALL_OUTPUT, deadline: READ_DEADLINE };
        let output = self.run(call, vec![Bytes::from(text)]).await?.ok("hash-object")?;
        let text = String::from_utf8_lossy(&output).trim().to_owned();
        let message = || format!("it names no commit: {text:?}");
        text.parse().map_err(|_| GitError::Git { command: "hash-object", message: message() })
    }

    /// Runs a call whose work is decided by what strangers have sent.
    async fn run_bounded(&self, call: Call<'_>) -> Result<Finished, GitError> {
        let place = Place { is_bounded: true, ..self.place() };
        self.git.run(place, call, Vec::new()).await.map_err(|error| self.missing(error))
    }

    /// Makes the names of objects durable that were stored one by one; their content was made so by git.
    async fn sync_loose_objects(&self) -> Result<(), GitError> {
        let objects = self.folder().join("objects");
        let folders = (0..FAN_OUT).map(|byte| objects.join(format!("{byte:02x}")));
        let mut folders: Vec<PathBuf> = folders.filter(|folder| folder.is_dir()).collect();
        folders.push(objects);
        super::upkeep::sync_directories(folders).await
    }
}
