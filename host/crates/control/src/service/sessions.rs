//! Browsers in which a user is signed in, and what a form must carry to be one of ours.
//!
//! The browser holds a random text, the database its hash. A session allows what its user signed in with and no more; one
//! that was begun with an access token ends with that token. Sessions of a user are bounded in number: the oldest goes.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use spaceport_core::id::{AccountId, SignInId, TokenId};
use spaceport_core::lifecycle::Millis;
use spaceport_core::permission::{Actor, TokenRole, User};
use spaceport_db::{AccessToken, Batch, TokenHash, WebSession};

use super::Control;
use super::accounts::{SignedIn, new_id};
use super::audit::Act;
use super::error::ServiceResult;
use super::oauth::{Credential, Kind};
use super::passes::is_same;
use super::storage::{commit_failed, read_failed};
use super::token::TokenText;

/// How long a browser stays signed in: a month, as people expect of a site that they use every week.
pub(super) const SESSION_LIFE: Millis = 30 * 24 * 60 * 60 * 1000;
/// Browsers in which one user is signed in at a time: more than anybody has.
const MAX_SESSIONS: usize = 50;
/// What the key is for by which forms are told to be ours.
const FORM_PURPOSE: &str = "form token";

/// A browser in which a user is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who, and what the session allows.
    pub user: User,
    /// When the user proved who they are.
    pub since: Millis,
    pub(super) hash: TokenHash,
}

/// A session that has just begun.
#[derive(Debug)]
pub struct NewSession {
    /// What the browser must keep to itself.
    pub cookie: String,
    /// How long it may.
    pub lifetime: Duration,
    /// The session.
    pub session: Session,
}

impl Control {
    /// Signs a user in: by name and password, or by an access token in the place of the password, for which the name may be
    /// left out. `None`: one of them is wrong.
    pub async fn sign_in(&self, name: &str, secret: &str, from: IpAddr) -> ServiceResult<Option<NewSession>> {
        let (user, token) = match TokenText::parse(secret) {
            Some(text) => {
                let signed = self.inner.accounts.authenticate(secret)?;
                let is_named = |user: &User| name.is_empty() || user.name.as_str().eq_ignore_ascii_case(name);
                let Some(user) = signed.map(|signed| signed.user).filter(is_named) else { return Ok(None) };
                (user, Some(TokenHash(text.hash())))
            }
            // What an application holds for a user makes no session of that user's.
            None if Kind::of(secret).is_some() => return Ok(None),
            None => match self.git_sign_in(name, secret, from).await? {
                // Whoever knows the password of an administrator may make an administrator's token as well.
                Some(user) if user.is_admin => (User { role: TokenRole::Admin, ..user }, None),
                Some(user) => (user, None),
                None => return Ok(None),
            },
        };
        self.begin_session(user, token).await.map(Some)
    }

    pub(super) async fn begin_session(&self, user: User, token: Option<TokenHash>) -> ServiceResult<NewSession> {
        let now = self.inner.clock.now();
        let made = Credential::generate(Kind::Session, user.id, SignInId::from_bytes(new_id(now)));
        let row = WebSession { role: user.role, token, created_at: now, expires_at: now + SESSION_LIFE };
        let by = if token.is_some() { "token" } else { "password" };
        let actor = Actor::User(user.clone());
        let mut batch = self.noted(&actor, Act::new("session.begin").with("by", by));
        let mut others = self.inner.db.web_sessions().under(&user.id).map_err(read_failed)?;
        others.sort_by_key(|(_, session)| (session.expires_at > now, session.created_at));
        let expired = others.iter().filter(|(_, session)| session.expires_at <= now).count();
        let excess = (others.len() + 1).saturating_sub(MAX_SESSIONS);
        for (key, _) in others.iter().take(expired.max(excess)) {
            batch.delete(self.inner.db.web_sessions(), key);
        }
        batch.put(self.inner.db.web_sessions(), &(user.id, made.hash), &row);
        self.inner.db.commit(batch).await.map_err(commit_failed)?;
        tracing::info!(user = %user.name, "a user has signed in");
        let session = Session { user, since: now, hash: made.hash };
        Ok(NewSession { cookie: made.text, lifetime: Duration::from_millis(SESSION_LIFE), session })
    }

    /// The session that a browser shows.
    pub fn session(&self, cookie: &str) -> ServiceResult<Option<Session>> {
        let Some(shown) = Credential::parse(Kind::Session, cookie) else { return Ok(None) };
        self.session_of(shown.account, shown.hash)
    }

    /// The same session as it is now, if it has not ended.
    pub fn renewed(&self, session: &Session) -> ServiceResult<Option<Session>> {
        self.session_of(session.user.id, session.hash)
    }

    fn session_of(&self, account: AccountId, hash: TokenHash) -> ServiceResult<Option<Session>> {
        let db = &self.inner.db;
        let Some(row) = db.web_sessions().get(&(account, hash)).map_err(read_failed)? else { return Ok(None) };
        let Some(account) = db.accounts().get(&account).map_err(read_failed)? else { return Ok(None) };
        let is_token_gone = match row.token {
            Some(token) => db.tokens().get(&token).map_err(read_failed)?.is_none(),
            None => false,
        };
        if row.expires_at <= self.inner.clock.now() || is_token_gone {
            return Ok(None);
        }
        let user = self.inner.accounts.user(account, row.role)?;
        Ok(Some(Session { user, since: row.created_at, hash }))
    }

    /// Ends a session.
    pub async fn sign_out(&self, session: &Session) -> ServiceResult<()> {
        let mut batch = self.noted(&Actor::User(session.user.clone()), Act::new("session.end"));
        batch.delete(self.inner.db.web_sessions(), &(session.user.id, session.hash));
        self.inner.db.commit(batch).await.map_err(commit_failed)?;
        Ok(())
    }

    /// Ends every session of an account, as a changed password must.
    pub async fn sign_out_everywhere(&self, account: AccountId) -> ServiceResult<()> {
        let mut batch = Batch::default();
        for (key, _) in self.inner.db.web_sessions().under(&account).map_err(read_failed)? {
            batch.delete(self.inner.db.web_sessions(), &key);
        }
        self.inner.db.commit(batch).await.map_err(commit_failed)?;
        Ok(())
    }

    /// What a page shown in this session puts into its forms, and its scripts into `x-csrf-token`.
    pub fn form_token(&self, session: &Session) -> String {
        self.form_mac(b"session", &session.hash.0)
    }

    /// Whether a form was shown in this session.
    pub fn is_form_of(&self, session: &Session, token: &str) -> bool {
        is_same(token.as_bytes(), self.form_token(session).as_bytes())
    }

    /// The same for a visitor who has not signed in, by a random text that the browser keeps.
    pub fn visitor_form_token(&self, seed: &str) -> String {
        self.form_mac(b"visitor", seed.as_bytes())
    }

    /// Whether a form was shown to this visitor.
    pub fn is_form_of_visitor(&self, seed: &str, token: &str) -> bool {
        is_same(token.as_bytes(), self.visitor_form_token(seed).as_bytes())
    }

    fn form_mac(&self, kind: &[u8], of: &[u8]) -> String {
        let key = self.inner.keys.derive(FORM_PURPOSE);
        let mut mac = blake3::Hasher::new_keyed(key.as_bytes());
        // The kinds have the same length, so the rest needs no delimiter.
        mac.update(kind).update(of);
        BASE64.encode(mac.finalize().as_bytes())
    }
}

impl Session {
    /// The session in the place of a token, for a page's own calls of the API.
    pub fn as_signed_in(&self) -> SignedIn {
        let token = AccessToken {
            id: TokenId::from_bytes(*self.user.id.as_bytes()),
            account: self.user.id,
            role: self.user.role,
            label: "browser".to_owned(),
            last_four: String::new(),
            created_at: self.since,
            scopes: self.user.scopes.clone(),
        };
        SignedIn { user: self.user.clone(), token }
    }
}

/// What a session that began with this role may let an application have, of what its user grants.
pub(super) fn at_most(granted: Option<TokenRole>, session: TokenRole) -> Option<TokenRole> {
    granted.map(|role| role.min(session))
}
