//! Discussions and pull requests of Spaces: opening, listing and reading them. Everybody who sees a Space reads them, and
//! whoever is signed in with a token that writes opens them and takes part; what more one may is `core::discussion`'s to say.
//!
//! `access` says who may come in, `talk` is what happens in a discussion, `pulls` the commits of pull requests and `merge` their end; `thread` is the one
//! place that stores any of it. Changes happen in the Space's turn, one after the other, as its commits do.

mod access;
mod merge;
mod pulls;
mod pushes;
mod talk;
#[cfg(test)]
mod tests;
mod thread;
mod told;
mod view;

use spaceport_core::discussion::{DiscussionAct, DiscussionStatus, pull_ref, title};
use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::{OwnerName, SpacePath};
use spaceport_core::permission::{Action, Actor};
use spaceport_core::revision::{DEPLOY_BRANCH, Oid};
use spaceport_db::{Comment, CommentText, Discussion, DiscussionEvent, EventKind, Expect, PullRequest};
use spaceport_git::{RefChange, Repo};

use super::Control;
use super::audit::Act;
use super::error::{ServiceError, ServiceResult};
use super::storage::{commit_failed, git_failed, read_failed};
use thread::Thread;
use told::Told;

pub use merge::Conflicts;
pub use view::{CommentTextView, CommentView, DiscussionDetails, DiscussionView, EventKindView, EventView};

/// A discussion or a pull request to be opened.
#[derive(Debug, Clone)]
pub struct NewDiscussion {
    /// Its title.
    pub title: String,
    /// What is said first.
    pub description: String,
    /// Whether it is a pull request. It is a draft then, without a commit.
    pub is_pull_request: bool,
}

/// Which kinds are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KindFilter {
    /// Both.
    #[default]
    All,
    /// Discussions alone.
    Discussions,
    /// Pull requests alone.
    PullRequests,
}

/// Which are listed by their status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StatusFilter {
    /// All.
    #[default]
    All,
    /// Those that go on, ready or not.
    Open,
    /// Those that are over, merged or not.
    Closed,
}

/// Which discussions are listed.
#[derive(Debug, Clone, Default)]
pub struct DiscussionFilter {
    /// Of this account alone.
    pub author: Option<OwnerName>,
    /// Of this kind.
    pub kind: KindFilter,
    /// Of this status.
    pub status: StatusFilter,
}

/// A page of the list of discussions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscussionPage {
    /// How many pass the filter.
    pub total: usize,
    /// How many of the Space's are over.
    pub closed: usize,
    /// Those of the page, newest first.
    pub discussions: Vec<DiscussionView>,
}

impl Control {
    /// A page of a Space's discussions and pull requests, newest first.
    pub fn discussions(
        &self,
        actor: &Actor,
        path: &SpacePath,
        filter: &DiscussionFilter,
        skip: usize,
        limit: usize,
    ) -> ServiceResult<DiscussionPage> {
        let space = self.discussed_space(actor, path)?;
        let db = &self.inner.db;
        let author = match &filter.author {
            Some(name) => match db.account_by_name(name).map_err(read_failed)? {
                Some(account) => Some(account.id),
                None => return Ok(DiscussionPage { total: 0, closed: 0, discussions: Vec::new() }),
            },
            None => None,
        };
        let all = db.discussions().under(&space.id).map_err(read_failed)?;
        let closed = all.iter().filter(|(_, discussion)| !discussion.status.is_open()).count();
        let found: Vec<(u64, Discussion)> = all
            .into_iter()
            .rev()
            .map(|((_, number), discussion)| (number, discussion))
            .filter(|(_, discussion)| author.is_none_or(|author| author == discussion.author))
            .filter(|(_, discussion)| passes(discussion, filter))
            .collect();
        let total = found.len();
        let mut names = view::Names::new(&self.inner.accounts);
        let page = found.into_iter().skip(skip).take(limit);
        let discussions = page.map(|(number, discussion)| names.discussion(&space.path, number, &discussion));
        Ok(DiscussionPage { total, closed, discussions: discussions.collect::<ServiceResult<_>>()? })
    }

    /// One discussion with all that happened in it; of a pull request also what merging would meet with and, if it is asked
    /// for, what it changes.
    pub async fn discussion(
        &self,
        actor: &Actor,
        path: &SpacePath,
        number: u64,
        with_diff: bool,
    ) -> ServiceResult<DiscussionDetails> {
        let space = self.discussed_space(actor, path)?;
        let repo = self.inner.repos.repo(space.id);
        let mut found = self.find_discussion(space.id, number)?;
        if self.has_unseen_commits(&repo, number, &found).await? {
            let _turn = self.bare_turn(space.id).await;
            let mut thread = Thread::load(&self.inner.db, space.id, number)?;
            self.see_commits(&repo, &mut thread, None).await?;
            found = thread.save().await?;
        }
        let (conflicts, diff) = match &found.pull_request {
            None => (None, None),
            Some(pull) => {
                let _turn = access::look().await?;
                let diff = match with_diff {
                    true => Some(self.pull_diff(&repo, pull).await?),
                    false => None,
                };
                (Some(self.conflicts(&repo, &found, pull).await?), diff)
            }
        };
        let events = self.inner.db.discussion_events().under(&(space.id, number)).map_err(read_failed)?;
        let mut names = view::Names::new(&self.inner.accounts);
        let events = events.iter().map(|((_, (_, index)), event)| names.event(number, *index, event));
        let events = events.collect::<ServiceResult<_>>()?;
        Ok(DiscussionDetails { discussion: names.discussion(&space.path, number, &found)?, events, conflicts, diff })
    }

    /// Opens a discussion, or a pull request that is a draft; its number.
    pub async fn open_discussion(&self, actor: &Actor, path: &SpacePath, new: NewDiscussion) -> ServiceResult<u64> {
        let participant = self.participant(actor, path)?;
        let title = title(&new.title).map_err(|error| ServiceError::Invalid(error.to_string()))?;
        let space = participant.space.id;
        let _turn = self.bare_turn(space).await;
        self.refuse_another(&participant)?;
        let repo = self.inner.repos.repo(space);
        let pull_request = match new.is_pull_request {
            true => Some(self.base_of_pull(&repo, DEPLOY_BRANCH, None).await?),
            false => None,
        };
        let status = if new.is_pull_request { DiscussionStatus::Draft } else { DiscussionStatus::Open };
        let user = participant.user.id;
        let start = pull_request.as_ref().map(|pull| pull.start);
        let mut thread = Thread::open(&self.inner.db, space, self.opened(title, user, status, pull_request))?;
        talk::refuse_long(&new.description)?;
        let said = self.event(user, comment(user, new.description, self.inner.clock.now()));
        let index = thread.add(said.clone())?;
        let act = Act::on("discussion.open", &participant.space).to(thread.number());
        thread.with(self.noted(actor, act.with("pullRequest", new.is_pull_request)));
        if let Some(start) = start {
            self.set_pull_ref(&repo, thread.number(), start).await?;
        }
        let number = thread.number();
        let opened = thread.save().await?;
        self.tell_of(Told::Opened, &participant.space, (number, &opened), Some((index, &said))).await;
        tracing::info!(
            space = %participant.space.path, number, actor = %participant.user.name,
            is_pull_request = new.is_pull_request, "a discussion was opened"
        );
        Ok(number)
    }

    /// Removes a discussion with all that was said; its number is not used again.
    pub async fn delete_discussion(&self, actor: &Actor, path: &SpacePath, number: u64) -> ServiceResult<()> {
        let participant = self.participant(actor, path)?;
        let space = participant.space.id;
        let _turn = self.bare_turn(space).await;
        let mut thread = Thread::load(&self.inner.db, space, number)?;
        participant.require(thread.discussion().author, DiscussionAct::Delete)?;
        thread.with(self.noted(actor, Act::on("discussion.delete", &participant.space).to(number)));
        let removed = thread.discussion().clone();
        let is_pull_request = removed.pull_request.is_some();
        thread.remove().await?;
        self.tell_of(Told::Removed, &participant.space, (number, &removed), None).await;
        if is_pull_request {
            self.preview_follows(space, &pull_ref(number), None).await;
            self.inner.repos.repo(space).delete_pull_ref(number).await.map_err(git_failed)?;
        }
        tracing::info!(
            space = %participant.space.path, number, actor = %participant.user.name, "a discussion was removed"
        );
        Ok(())
    }

    /// Switches the discussions of a Space off, or on again. What was said is kept.
    pub async fn set_discussions(&self, actor: &Actor, path: &SpacePath, is_disabled: bool) -> ServiceResult<()> {
        let found = self.space(actor, path, Action::Write)?;
        let turn = self.settings_turn(actor, found.id).await?;
        let space = &turn.space;
        let db = &self.inner.db;
        let mut book = db.discussion_books().get(&space.id).map_err(read_failed)?.unwrap_or_default();
        if book.is_disabled == is_disabled {
            return Ok(());
        }
        book.is_disabled = is_disabled;
        let act = Act::on("space.settings", space).with("discussions", if is_disabled { "off" } else { "on" });
        let mut batch = self.noted(actor, act);
        batch.expect(db.spaces(), &space.id, Expect::Present);
        batch.put(db.discussion_books(), &space.id, &book);
        db.commit(batch).await.map_err(commit_failed)?;
        Ok(())
    }
}

// === how it is done ===

impl Control {
    fn find_discussion(&self, space: SpaceId, number: u64) -> ServiceResult<Discussion> {
        let found = self.inner.db.discussions().get(&(space, number)).map_err(read_failed)?;
        found.ok_or_else(|| thread::no_discussion(number))
    }

    fn opened(
        &self,
        title: String,
        author: AccountId,
        status: DiscussionStatus,
        pull_request: Option<PullRequest>,
    ) -> Discussion {
        Discussion { title, author, created_at: self.inner.clock.now(), status, pull_request, events: 0, bytes: 0 }
    }

    /// Something that somebody does now.
    fn event(&self, author: AccountId, kind: EventKind) -> DiscussionEvent {
        DiscussionEvent { at: self.inner.clock.now(), author: Some(author), kind }
    }

    async fn set_pull_ref(&self, repo: &Repo, number: u64, target: Oid) -> ServiceResult<()> {
        match repo.set_pull_ref(number, target).await.map_err(git_failed)? {
            RefChange::TooMany => {
                let message = "This Space has as many pull requests as are kept: its owner may delete some";
                Err(ServiceError::Invalid(message.to_owned()))
            }
            _ => Ok(()),
        }
    }
}

fn passes(discussion: &Discussion, filter: &DiscussionFilter) -> bool {
    let is_kind = match filter.kind {
        KindFilter::All => true,
        KindFilter::Discussions => discussion.pull_request.is_none(),
        KindFilter::PullRequests => discussion.pull_request.is_some(),
    };
    let is_status = match filter.status {
        StatusFilter::All => true,
        StatusFilter::Open => discussion.status.is_open(),
        StatusFilter::Closed => !discussion.status.is_open(),
    };
    is_kind && is_status
}

/// Something said.
fn comment(author: AccountId, raw: String, at: Millis) -> EventKind {
    let latest = CommentText { raw, author, at };
    EventKind::Comment(Comment { latest, history: Vec::new(), is_hidden: false })
}
