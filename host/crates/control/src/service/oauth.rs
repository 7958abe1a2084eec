//! This host as an OpenID provider: users sign in at Spaces with the account that they have here.
//!
//! An application asks by sending the user's browser ([`authorize`]), the user agrees, the application turns the code that
//! it gets into tokens ([`token`]). One row per sign-in holds how far it has come; codes and tokens name their row, and
//! whatever is shown a second time ends it. What a token allows is decided once, when the user agrees, and is never more than
//! the scopes say nor than the session allowed in which that happened.

mod authorize;
mod bearer;
mod claims;
mod client;
mod consents;
mod credential;
mod device;
mod error;
mod revoke;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;
use std::time::Duration;

use spaceport_db::{Batch, SigningKey};

pub use authorize::{Authorization, AuthorizeRefusal, AuthorizeRequest, Granted, Prompt};
pub use bearer::OauthBearer;
pub use claims::OauthProfile;
pub(crate) use client::oauth_settings;
pub use consents::ConnectedApp;
pub(in crate::service) use credential::{Credential, Kind};
pub(in crate::service) use device::DeviceRequests;
pub use device::{DeviceCode, DeviceQuestion};
pub use error::OauthError;
pub use token::{TokenAnswer, TokenRequest};

use super::Control;
use super::error::{ServiceError, ServiceResult};
use super::storage::{commit_failed, read_failed};

/// How often what has expired is removed.
const SWEEP: Duration = Duration::from_secs(60 * 60);

impl Control {
    /// Makes the key that signs, if there is none, and begins to remove what expires.
    pub(super) fn begin_sign_ins(&self) {
        if let Err(error) = self.signing_key() {
            tracing::error!(?error, "nobody can sign in at Spaces: the key for it cannot be had");
        }
        let inner = Arc::downgrade(&self.inner);
        let shared = self.inner.fleet.shared();
        let closing = shared.closing.clone();
        shared.spawn(async move {
            let mut turns = tokio::time::interval(SWEEP);
            while closing.run_until_cancelled(turns.tick()).await.is_some() {
                let Some(inner) = inner.upgrade() else { return };
                match (Self { inner }).sweep_sign_ins().await {
                    Ok(0) => {}
                    Ok(rows) => tracing::info!(rows, "sign-ins that have expired were removed"),
                    Err(error) => tracing::warn!(%error, "sign-ins that have expired stay"),
                }
            }
        });
    }

    /// Removes sessions, codes and tokens that have expired, and what is left of Spaces that are gone; how many there were.
    pub async fn sweep_sign_ins(&self) -> ServiceResult<usize> {
        let (db, now) = (&self.inner.db, self.inner.clock.now());
        let (mut batch, mut removed) = (Batch::default(), 0);
        for (key, _) in
            db.web_sessions().scan().map_err(read_failed)?.iter().filter(|(_, session)| session.expires_at <= now)
        {
            batch.delete(db.web_sessions(), key);
            removed += 1;
        }
        for (key, grant) in db.oauth_grants().scan().map_err(read_failed)?.iter() {
            let is_gone = match grant.space {
                Some(space) => db.spaces().get(&space).map_err(read_failed)?.is_none(),
                None => false,
            };
            if is_gone || token::end_of(grant) <= now {
                batch.delete(db.oauth_grants(), key);
                removed += 1;
            }
        }
        for (key, _) in db.oauth_consents().scan().map_err(read_failed)? {
            if db.spaces().get(&key.1).map_err(read_failed)?.is_none() {
                batch.delete(db.oauth_consents(), &key);
                removed += 1;
            }
        }
        if removed > 0 {
            self.inner.db.commit(batch).await.map_err(commit_failed)?;
        }
        Ok(removed)
    }

    /// The key that signs who has signed in.
    fn signing_key(&self) -> ServiceResult<&SigningKey> {
        if let Some(key) = self.inner.signing.get() {
            return Ok(key);
        }
        let key = self.inner.keys.signing_key();
        let key = key.map_err(|error| ServiceError::internal("read the key that signs", error))?;
        Ok(self.inner.signing.get_or_init(|| key))
    }
}
