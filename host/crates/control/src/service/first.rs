//! The first administrator: while this host has no user, whoever holds a link that only its operator was told makes one.
//!
//! The link is of this start alone: what it must show is kept in memory, as a hash. It is of no use any more once there is
//! a user, whoever has made that.

use spaceport_core::name::{InvalidName, OwnerName};
use spaceport_core::permission::TokenRole;
use spaceport_db::{AccountKind, AuditActor};

use super::Control;
use super::accounts::NewUser;
use super::error::{ServiceError, ServiceResult};
use super::passes::is_same;
use super::sessions::NewSession;

/// Random bytes in the link: as many as in a key.
const LINK_BYTES: usize = 32;

/// The hash of what the link shows, if one was made.
#[derive(Default)]
pub(super) struct FirstLink(parking_lot::Mutex<Option<blake3::Hash>>);

/// Who the first administrator is to be.
pub struct FirstAdministrator<'a> {
    /// What the link shows.
    pub shown: &'a str,
    /// The name, as it was typed.
    pub name: &'a str,
    /// The password.
    pub password: &'a str,
}

impl Control {
    /// A new link to make the first administrator by, while there is no user. It is told this once; one made before is of no
    /// use any more.
    pub fn first_link(&self) -> ServiceResult<Option<String>> {
        if self.has_users()? {
            return Ok(None);
        }
        let secret = blake3::Hash::from_bytes(rand::random::<[u8; LINK_BYTES]>()).to_hex().to_string();
        *self.inner.first.0.lock() = Some(blake3::hash(secret.as_bytes()));
        Ok(Some(format!("{}/setup?token={secret}", self.addresses().hub_url())))
    }

    /// Whether this is what the link shows, and may still be used.
    pub fn is_first_link(&self, shown: &str) -> ServiceResult<bool> {
        let expected = *self.inner.first.0.lock();
        let is_it = expected.is_some_and(|hash| is_same(blake3::hash(shown.as_bytes()).as_bytes(), hash.as_bytes()));
        Ok(is_it && !self.has_users()?)
    }

    /// Makes the first administrator and signs it in. `None`: the link is none, or was used.
    pub async fn create_first_administrator(
        &self,
        wanted: &FirstAdministrator<'_>,
    ) -> ServiceResult<Option<NewSession>> {
        // Nobody else makes one at the same moment.
        let _place = self.inner.places.lock().await;
        if !self.is_first_link(wanted.shown)? {
            return Ok(None);
        }
        let name: OwnerName =
            wanted.name.parse().map_err(|error: InvalidName| ServiceError::Invalid(error.to_string()))?;
        let new = NewUser { name, is_admin: true, password: Some(wanted.password.to_owned()) };
        let account = self.accounts().create_user_as(new, AuditActor::Host).await?;
        *self.inner.first.0.lock() = None;
        tracing::info!(user = %account.name, "the first administrator was made");
        // Whoever was told by the operator's own machine may do what a token of it would allow.
        let user = self.accounts().user(account, TokenRole::Admin)?;
        self.begin_session(user, None).await.map(Some)
    }

    pub(super) fn has_users(&self) -> ServiceResult<bool> {
        Ok(self.accounts().list()?.iter().any(|account| account.kind == AccountKind::User))
    }
}
