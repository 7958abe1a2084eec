//! Likes: everybody who is signed in may like a Space that they see, once.

use std::collections::HashMap;

use spaceport_core::id::{AccountId, ID_BYTES, SpaceId};
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::{OwnerName, SpacePath};
use spaceport_core::permission::{Action, Actor, Denied, Subject, TokenRole, User, can};
use spaceport_core::space::Space;
use spaceport_db::{Account, Expect, Like, Likes};

use super::Control;
use super::audit::Act;
use super::error::{ServiceError, ServiceResult};
use super::storage::{commit_failed, read_failed};

/// How long a like makes a Space one that is talked about now: a week.
const RECENT: Millis = 7 * 24 * 60 * 60 * 1000;

/// The ids between which all accounts' are.
const FIRST_ACCOUNT: AccountId = AccountId::from_bytes([0; ID_BYTES]);
const LAST_ACCOUNT: AccountId = AccountId::from_bytes([u8::MAX; ID_BYTES]);

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
        let mut batch = self.noted(actor, Act::on("space.like", &space));
        batch.expect(db.spaces(), &space.id, Expect::Present);
        batch.put(db.likes(), &key, &Like { at: self.inner.clock.now() });
        db.commit(batch).await.map_err(commit_failed)?;
        Ok(())
    }

    /// Likes a Space no more.
    pub async fn unlike(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<()> {
        let (space, user) = self.to_be_liked(actor, path)?;
        let (likes, key) = (self.inner.db.likes(), (space.id, user.id));
        if likes.get(&key).map_err(read_failed)?.is_none() {
            return Ok(());
        }
        let mut batch = self.noted(actor, Act::on("space.unlike", &space));
        batch.delete(likes, &key);
        self.inner.db.commit(batch).await.map_err(commit_failed)?;
        Ok(())
    }

    /// Whether the actor likes a Space.
    pub fn is_liked(&self, actor: &Actor, space: SpaceId) -> ServiceResult<bool> {
        let Actor::User(user) = actor else { return Ok(false) };
        Ok(self.inner.db.likes().get(&(space, user.id)).map_err(read_failed)?.is_some())
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
        let of_user = |likes: &Likes| {
            let found = likes.iter().filter(|((_, liker), _)| *liker == account.id);
            found.map(|((space, _), like)| (*space, like.at)).collect::<Vec<_>>()
        };
        let mut liked = Vec::new();
        for (space, at) in db.with_likes(of_user).map_err(read_failed)? {
            let found = db.spaces().get(&space).map_err(read_failed)?;
            let is_seen = |space: &Space| can(actor, Action::See, Subject::of(space)).is_ok();
            liked.extend(found.filter(is_seen).map(|space| (space, at)));
        }
        liked.sort_by_key(|(space, at)| (std::cmp::Reverse(*at), space.path.key()));
        Ok(liked)
    }

    /// How many like a Space.
    pub(super) fn like_count(&self, space: SpaceId) -> ServiceResult<LikeCount> {
        let now = self.inner.clock.now();
        let of_space = (space, FIRST_ACCOUNT)..=(space, LAST_ACCOUNT);
        let count = |likes: &Likes| {
            let mut count = LikeCount::default();
            likes.range(of_space).for_each(|(_, like)| count.add(*like, now));
            count
        };
        self.inner.db.with_likes(count).map_err(read_failed)
    }

    /// The same of every Space that anybody likes.
    pub(super) fn like_counts(&self) -> ServiceResult<HashMap<SpaceId, LikeCount>> {
        let now = self.inner.clock.now();
        let count = |likes: &Likes| {
            let mut counts: HashMap<SpaceId, LikeCount> = HashMap::new();
            likes.iter().for_each(|((space, _), like)| counts.entry(*space).or_default().add(*like, now));
            counts
        };
        self.inner.db.with_likes(count).map_err(read_failed)
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
