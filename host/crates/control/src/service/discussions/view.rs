//! What is told of discussions: values with names in the place of ids, not the wire's form.

use std::collections::HashMap;

use spaceport_core::discussion::DiscussionStatus;
use spaceport_core::id::AccountId;
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::{OwnerName, SpacePath};
use spaceport_core::revision::Oid;
use spaceport_db::{CommentText, Discussion, DiscussionEvent, EventKind, PullRequest};

use super::super::accounts::Accounts;
use super::super::error::ServiceResult;
use super::merge::Conflicts;

/// A discussion or a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscussionView {
    /// The Space.
    pub space: SpacePath,
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Who opened it; `None` if that account is gone.
    pub author: Option<OwnerName>,
    /// When.
    pub created_at: Millis,
    /// Where it stands.
    pub status: DiscussionStatus,
    /// What a pull request is besides.
    pub pull_request: Option<PullRequest>,
}

/// A discussion with all that happened in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscussionDetails {
    /// What it is.
    pub discussion: DiscussionView,
    /// What happened, in order; first of all what was said when it was opened.
    pub events: Vec<EventView>,
    /// Of a pull request: what merging it would meet with.
    pub conflicts: Option<Conflicts>,
    /// Of a pull request, if it was asked for: what it changes, as a patch.
    pub diff: Option<String>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventView {
    /// By which it is named within its discussion: 24 hexadecimal digits.
    pub id: String,
    /// When.
    pub at: Millis,
    /// Who did it, if that is known.
    pub author: Option<OwnerName>,
    /// What it was.
    pub kind: EventKindView,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKindView {
    /// Something was said.
    Comment(CommentView),
    /// It has another status.
    Status(DiscussionStatus),
    /// A pull request has another commit.
    Commit {
        /// Which.
        oid: Oid,
        /// The first line of its message.
        subject: String,
    },
    /// It has another title.
    Title {
        /// The one before.
        from: String,
        /// The new one.
        to: String,
    },
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentView {
    /// As it reads now.
    pub latest: CommentTextView,
    /// As it read before, oldest first.
    pub history: Vec<CommentTextView>,
    /// Whether it was hidden, and its texts are gone.
    pub is_hidden: bool,
}

/// A text of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentTextView {
    /// The text.
    pub raw: String,
    /// Who wrote it.
    pub author: Option<OwnerName>,
    /// When.
    pub at: Millis,
}

/// Names by ids, each looked up once.
pub(super) struct Names<'a> {
    accounts: &'a Accounts,
    known: HashMap<AccountId, Option<OwnerName>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(accounts: &'a Accounts) -> Self {
        Self { accounts, known: HashMap::new() }
    }

    fn name(&mut self, id: AccountId) -> ServiceResult<Option<OwnerName>> {
        if let Some(name) = self.known.get(&id) {
            return Ok(name.clone());
        }
        let name = self.accounts.account_by_id(id)?.map(|account| account.name);
        self.known.insert(id, name.clone());
        Ok(name)
    }

    pub(super) fn discussion(
        &mut self,
        space: &SpacePath,
        number: u64,
        discussion: &Discussion,
    ) -> ServiceResult<DiscussionView> {
        Ok(DiscussionView {
            space: space.clone(),
            number,
            title: discussion.title.clone(),
            author: self.name(discussion.author)?,
            created_at: discussion.created_at,
            status: discussion.status,
            pull_request: discussion.pull_request.clone(),
        })
    }

    pub(super) fn event(&mut self, number: u64, index: u64, event: &DiscussionEvent) -> ServiceResult<EventView> {
        let kind = match &event.kind {
            EventKind::Comment(comment) => EventKindView::Comment(CommentView {
                latest: self.text(&comment.latest)?,
                history: comment.history.iter().map(|text| self.text(text)).collect::<ServiceResult<_>>()?,
                is_hidden: comment.is_hidden,
            }),
            EventKind::Status(status) => EventKindView::Status(*status),
            EventKind::Commit { oid, subject } => EventKindView::Commit { oid: *oid, subject: subject.clone() },
            EventKind::Title { from, to } => EventKindView::Title { from: from.clone(), to: to.clone() },
        };
        let author = match event.author {
            Some(author) => self.name(author)?,
            None => None,
        };
        Ok(EventView { id: event_id(number, index), at: event.at, author, kind })
    }

    fn text(&mut self, text: &CommentText) -> ServiceResult<CommentTextView> {
        Ok(CommentTextView { raw: text.raw.clone(), author: self.name(text.author)?, at: text.at })
    }
}

/// By which an event is named: clients want hexadecimal digits.
pub(super) fn event_id(number: u64, index: u64) -> String {
    format!("{number:016x}{index:08x}")
}

/// The number of the event that is named so in a discussion.
pub(super) fn event_index(number: u64, id: &str) -> Option<u64> {
    let index = u64::from_str_radix(id.get(16..)?, 16).ok()?;
    (event_id(number, index) == id).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_named_within_its_discussion_alone() {
        let id = event_id(7, 300);
        assert_eq!((id.as_str(), id.len()), ("00000000000000070000012c", 24));
        assert_eq!(event_index(7, &id), Some(300));
        for (number, id) in [(8, id.as_str()), (7, ""), (7, "0"), (7, "00000000000000070000012C"), (7, "ü")] {
            assert_eq!(event_index(number, id), None, "{id}");
        }
    }
}
