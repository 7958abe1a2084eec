//! Who may do what: the one place that decides it.
//!
//! Two things count, and both must be enough. What somebody *is* to a Space: its owner, a member of the organization that
//! owns it, or a stranger. And what the token at hand *lets* them do: see, change, or only what its scopes name. Whatever
//! [`can`] allows it allows to everybody who is more and holds more.

mod member;
mod owner;
mod scope;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::id::{AccountId, SpaceId};
use crate::name::OwnerName;
use crate::space::{Space, Visibility};

pub use member::{Membership, OrgRole, UnknownRole};
pub use owner::{NotYours, may_create, may_leave, may_manage, may_see_inside};
pub use scope::{Entity, Grant, MAX_SCOPES, Permission, Scope, Scopes, UnknownPermission};

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Nobody we know.
    Nobody,
    /// A signed-in user.
    User(User),
}

/// A user with what the presented token allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The account.
    pub id: AccountId,
    /// Its name.
    pub name: OwnerName,
    /// Whether it administers this host.
    pub is_admin: bool,
    /// What the token allows at most.
    pub role: TokenRole,
    /// The organizations it is a member of.
    pub memberships: Arc<[Membership]>,
    /// What a token with the role [`TokenRole::FineGrained`] is for; of no meaning with another.
    pub scopes: Arc<Scopes>,
}

/// What a token allows. The order is that of power over what is nobody's in particular, such as the account itself: there
/// a fine-grained token has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenRole {
    /// Do what its scopes name.
    FineGrained,
    /// See what its user sees.
    Read,
    /// Change what its user may change.
    Write,
    /// Administer the host, if its user does.
    Admin,
}

/// What somebody wants to do with a Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send a request to its app.
    VisitApp,
    /// See its page, code and public settings.
    See,
    /// Open discussions of it and take part in them.
    Discuss,
    /// See its logs, variables and the names of its secrets.
    SeeSettings,
    /// Change code or settings, start and stop it, delete it.
    Write,
    /// Give it to another owner.
    GiveAway,
}

/// A Space as far as permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The Space.
    pub space: SpaceId,
    /// Its owner.
    pub owner: AccountId,
    /// Who created it.
    pub creator: AccountId,
    /// Who may see it.
    pub visibility: Visibility,
}

/// A refusal, by what may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// That it exists is not to be told.
    #[error("Repository not found")]
    Hidden,
    /// Nobody is signed in and signing in may help.
    #[error("Sign in first: send an access token")]
    SignIn,
    /// Signed in, but not allowed.
    #[error(
        "This needs a token of the Space's owner, or of a member of the organization who may do it, with the role \
         \"write\" where something is changed"
    )]
    Forbidden,
}

impl User {
    /// A user who is a member of no organization, with a token of this role.
    pub fn new(id: AccountId, name: OwnerName, is_admin: bool, role: TokenRole) -> Self {
        Self { id, name, is_admin, role, memberships: Arc::default(), scopes: Arc::default() }
    }

    /// The same as a member of these organizations.
    pub fn in_organizations(self, memberships: impl Into<Arc<[Membership]>>) -> Self {
        Self { memberships: memberships.into(), ..self }
    }

    /// The same with a fine-grained token for these scopes.
    pub fn limited_to(self, scopes: impl Into<Arc<Scopes>>) -> Self {
        Self { role: TokenRole::FineGrained, scopes: scopes.into(), ..self }
    }

    /// What the user is in an organization, if it is a member.
    pub fn role_in(&self, organization: AccountId) -> Option<OrgRole> {
        self.memberships.iter().find(|membership| membership.organization == organization).map(|found| found.role)
    }

    /// Whether this is the host's administrator with an administrator's token.
    pub fn administers(&self) -> bool {
        self.is_admin && self.role == TokenRole::Admin
    }
}

impl TokenRole {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FineGrained => "fineGrained",
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl Subject {
    /// What of a Space matters for permission.
    pub fn of(space: &Space) -> Self {
        Self { space: space.id, owner: space.owner, creator: space.creator, visibility: space.visibility }
    }
}

/// Whether somebody may do something with a Space.
///
/// Of a Space that is not to be seen, every refusal is the same ([`Denied::Hidden`]), so that nobody learns whether it
/// exists. An app that is open to all tells nothing of the code behind it ([`Visibility::Protected`]).
pub fn can(actor: &Actor, action: Action, subject: Subject) -> Result<(), Denied> {
    let (standing, grant) = (standing(actor, subject), grant(actor, subject));
    let sees_repository = standing >= Standing::Reader && grant >= Grant::Contents;
    let is_hidden = match (subject.visibility, action) {
        (Visibility::Public, _) | (Visibility::Protected, Action::VisitApp) => false,
        (Visibility::Protected | Visibility::Private, _) => !sees_repository,
    };
    if is_hidden {
        return Err(Denied::Hidden);
    }
    let is_allowed = match action {
        Action::VisitApp | Action::See => true,
        Action::Discuss => discusses(actor, subject),
        Action::SeeSettings => standing >= Standing::Writer && grant >= Grant::Settings,
        Action::Write => standing >= Standing::Writer && grant >= Grant::Write,
        Action::GiveAway => standing >= Standing::Keeper && grant >= Grant::Write,
    };
    match (is_allowed, actor) {
        (true, _) => Ok(()),
        (false, Actor::Nobody) => Err(Denied::SignIn),
        (false, Actor::User(_)) => Err(Denied::Forbidden),
    }
}

/// What somebody is to a Space, whatever the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Nobody in particular.
    Stranger,
    /// A member of its organization.
    Reader,
    /// A member who may change it.
    Writer,
    /// Its owner, or who has the owner's say.
    Keeper,
}

fn standing(actor: &Actor, subject: Subject) -> Standing {
    let Actor::User(user) = actor else { return Standing::Stranger };
    if user.administers() || user.id == subject.owner {
        return Standing::Keeper;
    }
    match user.role_in(subject.owner) {
        None => Standing::Stranger,
        Some(OrgRole::Read) => Standing::Reader,
        Some(OrgRole::Contributor) if user.id == subject.creator => Standing::Writer,
        Some(OrgRole::Contributor) => Standing::Reader,
        Some(OrgRole::Write) => Standing::Writer,
        Some(OrgRole::Admin) => Standing::Keeper,
    }
}

/// What the token lets its user do with a Space.
fn grant(actor: &Actor, subject: Subject) -> Grant {
    match actor {
        Actor::Nobody => Grant::Nothing,
        Actor::User(user) => match user.role {
            TokenRole::FineGrained => user.scopes.on_space(subject.space, subject.owner),
            TokenRole::Read => Grant::Settings,
            TokenRole::Write | TokenRole::Admin => Grant::Write,
        },
    }
}

/// Whether the token is for taking part in discussions of a Space that its user sees.
fn discusses(actor: &Actor, subject: Subject) -> bool {
    match actor {
        Actor::Nobody => false,
        Actor::User(user) => match user.role {
            TokenRole::FineGrained => user.scopes.discuss(subject.space, subject.owner),
            TokenRole::Read => false,
            TokenRole::Write | TokenRole::Admin => true,
        },
    }
}
