//! What happens in a discussion beside commits: comments, titles, statuses.

use spaceport_core::discussion::{DiscussionAct, DiscussionStatus, pull_ref, set_status, title};
use spaceport_core::id::AccountId;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::Actor;
use spaceport_core::space::Space;
use spaceport_db::{Comment, CommentText, DiscussionEvent, EventKind};

use super::super::Control;
use super::super::audit::Act;
use super::super::error::{ServiceError, ServiceResult};
use super::access::Participant;
use super::comment;
use super::thread::{MAX_COMMENT, Thread, no_comment};
use super::told::Told;
use super::view::{EventView, Names, event_index};

impl Control {
    /// Says something; the comment.
    pub async fn comment(
        &self,
        actor: &Actor,
        path: &SpacePath,
        number: u64,
        text: String,
    ) -> ServiceResult<EventView> {
        let participant = self.participant(actor, path)?;
        refuse_text(&text)?;
        let _turn = self.bare_turn(participant.space.id).await;
        let mut thread = Thread::load(&self.inner.db, participant.space.id, number)?;
        participant.require(thread.discussion().author, DiscussionAct::Comment)?;
        thread.with(self.noted(actor, Act::on("comment.create", &participant.space).to(number)));
        let user = participant.user.id;
        let event = self.event(user, comment(user, text, self.inner.clock.now()));
        self.add_and_save(&participant.space, thread, event, Told::Said).await
    }

    /// Gives a comment another text; the comment. The text before is kept.
    pub async fn edit_comment(
        &self,
        actor: &Actor,
        path: &SpacePath,
        number: u64,
        comment: &str,
        text: String,
    ) -> ServiceResult<EventView> {
        refuse_text(&text)?;
        let now = self.inner.clock.now();
        self.change_comment(actor, path, (number, comment), "comment.edit", |participant, comment| {
            if comment.is_hidden {
                return Err(ServiceError::Invalid("This comment is hidden, which is for good".to_owned()));
            }
            let latest = CommentText { raw: text, author: participant.user.id, at: now };
            let before = std::mem::replace(&mut comment.latest, latest);
            comment.history.push(before);
            Ok(())
        })
        .await
    }

    /// Hides a comment for good; the comment. Its texts are removed.
    pub async fn hide_comment(
        &self,
        actor: &Actor,
        path: &SpacePath,
        number: u64,
        comment: &str,
    ) -> ServiceResult<EventView> {
        let now = self.inner.clock.now();
        self.change_comment(actor, path, (number, comment), "comment.hide", |participant, comment| {
            if !comment.is_hidden {
                let latest = CommentText { raw: String::new(), author: participant.user.id, at: now };
                *comment = Comment { latest, history: Vec::new(), is_hidden: true };
            }
            Ok(())
        })
        .await
    }

    /// Gives a discussion another title.
    pub async fn rename_discussion(
        &self,
        actor: &Actor,
        path: &SpacePath,
        number: u64,
        new_title: &str,
    ) -> ServiceResult<EventView> {
        let participant = self.participant(actor, path)?;
        let to = title(new_title).map_err(|error| ServiceError::Invalid(error.to_string()))?;
        let _turn = self.bare_turn(participant.space.id).await;
        let mut thread = Thread::load(&self.inner.db, participant.space.id, number)?;
        participant.require(thread.discussion().author, DiscussionAct::Manage)?;
        if thread.discussion().title == to {
            return Err(ServiceError::Invalid("It has this title already".to_owned()));
        }
        let from = std::mem::replace(&mut thread.discussion_mut().title, to.clone());
        thread.with(self.noted(actor, Act::on("discussion.rename", &participant.space).to(number)));
        let event = self.event(participant.user.id, EventKind::Title { from, to });
        self.add_and_save(&participant.space, thread, event, Told::Changed).await
    }

    /// Closes a discussion, or opens it again; with a comment if there is something to be said about it.
    pub async fn set_discussion_status(
        &self,
        actor: &Actor,
        path: &SpacePath,
        number: u64,
        status: DiscussionStatus,
        text: Option<String>,
    ) -> ServiceResult<EventView> {
        let participant = self.participant(actor, path)?;
        let _turn = self.bare_turn(participant.space.id).await;
        let mut thread = Thread::load(&self.inner.db, participant.space.id, number)?;
        participant.require(thread.discussion().author, DiscussionAct::Manage)?;
        let before = thread.discussion().status;
        set_status(before, status).map_err(|error| ServiceError::Invalid(error.to_string()))?;
        if status.is_open() && !before.is_open() {
            self.refuse_crowd(&participant)?;
        }
        let user = participant.user.id;
        let said = match text {
            Some(text) => Some(self.say(&mut thread, user, text)?),
            None => None,
        };
        thread.discussion_mut().status = status;
        let act = Act::on("discussion.status", &participant.space).to(number).with("status", status);
        thread.with(self.noted(actor, act));
        if !status.is_open() {
            self.preview_follows(participant.space.id, &pull_ref(number), None).await;
        }
        let event = self.event(user, EventKind::Status(status));
        let index = thread.add(event.clone())?;
        let discussion = thread.save().await?;
        let discussion = (number, &discussion);
        if let Some((index, said)) = &said {
            self.tell_of(Told::Said, &participant.space, discussion, Some((*index, said))).await;
        }
        self.tell_of(Told::Changed, &participant.space, discussion, None).await;
        Names::new(&self.inner.accounts).event(number, index, &event)
    }

    /// Adds something that is said about another change; which event that is.
    pub(super) fn say(
        &self,
        thread: &mut Thread<'_>,
        user: AccountId,
        text: String,
    ) -> ServiceResult<(u64, DiscussionEvent)> {
        refuse_text(&text)?;
        let event = self.event(user, comment(user, text, self.inner.clock.now()));
        Ok((thread.add(event.clone())?, event))
    }

    async fn change_comment(
        &self,
        actor: &Actor,
        path: &SpacePath,
        (number, id): (u64, &str),
        action: &'static str,
        change: impl FnOnce(&Participant<'_>, &mut Comment) -> ServiceResult<()>,
    ) -> ServiceResult<EventView> {
        let participant = self.participant(actor, path)?;
        let _turn = self.bare_turn(participant.space.id).await;
        let mut thread = Thread::load(&self.inner.db, participant.space.id, number)?;
        let index = event_index(number, id).ok_or_else(no_comment)?;
        let (old, mut comment) = thread.comment(index)?;
        // What nobody is known to have written is the writers' to change.
        let author = old.author.unwrap_or(participant.space.owner);
        participant.require(author, DiscussionAct::Edit)?;
        change(&participant, &mut comment)?;
        let new = DiscussionEvent { kind: EventKind::Comment(comment), ..old.clone() };
        thread.replace(index, &old, &new)?;
        let act = Act::on(action, &participant.space).to(number).with("comment", id);
        thread.with(self.noted(actor, act));
        self.save_with(&participant.space, thread, (index, &new), Told::Reworded).await
    }

    async fn add_and_save(
        &self,
        space: &Space,
        mut thread: Thread<'_>,
        event: DiscussionEvent,
        told: Told,
    ) -> ServiceResult<EventView> {
        let index = thread.add(event.clone())?;
        self.save_with(space, thread, (index, &event), told).await
    }

    /// Stores a discussion and tells webhooks; what is told of one of its events.
    async fn save_with(
        &self,
        space: &Space,
        thread: Thread<'_>,
        (index, event): (u64, &DiscussionEvent),
        told: Told,
    ) -> ServiceResult<EventView> {
        let number = thread.number();
        let discussion = thread.save().await?;
        self.tell_of(told, space, (number, &discussion), Some((index, event))).await;
        Names::new(&self.inner.accounts).event(number, index, event)
    }
}

/// Refuses a comment that says nothing, or too much.
pub(super) fn refuse_text(text: &str) -> ServiceResult<()> {
    if text.trim().is_empty() {
        return Err(ServiceError::Invalid("A comment needs a text".to_owned()));
    }
    refuse_long(text)
}

/// Refuses a text that is too long.
pub(super) fn refuse_long(text: &str) -> ServiceResult<()> {
    if text.len() > MAX_COMMENT {
        let message =
            format!("A comment may have at most {} KiB, this one has {} bytes", MAX_COMMENT >> 10, text.len());
        return Err(ServiceError::Invalid(message));
    }
    Ok(())
}
