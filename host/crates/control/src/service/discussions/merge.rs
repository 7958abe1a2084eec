//! The end of a pull request: merging it, by a real merge of its head into its branch, held to the rules for commits.
//!
//! The branch moves first, durably; that it was merged is written down after it. Between the two a crash leaves a branch that
//! has the pull request in it already: merging that again finds nothing to do, and writes it down.

use std::collections::BTreeSet;

use spaceport_core::discussion::{DiscussionAct, DiscussionStatus, may_be_merged, pull_ref};
use spaceport_core::name::SpacePath;
use spaceport_core::permission::Actor;
use spaceport_core::plugin::Plugins;
use spaceport_core::revision::{DEPLOY_BRANCH, Oid};
use spaceport_core::space::Sdk;
use spaceport_db::{Discussion, EventKind, Merged, PullRequest};
use spaceport_git::{GitError, MergeOutcome, MergeSpec, Repo};

use super::super::audit::Act;
use super::super::commit::{author, commit_refused};
use super::super::error::{ServiceError, ServiceResult};
use super::super::readme::{README, refuse_invalid, sdk_of};
use super::super::scan::Brought;
use super::super::storage::git_failed;
use super::super::{Control, Turn, UpdatedRef};
use super::access::Participant;
use super::thread::Thread;
use super::told::Told;

/// Files in conflict that a refusal names: its author sees the pattern in a few.
const MAX_NAMED: usize = 10;

/// What merging a pull request would meet with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflicts {
    /// Nothing.
    None,
    /// Both sides have changed these files.
    Files(Vec<String>),
    /// It cannot be merged, for a reason that is not in single files.
    All,
}

impl Control {
    /// Merges a pull request into its branch; the branch's head afterwards, which is built if it is the deploy branch.
    pub async fn merge_pull_request(
        &self,
        actor: &Actor,
        path: &SpacePath,
        number: u64,
        text: Option<String>,
    ) -> ServiceResult<Oid> {
        let participant = self.participant(actor, path)?;
        let (space, user) = (participant.space.id, participant.user);
        let turn = self.settings_turn(actor, space).await?;
        let mut thread = Thread::load(&self.inner.db, space, number)?;
        participant.require(thread.discussion().author, DiscussionAct::Merge)?;
        let found = thread.discussion();
        may_be_merged(found.pull_request.is_some(), found.status)
            .map_err(|error| ServiceError::Invalid(error.to_string()))?;
        let repo = self.inner.repos.repo(space);
        self.see_commits(&repo, &mut thread, None).await?;
        let said = match text {
            Some(text) => Some(self.say(&mut thread, user.id, text)?),
            None => None,
        };
        let merged = self.merged(&turn, &participant, &repo, number, thread.discussion()).await?;
        let commit = merged.commit;
        let discussion = thread.discussion_mut();
        discussion.status = DiscussionStatus::Merged;
        if let Some(pull) = &mut discussion.pull_request {
            pull.merged = Some(merged);
        }
        thread.add(self.event(user.id, EventKind::Status(DiscussionStatus::Merged)))?;
        let discussion = thread.save().await?;
        self.preview_follows(space, &pull_ref(number), None).await;
        if let Some((index, said)) = &said {
            self.tell_of(Told::Said, &turn.space, (number, &discussion), Some((*index, said))).await;
        }
        self.tell_of(Told::Changed, &turn.space, (number, &discussion), None).await;
        self.inner.fleet.tidy(repo);
        tracing::info!(
            space = %participant.space.path, number, revision = %commit, actor = %user.name, "a pull request was merged"
        );
        Ok(commit)
    }

    /// What merging would meet with now.
    pub(super) async fn conflicts(
        &self,
        repo: &Repo,
        discussion: &Discussion,
        pull: &PullRequest,
    ) -> ServiceResult<Conflicts> {
        if !discussion.status.is_open() {
            return Ok(Conflicts::None);
        }
        let Some(base) = repo.head(&pull.base).await.map_err(git_failed)? else { return Ok(Conflicts::All) };
        match repo.merge_base(base, pull.head).await.map_err(git_failed)? {
            None => return Ok(Conflicts::All),
            Some(fork) if fork == pull.head || fork == base => return Ok(Conflicts::None),
            Some(_) => {}
        }
        match repo.try_merge(base, pull.head).await {
            Ok(tried) => Ok(match tried.outcome {
                MergeOutcome::Clean(_) => Conflicts::None,
                MergeOutcome::Conflicts(files) => Conflicts::Files(files),
            }),
            // Whoever made it decides how much work it is.
            Err(GitError::Deadline { .. } | GitError::Git { .. }) => Ok(Conflicts::All),
            Err(error) => Err(git_failed(error)),
        }
    }

    /// Makes a pull request a part of its branch, and the branch's new head what is served if it is the deploy branch.
    async fn merged(
        &self,
        turn: &Turn,
        participant: &Participant<'_>,
        repo: &Repo,
        number: u64,
        discussion: &Discussion,
    ) -> ServiceResult<Merged> {
        let none = || ServiceError::internal("merge a pull request", "it has become a discussion");
        let pull = discussion.pull_request.as_ref().ok_or_else(none)?;
        let base = repo.head(&pull.base).await.map_err(git_failed)?;
        let base = base.ok_or_else(|| ServiceError::RevisionNotFound(pull.base.clone()))?;
        let (merged, sdk) = match repo.merge_base(base, pull.head).await.map_err(git_failed)? {
            None => {
                let message = format!(
                    "This pull request cannot be merged: its commits have none in common with the branch {:?}, whose \
                     history was written anew. Commit the changes again on top of it",
                    pull.base
                );
                return Err(ServiceError::Conflict(message));
            }
            // The branch has all of it already.
            Some(fork) if fork == pull.head => (Merged { commit: base, fork: pull.start }, None),
            Some(fork) => {
                let sdk = self.refuse_merge(repo, pull, base).await?;
                let spec = MergeSpec {
                    branch: pull.base.clone(),
                    ours: base,
                    theirs: pull.head,
                    author: author(participant.user, self.inner.clock.now()),
                    message: format!("{} (#{number})", discussion.title),
                };
                (Merged { commit: repo.merge(spec).await.map_err(commit_refused)?, fork }, sdk)
            }
        };
        let actor = Actor::User(participant.user.clone());
        let act = Act::on("pull_request.merge", &turn.space).to(number).with("branch", &pull.base);
        let act = act.with("revision", merged.commit);
        if pull.base == DEPLOY_BRANCH {
            self.deployed(turn, merged.commit, sdk, self.noted(&actor, act)).await?;
        } else {
            self.note_alone(&actor, act).await;
        }
        if merged.commit != base {
            self.refs_moved(&turn.space, &[UpdatedRef::branch(&pull.base, Some(base), Some(merged.commit))]).await;
            // Its files were looked through when they came; what of it is current is new.
            self.begin_scan(&turn.space, Brought::Paths(merged.commit, BTreeSet::new()));
        }
        Ok(merged)
    }

    /// Refuses a merge as a commit with the same content would be, before anything of it is there; the kind that the README
    /// will name.
    async fn refuse_merge(&self, repo: &Repo, pull: &PullRequest, base: Oid) -> ServiceResult<Option<Sdk>> {
        let tried = repo.try_merge(base, pull.head).await.map_err(|error| match error {
            GitError::Deadline { deadline, .. } => ServiceError::Invalid(format!(
                "Merging this takes longer than {} s here: merge it with git and push the branch",
                deadline.as_secs()
            )),
            error => git_failed(error),
        })?;
        let tree = match tried.outcome {
            MergeOutcome::Clean(tree) => tree,
            MergeOutcome::Conflicts(files) => return Err(in_conflict(&pull.base, &files)),
        };
        tried.repo.check(tree).await.map_err(git_failed)?;
        if pull.base != DEPLOY_BRANCH {
            return Ok(None);
        }
        match tried.repo.read(tree, README).await.map_err(git_failed)? {
            None => Ok(None),
            Some(readme) => {
                let plugins = self.plugins();
                refuse_invalid(&readme, Plugins::Only(&plugins))?;
                Ok(sdk_of(&readme, Plugins::Only(&plugins)))
            }
        }
    }
}

fn in_conflict(base: &str, files: &[String]) -> ServiceError {
    let named = files.iter().take(MAX_NAMED).map(|file| format!("{file:?}")).collect::<Vec<_>>().join(", ");
    let more = match files.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    ServiceError::Conflict(format!(
        "This pull request cannot be merged: it and the branch {base:?} have both changed {named}{more}. Bring the pull \
         request up to date with the branch, and try again"
    ))
}
