//! The browsers in which a user is signed in, as the user sees and ends them, and changing the password with which it signs in.

use std::net::IpAddr;

use spaceport_core::lifecycle::Millis;
use spaceport_core::permission::{Actor, Denied, TokenRole, User};
use spaceport_db::{TokenHash, WebSession};

use super::Control;
use super::accounts::AccountChanges;
use super::audit::{Act, who};
use super::error::{ServiceError, ServiceResult};
use super::sessions::Session;
use super::storage::{commit_failed, read_failed};

/// Bytes of the hash by which a session is named: enough to tell those of one user apart, and nothing that opens one.
const ID_BYTES: usize = 12;

/// A browser in which a user is signed in, for that user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserView {
    /// By what it is named to be ended.
    pub id: String,
    /// When the user signed in there.
    pub since: Millis,
    /// When it is over.
    pub expires_at: Millis,
    /// What it allows at most.
    pub role: TokenRole,
    /// Whether an access token was used in the place of the password.
    pub by_token: bool,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

impl Control {
    /// The browsers in which whoever asks is signed in, newest first. `current` is the one that asks, if one does.
    pub fn browsers(&self, actor: &Actor, current: Option<&Session>) -> ServiceResult<Vec<BrowserView>> {
        let mut rows = self.signed_in_browsers(holder(actor, TokenRole::Read)?)?;
        rows.sort_by_key(|(hash, row)| (std::cmp::Reverse(row.created_at), hash.0));
        let view = |(hash, row): (TokenHash, WebSession)| BrowserView {
            id: id_of(&hash),
            since: row.created_at,
            expires_at: row.expires_at,
            role: row.role,
            by_token: row.token.is_some(),
            is_current: current.is_some_and(|session| session.hash == hash),
        };
        Ok(rows.into_iter().map(view).collect())
    }

    /// Signs whoever asks out of one browser.
    pub async fn end_browser(&self, actor: &Actor, id: &str) -> ServiceResult<()> {
        let user = holder(actor, TokenRole::Write)?;
        let found = self.signed_in_browsers(user)?.into_iter().find(|(hash, _)| id_of(hash) == id);
        let (hash, _) = found.ok_or_else(|| ServiceError::NothingToDelete(format!("You are not signed in at {id}")))?;
        let mut batch = self.noted(actor, Act::new("session.end").with("browser", id));
        batch.delete(self.inner.db.web_sessions(), &(user.id, hash));
        self.inner.db.commit(batch).await.map_err(commit_failed)?;
        Ok(())
    }

    /// Signs whoever asks out of every browser but the one that asks; out of how many.
    pub async fn end_other_browsers(&self, actor: &Actor, current: Option<&Session>) -> ServiceResult<usize> {
        let user = holder(actor, TokenRole::Write)?;
        let mut others = self.signed_in_browsers(user)?;
        others.retain(|(hash, _)| current.is_none_or(|session| session.hash != *hash));
        if others.is_empty() {
            return Ok(0);
        }
        let mut batch = self.noted(actor, Act::new("session.end").with("browsers", others.len()));
        for (hash, _) in &others {
            batch.delete(self.inner.db.web_sessions(), &(user.id, *hash));
        }
        self.inner.db.commit(batch).await.map_err(commit_failed)?;
        Ok(others.len())
    }

    /// Changes the password of whoever asks and knows the one so far. Other browsers are signed out: whoever knew the old
    /// one may be in them.
    pub async fn change_own_password(
        &self,
        actor: &Actor,
        current: Option<&Session>,
        passwords: (&str, &str),
        from: IpAddr,
    ) -> ServiceResult<()> {
        let (old, new) = passwords;
        let user = holder(actor, TokenRole::Write)?;
        if self.password_sign_in(&user.name, old, from).await?.is_none() {
            return Err(ServiceError::Invalid("The password so far is not right".to_owned()));
        }
        let changes = AccountChanges { password: Some(Some(new.to_owned())), ..AccountChanges::default() };
        self.accounts().change_user(user.id, changes, who(actor)).await?;
        self.end_other_browsers(actor, current).await?;
        Ok(())
    }

    /// The sessions of a user that are not over.
    fn signed_in_browsers(&self, user: &User) -> ServiceResult<Vec<(TokenHash, WebSession)>> {
        let (now, db) = (self.inner.clock.now(), &self.inner.db);
        let mut found = Vec::new();
        for ((_, hash), row) in db.web_sessions().under(&user.id).map_err(read_failed)? {
            let is_token_gone = match row.token {
                Some(token) => db.tokens().get(&token).map_err(read_failed)?.is_none(),
                None => false,
            };
            if row.expires_at > now && !is_token_gone {
                found.push((hash, row));
            }
        }
        Ok(found)
    }
}

fn id_of(hash: &TokenHash) -> String {
    hash.0.iter().take(ID_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// The user who asks, with what allows as much.
fn holder(actor: &Actor, least: TokenRole) -> ServiceResult<&User> {
    match actor {
        Actor::Nobody => Err(Denied::SignIn.into()),
        Actor::User(user) if user.role >= least => Ok(user),
        Actor::User(_) => {
            let message = format!("Managing where you are signed in needs a token with the role {:?}", least.as_str());
            Err(ServiceError::Forbidden(message))
        }
    }
}
