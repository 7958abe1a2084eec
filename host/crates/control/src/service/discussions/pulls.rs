//! The commits of pull requests: opened with one, added by the API or by git, and told of as events. A commit is there once
//! git has it; the event that tells of it follows, and what a crash has left untold is told when somebody looks.

use spaceport_core::discussion::{DiscussionAct, DiscussionStatus, pull_number, pull_ref, title_of_commit};
use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, Denied};
use spaceport_core::revision::{Oid, OidPrefix};
use spaceport_core::space::Space;
use spaceport_db::{Discussion, DiscussionEvent, EventKind, PullRequest};
use spaceport_git::{GitError, Repo};

use super::super::audit::Act;
use super::super::commit::NewCommit;
use super::super::error::{ServiceError, ServiceResult};
use super::super::scan::Brought;
use super::super::settings::Settled;
use super::super::storage::{git_failed, read_failed};
use super::super::{Control, UpdatedRef};
use super::access::Participant;
use super::thread::Thread;
use super::told::Told;
use super::{comment, talk};

/// What a repository may take on disk for those who may not write to it to add to it: commits of strangers stay even when
/// their pull request is closed, so they are not to fill the disk.
const MAX_SHARED_REPOSITORY: u64 = 1 << 30;
/// Commits that are told of at once, the newest; a pull request that brings more is read with git.
const MAX_TOLD: usize = 100;
/// Longest first line of a commit's message that is told, in characters.
const MAX_SUBJECT: usize = 200;
/// Longest patch that is shown, in bytes; the whole of it is in git.
const MAX_DIFF: usize = 1 << 20;

impl Control {
    /// Whether the actor may commit to a branch, or to a pull request by the full name of its head, or propose a commit to a
    /// branch as a pull request.
    pub fn may_commit(
        &self,
        actor: &Actor,
        path: &SpacePath,
        branch: &str,
        as_pull_request: bool,
    ) -> ServiceResult<Space> {
        match pull_number(branch) {
            None if !as_pull_request => self.space(actor, path, Action::Write).map_err(propose),
            None => Ok(self.participant(actor, path)?.space),
            Some(number) => {
                let participant = self.participant(actor, path)?;
                let found = self.pull_request(participant.space.id, number)?;
                require_open(&participant, &found)?;
                Ok(participant.space)
            }
        }
    }

    /// Opens a pull request with a commit on top of a branch's head, or of the parent that the commit names; its number and
    /// its head, with what is to be said of secrets in it.
    pub async fn commit_as_pull_request(
        &self,
        actor: &Actor,
        path: &SpacePath,
        base: &str,
        new: NewCommit,
    ) -> ServiceResult<Settled<(u64, Oid)>> {
        let space = self.space(actor, path, Action::See)?;
        let paths = Brought::paths(&new.changes);
        let (number, head) = self.open_with_commit(actor, path, base, new).await?;
        Ok(self.scanned_commit(&space, head, paths, (number, head)).await)
    }

    async fn open_with_commit(
        &self,
        actor: &Actor,
        path: &SpacePath,
        base: &str,
        mut new: NewCommit,
    ) -> ServiceResult<(u64, Oid)> {
        let participant = self.participant(actor, path)?;
        let (space, user) = (participant.space.id, participant.user);
        let title = title_of_commit(&new.summary);
        let description = new.description.trim().to_owned();
        talk::refuse_long(&description)?;
        let _turn = self.bare_turn(space).await;
        self.refuse_another(&participant)?;
        let repo = self.inner.repos.repo(space);
        if !participant.is_writer {
            self.refuse_full(&repo).await?;
        }
        let pull = self.base_of_pull(&repo, base, new.parent.take().as_ref()).await?;
        let start = pull.start;
        let discussion = self.opened(title, user.id, DiscussionStatus::Open, Some(pull));
        let mut thread = Thread::open(&self.inner.db, space, discussion)?;
        let said = self.event(user.id, comment(user.id, description, self.inner.clock.now()));
        let index = thread.add(said.clone())?;
        let number = thread.number();
        self.set_pull_ref(&repo, number, start).await?;
        let head = match self.make_commit(&participant.space, user, &repo, &pull_ref(number), new).await {
            Ok((_, head)) => head,
            Err(error) => {
                // One that stays is written over by the next pull request, which has its number.
                if let Err(error) = repo.delete_pull_ref(number).await {
                    tracing::warn!(space = %participant.space.path, number, %error, "a pull request's ref stays");
                }
                return Err(error);
            }
        };
        self.see_commits(&repo, &mut thread, Some(user.id)).await?;
        let act = Act::on("discussion.open", &participant.space).to(number).with("pullRequest", true);
        thread.with(self.noted(actor, act));
        let opened = thread.save().await?;
        self.tell_of(Told::Opened, &participant.space, (number, &opened), Some((index, &said))).await;
        let act =
            Act::on("repository.commit", &participant.space).with("branch", pull_ref(number)).with("revision", head);
        self.note_alone(actor, act).await;
        self.inner.fleet.tidy(repo);
        tracing::info!(
            space = %participant.space.path, number, revision = %head, actor = %user.name, "a pull request was opened"
        );
        Ok((number, head))
    }

    /// Commits to a pull request; its new head.
    pub(in crate::service) async fn commit_to_pull_request(
        &self,
        actor: &Actor,
        path: &SpacePath,
        number: u64,
        new: NewCommit,
    ) -> ServiceResult<Oid> {
        let participant = self.participant(actor, path)?;
        let space = participant.space.id;
        let _turn = self.bare_turn(space).await;
        require_open(&participant, &self.pull_request(space, number)?)?;
        let mut thread = Thread::load(&self.inner.db, space, number)?;
        let repo = self.inner.repos.repo(space);
        if !participant.is_writer {
            self.refuse_full(&repo).await?;
        }
        let name = pull_ref(number);
        let (old, head) = self.make_commit(&participant.space, participant.user, &repo, &name, new).await?;
        let act =
            Act::on("repository.commit", &participant.space).with("branch", pull_ref(number)).with("revision", head);
        self.note_alone(actor, act).await;
        self.refs_moved(&participant.space, &[UpdatedRef { name, old, new: Some(head) }]).await;
        self.see_commits(&repo, &mut thread, Some(participant.user.id)).await?;
        thread.save().await?;
        self.inner.fleet.tidy(repo);
        tracing::info!(
            space = %participant.space.path, number, revision = %head, actor = %participant.user.name,
            "a commit was added to a pull request"
        );
        Ok(head)
    }

    /// Whether a ref is the head of a pull request that was opened.
    pub(in crate::service) fn is_pull_request(&self, space: SpaceId, full_name: &str) -> ServiceResult<bool> {
        let Some(number) = pull_number(full_name) else { return Ok(false) };
        let found = self.inner.db.discussions().get(&(space, number)).map_err(read_failed)?;
        Ok(found.is_some_and(|discussion| discussion.pull_request.is_some()))
    }

    /// Refuses what strangers add to a repository that is large already.
    pub(in crate::service) async fn refuse_full(&self, repo: &Repo) -> ServiceResult<()> {
        if repo.disk_bytes().await.map_err(git_failed)? <= MAX_SHARED_REPOSITORY {
            return Ok(());
        }
        let message = format!(
            "The repository has more than {} GiB: only those who may write to the Space add to it",
            MAX_SHARED_REPOSITORY >> 30
        );
        Err(ServiceError::Invalid(message))
    }

    /// A pull request that starts from a branch's head, or from an earlier commit of it.
    pub(super) async fn base_of_pull(
        &self,
        repo: &Repo,
        base: &str,
        parent: Option<&OidPrefix>,
    ) -> ServiceResult<PullRequest> {
        let missing = || ServiceError::RevisionNotFound(base.to_owned());
        let head = match base.starts_with("refs/") {
            true => None,
            false => repo.head(base).await.map_err(git_failed)?,
        };
        let head = head.ok_or_else(missing)?;
        let start = match parent {
            Some(parent) if !parent.matches(head) => {
                let outdated = || ServiceError::Outdated { branch: base.to_owned(), head: Some(head) };
                let start = repo.resolve(parent.as_str()).await.map_err(git_failed)?.ok_or_else(outdated)?;
                let common = repo.merge_base(head, start).await.map_err(git_failed)?;
                if common == Some(start) && parent.matches(start) { start } else { return Err(outdated()) }
            }
            _ => head,
        };
        Ok(PullRequest { base: base.to_owned(), start, head: start, merged: None })
    }

    /// Whether a pull request has commits that no event tells of.
    pub(super) async fn has_unseen_commits(
        &self,
        repo: &Repo,
        number: u64,
        discussion: &Discussion,
    ) -> ServiceResult<bool> {
        match &discussion.pull_request {
            Some(pull) if pull.merged.is_none() => {
                let head = repo.head(&pull_ref(number)).await.map_err(git_failed)?;
                Ok(head.is_some_and(|head| head != pull.head))
            }
            _ => Ok(false),
        }
    }

    /// Tells of the commits that a pull request has and no event tells of.
    pub(super) async fn see_commits(
        &self,
        repo: &Repo,
        thread: &mut Thread<'_>,
        author: Option<AccountId>,
    ) -> ServiceResult<()> {
        if !self.has_unseen_commits(repo, thread.number(), thread.discussion()).await? {
            return Ok(());
        }
        let head = repo.head(&pull_ref(thread.number())).await.map_err(git_failed)?;
        let (Some(head), Some(pull)) = (head, &thread.discussion().pull_request) else { return Ok(()) };
        let mut known = vec![pull.head];
        known.extend(repo.head(&pull.base).await.map_err(git_failed)?);
        let new = repo.new_commits(head, &known, MAX_TOLD).await.map_err(git_failed)?;
        for entry in new.into_iter().rev() {
            let subject = entry.summary.chars().take(MAX_SUBJECT).collect();
            let kind = EventKind::Commit { oid: entry.oid, subject };
            let at = self.inner.clock.now();
            thread.add_if_it_fits(DiscussionEvent { at, author, kind });
        }
        if let Some(pull) = &mut thread.discussion_mut().pull_request {
            pull.head = head;
        }
        Ok(())
    }

    /// What a pull request changes, as a patch.
    pub(super) async fn pull_diff(&self, repo: &Repo, pull: &PullRequest) -> ServiceResult<String> {
        let from = match &pull.merged {
            Some(merged) => Some(merged.fork),
            None => match repo.head(&pull.base).await.map_err(git_failed)? {
                Some(base) => repo.merge_base(base, pull.head).await.map_err(git_failed)?,
                None => None,
            },
        };
        match repo.diff(from.unwrap_or(pull.start), pull.head, MAX_DIFF).await {
            Ok((diff, false)) => Ok(diff),
            Ok((diff, true)) => Ok(format!("{diff}\\ The rest of this patch is not shown: fetch the pull request\n")),
            // Whoever made it decides how much work it is.
            Err(GitError::Deadline { .. } | GitError::Git { .. }) => {
                Ok("\\ This patch takes too long to be shown: fetch the pull request\n".to_owned())
            }
            Err(error) => Err(git_failed(error)),
        }
    }

    /// A pull request by its number; a revision of that name is not found if there is none.
    fn pull_request(&self, space: SpaceId, number: u64) -> ServiceResult<Discussion> {
        let found = self.inner.db.discussions().get(&(space, number)).map_err(read_failed)?;
        let found = found.filter(|discussion| discussion.pull_request.is_some());
        found.ok_or_else(|| ServiceError::RevisionNotFound(pull_ref(number)))
    }
}

/// Tells those who may not commit what they may do.
fn propose(refused: ServiceError) -> ServiceError {
    match refused {
        ServiceError::Denied(Denied::Forbidden) => {
            ServiceError::Forbidden(format!("{refused}. A token that writes may propose a commit: add create_pr=1"))
        }
        other => other,
    }
}

/// Refuses commits of others, and commits to what is over.
fn require_open(participant: &Participant<'_>, pull: &Discussion) -> ServiceResult<()> {
    participant.require(pull.author, DiscussionAct::Contribute)?;
    if pull.status.is_open() {
        return Ok(());
    }
    Err(ServiceError::Invalid(format!("This pull request is {}: open another one", pull.status)))
}
