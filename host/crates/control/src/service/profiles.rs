//! What is told of users and organizations.

use spaceport_core::permission::Actor;
use spaceport_db::{Account, AccountKind};

use super::Control;
use super::error::{ServiceError, ServiceResult};
use super::listing::SpaceFilter;
use super::storage::read_failed;

/// An account with what there is of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The account.
    pub account: Account,
    /// Its Spaces that the actor may see.
    pub spaces: usize,
    /// Likes that it has given.
    pub likes: usize,
}

impl Control {
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
        let likes = self.inner.db.likes().scan().map_err(read_failed)?;
        let likes = likes.iter().filter(|((_, liker), _)| *liker == account.id).count();
        Ok(Profile { account, spaces, likes })
    }
}
