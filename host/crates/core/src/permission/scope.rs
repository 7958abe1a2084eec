//! What a fine-grained token is for: permissions on single Spaces, and on all Spaces of an owner.
//!
//! Scopes only narrow. What they grant is compared with what the token's user may do at each use, so a scope on what its
//! user may not touch is worth nothing. Spaces and owners are meant by their ids: a scope follows a Space that moves, and
//! ends with it.

use std::str::FromStr;

use crate::id::{AccountId, SpaceId};

/// Most scopes of one token: each is looked at in every request that the token makes.
pub const MAX_SCOPES: usize = 100;

/// What may be allowed, by the Hub's words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// See code and app.
    ReadContent,
    /// Change code and settings; of an owner also create Spaces.
    Write,
    /// Take part in discussions.
    Discuss,
}

/// What a scope is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entity {
    /// All Spaces of a user or an organization, also those to come.
    Owner(AccountId),
    /// One Space.
    Space(SpaceId),
}

/// Permissions on one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// On what.
    pub entity: Entity,
    /// Which.
    pub permissions: Vec<Permission>,
}

/// All that a fine-grained token is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes {
    /// Permissions everywhere. Only [`Permission::Discuss`] has a meaning here.
    pub global: Vec<Permission>,
    /// Permissions on single things.
    pub scoped: Vec<Scope>,
}

/// What a token lets its user do with a Space; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// Nothing that not everybody may.
    Nothing,
    /// See code and app.
    Contents,
    /// See logs and settings.
    Settings,
    /// Change it.
    Write,
}

/// The text names no permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no permission of this host: use repo.content.read, repo.write or discussion.write")]
pub struct UnknownPermission(pub String);

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 3] = [Self::ReadContent, Self::Write, Self::Discuss];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadContent => "repo.content.read",
            Self::Write => "repo.write",
            Self::Discuss => "discussion.write",
        }
    }
}

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or_else(|| UnknownPermission(text.to_owned()))
    }
}

impl Scopes {
    /// What is granted on a Space of this owner.
    pub fn on_space(&self, space: SpaceId, owner: AccountId) -> Grant {
        let granted =
            self.permissions([Entity::Space(space), Entity::Owner(owner)]).map(|permission| match permission {
                Permission::ReadContent => Grant::Contents,
                Permission::Write => Grant::Write,
                Permission::Discuss => Grant::Nothing,
            });
        granted.max().unwrap_or(Grant::Nothing)
    }

    /// Whether taking part in discussions of a Space of this owner is granted.
    pub fn discuss(&self, space: SpaceId, owner: AccountId) -> bool {
        let mut scoped = self.permissions([Entity::Space(space), Entity::Owner(owner)]);
        self.global.contains(&Permission::Discuss) || scoped.any(|permission| permission == Permission::Discuss)
    }

    /// Whether creating Spaces of this owner is granted.
    pub fn create(&self, owner: AccountId) -> bool {
        self.permissions([Entity::Owner(owner)]).any(|permission| permission == Permission::Write)
    }

    fn permissions<const N: usize>(&self, entities: [Entity; N]) -> impl Iterator<Item = Permission> {
        let scoped = self.scoped.iter().filter(move |scope| entities.contains(&scope.entity));
        scoped.flat_map(|scope| scope.permissions.iter().copied())
    }
}
