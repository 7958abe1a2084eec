//! Pushes to pull requests by git: whose are taken, and telling of what they brought.

use spaceport_core::discussion::pull_number;
use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, TokenRole, User};
use spaceport_core::space::Space;
use spaceport_db::Discussion;

use super::super::Control;
use super::super::error::ServiceResult;
use super::super::storage::read_failed;
use super::thread::Thread;

impl Control {
    /// The Space that somebody may push to, and whether to all of it: those who may not write to it may push to pull requests
    /// of their own that are open.
    pub(in crate::service) fn pusher(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<(Space, bool)> {
        let refused = match self.space(actor, path, Action::Write) {
            Ok(space) => return Ok((space, true)),
            Err(refused) => refused,
        };
        let (Actor::User(user), Ok(space)) = (actor, self.space(actor, path, Action::See)) else {
            return Err(refused);
        };
        let is_own = |discussion: &Discussion| discussion.author == user.id && is_open_pull(discussion);
        let all = self.inner.db.discussions().under(&space.id).map_err(read_failed)?;
        let has_own = user.role >= TokenRole::Write && all.iter().any(|(_, discussion)| is_own(discussion));
        if has_own && !self.are_discussions_disabled(space.id)? { Ok((space, false)) } else { Err(refused) }
    }

    /// Why somebody may not push a ref; `None` if that is fine.
    pub(in crate::service) fn may_push(
        &self,
        space: SpaceId,
        user: &User,
        is_writer: bool,
        name: &str,
    ) -> ServiceResult<Option<String>> {
        let Some(number) = pull_number(name) else {
            let why = "only the Space's owner pushes here: push to your own pull request, refs/pr/<number>";
            return Ok((!is_writer).then(|| why.to_owned()));
        };
        let found = self.inner.db.discussions().get(&(space, number)).map_err(read_failed)?;
        Ok(match found.filter(|discussion| discussion.pull_request.is_some()) {
            None => Some("pull requests are opened and closed by the API: there is none of this number".to_owned()),
            Some(_) if self.are_discussions_disabled(space)? => {
                Some("discussions are disabled for this Space".to_owned())
            }
            Some(pull) if !pull.status.is_open() => Some(format!("this pull request is {}", pull.status)),
            Some(pull) if !is_writer && pull.author != user.id => {
                Some("this pull request is for its author and the Space's owner to push to".to_owned())
            }
            Some(_) => None,
        })
    }

    /// Tells of commits that were pushed to a pull request, for a caller that has the Space's turn. They are there already:
    /// what cannot be told now is told when somebody looks.
    pub(in crate::service) async fn pull_request_was_pushed(&self, space: SpaceId, number: u64, user: AccountId) {
        let told = async {
            let mut thread = Thread::load(&self.inner.db, space, number)?;
            self.see_commits(&self.inner.repos.repo(space), &mut thread, Some(user)).await?;
            thread.save().await.map(drop)
        };
        if let Err(error) = told.await {
            tracing::warn!(%space, number, %error, "the commits of a pull request are told of later");
        }
    }
}

fn is_open_pull(discussion: &Discussion) -> bool {
    discussion.pull_request.is_some() && discussion.status.is_open()
}
