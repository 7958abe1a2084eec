//! What an application asks a user for, and the code it gets when the user agrees.

use spaceport_core::id::{AccountId, SignInId};
use spaceport_core::lifecycle::Millis;
use spaceport_core::oauth::Scopes;
use spaceport_core::permission::Actor;
use spaceport_core::space::Space;
use spaceport_db::{Batch, GrantStage, OauthConsent, OauthGrant};

use super::super::Control;
use super::super::accounts::new_id;
use super::super::audit::Act;
use super::super::error::ServiceError;
use super::super::sessions::{Session, at_most};
use super::super::storage::{commit_failed, read_failed};
use super::client::App;
use super::credential::{Credential, Kind};
use super::error::OauthError;
use super::token::end_of;

/// How long a code holds: an application turns it into tokens as soon as the browser brings it.
const CODE_LIFE: Millis = 60 * 1000;
/// How long tokens can be refreshed after a sign-in: a month, as long as the longest token may hold.
pub(super) const GRANT_LIFE: Millis = 30 * 24 * 60 * 60 * 1000;
/// Sign-ins at Spaces that one user has at a time; the oldest goes. More than anybody makes in a month.
pub(super) const MAX_GRANTS: usize = 100;
/// Longest `state`; libraries put some JSON into it. It is only sent back.
const MAX_STATE: usize = 4096;
/// Longest `nonce`; it goes into a token.
const MAX_NONCE: usize = 512;
/// Characters of a challenge: SHA-256 in base64.
const CHALLENGE: usize = 43;

/// What an application asks for, as it was sent.
#[derive(Debug, Clone, Default)]
pub struct AuthorizeRequest {
    /// Who asks.
    pub client_id: Option<String>,
    /// Where the user is to be sent back.
    pub redirect_uri: Option<String>,
    /// `code`.
    pub response_type: Option<String>,
    /// How it is answered; only `query`.
    pub response_mode: Option<String>,
    /// For what; without it, for everything that the application may ask for.
    pub scope: Option<String>,
    /// Sent back as it is.
    pub state: Option<String>,
    /// Goes into the id token.
    pub nonce: Option<String>,
    /// PKCE.
    pub code_challenge: Option<String>,
    /// PKCE; only `S256`.
    pub code_challenge_method: Option<String>,
    /// Whether the user is to be asked.
    pub prompt: Option<String>,
    /// Seconds since which the user must have signed in.
    pub max_age: Option<String>,
    /// Whether something was written twice.
    pub is_repeated: bool,
    /// Whether there is a signed object with parameters.
    pub has_object: bool,
}

/// Whether the user is to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// If need be.
    Auto,
    /// Not at all.
    None,
    /// To sign in again.
    Login,
    /// To agree again.
    Consent,
}

/// What an application asks for, checked: it exists, the address is its own, and it may ask for this.
#[derive(Debug, Clone)]
pub struct Authorization {
    pub(super) app: App,
    space: Space,
    title: Option<String>,
    /// Where the user is sent back.
    pub redirect_uri: String,
    /// Sent back as it is.
    pub state: Option<String>,
    /// For what.
    pub scopes: Scopes,
    /// Whether the user is to be asked.
    pub prompt: Prompt,
    max_age: Option<u64>,
    nonce: Option<String>,
    challenge: Option<String>,
    /// The address as it was written, which the application must repeat.
    written_uri: String,
}

/// Why an application's request goes no further.
#[derive(Debug)]
pub enum AuthorizeRefusal {
    /// Nobody is to be sent anywhere: who asks is unknown, or the address is not theirs. A sentence for the user.
    Untrusted(String),
    /// The application is told.
    Told {
        /// Where.
        redirect_uri: String,
        /// Sent back as it is.
        state: Option<String>,
        /// Why.
        error: OauthError,
    },
    /// The host failed.
    Failed(ServiceError),
}

/// What a user's answer is, as far as it is known.
#[derive(Debug)]
pub enum Granted {
    /// The application's code.
    Code(String),
    /// The user has to be asked.
    Ask,
}

impl From<ServiceError> for AuthorizeRefusal {
    fn from(error: ServiceError) -> Self {
        Self::Failed(error)
    }
}

impl Authorization {
    /// The Space that asks.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// What the Space calls itself.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// The refusal to be told to the application.
    pub fn refuse(&self, error: OauthError) -> AuthorizeRefusal {
        AuthorizeRefusal::Told { redirect_uri: self.redirect_uri.clone(), state: self.state.clone(), error }
    }
}

impl Control {
    /// Checks what an application asks for.
    pub fn authorization(&self, request: AuthorizeRequest) -> Result<Authorization, AuthorizeRefusal> {
        let untrusted = |text: &str| AuthorizeRefusal::Untrusted(text.to_owned());
        let client_id = request.client_id.as_deref().ok_or_else(|| untrusted("client_id is missing"))?;
        let app = self.app(client_id)?;
        let unknown = || untrusted("There is no Space of this client_id that signs users in");
        let app = app.ok_or_else(unknown)?;
        let (space, manifest) = app.space.clone().ok_or_else(unknown)?;
        let title = manifest.title.clone();
        let written_uri = request.redirect_uri.clone().ok_or_else(|| untrusted("redirect_uri is missing"))?;
        let Some(target) = self.own_redirect(&app, &written_uri) else {
            let message = format!("redirect_uri is not an address of {}", space.path);
            return Err(AuthorizeRefusal::Untrusted(message));
        };
        let state = request.state.clone();
        let told = |error| AuthorizeRefusal::Told { redirect_uri: target.url.clone(), state: state.clone(), error };
        let asked = check(&app, &request).map_err(told)?;
        let (nonce, challenge) = (request.nonce, request.code_challenge);
        let Asked { scopes, prompt, max_age } = asked;
        let redirect_uri = target.url;
        let state = request.state;
        Ok(Authorization {
            app,
            space,
            title,
            redirect_uri,
            state,
            scopes,
            prompt,
            max_age,
            nonce,
            challenge,
            written_uri,
        })
    }

    /// Whether too long has passed for an application since a user signed in.
    pub fn must_sign_in_again(&self, session: &Session, asked: &Authorization) -> bool {
        let passed = self.inner.clock.now().saturating_sub(session.since);
        asked.max_age.is_some_and(|seconds| passed > seconds.saturating_mul(1000))
    }

    /// The code for a user who has agreed before; whether the user has to be asked, else.
    pub async fn authorize(&self, session: &Session, asked: &Authorization) -> Result<Granted, OauthError> {
        self.check_user(&asked.app, &session.user)?;
        let key = (session.user.id, asked.space.id);
        let consent = self.inner.db.oauth_consents().get(&key).map_err(read_failed)?;
        let has_agreed = consent.is_some_and(|consent| Scopes::parse(&consent.scopes).includes(&asked.scopes));
        if !has_agreed || asked.prompt == Prompt::Consent {
            return Ok(Granted::Ask);
        }
        self.grant(session, asked).await.map(Granted::Code)
    }

    /// The user agrees: remembers that, and makes the code.
    pub async fn grant(&self, session: &Session, asked: &Authorization) -> Result<String, OauthError> {
        self.check_user(&asked.app, &session.user)?;
        let (db, now, account) = (&self.inner.db, self.inner.clock.now(), session.user.id);
        let space = asked.space.id;
        let grant = SignInId::from_bytes(new_id(now));
        let code = Credential::generate(Kind::Code, account, grant);
        let act = Act::on("oauth.sign_in", &asked.space).with("scopes", &asked.scopes);
        let mut batch = self.noted(&Actor::User(session.user.clone()), act);
        self.make_room(&mut batch, account)?;
        let before = db.oauth_consents().get(&(account, space)).map_err(read_failed)?;
        let agreed = before.map_or_else(Scopes::default, |before| Scopes::parse(&before.scopes));
        let consent = OauthConsent { scopes: agreed.and(&asked.scopes).to_string(), at: now };
        batch.put(db.oauth_consents(), &(account, space), &consent);
        let row = OauthGrant {
            space: Some(space),
            scopes: asked.scopes.to_string(),
            role: at_most(asked.scopes.role(), session.user.role),
            auth_time: session.since,
            created_at: now,
            expires_at: now + GRANT_LIFE,
            stage: GrantStage::Code {
                code: code.hash,
                expires_at: now + CODE_LIFE,
                redirect_uri: asked.written_uri.clone(),
                challenge: asked.challenge.clone(),
                nonce: asked.nonce.clone(),
            },
        };
        batch.insert_new(db.oauth_grants(), &(account, grant), &row);
        db.commit(batch).await.map_err(commit_failed)?;
        tracing::info!(user = %session.user.name, space = %asked.space.path, "a user signs in at a Space");
        Ok(code.text)
    }

    /// Removes sign-ins of a user that have ended, and the oldest if there would be too many.
    pub(super) fn make_room(&self, batch: &mut Batch, user: AccountId) -> Result<(), ServiceError> {
        let now = self.inner.clock.now();
        let table = self.inner.db.oauth_grants();
        let mut grants = table.under(&user).map_err(read_failed)?;
        grants.sort_by_key(|(_, grant)| (end_of(grant) > now, grant.created_at));
        let ended = grants.iter().filter(|(_, grant)| end_of(grant) <= now).count();
        let excess = (grants.len() + 1).saturating_sub(MAX_GRANTS);
        for (key, _) in grants.iter().take(ended.max(excess)) {
            batch.delete(table, key);
        }
        Ok(())
    }
}

struct Asked {
    scopes: Scopes,
    prompt: Prompt,
    max_age: Option<u64>,
}

/// Whatever may be wrong with a request whose sender and address are known.
fn check(app: &App, request: &AuthorizeRequest) -> Result<Asked, OauthError> {
    let invalid = |text: &str| OauthError::InvalidRequest(text.to_owned());
    if request.is_repeated {
        return Err(invalid("a parameter is written twice"));
    }
    if request.has_object {
        return Err(OauthError::RequestNotSupported);
    }
    if request.response_type.as_deref() != Some("code") {
        return Err(match request.response_type {
            Some(_) => OauthError::UnsupportedResponseType,
            None => invalid("response_type is missing: write code"),
        });
    }
    if request.response_mode.as_deref().is_some_and(|mode| mode != "query") {
        return Err(invalid("response_mode is not offered: leave it out, or write query"));
    }
    let is_too_long = |text: &Option<String>, most| text.as_ref().is_some_and(|text| text.len() > most);
    if is_too_long(&request.state, MAX_STATE) || is_too_long(&request.nonce, MAX_NONCE) {
        return Err(invalid("state or nonce is too long"));
    }
    check_challenge(app, request)?;
    let max_age = match &request.max_age {
        Some(text) => Some(text.parse().map_err(|_| invalid("max_age is no number of seconds"))?),
        None => None,
    };
    Ok(Asked { scopes: scopes(app, request)?, prompt: prompt(request)?, max_age })
}

/// PKCE: what an application that keeps no secret must use, and others may.
fn check_challenge(app: &App, request: &AuthorizeRequest) -> Result<(), OauthError> {
    let invalid = |text: &str| Err(OauthError::InvalidRequest(text.to_owned()));
    match (&request.code_challenge, request.code_challenge_method.as_deref()) {
        (Some(challenge), Some("S256")) => {
            let is_digest = challenge.len() == CHALLENGE
                && challenge.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
            if is_digest { Ok(()) } else { invalid("code_challenge is no SHA-256 in base64url") }
        }
        (Some(_), _) => invalid("code_challenge_method is not offered: write S256"),
        (None, Some(_)) => invalid("code_challenge is missing"),
        (None, None) if app.is_public() => {
            invalid("a static Space keeps no secret: send code_challenge, and code_challenge_method=S256")
        }
        (None, None) => Ok(()),
    }
}

fn scopes(app: &App, request: &AuthorizeRequest) -> Result<Scopes, OauthError> {
    let offered = app.scopes();
    let Some(text) = request.scope.as_deref().filter(|text| !text.trim().is_empty()) else { return Ok(offered) };
    let asked = Scopes::parse(text).with_identity();
    if offered.includes(&asked) {
        return Ok(asked);
    }
    let message = format!("this Space may ask for {offered}: add others to hf_oauth_scopes in its README");
    Err(OauthError::InvalidScope(message))
}

fn prompt(request: &AuthorizeRequest) -> Result<Prompt, OauthError> {
    let words: Vec<&str> = request.prompt.as_deref().unwrap_or_default().split_ascii_whitespace().collect();
    match words.as_slice() {
        ["none"] => Ok(Prompt::None),
        words if words.contains(&"none") => {
            Err(OauthError::InvalidRequest("prompt=none goes with nothing else".to_owned()))
        }
        words if words.contains(&"login") || words.contains(&"select_account") => Ok(Prompt::Login),
        words if words.contains(&"consent") => Ok(Prompt::Consent),
        _ => Ok(Prompt::Auto),
    }
}
