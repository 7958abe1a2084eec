//! From a code to tokens, and from a refresh token to the next ones. Whatever is used up and shown again ends the sign-in
//! with all its tokens: either the application or somebody else has stolen it.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest, Sha256};
use spaceport_core::id::{AccountId, SignInId};
use spaceport_core::lifecycle::Millis;
use spaceport_core::oauth::Scopes;
use spaceport_core::permission::TokenRole;
use spaceport_db::{Batch, CommitError, GrantStage, OauthGrant, TokenHash, Version};

use super::super::Control;
use super::super::passes::is_same;
use super::super::storage::{commit_failed, read_failed};
use super::client::App;
use super::credential::{Credential, Kind};
use super::device::DEVICE_GRANT;
use super::error::OauthError;

/// Access tokens of one sign-in that hold at a time; applications that run in several places refresh in each.
const MAX_ACCESS: usize = 5;
/// Lengths of a verifier, by the standard.
const VERIFIER: std::ops::RangeInclusive<usize> = 43..=128;

/// What an application sends to get tokens, as it was sent.
#[derive(Debug, Clone, Default)]
pub struct TokenRequest {
    /// What it has.
    pub grant_type: Option<String>,
    /// A code.
    pub code: Option<String>,
    /// Where the code was sent.
    pub redirect_uri: Option<String>,
    /// What the challenge was made of.
    pub code_verifier: Option<String>,
    /// What a device was given to ask with.
    pub device_code: Option<String>,
    /// A refresh token.
    pub refresh_token: Option<String>,
    /// What the tokens are to be for.
    pub scope: Option<String>,
    /// Who asks.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<String>,
    /// Whether something was written twice.
    pub is_repeated: bool,
}

/// Tokens.
#[derive(Debug)]
pub struct TokenAnswer {
    /// By which the application acts for the user.
    pub access_token: String,
    /// By which it gets others.
    pub refresh_token: String,
    /// Who has signed in.
    pub id_token: String,
    /// What the tokens are for.
    pub scope: String,
    /// Seconds for which the access token holds.
    pub expires_in: u64,
}

/// A sign-in as it was found.
pub(super) struct Found {
    pub(super) key: (AccountId, SignInId),
    pub(super) grant: OauthGrant,
    pub(super) version: Version,
    pub(super) hash: TokenHash,
}

/// What tokens are made with.
pub(super) struct Minted {
    /// Whether the application has shown its secret.
    pub(super) needs_secret: bool,
    /// Access tokens that there are already.
    pub(super) access: Vec<(TokenHash, Millis)>,
    /// Goes into the id token.
    pub(super) nonce: Option<String>,
}

/// When a sign-in holds no more: a code has an end of its own.
pub(super) fn end_of(grant: &OauthGrant) -> Millis {
    match &grant.stage {
        GrantStage::Code { expires_at, .. } => *expires_at,
        GrantStage::Tokens { .. } => grant.expires_at,
    }
}

impl Control {
    /// Gives an application tokens.
    pub async fn oauth_tokens(&self, request: TokenRequest) -> Result<TokenAnswer, OauthError> {
        if request.is_repeated {
            return Err(OauthError::InvalidRequest("a parameter is written twice".to_owned()));
        }
        let client = self.client(&request)?;
        match request.grant_type.as_deref() {
            Some("authorization_code") => self.exchange(client, request).await,
            Some("refresh_token") => self.refresh(client, request).await,
            Some(DEVICE_GRANT) => self.device_tokens(client, request).await,
            Some(_) => {
                let message = "grant_type is not offered: write authorization_code or refresh_token";
                Err(OauthError::UnsupportedGrantType(message.to_owned()))
            }
            None => Err(OauthError::InvalidRequest("grant_type is missing".to_owned())),
        }
    }

    /// The application that says who it is, and whether it has shown its secret. Some say nothing and are known by what they
    /// show.
    pub(super) fn client(&self, request: &TokenRequest) -> Result<Option<(App, bool)>, OauthError> {
        let Some(client_id) = &request.client_id else {
            return match request.client_secret {
                Some(_) => Err(OauthError::InvalidClient("client_id is missing".to_owned())),
                None => Ok(None),
            };
        };
        let unknown = || OauthError::InvalidClient("there is no such client".to_owned());
        let app = self.app(client_id)?.ok_or_else(unknown)?;
        if let Some(secret) = &request.client_secret {
            self.check_client_secret(&app, secret)?;
        }
        Ok(Some((app, request.client_secret.is_some())))
    }

    async fn exchange(&self, client: Option<(App, bool)>, request: TokenRequest) -> Result<TokenAnswer, OauthError> {
        let missing = |name: &str| OauthError::InvalidRequest(format!("{name} is missing"));
        let code = request.code.as_deref().ok_or_else(|| missing("code"))?;
        let redirect = request.redirect_uri.as_deref().ok_or_else(|| missing("redirect_uri"))?;
        let found = self.found(Kind::Code, code)?.ok_or_else(invalid_code)?;
        let (app, has_secret) = self.owner(&found, client)?;
        let GrantStage::Code { code, expires_at, redirect_uri, challenge, nonce } = &found.grant.stage else {
            return Err(self.end(&found, "the code was used before").await);
        };
        if *code != found.hash || *expires_at <= self.inner.clock.now() || redirect_uri != redirect {
            return Err(invalid_code());
        }
        match (challenge, &request.code_verifier) {
            (Some(challenge), Some(verifier)) if is_verified(challenge, verifier) => {}
            (None, None) if has_secret => {}
            (None, None) => return Err(OauthError::InvalidClient("the client secret is missing".to_owned())),
            (Some(_), None) => return Err(missing("code_verifier")),
            (Some(_), Some(_)) => return Err(OauthError::InvalidGrant("code_verifier is wrong".to_owned())),
            (None, Some(_)) => {
                let message = "code_verifier without a code_challenge: the code was not asked for with one";
                return Err(OauthError::InvalidGrant(message.to_owned()));
            }
        }
        let nonce = nonce.clone();
        self.issue(found, &app, has_secret, Vec::new(), nonce).await
    }

    async fn refresh(&self, client: Option<(App, bool)>, request: TokenRequest) -> Result<TokenAnswer, OauthError> {
        let missing = || OauthError::InvalidRequest("refresh_token is missing".to_owned());
        let shown = request.refresh_token.as_deref().ok_or_else(missing)?;
        let found = self.found(Kind::Refresh, shown)?.ok_or_else(invalid_refresh)?;
        let (app, has_secret) = self.owner(&found, client)?;
        let GrantStage::Tokens { refresh, access, needs_secret } = &found.grant.stage else {
            return Err(invalid_refresh());
        };
        if *needs_secret && !has_secret {
            return Err(OauthError::InvalidClient("the client secret is missing".to_owned()));
        }
        if *refresh != found.hash {
            return Err(self.end(&found, "the refresh token was used before").await);
        }
        if found.grant.expires_at <= self.inner.clock.now() {
            return Err(invalid_refresh());
        }
        let granted = Scopes::parse(&found.grant.scopes);
        if request.scope.is_some_and(|scope| !granted.includes(&Scopes::parse(&scope))) {
            return Err(OauthError::InvalidScope(format!("the user has agreed to {granted}")));
        }
        let (access, needs_secret) = (access.clone(), *needs_secret);
        self.issue(found, &app, needs_secret, access, None).await
    }

    pub(super) fn found(&self, kind: Kind, text: &str) -> Result<Option<Found>, OauthError> {
        let Some(shown) = Credential::parse(kind, text) else { return Ok(None) };
        let key = (shown.account, shown.grant);
        let row = self.inner.db.oauth_grants().get_versioned(&key).map_err(read_failed)?;
        Ok(row.map(|(grant, version)| Found { key, grant, version, hash: shown.hash }))
    }

    /// The application that a sign-in is at, which must be the one that asks; and whether it has shown its secret.
    pub(super) fn owner(&self, found: &Found, client: Option<(App, bool)>) -> Result<(App, bool), OauthError> {
        match client {
            Some((app, _)) if app.space_id() != found.grant.space => Err(invalid_code()),
            Some(client) => Ok(client),
            None => Ok((self.app_of(found.grant.space)?.ok_or_else(invalid_code)?, false)),
        }
    }

    /// Makes tokens and stores them in the place of what was shown.
    async fn issue(
        &self,
        found: Found,
        app: &App,
        needs_secret: bool,
        access: Vec<(TokenHash, Millis)>,
        nonce: Option<String>,
    ) -> Result<TokenAnswer, OauthError> {
        let (grant, answer) = self.mint(app, found.key, &found.grant, Minted { needs_secret, access, nonce })?;
        let mut batch = Batch::default();
        batch.replace(self.inner.db.oauth_grants(), &found.key, &grant, found.version);
        match self.inner.db.commit(batch).await {
            Ok(_) => Ok(answer),
            // Of two who show the same at the same moment one is a thief.
            Err(CommitError::Conflict { .. }) => Err(self.end(&found, "it was used before").await),
            Err(error) => Err(commit_failed(error).into()),
        }
    }

    /// The tokens of a sign-in, and its row with them in it. Stores nothing.
    pub(super) fn mint(
        &self,
        app: &App,
        (account_id, grant_id): (AccountId, SignInId),
        before: &OauthGrant,
        minted: Minted,
    ) -> Result<(OauthGrant, TokenAnswer), OauthError> {
        let (db, now) = (&self.inner.db, self.inner.clock.now());
        let Minted { needs_secret, mut access, nonce } = minted;
        let account = db.accounts().get(&account_id).map_err(read_failed)?.ok_or_else(invalid_code)?;
        self.check_user(app, &self.inner.accounts.user(account.clone(), TokenRole::Read)?)?;
        let token = Credential::generate(Kind::Access, account_id, grant_id);
        let refresh = Credential::generate(Kind::Refresh, account_id, grant_id);
        let end = (now + u64::from(app.oauth.expiration_minutes) * 60 * 1000).min(before.expires_at);
        access.retain(|(_, end)| *end > now);
        access.drain(..(access.len() + 1).saturating_sub(MAX_ACCESS));
        access.push((token.hash, end));
        let stage = GrantStage::Tokens { refresh: refresh.hash, access, needs_secret };
        let grant = OauthGrant { stage, ..before.clone() };
        let id_token = self.id_token(app, &account, &grant, &token.text, nonce)?;
        let answer = TokenAnswer {
            access_token: token.text,
            refresh_token: refresh.text,
            id_token,
            scope: grant.scopes.clone(),
            expires_in: (end - now) / 1000,
        };
        Ok((grant, answer))
    }

    /// Ends a sign-in with all its tokens; why, for the application.
    async fn end(&self, found: &Found, why: &str) -> OauthError {
        let mut batch = Batch::default();
        batch.delete(self.inner.db.oauth_grants(), &found.key);
        tracing::warn!(space_id = ?found.grant.space, account = %found.key.0, why, "a sign-in at a Space was ended");
        match self.inner.db.commit(batch).await {
            Ok(_) => OauthError::InvalidGrant(format!("{why}: the user must sign in again")),
            Err(error) => commit_failed(error).into(),
        }
    }
}

fn is_verified(challenge: &str, verifier: &str) -> bool {
    let is_formed = VERIFIER.contains(&verifier.len())
        && verifier.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._~".contains(&c));
    let made = BASE64.encode(Sha256::digest(verifier.as_bytes()));
    is_formed && is_same(made.as_bytes(), challenge.as_bytes())
}

fn invalid_code() -> OauthError {
    OauthError::InvalidGrant("the code is none of this client's, has expired, or was sent elsewhere".to_owned())
}

fn invalid_refresh() -> OauthError {
    OauthError::InvalidGrant("the refresh token is none, or has expired".to_owned())
}
