//! An application gives back what it holds, by RFC 7009: a refresh token with the whole sign-in, an access token alone.

use spaceport_db::{AuditActor, Batch, CommitError, GrantStage};

use super::super::Control;
use super::super::audit::{Act, record};
use super::super::error::ServiceError;
use super::super::storage::commit_failed;
use super::client::App;
use super::credential::Kind;
use super::error::OauthError;
use super::token::{Found, TokenRequest};

/// Times that an access token is taken out of its sign-in again because that has just changed.
const MAX_TRIES: usize = 8;

impl Control {
    /// Ends a token. One that is none, or none any more, needs no ending.
    pub async fn oauth_revoke(&self, token: Option<String>, request: TokenRequest) -> Result<(), OauthError> {
        if request.is_repeated {
            return Err(OauthError::InvalidRequest("a parameter is written twice".to_owned()));
        }
        let client = self.client(&request)?;
        let token = token.ok_or_else(|| OauthError::InvalidRequest("token is missing".to_owned()))?;
        for _ in 0..MAX_TRIES {
            let kind = match Kind::of(&token) {
                Some(kind @ (Kind::Access | Kind::Refresh)) => kind,
                _ => return Ok(()),
            };
            let Some(found) = self.found(kind, &token)? else { return Ok(()) };
            let (app, has_secret) = self.owner(&found, client.clone())?;
            let GrantStage::Tokens { access, needs_secret, .. } = &found.grant.stage else { return Ok(()) };
            if *needs_secret && !has_secret {
                return Err(OauthError::InvalidClient("the client secret is missing".to_owned()));
            }
            if kind == Kind::Access && !access.iter().any(|(hash, _)| *hash == found.hash) {
                return Ok(());
            }
            if self.revoked(kind, &found, &app).await? {
                return Ok(());
            }
        }
        let message = "the sign-in is being changed at the same moment: try again";
        Err(ServiceError::Unavailable(message.to_owned()).into())
    }

    /// Ends a token in its sign-in, or the sign-in; not, if it has changed meanwhile.
    async fn revoked(&self, kind: Kind, found: &Found, app: &App) -> Result<bool, OauthError> {
        let (db, grants) = (&self.inner.db, self.inner.db.oauth_grants());
        let name = self.inner.accounts.account_by_id(found.key.0)?.map(|account| account.name.to_string());
        let by = AuditActor::User(found.key.0, name.unwrap_or_default());
        let what = if kind == Kind::Refresh { "sign-in" } else { "access token" };
        let mut batch = Batch::default();
        record(db, self.inner.clock.now(), by, Act::new("oauth.revoke").to(&app.id).with("what", what), &mut batch);
        let mut grant = found.grant.clone();
        match (&mut grant.stage, kind) {
            (GrantStage::Tokens { access, .. }, Kind::Access) => {
                access.retain(|(hash, _)| *hash != found.hash);
                batch.replace(grants, &found.key, &grant, found.version);
            }
            // A refresh token that was used before is one that somebody else may have used.
            _ => drop(batch.delete(grants, &found.key)),
        }
        match db.commit(batch).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict { .. }) => Ok(false),
            Err(error) => Err(commit_failed(error).into()),
        }
    }
}
