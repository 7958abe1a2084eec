//! Access tokens of applications: a user, less what the user did not grant.

use std::sync::Arc;

use spaceport_core::id::{SignInId, TokenId};
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::SpacePath;
use spaceport_core::oauth::Scopes;
use spaceport_db::{AccessToken, Account, GrantStage, OauthGrant};

use super::super::accounts::{Accounts, SignedIn};
use super::super::error::ServiceResult;
use super::super::storage::read_failed;
use super::credential::{Credential, Kind};

/// Characters at a token's end by which its owner tells it from others.
const LAST: usize = 4;

/// Who is known by an application's access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthBearer {
    /// The user.
    pub account: Account,
    /// The Space that acts for the user; `None`: the command line.
    pub space: Option<SpacePath>,
    /// What it may.
    pub scopes: Scopes,
    /// Until when.
    pub expires_at: Millis,
    id: SignInId,
    grant: OauthGrant,
}

impl Accounts {
    /// Who is known by an application's access token; `None` if it is none, or holds no more. That one is known does not
    /// mean that the token opens anything: see [`Self::authenticate`].
    pub fn oauth_bearer(&self, token: &str) -> ServiceResult<Option<OauthBearer>> {
        let Some(shown) = Credential::parse(Kind::Access, token) else { return Ok(None) };
        let key = (shown.account, shown.grant);
        let Some(grant) = self.db.oauth_grants().get(&key).map_err(read_failed)? else { return Ok(None) };
        let GrantStage::Tokens { access, .. } = &grant.stage else { return Ok(None) };
        let end = access.iter().find(|(hash, _)| *hash == shown.hash).map(|(_, end)| *end);
        let Some(expires_at) = end.filter(|end| *end > self.clock.now()) else { return Ok(None) };
        let Some(account) = self.db.accounts().get(&shown.account).map_err(read_failed)? else { return Ok(None) };
        // Tokens of a Space that is gone are nobody's.
        let space = match grant.space {
            Some(space) => match self.db.spaces().get(&space).map_err(read_failed)? {
                Some(space) => Some(space.path),
                None => return Ok(None),
            },
            None => None,
        };
        let scopes = Scopes::parse(&grant.scopes);
        Ok(Some(OauthBearer { account, space, scopes, expires_at, id: shown.grant, grant }))
    }

    /// The user of an application's access token, where it opens more than a stranger sees.
    pub(in crate::service) fn authenticate_oauth(&self, token: &str) -> ServiceResult<Option<SignedIn>> {
        let Some(bearer) = self.oauth_bearer(token)? else { return Ok(None) };
        let Some(role) = bearer.grant.role else { return Ok(None) };
        let account = bearer.account;
        let token = AccessToken {
            // A token of an application is known by its sign-in.
            id: TokenId::from_bytes(*bearer.id.as_bytes()),
            account: account.id,
            role,
            label: bearer.space.map_or_else(|| "command line".to_owned(), |space| format!("{space} (sign-in)")),
            last_four: token[token.len() - LAST..].to_owned(),
            created_at: bearer.grant.created_at,
            scopes: Arc::default(),
        };
        let user = self.user(account, role)?;
        Ok(Some(SignedIn { user, token }))
    }
}
