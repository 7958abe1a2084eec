//! Passes to the app of a Space: what a page or a client puts into an address (`?__sign=…`) where it cannot send a token.
//!
//! A pass is a JSON web token under HMAC-SHA256 with a key of this host. It is for one Space, lasts a day, lets its bearer
//! visit the app and nothing else, and is worth nothing any more once the user for whom it was made may not visit.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, Denied, Subject, TokenRole, User, can};

use super::Control;
use super::error::{ServiceError, ServiceResult};

/// How long a pass lasts, in seconds: long enough for a page that stays open, short enough to be of no use when found.
const LIFETIME: u64 = 24 * 60 * 60;
/// Longest pass that is looked at; ours have some hundred bytes.
const MAX_PASS: usize = 2048;
/// What the key is for.
const PURPOSE: &str = "visitor pass";
/// The only head there is: what another says of how it was signed is not believed.
const HEAD: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
/// Bytes that SHA-256 takes in at a time.
const BLOCK: usize = 64;

/// What a pass says; the names are those of the Hub's.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    read: bool,
    on_behalf_of: Bearer,
    iat: u64,
    exp: u64,
    iss: String,
    sub: String,
    /// The Space, whatever it is called by then.
    space: SpaceId,
    /// Made by the host's administrator as such.
    #[serde(default)]
    admin: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Bearer {
    #[serde(rename = "_id")]
    id: AccountId,
    user: String,
}

impl Control {
    /// A pass to the app of a Space that the actor may visit.
    pub fn visitor_pass(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<String> {
        let space = self.space(actor, path, Action::VisitApp)?;
        let Actor::User(user) = actor else { return Err(Denied::SignIn.into()) };
        let now = self.inner.clock.now() / 1000;
        let claims = Claims {
            read: true,
            on_behalf_of: Bearer { id: user.id, user: user.name.to_string() },
            iat: now,
            exp: now + LIFETIME,
            iss: self.addresses().hub_url(),
            sub: format!("/spaces/{}", space.path),
            space: space.id,
            admin: user.role == TokenRole::Admin,
        };
        let claims = serde_json::to_vec(&claims).map_err(|error| ServiceError::internal("write a pass", error))?;
        let signed = format!("{}.{}", BASE64.encode(HEAD), BASE64.encode(claims));
        let mac = hmac(self.inner.keys.derive(PURPOSE).as_bytes(), signed.as_bytes());
        Ok(format!("{signed}.{}", BASE64.encode(mac)))
    }

    /// Whether the bearer of a token or of a pass may visit the app of a Space.
    pub fn may_visit(&self, credential: &str, space: SpaceId, subject: Subject) -> ServiceResult<bool> {
        let user = match self.inner.accounts.authenticate(credential)? {
            Some(signed_in) => Some(signed_in.user),
            None => self.bearer(credential, space)?,
        };
        Ok(user.is_some_and(|user| can(&Actor::User(user), Action::VisitApp, subject).is_ok()))
    }

    /// Who bears a pass to this Space that still holds.
    fn bearer(&self, pass: &str, space: SpaceId) -> ServiceResult<Option<User>> {
        let Some(claims) = self.claims(pass).filter(|claims| claims.read && claims.space == space) else {
            return Ok(None);
        };
        if claims.exp <= self.inner.clock.now() / 1000 {
            return Ok(None);
        }
        let account = self.inner.accounts.account_by_id(claims.on_behalf_of.id)?;
        let role = if claims.admin { TokenRole::Admin } else { TokenRole::Read };
        account.map(|account| self.inner.accounts.user(account, role)).transpose()
    }

    /// What a pass says, if it was signed here.
    fn claims(&self, pass: &str) -> Option<Claims> {
        if pass.len() > MAX_PASS {
            return None;
        }
        let (signed, mac) = pass.rsplit_once('.')?;
        let (head, claims) = signed.split_once('.')?;
        let mac = BASE64.decode(mac).ok()?;
        let expected = hmac(self.inner.keys.derive(PURPOSE).as_bytes(), signed.as_bytes());
        if BASE64.decode(head).ok()? != HEAD.as_bytes() || !is_same(&mac, &expected) {
            return None;
        }
        serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()
    }
}

/// HMAC-SHA256 (RFC 2104), for keys of at most a block.
fn hmac(key: &[u8; 32], text: &[u8]) -> [u8; 32] {
    let pad = |byte: u8| {
        let mut block = [byte; BLOCK];
        block.iter_mut().zip(key).for_each(|(padded, key)| *padded ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

/// Compares without telling by the time it takes where two differ.
pub(super) fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_that_of_the_standard() {
        // Computed with Python's hmac module.
        let key: [u8; 32] = std::array::from_fn(|index| index as u8);
        let hex: String =
            hmac(&key, b"what do ya want for nothing?").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, EXPECTED);
        assert!(is_same(b"ab", b"ab") && !is_same(b"ab", b"ac") && !is_same(b"ab", b"abc"));
    }

    const EXPECTED: &str = "099805f4ac310786968565c098db515cc50862b420ae31e20238312344bed36a";
}
