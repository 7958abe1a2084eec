//! One repository: reading it and committing to it.

mod blobs;
pub(crate) mod branch;
mod history;
mod loose;
mod merge;
mod pointers;
mod refs;
mod stream;
pub(crate) mod upkeep;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use cap_std::fs::Dir;
use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::Millis;
use spaceport_core::revision::{Oid, OidPrefix};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::Mutex;

use crate::checkout::{self, CheckoutReport};
use crate::commit::plan::{self, Plan};
use crate::commit::{CommitError, CommitSpec, import};
use crate::error::GitError;
use crate::path::RepoPath;
use crate::process::{Call, Finished, Git, Place, READ_DEADLINE};
use crate::smart::Incoming;
use crate::tree::{FileMode, Listing, ListingError, MAX_LINK_TARGET, MAX_LISTING, TreeEntry, TreeError};

pub use merge::{MergeOutcome, MergeSpec, TriedMerge};
pub use refs::{MAX_REFS, RefChange, RefEntry};
pub use stream::FileStream;

pub(crate) use crate::commit::import::identity as import_identity;

/// Largest file that [`Repo::read`] hands out: it is held in memory.
pub(crate) const MAX_READ: u64 = 64 << 20;
/// A commit that names no parent is made again when the branch moves meanwhile, this often.
const MAX_RACES: usize = 5;
/// For output of a line or two.
const SMALL_OUTPUT: usize = 64 << 10;
/// For the history: a generous message for each entry.
const LOG_OUTPUT: usize = 16 << 20;

/// A handle to one Space's repository. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Repo {
    pub(crate) space: SpaceId,
    pub(crate) path: PathBuf,
    pub(crate) git: Arc<Git>,
    /// Held by whoever changes the repository, so that commits queue instead of failing on each other's lock files.
    pub(crate) writing: Arc<Mutex<()>>,
    /// What was pushed and is not accepted yet, seen through this handle alone.
    pub(crate) incoming: Option<Arc<Incoming>>,
}

/// One commit of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The commit.
    pub oid: Oid,
    /// Who wrote it.
    pub author: String,
    /// When it was committed.
    pub at: Millis,
    /// The message's first line.
    pub summary: String,
    /// The rest of the message.
    pub description: String,
}

impl Repo {
    /// The head of a branch, or of a pull request by its full name; `None` while it has no commit.
    pub async fn head(&self, branch: &str) -> Result<Option<Oid>, GitError> {
        let name = branch::committed_name(branch)?;
        match self.loose(&name).await {
            Some(head) => Ok(Some(head)),
            None => self.first_commit(&[name]).await,
        }
    }

    /// The commit that a branch, a tag, a full or shortened id or a full ref name stands for, looked up in this order.
    pub async fn resolve(&self, revision: &str) -> Result<Option<Oid>, GitError> {
        let Ok(branch) = branch::full_name(revision) else { return Ok(None) };
        if let Some(head) = self.loose(&branch).await {
            return Ok(Some(head));
        }
        let mut names = vec![branch, format!("refs/tags/{revision}")];
        if branch::is_id(revision) || revision.starts_with("refs/") {
            names.push(revision.to_owned());
        }
        self.first_commit(&names).await
    }

    /// Makes a commit; the new head. When nothing would change, or the head is this very commit, the head as it is. Durable
    /// when this returns.
    pub async fn commit(&self, spec: CommitSpec) -> Result<Oid, CommitError> {
        let _writing = self.writing.lock().await;
        for _ in 0..MAX_RACES {
            let head = self.head(&spec.branch).await?;
            if !fits(spec.parent.as_ref(), head) {
                return self.repeated(&spec, head).await?.ok_or_else(|| conflict(&spec, head));
            }
            let files = match head {
                Some(head) => self.listing(head).await?,
                None => Listing::default(),
            };
            let plan = match Plan::new(&files, &spec.changes) {
                Err(error @ CommitError::NotThere(_)) => return self.repeated(&spec, head).await?.ok_or(error),
                plan => plan?,
            };
            if plan.is_empty()
                && let Some(head) = head
            {
                return Ok(head);
            }
            let new = self.import(plan, &spec, head).await?;
            if self.move_branch(&spec.branch, new, head).await? {
                return Ok(new);
            }
        }
        let head = self.head(&spec.branch).await?;
        Err(conflict(&spec, head))
    }

    /// Every file of a revision, in the order of paths.
    pub async fn tree(&self, revision: Oid) -> Result<Vec<TreeEntry>, GitError> {
        let listing = self.listing(revision).await?;
        let entry = |(path, entry): (RepoPath, crate::tree::Entry)| TreeEntry {
            path,
            mode: entry.mode,
            oid: entry.oid,
            size: entry.size,
        };
        Ok(listing.files.into_iter().map(entry).collect())
    }

    /// The content of one file, of a symbolic link its target; `None` if the revision has no file at that path.
    pub async fn read(&self, revision: Oid, path: &str) -> Result<Option<Bytes>, GitError> {
        let Ok(path) = RepoPath::parse(path) else { return Ok(None) };
        match self.read_objects(vec![format!("{revision}:{path}")], MAX_READ).await {
            Ok(contents) => match contents.into_iter().next().flatten() {
                Some(content) => Ok(Some(content)),
                None => self.require_commit(revision).await.map(|()| None),
            },
            Err(GitError::TooLarge { size, limit, .. }) => {
                Err(GitError::TooLarge { path: path.to_string(), size, limit })
            }
            Err(error) => Err(error),
        }
    }

    /// The newest commits of a revision's history, newest first.
    pub async fn log(&self, revision: Oid, limit: usize) -> Result<Vec<LogEntry>, GitError> {
        self.log_page(revision, 0, limit).await
    }

    /// Writes a revision's files into an empty directory.
    pub async fn checkout(&self, revision: Oid, into: &Dir) -> Result<CheckoutReport, GitError> {
        let listing = self.listing(revision).await?;
        checkout::write(self, listing, into).await
    }

    /// Whether a revision keeps to the rules that commits made here do; for one that came by other ways.
    pub async fn check(&self, revision: Oid) -> Result<(), GitError> {
        self.listing(revision).await.map(|_| ())
    }
}

// === how it is done ===

impl Repo {
    /// The files of a revision, held to the rules.
    async fn listing(&self, revision: Oid) -> Result<Listing, GitError> {
        let revision_text = revision.to_string();
        let args = ["-r", "-z", "-l", "--full-tree", &revision_text];
        let call = Call { command: "ls-tree", args: &args, max_output: MAX_LISTING, deadline: READ_DEADLINE };
        let listed = self.run_on(revision, call).await?;
        if listed.is_cut {
            return Err(TreeError::TooManyFiles.into());
        }
        let mut listing = Listing::parse(&listed.stdout).map_err(|error| match error {
            ListingError::Tree(error) => GitError::Tree(error),
            ListingError::Format(_) => GitError::Git { command: "ls-tree", message: error.to_string() },
        })?;
        self.read_links(&mut listing).await?;
        listing.check()?;
        Ok(listing)
    }

    async fn read_links(&self, listing: &mut Listing) -> Result<(), GitError> {
        let (paths, oids): (Vec<RepoPath>, Vec<String>) =
            listing.symlinks().map(|(path, entry)| (path.clone(), entry.oid.to_string())).unzip();
        if oids.is_empty() {
            return Ok(());
        }
        let leaves = |path: &RepoPath| TreeError::LinkLeaves { path: path.to_string(), target: "…".to_owned() };
        if let Some((path, _)) = listing.symlinks().find(|(_, entry)| entry.size > MAX_LINK_TARGET) {
            return Err(leaves(path).into());
        }
        let targets = self.read_objects(oids, MAX_LINK_TARGET).await?;
        for (path, target) in paths.into_iter().zip(targets) {
            let target =
                target.and_then(|target| String::from_utf8(target.to_vec()).ok()).ok_or_else(|| leaves(&path))?;
            listing.links.insert(path, target);
        }
        Ok(())
    }

    /// The contents of files, named in any way git understands; `None` for what is no file. Each is at most `limit`
    /// bytes long.
    pub(crate) async fn read_objects(&self, names: Vec<String>, limit: u64) -> Result<Vec<Option<Bytes>>, GitError> {
        let (running, mut stdin, stdout) = self.start("cat-file", &["--batch", "--buffer"]).await?;
        let count = names.len();
        let ask = async move {
            let mut lines = names.join("\n");
            lines.push('\n');
            // A git that stopped reading says why by what it does not write.
            let _ = stdin.write_all(lines.as_bytes()).await;
        };
        let read = async move {
            let mut stdout = BufReader::new(stdout);
            let mut contents = Vec::with_capacity(count);
            for _ in 0..count {
                contents.push(read_object(&mut stdout, limit).await?);
            }
            Ok::<_, GitError>(contents)
        };
        let both = async { tokio::join!(ask, read).1 };
        let contents = tokio::time::timeout(READ_DEADLINE, both)
            .await
            .map_err(|_| GitError::Deadline { command: "cat-file", deadline: READ_DEADLINE })??;
        running.finish().await?;
        Ok(contents)
    }

    /// The first of these names that stands for a commit.
    async fn first_commit(&self, names: &[String]) -> Result<Option<Oid>, GitError> {
        let mut lines = String::new();
        for name in names {
            lines.push_str(&format!("{name}^{{commit}}\n"));
        }
        let args = ["--batch-check=%(objectname)"];
        let call = Call { command: "cat-file", args: &args, max_output: SMALL_OUTPUT, deadline: READ_DEADLINE };
        let output = self.run(call, vec![Bytes::from(lines)]).await?.ok("cat-file")?;
        let text = String::from_utf8_lossy(&output);
        Ok(text.lines().find_map(|line| line.parse().ok()))
    }

    /// The head, if it is what this commit makes of the head's parent: it was made, its answer was lost, and it is sent
    /// again.
    async fn repeated(&self, spec: &CommitSpec, head: Option<Oid>) -> Result<Option<Oid>, GitError> {
        let Some(head) = head else { return Ok(None) };
        let (parent, message) = self.parent_and_message(head).await?;
        if !fits(spec.parent.as_ref(), parent) || message != import::clean_message(&spec.message) {
            return Ok(None);
        }
        let before = match parent {
            Some(parent) => self.listing(parent).await?,
            None => Listing::default(),
        };
        match plan::applied(&before, &spec.changes) {
            Ok(made) => Ok((made.files == self.listing(head).await?.files).then_some(head)),
            Err(_) => Ok(None),
        }
    }

    /// A commit's first parent, and its message.
    async fn parent_and_message(&self, commit: Oid) -> Result<(Option<Oid>, String), GitError> {
        let commit_text = commit.to_string();
        let args = ["--no-decorate", "--no-show-signature", "--format=%P%x00%B", "-n", "1", &commit_text, "--"];
        let call = Call { command: "log", args: &args, max_output: LOG_OUTPUT, deadline: READ_DEADLINE };
        let output = self.run_on(commit, call).await?.stdout;
        let text = String::from_utf8_lossy(&output);
        let (parents, message) = text.split_once('\0').unwrap_or_default();
        let parent = parents.split(' ').next().and_then(|parent| parent.parse().ok());
        Ok((parent, format!("{}\n", message.trim_end())))
    }

    async fn import(&self, plan: Plan, spec: &CommitSpec, parent: Option<Oid>) -> Result<Oid, GitError> {
        self.import_stream(import::stream(plan, &spec.author, &spec.message, parent)).await
    }

    /// Moves a branch from `old` to `new`; whether it still was at `old`.
    pub(crate) async fn move_branch(&self, branch: &str, new: Oid, old: Option<Oid>) -> Result<bool, GitError> {
        let name = branch::committed_name(branch)?;
        let (new_text, old_text) = (new.to_string(), old.unwrap_or(Oid::from_bytes([0; 20])).to_string());
        let args = ["--no-deref", &name, &new_text, &old_text];
        let call = Call { command: "update-ref", args: &args, max_output: SMALL_OUTPUT, deadline: READ_DEADLINE };
        let updated = self.run(call, Vec::new()).await?;
        if updated.success {
            self.sync_branch(&name).await?;
            return Ok(true);
        }
        if self.head(branch).await? == old { Err(updated.into_error("update-ref")) } else { Ok(false) }
    }

    /// Runs a call that reads a revision; says so if there is none.
    async fn run_on(&self, revision: Oid, call: Call<'_>) -> Result<Finished, GitError> {
        let command = call.command;
        let finished = self.run(call, Vec::new()).await?;
        if finished.success || finished.is_cut {
            return Ok(finished);
        }
        self.require_commit(revision).await?;
        Err(finished.into_error(command))
    }

    async fn require_commit(&self, revision: Oid) -> Result<(), GitError> {
        match self.first_commit(&[revision.to_string()]).await? {
            Some(_) => Ok(()),
            None => Err(GitError::NoCommit(revision)),
        }
    }

    pub(crate) async fn run(&self, call: Call<'_>, input: Vec<Bytes>) -> Result<Finished, GitError> {
        self.git.run(self.place(), call, input).await.map_err(|error| self.missing(error))
    }

    pub(crate) async fn start(
        &self,
        command: &'static str,
        args: &[&str],
    ) -> Result<(crate::process::Running<'_>, tokio::process::ChildStdin, tokio::process::ChildStdout), GitError> {
        self.git.start(self.place(), command, args).await.map_err(|error| self.missing(error))
    }

    /// Where git runs for it.
    pub(crate) fn place(&self) -> Place<'_> {
        Place { incoming: self.incoming.as_ref().map(|incoming| incoming.path()), ..Place::from(&self.path) }
    }

    /// A git that cannot be started because there is no folder to start it in.
    pub(crate) fn missing(&self, error: GitError) -> GitError {
        match error {
            GitError::Io { ref source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                GitError::NoRepository(self.space)
            }
            other => other,
        }
    }

    /// Where it is on disk.
    pub(crate) fn folder(&self) -> &Path {
        &self.path
    }
}

/// One answer of `git cat-file --batch`: `<oid> <type> <size>`, the content, a line break; or `<name> missing`.
async fn read_object(from: &mut (impl AsyncBufReadExt + Unpin), limit: u64) -> Result<Option<Bytes>, GitError> {
    let io = || GitError::io("read from git cat-file");
    let mut header = String::new();
    from.read_line(&mut header).await.map_err(io())?;
    let header = header.trim_end();
    if header.is_empty() {
        return Err(GitError::Git { command: "cat-file", message: "it ended early".to_owned() });
    }
    let Some((kind, size)) = header.rsplit_once(' ').and_then(|(head, size)| {
        let kind = head.rsplit_once(' ')?.1;
        Some((kind, size.parse::<u64>().ok()?))
    }) else {
        return Ok(None);
    };
    if size > limit {
        return Err(GitError::TooLarge { path: header.to_owned(), size, limit });
    }
    let mut content = Vec::with_capacity(size as usize);
    from.take(size).read_to_end(&mut content).await.map_err(io())?;
    if content.len() as u64 != size {
        return Err(GitError::Git { command: "cat-file", message: "it ended early".to_owned() });
    }
    from.read_u8().await.map_err(io())?;
    Ok((kind == "blob").then(|| Bytes::from(content)))
}

fn conflict(spec: &CommitSpec, actual: Option<Oid>) -> CommitError {
    CommitError::Conflict { branch: spec.branch.clone(), expected: spec.parent.clone(), actual }
}

/// Whether a commit that expects this parent may be made on this head.
fn fits(expected: Option<&OidPrefix>, head: Option<Oid>) -> bool {
    expected.is_none_or(|expected| head.is_some_and(|head| expected.matches(head)))
}

fn log_entry(fields: &[&str]) -> Option<LogEntry> {
    let [oid, author, seconds, summary, description] = fields else { return None };
    Some(LogEntry {
        oid: oid.parse().ok()?,
        author: (*author).to_owned(),
        at: seconds.parse::<u64>().ok()? * 1000,
        summary: (*summary).to_owned(),
        description: description.trim_end().to_owned(),
    })
}

/// Whether a listed file is written to disk as one.
pub(crate) fn is_file(mode: FileMode) -> bool {
    matches!(mode, FileMode::Regular | FileMode::Executable)
}

#[cfg(test)]
mod tests;
