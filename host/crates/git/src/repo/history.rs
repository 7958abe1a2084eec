//! The history of a revision: its commits page by page, the last commit of each path, and a history made one commit.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use spaceport_core::revision::Oid;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use super::{LOG_OUTPUT, LogEntry, Repo, SMALL_OUTPUT};
use crate::commit::{Author, CommitError, import};
use crate::error::GitError;
use crate::process::{BULK_DEADLINE, Call, READ_DEADLINE};

/// Paths whose last commits are looked for in one walk: they are arguments of a process, whose size the system limits.
const WALK_PATHS: usize = 50;
/// Begins the line of a commit in a walk; no path holds it.
const COMMIT_MARK: u8 = 2;

impl Repo {
    /// Commits of a revision's history, newest first, without the `skip` newest.
    pub async fn log_page(&self, revision: Oid, skip: usize, limit: usize) -> Result<Vec<LogEntry>, GitError> {
        let (revision_text, skip, limit) = (revision.to_string(), skip.to_string(), limit.to_string());
        let args = ["--skip", &skip, "-n", &limit, &revision_text];
        self.log_entries(revision, &args).await
    }

    /// How many commits a revision's history has.
    pub async fn count_commits(&self, revision: Oid) -> Result<usize, GitError> {
        let revision_text = revision.to_string();
        let args = ["--count", &revision_text, "--"];
        let call = Call { command: "rev-list", args: &args, max_output: SMALL_OUTPUT, deadline: READ_DEADLINE };
        let output = self.run_on(revision, call).await?.stdout;
        let text = String::from_utf8_lossy(&output);
        let message = || format!("it counts no commits: {text:?}");
        text.trim().parse().map_err(|_| GitError::Git { command: "rev-list", message: message() })
    }

    /// The last commit of a revision's history that changed each of these paths; of a folder, the last that changed
    /// something in it. A path that nothing has changed is left out.
    pub async fn last_commits(&self, revision: Oid, paths: &[String]) -> Result<BTreeMap<String, LogEntry>, GitError> {
        let mut last: BTreeMap<String, Oid> = BTreeMap::new();
        for part in paths.chunks(WALK_PATHS) {
            let walked = timeout(READ_DEADLINE, self.walk(revision, part)).await;
            last.extend(walked.map_err(|_| GitError::Deadline { command: "log", deadline: READ_DEADLINE })??);
        }
        let mut wanted: Vec<String> = last.values().map(Oid::to_string).collect();
        wanted.sort();
        wanted.dedup();
        let mut entries: HashMap<Oid, LogEntry> = HashMap::new();
        for part in wanted.chunks(WALK_PATHS) {
            let args: Vec<&str> = std::iter::once("--no-walk").chain(part.iter().map(String::as_str)).collect();
            entries.extend(self.log_entries(revision, &args).await?.into_iter().map(|entry| (entry.oid, entry)));
        }
        Ok(last.into_iter().filter_map(|(path, oid)| Some((path, entries.get(&oid)?.clone()))).collect())
    }

    /// Makes the whole history of a branch one commit with the content of its head; the new head. What was reachable
    /// before stays on disk, so that what was built from it can be launched again. Durable when this returns.
    pub async fn squash(&self, branch: &str, author: Author, message: &str) -> Result<Oid, CommitError> {
        let _writing = self.writing.lock().await;
        let moved = |actual| CommitError::Conflict { branch: branch.to_owned(), expected: None, actual };
        let head = self.head(branch).await?.ok_or_else(|| moved(None))?;
        // A revision that keeps to the rules stays one.
        self.check(head).await?;
        let tree = self.tree_of(head).await?;
        let input = import::root(tree, &author, message);
        let new = self.import_stream(input).await?;
        if self.move_branch(branch, new, Some(head)).await? {
            return Ok(new);
        }
        Err(moved(self.head(branch).await?))
    }
}

// === how it is done ===

impl Repo {
    /// Entries of `git log` with these arguments, which name a revision.
    pub(super) async fn log_entries(&self, revision: Oid, args: &[&str]) -> Result<Vec<LogEntry>, GitError> {
        let mut all =
            vec!["-z", "--no-mailmap", "--no-decorate", "--no-show-signature", "--format=%H%x00%an%x00%ct%x00%s%x00%b"];
        all.extend(args);
        all.push("--");
        let call = Call { command: "log", args: &all, max_output: LOG_OUTPUT, deadline: READ_DEADLINE };
        let output = self.run_on(revision, call).await?.stdout;
        let text = String::from_utf8_lossy(&output);
        let fields: Vec<&str> = text.split('\0').collect();
        Ok(fields.chunks_exact(5).filter_map(super::log_entry).collect())
    }

    /// Walks the history until the last commit of every path is known. A merge counts where its result is that of no parent.
    async fn walk(&self, revision: Oid, paths: &[String]) -> Result<BTreeMap<String, Oid>, GitError> {
        let revision_text = revision.to_string();
        let mut args = vec![
            "-z",
            "--no-renames",
            "--diff-merges=combined",
            "--name-only",
            "--format=%x02%H",
            &revision_text,
            "--",
        ];
        args.extend(paths.iter().map(String::as_str));
        let (running, stdin, stdout) = self.start("log", &args).await?;
        drop(stdin);
        let (found, is_whole) = read_walk(BufReader::new(stdout), paths).await?;
        if is_whole {
            running.finish().await?;
        }
        // One that would write on is ended as it is dropped.
        Ok(found)
    }

    pub(super) async fn tree_of(&self, commit: Oid) -> Result<Oid, GitError> {
        let line = Bytes::from(format!("{commit}^{{tree}}\n"));
        let args = ["--batch-check=%(objectname)"];
        let call = Call { command: "cat-file", args: &args, max_output: SMALL_OUTPUT, deadline: READ_DEADLINE };
        let output = self.run(call, vec![line]).await?.ok("cat-file")?;
        String::from_utf8_lossy(&output).trim().parse().map_err(|_| GitError::NoCommit(commit))
    }

    /// Runs `git fast-import`; the commit that it prints, durable.
    pub(super) async fn import_stream(&self, input: Vec<Bytes>) -> Result<Oid, GitError> {
        let args = ["--quiet", "--done", "--depth=0", "--date-format=raw"];
        let call = Call { command: "fast-import", args: &args, max_output: SMALL_OUTPUT, deadline: BULK_DEADLINE };
        let output = match self.run(call, input).await.and_then(|finished| finished.ok("fast-import")) {
            Ok(output) => output,
            Err(error) => {
                self.discard_import().await;
                return Err(error);
            }
        };
        let text = String::from_utf8_lossy(&output);
        let oid = text
            .trim()
            .parse()
            .map_err(|_| GitError::Git { command: "fast-import", message: format!("it names no commit: {text:?}") })?;
        self.sync_packs().await?;
        Ok(oid)
    }
}

/// Reads commits with the names they changed; whether it was read to its end.
async fn read_walk(
    mut from: impl AsyncBufRead + Unpin,
    paths: &[String],
) -> Result<(BTreeMap<String, Oid>, bool), GitError> {
    let mut missing: Vec<&String> = paths.iter().collect();
    let mut found = BTreeMap::new();
    let mut commit: Option<Oid> = None;
    let mut token = Vec::new();
    loop {
        token.clear();
        let read = from.read_until(0, &mut token).await.map_err(GitError::io("read from git log"))?;
        if read == 0 {
            return Ok((found, true));
        }
        let text = token.strip_suffix(&[0]).unwrap_or(&token);
        // The first name stands on a line of its own.
        let text = text.strip_prefix(b"\n").unwrap_or(text);
        if let Some(oid) = marked_commit(text) {
            commit = Some(oid);
            continue;
        }
        let (Some(commit), Ok(name)) = (commit, std::str::from_utf8(text)) else { continue };
        missing.retain(|path| {
            let is_changed =
                name.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            if is_changed {
                found.insert((*path).clone(), commit);
            }
            !is_changed
        });
        if missing.is_empty() {
            return Ok((found, false));
        }
    }
}

fn marked_commit(text: &[u8]) -> Option<Oid> {
    std::str::from_utf8(text.strip_prefix(&[COMMIT_MARK])?).ok()?.parse().ok()
}
