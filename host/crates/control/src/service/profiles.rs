//! What is told of users and organizations.

use spaceport_core::name::OwnerName;
use spaceport_core::permission::{Actor, Denied, OrgRole, may_see_inside};
use spaceport_core::space::Space;
use spaceport_db::{Account, AccountKind};

use super::Control;
use super::error::{ServiceError, ServiceResult};
use super::listing::SpaceFilter;
use super::storage::git_failed;

/// An account with what there is of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The account.
    pub account: Account,
    /// Its Spaces that the actor may see.
    pub spaces: usize,
    /// Likes that it has given.
    pub likes: usize,
    /// The organizations that it is in.
    pub organizations: Vec<(Account, OrgRole)>,
    /// How many members it has.
    pub members: usize,
}

/// A Space with what its repository takes on disk, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnedSpace {
    /// The Space.
    pub space: Space,
    /// Bytes of its repository.
    pub bytes: u64,
}

impl Control {
    /// A part of the Spaces that the actor, or an owner whose member it is, has: how many there are, and those of the part.
    pub async fn owned_spaces(
        &self,
        actor: &Actor,
        owner: Option<&OwnerName>,
        skip: usize,
        limit: usize,
    ) -> ServiceResult<(usize, Vec<OwnedSpace>)> {
        let Actor::User(user) = actor else { return Err(Denied::SignIn.into()) };
        let owner = match owner {
            None => user.name.clone(),
            Some(owner) => {
                let account = self.inner.accounts.account(owner)?;
                let refused = |_| {
                    let message = format!("Only members of {} may do this, with a token that reads", account.name);
                    ServiceError::Forbidden(message)
                };
                may_see_inside(user, account.id).map_err(refused)?;
                account.name
            }
        };
        let filter = SpaceFilter { owner: Some(owner), ..SpaceFilter::default() };
        let found = self.find(actor, &filter)?;
        let total = found.len();
        let mut owned = Vec::new();
        for space in found.into_iter().skip(skip).take(limit) {
            let bytes = self.inner.repos.repo(space.id).disk_bytes().await.map_err(git_failed)?;
            owned.push(OwnedSpace { space: Space::clone(&space), bytes });
        }
        Ok((total, owned))
    }

    /// The user or the organization of this name, or of this id.
    pub fn profile(&self, actor: &Actor, name: &str, kind: AccountKind) -> ServiceResult<Profile> {
        let missing = || ServiceError::AccountNotFound(name.to_owned());
        let account = match name.parse() {
            Ok(id) => self.inner.accounts.account_by_id(id)?,
            Err(_) => None,
        };
        let account = match account {
            Some(account) => account,
            None => self.inner.accounts.account(&name.parse().map_err(|_| missing())?)?,
        };
        if account.kind != kind {
            return Err(missing());
        }
        let filter = SpaceFilter { owner: Some(account.name.clone()), ..SpaceFilter::default() };
        let spaces = self.find(actor, &filter)?.len();
        let likes = self.liked_by(actor, &account.name)?.len();
        let organizations = self.inner.accounts.organizations_of(account.id)?;
        let members = self.inner.accounts.members(account.id)?.len();
        Ok(Profile { account, spaces, likes, organizations, members })
    }
}
