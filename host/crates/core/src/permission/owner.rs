//! Who may do what with an owner of Spaces: a user, or an organization with its members.

use super::{OrgRole, TokenRole, User};
use crate::id::AccountId;

/// Why somebody may not do something with an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotYours {
    /// The token does not allow it, whoever holds it.
    Token,
    /// Its user may not.
    User,
}

/// Whether somebody may create Spaces of an owner, or take Spaces of others in.
pub fn may_create(user: &User, owner: AccountId) -> Result<(), NotYours> {
    let is_for_this = match user.role {
        TokenRole::FineGrained => user.scopes.create(owner),
        role => role >= TokenRole::Write,
    };
    if !is_for_this {
        return Err(NotYours::Token);
    }
    let is_theirs = user.id == owner || user.administers() || user.role_in(owner) >= Some(OrgRole::Contributor);
    if is_theirs { Ok(()) } else { Err(NotYours::User) }
}

/// Whether somebody may manage an organization: its members and their roles, and its end.
pub fn may_manage(user: &User, organization: AccountId) -> Result<(), NotYours> {
    if user.role < TokenRole::Write {
        return Err(NotYours::Token);
    }
    let is_theirs = user.administers() || user.role_in(organization) == Some(OrgRole::Admin);
    if is_theirs { Ok(()) } else { Err(NotYours::User) }
}

/// Whether somebody may end the membership of a member: everybody may leave.
pub fn may_leave(user: &User, organization: AccountId, member: AccountId) -> Result<(), NotYours> {
    match may_manage(user, organization) {
        Err(NotYours::User) if user.id == member => Ok(()),
        answer => answer,
    }
}

/// Whether somebody may see what an owner shows to its own people only: what its Spaces take, who has which role.
pub fn may_see_inside(user: &User, owner: AccountId) -> Result<(), NotYours> {
    if user.role < TokenRole::Read {
        return Err(NotYours::Token);
    }
    let is_theirs = user.id == owner || user.administers() || user.role_in(owner).is_some();
    if is_theirs { Ok(()) } else { Err(NotYours::User) }
}
