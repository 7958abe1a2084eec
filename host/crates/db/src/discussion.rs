//! Discussions and pull requests: a row for each, one for each event in it, so that a comment rewrites no thread, and one
//! for what is counted over all of a Space's.

use spaceport_core::discussion::DiscussionStatus;
use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::lifecycle::Millis;
use spaceport_core::revision::Oid;

use crate::batch::Batch;
use crate::db::Db;
use crate::error::ReadError;

/// A discussion or a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discussion {
    /// Its title.
    pub title: String,
    /// Who opened it.
    pub author: AccountId,
    /// When.
    pub created_at: Millis,
    /// Where it stands.
    pub status: DiscussionStatus,
    /// What a pull request is besides.
    pub pull_request: Option<PullRequest>,
    /// How many events it has; the next one gets this number.
    pub events: u64,
    /// Bytes that its events take, about.
    pub bytes: u64,
}

/// What a pull request is besides a discussion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// The branch that it is to become a part of.
    pub base: String,
    /// The commit of that branch that it started from.
    pub start: Oid,
    /// Its head, as far as the events tell of its commits.
    pub head: Oid,
    /// How it became a part of its branch.
    pub merged: Option<Merged>,
}

/// How a pull request became a part of its branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The branch's head afterwards.
    pub commit: Oid,
    /// The last commit that both had before.
    pub fork: Oid,
}

/// Something that happened in a discussion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscussionEvent {
    /// When.
    pub at: Millis,
    /// Who did it; `None` if that was not written down.
    pub author: Option<AccountId>,
    /// What it was.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// Something was said.
    Comment(Comment),
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
pub struct Comment {
    /// As it reads now.
    pub latest: CommentText,
    /// As it read before, oldest first.
    pub history: Vec<CommentText>,
    /// Whether it was hidden. Its texts are gone then.
    pub is_hidden: bool,
}

/// A text of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentText {
    /// The text.
    pub raw: String,
    /// Who wrote it.
    pub author: AccountId,
    /// When.
    pub at: Millis,
}

/// What a Space knows of all its discussions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiscussionBook {
    /// The highest number that was given out.
    pub last_number: u64,
    /// Bytes that the events of all of them take, about.
    pub bytes: u64,
    /// Whether they are switched off.
    pub is_disabled: bool,
}

impl Batch {
    /// Removes a discussion with all that happened in it.
    pub fn remove_discussion(&mut self, db: &Db, space: SpaceId, number: u64) -> Result<&mut Self, ReadError> {
        for (key, _) in db.discussion_events().under(&(space, number))? {
            self.delete(db.discussion_events(), &key);
        }
        Ok(self.delete(db.discussions(), &(space, number)))
    }

    /// Removes every discussion of a Space that goes.
    pub(crate) fn remove_discussions(&mut self, db: &Db, space: SpaceId) -> Result<&mut Self, ReadError> {
        for (key, _) in db.discussion_events().under(&space)? {
            self.delete(db.discussion_events(), &key);
        }
        for (key, _) in db.discussions().under(&space)? {
            self.delete(db.discussions(), &key);
        }
        Ok(self.delete(db.discussion_books(), &space))
    }
}
