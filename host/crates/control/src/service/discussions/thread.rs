//! One discussion with what is about to be stored of it: its row, its new events and what the Space counts, in one batch.
//! For a holder of the Space's turn. Every bound on what is kept is checked here.

use spaceport_core::discussion::DiscussionStatus;
use spaceport_core::id::SpaceId;
use spaceport_db::{Batch, Comment, Db, Discussion, DiscussionBook, DiscussionEvent, EventKind, Expect};

use super::super::error::{ServiceError, ServiceResult};
use super::super::storage::{commit_failed, read_failed};

/// Longest text of a comment, in bytes: a long report with its log; more is a file.
pub(super) const MAX_COMMENT: usize = 64 << 10;
/// Events of a discussion: its page shows all of them.
const MAX_EVENTS: u64 = 1_000;
/// Events beside those, for changes of status alone: what is full must still be closed or merged.
const SPARE_EVENTS: u64 = 1_000;
/// Bytes of a discussion's events with their earlier texts: whoever reads it gets all of them at once.
const MAX_BYTES: u64 = 4 << 20;
/// Bytes of the events of all of a Space's discussions. All of them go in one batch when the Space is deleted, which with
/// [`EVENT_BYTES`] for each has room for their keys.
const MAX_SPACE_BYTES: u64 = 32 << 20;
/// What an event counts beside its texts.
const EVENT_BYTES: u64 = 256;

/// A discussion that is being changed.
pub(super) struct Thread<'a> {
    db: &'a Db,
    space: SpaceId,
    number: u64,
    discussion: Discussion,
    book: DiscussionBook,
    batch: Batch,
}

impl<'a> Thread<'a> {
    /// One that is there.
    pub(super) fn load(db: &'a Db, space: SpaceId, number: u64) -> ServiceResult<Self> {
        let discussion = db.discussions().get(&(space, number)).map_err(read_failed)?;
        let discussion = discussion.ok_or_else(|| no_discussion(number))?;
        let book = db.discussion_books().get(&space).map_err(read_failed)?.unwrap_or_default();
        Ok(Self { db, space, number, discussion, book, batch: Batch::default() })
    }

    /// A new one, under the next number. The number is another's if this is never stored.
    pub(super) fn open(db: &'a Db, space: SpaceId, discussion: Discussion) -> ServiceResult<Self> {
        let mut book = db.discussion_books().get(&space).map_err(read_failed)?.unwrap_or_default();
        book.last_number += 1;
        Ok(Self { db, space, number: book.last_number, discussion, book, batch: Batch::default() })
    }

    /// Its number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// As it is, with what has been changed.
    pub(super) fn discussion(&self) -> &Discussion {
        &self.discussion
    }

    /// The same, to be changed.
    pub(super) fn discussion_mut(&mut self) -> &mut Discussion {
        &mut self.discussion
    }

    /// Adds an event; its number.
    pub(super) fn add(&mut self, event: DiscussionEvent) -> ServiceResult<u64> {
        let most = match event.kind {
            // A merge has happened when this is written.
            EventKind::Status(DiscussionStatus::Merged) => u64::MAX,
            EventKind::Status(_) => MAX_EVENTS + SPARE_EVENTS,
            _ => MAX_EVENTS,
        };
        if self.discussion.events >= most {
            let message = format!("This discussion has {MAX_EVENTS} events, as many as it may have: open another one");
            return Err(ServiceError::Invalid(message));
        }
        self.count(0, &event)?;
        let index = self.discussion.events;
        self.discussion.events += 1;
        self.batch.put(self.db.discussion_events(), &(self.space, (self.number, index)), &event);
        Ok(index)
    }

    /// Adds an event if there is room for it, for what has happened whether or not it is told of.
    pub(super) fn add_if_it_fits(&mut self, event: DiscussionEvent) {
        let told = self.add(event);
        if told.is_err() {
            tracing::debug!(space = %self.space, number = self.number, "an event is not told of: the discussion is full");
        }
    }

    /// Stores more in the same step: what the audit log is told.
    pub(super) fn with(&mut self, more: Batch) {
        self.batch.append(more);
    }

    /// The event of this number, if it is a comment.
    pub(super) fn comment(&self, index: u64) -> ServiceResult<(DiscussionEvent, Comment)> {
        let key = (self.space, (self.number, index));
        let event = self.db.discussion_events().get(&key).map_err(read_failed)?.ok_or_else(no_comment)?;
        let EventKind::Comment(comment) = &event.kind else { return Err(no_comment()) };
        let comment = comment.clone();
        Ok((event, comment))
    }

    /// Puts an event in the place of the one of this number.
    pub(super) fn replace(&mut self, index: u64, old: &DiscussionEvent, new: &DiscussionEvent) -> ServiceResult<()> {
        self.count(bytes(old), new)?;
        self.batch.put(self.db.discussion_events(), &(self.space, (self.number, index)), new);
        Ok(())
    }

    /// Stores it; as it is now. Durable when this returns.
    pub(super) async fn save(mut self) -> ServiceResult<Discussion> {
        self.batch.expect(self.db.spaces(), &self.space, Expect::Present);
        self.batch.put(self.db.discussions(), &(self.space, self.number), &self.discussion);
        self.batch.put(self.db.discussion_books(), &self.space, &self.book);
        self.db.commit(self.batch).await.map_err(commit_failed)?;
        Ok(self.discussion)
    }

    /// Removes it.
    pub(super) async fn remove(mut self) -> ServiceResult<()> {
        self.book.bytes = self.book.bytes.saturating_sub(self.discussion.bytes);
        self.batch.remove_discussion(self.db, self.space, self.number).map_err(read_failed)?;
        self.batch.expect(self.db.spaces(), &self.space, Expect::Present);
        self.batch.put(self.db.discussion_books(), &self.space, &self.book);
        self.db.commit(self.batch).await.map_err(commit_failed)?;
        Ok(())
    }

    /// Counts an event in the place of one of `before` bytes. Only what is said is refused: all else is short.
    fn count(&mut self, before: u64, event: &DiscussionEvent) -> ServiceResult<()> {
        let after = bytes(event);
        let bytes = self.discussion.bytes.saturating_sub(before) + after;
        let in_space = self.book.bytes.saturating_sub(before) + after;
        if matches!(event.kind, EventKind::Comment(_)) && after > before {
            let full = |what: &str, most: u64| {
                let message = format!("{what} has {} MiB of comments, as much as is kept", most >> 20);
                Err(ServiceError::Invalid(message))
            };
            if bytes > MAX_BYTES {
                return full("This discussion", MAX_BYTES);
            }
            if in_space > MAX_SPACE_BYTES {
                return full("This Space", MAX_SPACE_BYTES);
            }
        }
        (self.discussion.bytes, self.book.bytes) = (bytes, in_space);
        Ok(())
    }
}

/// There is no discussion of a number.
pub(super) fn no_discussion(number: u64) -> ServiceError {
    ServiceError::DiscussionNotFound(format!("There is no discussion {number} of this Space"))
}

/// There is no comment of an id.
pub(super) fn no_comment() -> ServiceError {
    ServiceError::DiscussionNotFound("There is no such comment in this discussion".to_owned())
}

fn bytes(event: &DiscussionEvent) -> u64 {
    let text = |text: &str| text.len() as u64;
    EVENT_BYTES
        + match &event.kind {
            EventKind::Comment(comment) => {
                let all = comment.history.iter().chain([&comment.latest]);
                all.map(|one| EVENT_BYTES + text(&one.raw)).sum()
            }
            EventKind::Commit { subject, .. } => text(subject),
            EventKind::Title { from, to } => text(from) + text(to),
            EventKind::Status(_) => 0,
        }
}
