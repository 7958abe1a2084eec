//! Branches, tags and history of a repository. Only the deploy branch is built, so of all changes here only a squashed
//! deploy branch is told to the fleet.

use std::collections::BTreeMap;

use spaceport_core::discussion::pull_number;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, Denied, User};
use spaceport_core::revision::{BRANCHES, DEPLOY_BRANCH, Oid};
use spaceport_git::{CommitError, GitError, LogEntry, MAX_REFS, RefChange, RefEntry};

use super::audit::Act;
use super::commit::{author, commit_refused};
use super::error::{ServiceError, ServiceResult};
use super::files::resolve;
use super::storage::{fleet_failed, git_failed};
use super::{Control, UpdatedRef};

/// Longest message of a tag or a squashed branch, in bytes: that of a commit.
const MAX_MESSAGE: usize = 64 << 10;
/// Longest patch of a commit that is shown, in bytes; the whole of it is in git.
const MAX_PATCH: usize = 512 << 10;
/// Digits of a whole commit id.
const ID_DIGITS: usize = 40;

/// One line of the list of refs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRef {
    /// Its short name, such as `main`.
    pub name: String,
    /// Its full name, such as `refs/heads/main`.
    pub full_name: String,
    /// The commit it leads to.
    pub target: Oid,
}

/// The refs of a repository, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RefList {
    /// Branches.
    pub branches: Vec<NamedRef>,
    /// What the host has made of branches.
    pub converts: Vec<NamedRef>,
    /// Tags.
    pub tags: Vec<NamedRef>,
    /// Pull requests, named by their number.
    pub pull_requests: Vec<NamedRef>,
}

/// A page of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitPage {
    /// The commit whose history it is.
    pub head: Oid,
    /// Commits in the whole history.
    pub total: usize,
    /// Those of the page, newest first.
    pub commits: Vec<LogEntry>,
}

impl Control {
    /// Every branch, tag and pull request with its head.
    pub async fn refs(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<RefList> {
        let space = self.space(actor, path, Action::See)?;
        let refs = self.inner.repos.repo(space.id).refs().await.map_err(git_failed)?;
        let mut list = RefList::default();
        for entry in refs {
            let RefEntry { name: full_name, target } = entry;
            let (kind, prefix) = match full_name.split('/').nth(1) {
                Some("heads") => (&mut list.branches, BRANCHES),
                Some("tags") => (&mut list.tags, "refs/tags/"),
                Some("convert") => (&mut list.converts, "refs/convert/"),
                // One that was being opened when the host ended is nobody's.
                Some("pr") if !self.is_pull_request(space.id, &full_name)? => continue,
                Some("pr") => (&mut list.pull_requests, "refs/pr/"),
                _ => continue,
            };
            let name = full_name.strip_prefix(prefix).unwrap_or(&full_name).to_owned();
            kind.push(NamedRef { name, full_name, target });
        }
        Ok(list)
    }

    /// A page of the history of a revision, newest first.
    pub async fn commits(
        &self,
        actor: &Actor,
        path: &SpacePath,
        revision: &str,
        skip: usize,
        limit: usize,
    ) -> ServiceResult<CommitPage> {
        let space = self.space(actor, path, Action::See)?;
        let repo = self.inner.repos.repo(space.id);
        let head = resolve(&repo, revision).await?;
        let total = repo.count_commits(head).await.map_err(git_failed)?;
        // Behind the end git is not asked: it cannot count as far as a caller can write.
        let commits = match skip < total {
            true => repo.log_page(head, skip, limit).await.map_err(git_failed)?,
            false => Vec::new(),
        };
        Ok(CommitPage { head, total, commits })
    }

    /// A commit with what it changes, as a patch; whether that was cut.
    pub async fn commit_patch(
        &self,
        actor: &Actor,
        path: &SpacePath,
        revision: &str,
    ) -> ServiceResult<(LogEntry, String, bool)> {
        let space = self.space(actor, path, Action::See)?;
        let repo = self.inner.repos.repo(space.id);
        let commit = resolve(&repo, revision).await?;
        let mut log = repo.log(commit, 1).await.map_err(git_failed)?;
        let entry = log.pop().ok_or_else(|| ServiceError::RevisionNotFound(revision.to_owned()))?;
        match repo.patch(commit, MAX_PATCH).await {
            Ok((patch, is_cut)) => Ok((entry, patch, is_cut)),
            // Whoever made it decides how much work it is.
            Err(GitError::Deadline { .. }) => Ok((entry, String::new(), true)),
            Err(error) => Err(git_failed(error)),
        }
    }

    /// The last commit that changed each of these paths, as of a commit.
    pub async fn last_commits(
        &self,
        actor: &Actor,
        path: &SpacePath,
        commit: Oid,
        paths: &[String],
    ) -> ServiceResult<BTreeMap<String, LogEntry>> {
        let space = self.space(actor, path, Action::See)?;
        self.inner.repos.repo(space.id).last_commits(commit, paths).await.map_err(git_failed)
    }

    /// Makes a branch at a revision, by default at the deploy branch's head.
    pub async fn create_branch(
        &self,
        actor: &Actor,
        path: &SpacePath,
        name: &str,
        start: Option<&str>,
    ) -> ServiceResult<()> {
        let found = self.space(actor, path, Action::Write)?;
        refuse_name(name)?;
        let turn = self.settings_turn(actor, found.id).await?;
        let space = &turn.space;
        let repo = self.inner.repos.repo(space.id);
        let target = resolve(&repo, start.unwrap_or(DEPLOY_BRANCH)).await?;
        made(repo.create_branch(name, target).await.map_err(git_failed)?, "branch", name)?;
        let act = Act::on("branch.create", space).to(name).with("revision", target);
        self.note_alone(actor, act).await;
        self.refs_moved(space, &[UpdatedRef::branch(name, None, Some(target))]).await;
        tracing::info!(space = %space.path, branch = name, revision = %target, "a branch was made");
        Ok(())
    }

    /// Removes a branch; never the one that is deployed.
    pub async fn delete_branch(&self, actor: &Actor, path: &SpacePath, name: &str) -> ServiceResult<()> {
        let found = self.space(actor, path, Action::Write)?;
        if name == DEPLOY_BRANCH {
            let message = format!("The branch {DEPLOY_BRANCH:?} is the one that is deployed: it cannot be deleted");
            return Err(ServiceError::Forbidden(message));
        }
        let turn = self.settings_turn(actor, found.id).await?;
        let space = &turn.space;
        let repo = self.inner.repos.repo(space.id);
        let before = repo.head(name).await.map_err(git_failed)?;
        was_there(repo.delete_branch(name).await.map_err(git_failed)?, name)?;
        self.refs_moved(space, &[UpdatedRef::branch(name, before, None)]).await;
        self.note_alone(actor, Act::on("branch.delete", space).to(name)).await;
        tracing::info!(space = %space.path, branch = name, "a branch was removed");
        Ok(())
    }

    /// Makes a tag of a revision, with a message an annotated one.
    pub async fn create_tag(
        &self,
        actor: &Actor,
        path: &SpacePath,
        revision: &str,
        name: &str,
        message: Option<&str>,
    ) -> ServiceResult<()> {
        let (user, found) = (signed(actor), self.space(actor, path, Action::Write)?);
        refuse_name(name)?;
        refuse_long(message.unwrap_or_default())?;
        let turn = self.settings_turn(actor, found.id).await?;
        let space = &turn.space;
        let repo = self.inner.repos.repo(space.id);
        let target = resolve(&repo, revision).await?;
        let author = author(user?, self.inner.clock.now());
        made(repo.create_tag(name, target, message, &author).await.map_err(git_failed)?, "tag", name)?;
        let act = Act::on("tag.create", space).to(name).with("revision", target);
        self.note_alone(actor, act).await;
        let made = UpdatedRef { name: format!("refs/tags/{name}"), old: None, new: Some(target) };
        self.refs_moved(space, &[made]).await;
        tracing::info!(space = %space.path, tag = name, revision = %target, "a tag was made");
        Ok(())
    }

    /// Removes a tag.
    pub async fn delete_tag(&self, actor: &Actor, path: &SpacePath, name: &str) -> ServiceResult<()> {
        let found = self.space(actor, path, Action::Write)?;
        let turn = self.settings_turn(actor, found.id).await?;
        let space = &turn.space;
        let repo = self.inner.repos.repo(space.id);
        let full_name = format!("refs/tags/{name}");
        let before = repo.refs().await.map_err(git_failed)?.into_iter().find(|entry| entry.name == full_name);
        was_there(repo.delete_tag(name).await.map_err(git_failed)?, name)?;
        let removed = UpdatedRef { name: full_name, old: before.map(|entry| entry.target), new: None };
        self.refs_moved(space, &[removed]).await;
        self.note_alone(actor, Act::on("tag.delete", space).to(name)).await;
        tracing::info!(space = %space.path, tag = name, "a tag was removed");
        Ok(())
    }

    /// Makes the history of a branch one commit; the new head.
    pub async fn super_squash(
        &self,
        actor: &Actor,
        path: &SpacePath,
        branch: &str,
        message: &str,
    ) -> ServiceResult<Oid> {
        let (user, found) = (signed(actor), self.space(actor, path, Action::Write)?);
        let user = user?;
        refuse_long(message)?;
        let turn = self.settings_turn(actor, found.id).await?;
        let space = &turn.space;
        let repo = self.inner.repos.repo(space.id);
        let before = repo.head(branch).await.map_err(git_failed)?;
        // A pull request's history is its author's.
        if pull_number(branch).is_some() || before.is_none() {
            resolve(&repo, branch).await?;
            let message = format!("{branch:?} is no branch: the history of branches alone can be squashed");
            return Err(ServiceError::Invalid(message));
        }
        let author = author(user, self.inner.clock.now());
        let head = repo.squash(branch, author, message).await.map_err(|error| match error {
            CommitError::Conflict { actual: None, .. } => ServiceError::RevisionNotFound(branch.to_owned()),
            error => commit_refused(error),
        })?;
        if branch == DEPLOY_BRANCH {
            self.inner.fleet.pushed(space.id, head).await.map_err(fleet_failed)?;
        }
        let act = Act::on("repository.squash", space).with("branch", branch).with("revision", head);
        let stored = self.store_change(&turn, |_, batch| {
            self.note(batch, actor, act);
            Ok(())
        });
        stored.await?;
        self.inner.fleet.tidy(repo);
        self.refs_moved(space, &[UpdatedRef::branch(branch, before, Some(head))]).await;
        tracing::info!(space = %space.path, branch, revision = %head, "a history was squashed");
        Ok(head)
    }
}

/// Who it is that may change something.
fn signed(actor: &Actor) -> ServiceResult<&User> {
    match actor {
        Actor::User(user) => Ok(user),
        Actor::Nobody => Err(Denied::SignIn.into()),
    }
}

/// Refuses names that would be read as something else where a revision is named.
fn refuse_name(name: &str) -> ServiceResult<()> {
    let is_id = name.len() == ID_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id || name.starts_with("refs/") {
        let message = format!("{name:?} cannot be the name of a branch or a tag: it reads as a commit or a ref");
        return Err(ServiceError::Invalid(message));
    }
    Ok(())
}

fn refuse_long(message: &str) -> ServiceResult<()> {
    if message.len() > MAX_MESSAGE {
        return Err(ServiceError::Invalid(format!("A message may have at most {MAX_MESSAGE} bytes")));
    }
    Ok(())
}

fn made(change: RefChange, kind: &str, name: &str) -> ServiceResult<()> {
    match change {
        RefChange::Done => Ok(()),
        RefChange::Exists | RefChange::Missing => Err(ServiceError::Conflict(format!(
            "There is already a {kind} named {name:?}, or one whose name takes its place"
        ))),
        RefChange::TooMany => {
            let message = format!("A Space may have at most {MAX_REFS} branches and tags together: remove some first");
            Err(ServiceError::Invalid(message))
        }
    }
}

fn was_there(change: RefChange, name: &str) -> ServiceResult<()> {
    match change {
        RefChange::Done => Ok(()),
        _ => Err(ServiceError::RevisionNotFound(name.to_owned())),
    }
}
