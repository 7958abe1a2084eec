//! Who may take part in the discussions of a Space, and for how many there is room.

use std::time::Duration;

use spaceport_core::discussion::{DiscussionAct, Standing, may};
use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, Denied, TokenRole, User};
use spaceport_core::space::Space;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::super::Control;
use super::super::error::{ServiceError, ServiceResult};
use super::super::storage::read_failed;

/// Discussions and pull requests of a Space, all that are kept: lists read each of them.
const MAX_DISCUSSIONS: usize = 5_000;
/// Of those, the ones that are open at a time.
const MAX_OPEN: usize = 500;
/// Of those, the ones of somebody who may not write to the Space: nobody is to fill it alone.
pub(super) const MAX_OPEN_EACH: usize = 25;

/// Pull requests that are looked at with git at a time: whoever made one decides how much work that is, and anybody may ask.
static LOOKS: Semaphore = Semaphore::const_new(4);
/// How long one waits for its turn: those that come beyond are told to try again, and do not queue up.
const LOOK_PATIENCE: Duration = Duration::from_secs(10);

/// Who takes part, and where.
pub(super) struct Participant<'a> {
    pub(super) space: Space,
    pub(super) user: &'a User,
    pub(super) is_writer: bool,
}

impl Participant<'_> {
    /// What this is to something that somebody has written.
    fn standing(&self, author: AccountId) -> Standing {
        match (self.is_writer, author == self.user.id) {
            (true, _) => Standing::Writer,
            (false, true) => Standing::Author,
            (false, false) => Standing::Reader,
        }
    }

    /// Refuses what is for others to do about something that `author` has written.
    pub(super) fn require(&self, author: AccountId, act: DiscussionAct) -> ServiceResult<()> {
        if may(self.standing(author), act) {
            return Ok(());
        }
        Err(ServiceError::Forbidden(match act {
            DiscussionAct::Merge | DiscussionAct::Delete => {
                "This is for those who may write to the Space: it needs a token of its owner".to_owned()
            }
            _ => "This is for its author and for those who may write to the Space".to_owned(),
        }))
    }
}

impl Control {
    /// Whether the discussions of a Space are switched off.
    pub(in crate::service) fn are_discussions_disabled(&self, space: SpaceId) -> ServiceResult<bool> {
        let book = self.inner.db.discussion_books().get(&space).map_err(read_failed)?;
        Ok(book.is_some_and(|book| book.is_disabled))
    }

    /// A Space whose discussions the actor may read.
    pub(super) fn discussed_space(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<Space> {
        let space = self.space(actor, path, Action::See)?;
        if self.are_discussions_disabled(space.id)? {
            return Err(ServiceError::Forbidden("Discussions are disabled for this Space".to_owned()));
        }
        Ok(space)
    }

    /// Who takes part in the discussions of a Space: whoever sees it, signed in with a token that writes.
    pub(super) fn participant<'a>(&self, actor: &'a Actor, path: &SpacePath) -> ServiceResult<Participant<'a>> {
        let space = self.space(actor, path, Action::See)?;
        let Actor::User(user) = actor else { return Err(Denied::SignIn.into()) };
        if user.role < TokenRole::Write {
            let message = "Taking part in discussions needs a token with the role \"write\"";
            return Err(ServiceError::Forbidden(message.to_owned()));
        }
        self.discussed_space(actor, path)?;
        let is_writer = self.space(actor, path, Action::Write).is_ok();
        Ok(Participant { space, user, is_writer })
    }

    /// Refuses to open a new one where there are enough.
    pub(super) fn refuse_another(&self, participant: &Participant<'_>) -> ServiceResult<()> {
        let all = self.inner.db.discussions().under(&participant.space.id).map_err(read_failed)?;
        if all.len() >= MAX_DISCUSSIONS {
            return Err(ServiceError::Invalid(format!(
                "This Space has {MAX_DISCUSSIONS} discussions, as many as are kept: its owner may delete some"
            )));
        }
        self.refuse_crowd(participant)
    }

    /// Refuses one more that is open where there are enough.
    pub(super) fn refuse_crowd(&self, participant: &Participant<'_>) -> ServiceResult<()> {
        let all = self.inner.db.discussions().under(&participant.space.id).map_err(read_failed)?;
        let open = || all.iter().filter(|(_, discussion)| discussion.status.is_open());
        let own = open().filter(|(_, discussion)| discussion.author == participant.user.id).count();
        let why = if open().count() >= MAX_OPEN {
            format!("This Space has {MAX_OPEN} open discussions, as many as it may have: close some first")
        } else if own >= MAX_OPEN_EACH && !participant.is_writer {
            format!("You have {MAX_OPEN_EACH} open discussions in this Space, as many as you may: close some first")
        } else {
            return Ok(());
        };
        Err(ServiceError::Invalid(why))
    }
}

/// A turn to look at a pull request.
pub(super) async fn look() -> ServiceResult<SemaphorePermit<'static>> {
    let turn = tokio::time::timeout(LOOK_PATIENCE, LOOKS.acquire()).await;
    let busy = || ServiceError::Unavailable("Many pull requests are looked at now: try again in a moment".to_owned());
    turn.ok().and_then(Result::ok).ok_or_else(busy)
}
