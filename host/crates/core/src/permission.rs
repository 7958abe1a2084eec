//! Who may do what: the one place that decides it.

use crate::id::AccountId;
use crate::name::OwnerName;
use crate::space::Visibility;

#[cfg(test)]
mod tests;

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
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenRole {
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
    /// See its logs, variables and the names of its secrets.
    SeeSettings,
    /// Change code or settings, start and stop it.
    Write,
}

/// A Space as far as permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// Its owner.
    pub owner: AccountId,
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
    #[error("This needs a token of the Space's owner, with the role \"write\" where something is changed")]
    Forbidden,
}

/// Whether somebody may do something with a Space.
///
/// The owner's token decides between seeing and changing; everybody else sees what the visibility says. Of a Space that
/// is not to be seen, every refusal is the same ([`Denied::Hidden`]), so that nobody learns whether it exists.
pub fn can(actor: &Actor, action: Action, subject: Subject) -> Result<(), Denied> {
    let standing = standing(actor, subject);
    let sees_repository = standing == Standing::Manager || standing == Standing::Reader;
    let is_hidden = match (subject.visibility, action) {
        (Visibility::Public, _) | (Visibility::Protected, Action::VisitApp) => false,
        (Visibility::Protected | Visibility::Private, _) => !sees_repository,
    };
    if is_hidden {
        return Err(Denied::Hidden);
    }
    match (action, standing) {
        (Action::VisitApp | Action::See, _) | (_, Standing::Manager) | (Action::SeeSettings, Standing::Reader) => {
            Ok(())
        }
        (Action::SeeSettings | Action::Write, Standing::Nobody) => Err(Denied::SignIn),
        (Action::SeeSettings, Standing::Stranger) | (Action::Write, Standing::Stranger | Standing::Reader) => {
            Err(Denied::Forbidden)
        }
    }
}

/// What somebody is to a Space, with the token at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Not signed in.
    Nobody,
    /// Signed in, and not its owner.
    Stranger,
    /// Its owner with a token that only reads.
    Reader,
    /// Its owner with a token that writes, or the host's administrator with an administrator's token.
    Manager,
}

fn standing(actor: &Actor, subject: Subject) -> Standing {
    match actor {
        Actor::Nobody => Standing::Nobody,
        Actor::User(user) if user.is_admin && user.role == TokenRole::Admin => Standing::Manager,
        Actor::User(user) if user.id != subject.owner => Standing::Stranger,
        Actor::User(user) if user.role >= TokenRole::Write => Standing::Manager,
        Actor::User(_) => Standing::Reader,
    }
}
