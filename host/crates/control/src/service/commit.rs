//! Commits made through the API: checked as a push is, made as real git commits, and handed to the fleet before the
//! answer, so that the stage has moved when the committer reads it.

use bytes::Bytes;
use spaceport_core::discussion::pull_number;
use spaceport_core::lfs::LfsOid;
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, Denied, User};
use spaceport_core::plugin::Plugins;
use spaceport_core::revision::{DEPLOY_BRANCH, Oid, OidPrefix};
use spaceport_core::space::{Sdk, Space};
use spaceport_db::Batch;
use spaceport_git::{Author, Change, CommitError, CommitSpec, FileMode, Repo, RepoPath};

use super::audit::Act;
use super::error::{ServiceError, ServiceResult};
use super::readme::{README, refuse_invalid, sdk_of};
use super::scan::Brought;
use super::settings::Settled;
use super::storage::{fleet_failed, git_failed, tree_refused};
use super::{Control, Happening, Turn, UpdatedRef};

/// Longest summary and description together, in bytes.
const MAX_MESSAGE: usize = 64 << 10;

/// One change of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileChange {
    /// Puts a file, new or in place of an old one.
    Put {
        /// Where.
        path: String,
        /// Its content.
        content: Bytes,
    },
    /// Puts a large file that the Space has been sent already.
    PutLarge {
        /// Where.
        path: String,
        /// Its content.
        oid: LfsOid,
        /// Bytes of its content; a copy does not say.
        size: Option<u64>,
    },
    /// Removes a file.
    Delete {
        /// Which.
        path: String,
    },
    /// Removes a folder with everything in it.
    DeleteFolder {
        /// Which; a `/` at the end is allowed.
        path: String,
    },
}

impl FileChange {
    /// Bytes that it brings into the repository.
    fn bytes(&self) -> u64 {
        match self {
            Self::Put { content, .. } => content.len() as u64,
            Self::PutLarge { .. } | Self::Delete { .. } | Self::DeleteFolder { .. } => 0,
        }
    }
}

/// A commit to be made.
#[derive(Debug, Clone, Default)]
pub struct NewCommit {
    /// First line of the message.
    pub summary: String,
    /// The rest of the message.
    pub description: String,
    /// What the branch's head must be.
    pub parent: Option<OidPrefix>,
    /// What changes, later ones over earlier ones.
    pub changes: Vec<FileChange>,
}

impl Control {
    /// Commits to a branch, or to a pull request by the full name of its head; its new head, with what is to be said of
    /// secrets in it. A commit that changes nothing is the head as it is.
    pub async fn commit(
        &self,
        actor: &Actor,
        path: &SpacePath,
        branch: &str,
        new: NewCommit,
    ) -> ServiceResult<Settled<Oid>> {
        let space = self.space(actor, path, Action::See)?;
        let paths = Brought::paths(&new.changes);
        let head = match pull_number(branch) {
            Some(number) => self.commit_to_pull_request(actor, path, number, new).await?,
            None => self.commit_to_branch(actor, path, branch, new).await?,
        };
        Ok(self.scanned_commit(&space, head, paths, head).await)
    }

    async fn commit_to_branch(
        &self,
        actor: &Actor,
        path: &SpacePath,
        branch: &str,
        new: NewCommit,
    ) -> ServiceResult<Oid> {
        let space = self.space(actor, path, Action::Write)?;
        let Actor::User(user) = actor else { return Err(Denied::SignIn.into()) };
        let sdk = match branch == DEPLOY_BRANCH {
            true => check_readme_change(&new.changes, Plugins::Only(&self.plugins()))?,
            false => None,
        };

        // One after the other: the fleet must hear of two commits in the order they were made.
        let turn = self.settings_turn(actor, space.id).await?;
        let repo = self.inner.repos.repo(space.id);
        let (before, head) = self.make_commit(&turn.space, user, &repo, branch, new).await?;
        let act = Act::on("repository.commit", &turn.space).with("branch", branch).with("revision", head);
        let noted = if before == Some(head) { Batch::default() } else { self.noted(actor, act) };
        let deploys = branch == DEPLOY_BRANCH;
        let (with_head, with_row) = if deploys { (noted, Batch::default()) } else { (Batch::default(), noted) };
        if deploys {
            // Also of a head that was there: the commit before this one may be the same, sent again because the fleet
            // could not be told of it.
            self.inner.fleet.pushed_with(space.id, head, with_head).await.map_err(fleet_failed)?;
        }
        if before != Some(head) {
            self.keep_sdk(&turn, sdk, with_row).await?;
            self.inner.fleet.tidy(repo);
            self.refs_moved(&turn.space, &[UpdatedRef::branch(branch, before, Some(head))]).await;
            tracing::info!(space = %space.path, revision = %head, actor = %user.name, branch, "a commit was made");
        }
        Ok(head)
    }

    /// Makes a commit on a branch or a pull request, for a caller that has the Space's turn; the head before and the new one.
    pub(super) async fn make_commit(
        &self,
        space: &Space,
        user: &User,
        repo: &Repo,
        branch: &str,
        new: NewCommit,
    ) -> ServiceResult<(Option<Oid>, Oid)> {
        let message = message(&new)?;
        let size = new.changes.iter().map(FileChange::bytes).sum();
        self.require_repository_room(space.owner, async { Ok(size) }).await?;
        let before = repo.head(branch).await.map_err(git_failed)?;
        if before.is_none() && branch != DEPLOY_BRANCH {
            return Err(ServiceError::RevisionNotFound(branch.to_owned()));
        }
        let changes = self.with_pointers(space.id, repo, before, new.changes).await?;
        let changes = changes.into_iter().map(git_change).collect::<ServiceResult<Vec<_>>>()?;
        let author = author(user, self.inner.clock.now());
        let spec = CommitSpec { branch: branch.to_owned(), parent: new.parent, author, message, changes };
        Ok((before, repo.commit(spec).await.map_err(commit_refused)?))
    }

    /// Hands a new head of the deploy branch to the fleet, with the kind that its README names.
    pub(super) async fn deployed(&self, turn: &Turn, head: Oid, sdk: Option<Sdk>, with: Batch) -> ServiceResult<()> {
        self.inner.fleet.pushed_with(turn.space.id, head, with).await.map_err(fleet_failed)?;
        self.keep_sdk(turn, sdk, Batch::default()).await
    }

    /// Tells whoever follows a Space's refs that these were made, moved or removed: previews and webhooks. The caller has the
    /// Space's turn.
    pub(super) async fn refs_moved(&self, space: &Space, moved: &[UpdatedRef]) {
        for UpdatedRef { name, new, .. } in moved {
            self.preview_follows(space.id, name, *new).await;
        }
        self.tell_webhooks(Happening::content(space, moved)).await;
    }

    /// Stores the kind that a README names, for the time before something is built from it.
    async fn keep_sdk(&self, turn: &Turn, sdk: Option<Sdk>, with: Batch) -> ServiceResult<()> {
        let stored = self.store_change(turn, |space, batch| {
            batch.append(with);
            space.sdk = sdk.unwrap_or(space.sdk);
            Ok(())
        });
        let stored = stored.await?;
        if stored.sdk != turn.space.sdk {
            self.inner.fleet.republish(&stored).await.map_err(fleet_failed)?;
        }
        Ok(())
    }
}

/// Who the commits of a user are by.
pub(super) fn author(user: &User, at: Millis) -> Author {
    Author { name: user.name.to_string(), email: format!("{}@users.noreply.spaceport", user.name), at }
}

/// What to do about a commit that was not made.
pub(super) fn commit_refused(error: CommitError) -> ServiceError {
    match error {
        CommitError::Conflict { branch, actual, .. } => ServiceError::Outdated { branch, head: actual },
        CommitError::Tree(error) => tree_refused(&error),
        CommitError::Git(error) => git_failed(error),
        CommitError::NotThere(_) => ServiceError::NothingToDelete(error.to_string()),
    }
}

/// A README that could not be used would only show as a stage later: it is refused while its author looks. The kind that a
/// good one names, for the time before something is built from it.
fn check_readme_change(changes: &[FileChange], plugins: Plugins<'_>) -> ServiceResult<Option<Sdk>> {
    let readme = changes.iter().rev().find_map(|change| match change {
        FileChange::Put { path, content } if path == README => Some(content),
        _ => None,
    });
    match readme {
        Some(content) => {
            refuse_invalid(content, plugins)?;
            Ok(sdk_of(content, plugins))
        }
        None => Ok(None),
    }
}

fn message(new: &NewCommit) -> ServiceResult<String> {
    let summary = new.summary.trim();
    if summary.is_empty() {
        return Err(ServiceError::Invalid("A commit needs a summary".to_owned()));
    }
    if summary.len() + new.description.len() > MAX_MESSAGE {
        return Err(ServiceError::Invalid(format!("A commit message may have at most {MAX_MESSAGE} bytes")));
    }
    let description = new.description.trim();
    Ok(if description.is_empty() { summary.to_owned() } else { format!("{summary}\n\n{description}") })
}

fn git_change(change: FileChange) -> ServiceResult<Change> {
    let parse = |path: &str| RepoPath::parse(path).map_err(|error| ServiceError::Invalid(error.to_string()));
    Ok(match change {
        FileChange::Put { path, content } => Change::Put { path: parse(&path)?, mode: FileMode::Regular, content },
        FileChange::PutLarge { path, .. } => {
            return Err(ServiceError::internal("commit a large file", format!("{path} has no pointer yet")));
        }
        FileChange::Delete { path } => Change::Delete { path: parse(&path)? },
        FileChange::DeleteFolder { path } => {
            let path = RepoPath::parse_folder(&path).map_err(|error| ServiceError::Invalid(error.to_string()))?;
            Change::DeleteFolder { path }
        }
    })
}
