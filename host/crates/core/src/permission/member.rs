//! Membership in an organization.

use std::str::FromStr;

use crate::id::AccountId;

/// What a member of an organization may do with its Spaces; each may what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrgRole {
    /// See them and their apps.
    Read,
    /// Create new ones, and change those.
    Contributor,
    /// Change all of them.
    Write,
    /// Give them away, and manage the organization and its members.
    Admin,
}

/// A user's place in an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// The organization.
    pub organization: AccountId,
    /// What the user is in it.
    pub role: OrgRole,
}

/// The text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role in an organization: use read, contributor, write or admin")]
pub struct UnknownRole(pub String);

impl OrgRole {
    /// Every role, the least first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Contributor, Self::Write, Self::Admin];

    /// The word on the wire and in the shell.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Contributor => "contributor",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for OrgRole {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}
