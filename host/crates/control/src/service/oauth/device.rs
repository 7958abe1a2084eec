//! Signing in where there is no browser: a program shows a short code, its user types that into a page of this hub, and the
//! program, which asks again and again meanwhile, is given tokens (RFC 8628). `hf auth login` does it.
//!
//! Programs that wait are in memory alone: a host that starts anew has forgotten them, and they begin again. They are bounded
//! in number, and each waits for minutes only.

use std::collections::HashMap;

use parking_lot::Mutex;
use rand::Rng;
use rand::distr::Alphanumeric;
use sha2::{Digest, Sha256};
use spaceport_core::id::{AccountId, SignInId};
use spaceport_core::lifecycle::Millis;
use spaceport_core::oauth::Scopes;
use spaceport_core::permission::TokenRole;
use spaceport_db::{AuditActor, Batch, GrantStage, OauthGrant, TokenHash};

use super::super::Control;
use super::super::accounts::new_id;
use super::super::audit::{Act, record};
use super::super::error::ServiceError;
use super::super::sessions::{Session, at_most};
use super::super::storage::commit_failed;
use super::authorize::GRANT_LIFE;
use super::client::App;
use super::error::OauthError;
use super::token::{Minted, TokenAnswer, TokenRequest};

/// How a program says that it waits.
pub(super) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// How long a user has to answer: to find a browser, sign in and type a code.
const DEVICE_LIFE: Millis = 15 * 60 * 1000;
/// How often a program may ask, and how much seldomer after it has asked too often.
const INTERVAL: Millis = 5_000;
/// How much earlier a question may come: networks are not even.
const EARLY: Millis = 500;
/// Programs that wait at a time. Anybody may begin one, and each is a few hundred bytes.
const MAX_WAITING: usize = 1000;
/// Characters of the code that the program keeps; each carries 5.95 bits.
const DEVICE_CHARS: usize = 43;
/// Letters of the code that the user types: none that look alike, and no vowel that makes a word of them.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters in it: 20^8 are 25 billion, of which a thousand are right for minutes.
const USER_CHARS: usize = 8;

/// What a program is told that wants its user to sign in.
#[derive(Debug)]
pub struct DeviceCode {
    /// What it asks with.
    pub device_code: String,
    /// What it shows.
    pub user_code: String,
    /// Seconds for which both hold.
    pub expires_in: u64,
    /// Seconds between two questions.
    pub interval: u64,
}

/// What a program wants of its user.
#[derive(Debug, Clone)]
pub struct DeviceQuestion {
    /// For what.
    pub scopes: Scopes,
}

/// Programs that wait, by what they ask with.
#[derive(Default)]
pub(in crate::service) struct DeviceRequests {
    waiting: Mutex<HashMap<TokenHash, Waiting>>,
}

struct Waiting {
    app: App,
    /// The letters alone.
    user_code: String,
    expires_at: Millis,
    /// When it may ask next, and how long it has to wait then.
    next: Millis,
    interval: Millis,
    answer: Option<Answer>,
}

#[derive(Clone, Copy)]
enum Answer {
    No,
    Yes { account: AccountId, role: TokenRole, since: Millis },
}

impl Control {
    /// Begins to wait for the user of a program. Only the command line may: a Space has addresses to send its users back to.
    pub fn device_code(&self, client_id: &str) -> Result<DeviceCode, OauthError> {
        let app = self.app(client_id)?.filter(|app| app.space.is_none());
        let unknown = || OauthError::InvalidClient("there is no such client, or it needs no device code".to_owned());
        let app = app.ok_or_else(unknown)?;
        let now = self.inner.clock.now();
        let mut rng = rand::rng();
        let device_code: String = (&mut rng).sample_iter(Alphanumeric).take(DEVICE_CHARS).map(char::from).collect();
        let mut waiting = self.inner.devices.waiting.lock();
        waiting.retain(|_, one| one.expires_at > now);
        if waiting.len() >= MAX_WAITING {
            let busy = "Too many programs wait for their users to sign in: try again in some minutes";
            return Err(ServiceError::Unavailable(busy.to_owned()).into());
        }
        let user_code = loop {
            let code: String =
                (0..USER_CHARS).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())])).collect();
            if waiting.values().all(|one| one.user_code != code) {
                break code;
            }
        };
        let shown = format!("{}-{}", &user_code[..USER_CHARS / 2], &user_code[USER_CHARS / 2..]);
        let expires_at = now + DEVICE_LIFE;
        let one = Waiting { app, user_code, expires_at, next: now, interval: INTERVAL, answer: None };
        waiting.insert(hash(&device_code), one);
        let (expires_in, interval) = (DEVICE_LIFE / 1000, INTERVAL / 1000);
        Ok(DeviceCode { device_code, user_code: shown, expires_in, interval })
    }

    /// What the program wants that shows this code; `None`: no program does.
    pub fn device_question(&self, user_code: &str) -> Option<DeviceQuestion> {
        let (code, now) = (letters(user_code), self.inner.clock.now());
        let waiting = self.inner.devices.waiting.lock();
        let one = waiting.values().find(|one| one.is_open(&code, now))?;
        Some(DeviceQuestion { scopes: one.app.scopes() })
    }

    /// The user answers the program that shows this code; whether there is such a one.
    pub fn answer_device(&self, session: &Session, user_code: &str, has_agreed: bool) -> bool {
        let (code, now) = (letters(user_code), self.inner.clock.now());
        let mut waiting = self.inner.devices.waiting.lock();
        let Some(one) = waiting.values_mut().find(|one| one.is_open(&code, now)) else { return false };
        let (account, role, since) = (session.user.id, session.user.role, session.since);
        one.answer = Some(if has_agreed { Answer::Yes { account, role, since } } else { Answer::No });
        tracing::info!(user = %session.user.name, has_agreed, "a user answers a program that wants to act for them");
        true
    }

    /// What a program is told that asks whether its user has answered.
    pub(super) async fn device_tokens(
        &self,
        client: Option<(App, bool)>,
        request: TokenRequest,
    ) -> Result<TokenAnswer, OauthError> {
        let missing = |name: &str| OauthError::InvalidRequest(format!("{name} is missing"));
        let shown = request.device_code.as_deref().ok_or_else(|| missing("device_code"))?;
        let (client, _) = client.ok_or_else(|| missing("client_id"))?;
        let (app, answer) = self.taken(&hash(shown), &client)?;
        let Answer::Yes { account, role, since } = answer else {
            return Err(OauthError::AccessDenied("the user said no".to_owned()));
        };
        let now = self.inner.clock.now();
        let (key, scopes) = ((account, SignInId::from_bytes(new_id(now))), app.scopes());
        let begun = OauthGrant {
            space: None,
            role: at_most(scopes.role(), role),
            scopes: scopes.to_string(),
            auth_time: since,
            created_at: now,
            expires_at: now + GRANT_LIFE,
            stage: GrantStage::Tokens { refresh: hash(shown), access: Vec::new(), needs_secret: false },
        };
        let minted = Minted { needs_secret: false, access: Vec::new(), nonce: None };
        let (grant, answer) = self.mint(&app, key, &begun, minted)?;
        let user = self.inner.accounts.account_by_id(account)?.map(|account| account.name.to_string());
        let by = AuditActor::User(account, user.unwrap_or_default());
        let mut batch = Batch::default();
        record(
            &self.inner.db,
            now,
            by,
            Act::new("oauth.sign_in").to(&app.id).with("scopes", &grant.scopes),
            &mut batch,
        );
        self.make_room(&mut batch, account)?;
        batch.insert_new(self.inner.db.oauth_grants(), &key, &grant);
        self.inner.db.commit(batch).await.map_err(commit_failed)?;
        Ok(answer)
    }

    /// Takes the answer that a program waits for, which it gets once.
    fn taken(&self, device: &TokenHash, client: &App) -> Result<(App, Answer), OauthError> {
        let now = self.inner.clock.now();
        let mut waiting = self.inner.devices.waiting.lock();
        let found = waiting.get_mut(device).filter(|one| one.expires_at > now && one.app.id == client.id);
        let one = found.ok_or(OauthError::ExpiredToken)?;
        let Some(answer) = one.answer else {
            let is_early = now + EARLY < one.next;
            if is_early {
                one.interval += INTERVAL;
            }
            one.next = now + one.interval;
            return Err(if is_early { OauthError::SlowDown } else { OauthError::AuthorizationPending });
        };
        let app = one.app.clone();
        waiting.remove(device);
        Ok((app, answer))
    }
}

impl Waiting {
    fn is_open(&self, code: &str, now: Millis) -> bool {
        self.user_code == code && self.expires_at > now && self.answer.is_none()
    }
}

/// A code as a user types it, less what it is easier to type with.
fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_uppercase()).take(USER_CHARS + 1).collect()
}

fn hash(device_code: &str) -> TokenHash {
    TokenHash(Sha256::digest(device_code.as_bytes()).into())
}
