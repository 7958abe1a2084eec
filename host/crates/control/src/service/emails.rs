//! E-mail addresses of users. Administrators set them; nothing is sent to one, and only its user and the applications that the
//! user lets see it are told.

use spaceport_core::email::EmailAddress;
use spaceport_core::id::AccountId;
use spaceport_core::name::OwnerName;
use spaceport_core::permission::Actor;
use spaceport_db::{AccountEmail, Expect};

use super::Control;
use super::admin::administrator;
use super::audit::Act;
use super::error::{ServiceError, ServiceResult};
use super::storage::{commit_failed, read_failed};

impl Control {
    /// The address of a user, if one is known.
    pub fn email_of(&self, account: AccountId) -> ServiceResult<Option<AccountEmail>> {
        self.inner.db.emails().get(&account).map_err(read_failed)
    }

    /// Sets the address of a user. It is verified if whoever sets it has made sure that it is the user's.
    pub async fn set_email(
        &self,
        actor: &Actor,
        name: &OwnerName,
        address: &str,
        is_verified: bool,
    ) -> ServiceResult<AccountEmail> {
        administrator(actor)?;
        let account = self.user_named(name)?;
        let address: EmailAddress = address.parse().map_err(|error| ServiceError::Invalid(format!("{error}")))?;
        let email = AccountEmail { address, is_verified, set_at: self.inner.clock.now() };
        let db = &self.inner.db;
        let act = Act::new("user.email").to(&account.name).with("verified", is_verified);
        let mut batch = self.noted(actor, act);
        batch.expect(db.accounts(), &account.id, Expect::Present).put(db.emails(), &account.id, &email);
        db.commit(batch).await.map_err(commit_failed)?;
        Ok(email)
    }

    /// Forgets the address of a user.
    pub async fn remove_email(&self, actor: &Actor, name: &OwnerName) -> ServiceResult<()> {
        administrator(actor)?;
        let account = self.user_named(name)?;
        let db = &self.inner.db;
        let mut batch = self.noted(actor, Act::new("user.email").to(&account.name).with("removed", true));
        batch.delete(db.emails(), &account.id);
        db.commit(batch).await.map_err(commit_failed)?;
        Ok(())
    }
}
