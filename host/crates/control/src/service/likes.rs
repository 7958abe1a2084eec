//! Likes: everybody who is signed in may like a Space that they see, once.

use std::collections::HashMap;

use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::{OwnerName, SpacePath};
use spaceport_core::permission::{Action, Actor, Denied, Subject, TokenRole, User, can};
use spaceport_core::space::Space;
use spaceport_db::{Account, Batch, Expect, Like};

use super::Control;
use super::error::{ServiceError, ServiceResult};
use super::storage::{commit_failed, read_failed};

/// How long a like makes a Space one that is talked about now: a week.
const RECENT: Millis = 7 * 24 * 60 * 60 * 1000;

/// How many like a Space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LikeCount {
    /// All of them.
    pub total: u64,
    /// Those of the last week.
    pub recent: u64,
}

impl LikeCount {
    fn add(&mut self, like: Like, now: Millis) {
        self.total += 1;
        self.recent += u64::from(like.at.saturating_add(RECENT) > now);
    }
}

impl Control {
    /// Likes a Space; who likes it already goes on liking it.
    pub async fn like(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<()> {
        let (space, user) = self.to_be_liked(actor, path)?;
        let key = (space.id, user.id);
        let db = &self.inner.db;
        if db.likes().get(&key).map_err(read_failed)?.is_some() {
            return Ok(());
        }
        let mut batch = Batch::default();
        batch.expect(db.spaces(), &space.id, Expect::Present);
        batch.put(db.likes(), &key, &Like { at: self.inner.clock.now() });
        db.commit(batch).await.map_err(commit_failed)?;
        Ok(())
    }

    /// Likes a Space no more.
    pub async fn unlike(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<()> {
        let (space, user) = self.to_be_liked(actor, path)?;
        let mut batch = Batch::default();
        batch.delete(self.inner.db.likes(), &(space.id, user.id));
        self.inner.db.commit(batch).await.map_err(commit_failed)?;
        Ok(())
    }

    /// Who likes a Space, who liked it last first.
    pub fn likers(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<Vec<Account>> {
        let space = self.space(actor, path, Action::See)?;
        let mut likes = self.inner.db.likes().under(&space.id).map_err(read_failed)?;
        likes.sort_by_key(|(_, like)| std::cmp::Reverse(like.at));
        let accounts = likes.into_iter().map(|((_, account), _)| self.inner.accounts.account_by_id(account));
        Ok(accounts.collect::<ServiceResult<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// What a user likes, as far as the actor may see it; what was liked last first.
    pub fn liked_by(&self, actor: &Actor, user: &OwnerName) -> ServiceResult<Vec<(Space, Millis)>> {
        let account = self.inner.accounts.account(user)?;
        let db = &self.inner.db;
        let mut liked = Vec::new();
        for ((space, liker), like) in db.likes().scan().map_err(read_failed)? {
            if liker != account.id {
                continue;
            }
            let found = db.spaces().get(&space).map_err(read_failed)?;
            let is_seen = |space: &Space| can(actor, Action::See, Subject::of(space)).is_ok();
            liked.extend(found.filter(is_seen).map(|space| (space, like.at)));
        }
        liked.sort_by_key(|(space, at)| (std::cmp::Reverse(*at), space.path.key()));
        Ok(liked)
    }

    /// How many like a Space.
    pub(super) fn like_count(&self, space: SpaceId) -> ServiceResult<LikeCount> {
        let now = self.inner.clock.now();
        let mut count = LikeCount::default();
        for (_, like) in self.inner.db.likes().under(&space).map_err(read_failed)? {
            count.add(like, now);
        }
        Ok(count)
    }

    /// The same of every Space that anybody likes.
    pub(super) fn like_counts(&self) -> ServiceResult<HashMap<SpaceId, LikeCount>> {
        let now = self.inner.clock.now();
        let mut counts: HashMap<SpaceId, LikeCount> = HashMap::new();
        for ((space, _), like) in self.inner.db.likes().scan().map_err(read_failed)? {
            counts.entry(space).or_default().add(like, now);
        }
        Ok(counts)
    }

    fn to_be_liked<'a>(&self, actor: &'a Actor, path: &SpacePath) -> ServiceResult<(Space, &'a User)> {
        let space = self.space(actor, path, Action::See)?;
        match actor {
            Actor::Nobody => Err(Denied::SignIn.into()),
            Actor::User(user) if user.role < TokenRole::Write => {
                Err(ServiceError::Forbidden("Liking needs a token with the role \"write\"".to_owned()))
            }
            Actor::User(user) => Ok((space, user)),
        }
    }
}
