//! From the headers of a request to who makes it: a bearer token, a token as the password of HTTP Basic (as git sends
//! it, with any user name), or `X-HF-Authorization`, by which clients leave `Authorization` to the app. A cookie counts only
//! beside a header that no page of another site can know, so that none can act for a visitor; see [`crate::session`].

use std::sync::Arc;

use axum::extract::FromRequestParts;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode, header};
use spaceport_control::service::{OauthBearer, Session, SignedIn};
use spaceport_core::id::SpaceId;
use spaceport_core::permission::{Action, Actor, TokenRole};

use crate::error::ApiError;
use crate::middleware::ActorNote;
use crate::router::AppState;
use crate::session;

/// Where clients put the hub's token when `Authorization` is the app's.
pub(crate) const X_HF_AUTHORIZATION: HeaderName = HeaderName::from_static("x-hf-authorization");

/// Who makes the request.
pub(crate) struct Caller(pub(crate) Actor);

/// Who looks after an account, its own or an organization's: not an application that its user has let in, and not a token
/// that is for some Spaces alone.
pub(crate) struct Manager(pub(crate) Actor);

/// A request that somebody has signed.
pub(crate) struct Signed(pub(crate) Arc<SignedIn>);

/// Who makes a request whose answer goes on for as long as somebody listens.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) actor: Actor,
    known_by: KnownBy,
}

/// By what a listener is known, now and later.
#[derive(Clone)]
enum KnownBy {
    Nothing,
    Token(String),
    Session(Session),
}

impl Listener {
    /// Whether they may do this with a Space now, with a token that is good now.
    pub(crate) fn may(&self, app: &AppState, action: Action, space: SpaceId) -> bool {
        let user = match &self.known_by {
            KnownBy::Nothing => return app.control.may(&Actor::Nobody, action, space).unwrap_or(false),
            KnownBy::Token(token) => app.control.accounts().authenticate(token).map(|found| found.map(|it| it.user)),
            KnownBy::Session(session) => app.control.renewed(session).map(|found| found.map(|it| it.user)),
        };
        let Ok(Some(user)) = user else { return false };
        let actor = Actor::User(user);
        app.control.may(&actor, action, space).unwrap_or(false)
    }
}

/// Left in a request by [`crate::rate`], which has looked up the token already.
#[derive(Clone)]
pub(crate) struct Known(pub(crate) Arc<SignedIn>);

/// The token that a request carries, if it carries any.
pub(crate) fn token(headers: &HeaderMap) -> Option<String> {
    [&X_HF_AUTHORIZATION, &header::AUTHORIZATION]
        .into_iter()
        .filter_map(|name| headers.get(name)?.to_str().ok())
        .find_map(credentials)
}

/// Who is known by the token of an application, if the request carries one.
pub(crate) fn oauth_bearer(app: &AppState, headers: &HeaderMap) -> Result<Option<OauthBearer>, ApiError> {
    match token(headers) {
        Some(token) => Ok(app.control.accounts().oauth_bearer(&token)?),
        None => Ok(None),
    }
}

fn credentials(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64_STANDARD.decode(rest).ok()?).ok()?;
    let (_, password) = pair.split_once(':')?;
    Some(password.to_owned())
}

/// Refuses what is no token for a whole account.
pub(crate) fn only_for_spaces() -> ApiError {
    let message = "This token is for Spaces: sign in with one of yours that is for your whole account";
    ApiError::new(StatusCode::FORBIDDEN, "Forbidden", message)
}

async fn signed_in(parts: &Parts, state: &AppState) -> Result<Option<Arc<SignedIn>>, ApiError> {
    let signed = match (token(&parts.headers), parts.extensions.get::<Known>()) {
        (Some(_), Some(Known(signed))) => signed.clone(),
        (Some(token), None) => match state.control.accounts().authenticate(&token)? {
            Some(signed) => Arc::new(signed),
            // An application that may know who its user is and nothing else sees what everybody sees.
            None if state.control.accounts().oauth_bearer(&token)?.is_some() => return Ok(None),
            None => return Err(ApiError::invalid_token()),
        },
        (None, _) => match session::proven(&parts.headers, state)? {
            Some(session) => Arc::new(session.as_signed_in()),
            None => return Ok(None),
        },
    };
    if let Some(note) = parts.extensions.get::<ActorNote>() {
        // The first extractor of a request has written it already.
        let _ = note.0.set(signed.user.name.to_string());
    }
    Ok(Some(signed))
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let actor = signed_in(parts, state).await?.map_or(Actor::Nobody, |signed| Actor::User(signed.user.clone()));
        Ok(Self(actor))
    }
}

impl FromRequestParts<AppState> for Manager {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Caller(actor) = Caller::from_request_parts(parts, state).await?;
        let is_application = oauth_bearer(state, &parts.headers)?.is_some_and(|bearer| bearer.space.is_some());
        let is_limited = matches!(&actor, Actor::User(user) if user.role == TokenRole::FineGrained);
        if is_application || is_limited {
            return Err(only_for_spaces());
        }
        Ok(Self(actor))
    }
}

impl FromRequestParts<AppState> for Listener {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Caller(actor) = Caller::from_request_parts(parts, state).await?;
        let known_by = match token(&parts.headers) {
            Some(token) => KnownBy::Token(token),
            None => session::proven(&parts.headers, state)?.map_or(KnownBy::Nothing, KnownBy::Session),
        };
        Ok(Self { actor, known_by })
    }
}

impl FromRequestParts<AppState> for Signed {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        signed_in(parts, state).await?.map(Self).ok_or_else(ApiError::sign_in)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_send_a_token_is_understood() {
        let basic = format!("Basic {}", BASE64_STANDARD.encode("anything:sp_x"));
        for (name, value) in [
            ("authorization", "Bearer sp_x"),
            ("authorization", "bearer  sp_x"),
            ("authorization", basic.as_str()),
            ("x-hf-authorization", "Bearer sp_x"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(name), value.parse().unwrap());
            assert_eq!(token(&headers).as_deref(), Some("sp_x"), "{name}: {value}");
        }
        assert_eq!(token(&HeaderMap::new()), None);
    }
}
