//! Browsers in which a user is signed in: the cookie, and what makes a form or a call one of our own pages'.
//!
//! A cookie goes with every request that a browser makes, whoever's page makes it, so alone it shows pages and nothing more.
//! What changes something also carries a token that only a page of this hub was told, and does not come from elsewhere by
//! what the browser itself says of it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use rand::Rng;
use rand::distr::Alphanumeric;
use spaceport_control::service::{NewSession, Session};
use spaceport_core::permission::Actor;
use url::Url;

use crate::auth::{Caller, token};
use crate::error::{ApiError, ApiResult};
use crate::router::AppState;

/// Where a page's script puts the token of its page.
pub(crate) const X_CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The cookie of a session.
const SESSION: &str = "spaceport-session";
/// The cookie of a visitor who is about to sign in.
const VISITOR: &str = "spaceport-visitor";
/// By which browsers keep other hosts of the domain from setting a cookie; they do so over TLS only.
const HOST_ONLY: &str = "__Host-";
/// Characters of a visitor's cookie.
const VISITOR_CHARS: usize = 32;
/// Longest address to go on to: that of a Space's question to a user has all its parameters in it.
const MAX_NEXT: usize = 8192;

/// Who looks at a page: by a token, or by the browser's session.
pub(crate) struct Visitor {
    pub(crate) actor: Actor,
    pub(crate) session: Option<Session>,
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        if token(&parts.headers).is_some() {
            let Caller(actor) = Caller::from_request_parts(parts, state).await?;
            return Ok(Self { actor, session: None });
        }
        let session = found(&parts.headers, state)?;
        let actor = session.as_ref().map_or(Actor::Nobody, |session| Actor::User(session.user.clone()));
        Ok(Self { actor, session })
    }
}

/// The text by which a visitor who is not signed in is known, if the browser has one.
pub(crate) struct VisitorSeed(pub(crate) Option<String>);

impl FromRequestParts<AppState> for VisitorSeed {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let seed = cookies(&parts.headers, &cookie_name(state, VISITOR)).next();
        Ok(Self(seed.filter(|seed| seed.len() == VISITOR_CHARS).map(str::to_owned)))
    }
}

/// The session of a request.
fn found(headers: &HeaderMap, app: &AppState) -> ApiResult<Option<Session>> {
    for shown in cookies(headers, &cookie_name(app, SESSION)) {
        if let Some(session) = app.control.session(shown)? {
            return Ok(Some(session));
        }
    }
    Ok(None)
}

/// The session of a call that a page of ours makes, and no other: it shows the token of that page.
pub(crate) fn proven(headers: &HeaderMap, app: &AppState) -> ApiResult<Option<Session>> {
    let Some(shown) = headers.get(X_CSRF_TOKEN).and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let session = found(headers, app)?;
    Ok(session.filter(|session| app.control.is_form_of(session, shown) && is_from_here(headers, app)))
}

/// Refuses a form that no page of ours has sent in this session.
pub(crate) fn check_form(headers: &HeaderMap, app: &AppState, session: &Session, token: &str) -> ApiResult<()> {
    if app.control.is_form_of(session, token) && is_from_here(headers, app) { Ok(()) } else { Err(foreign_form()) }
}

/// The same for a visitor who has not signed in.
pub(crate) fn check_visitor_form(headers: &HeaderMap, app: &AppState, seed: &str, token: &str) -> ApiResult<()> {
    let is_ours = app.control.is_form_of_visitor(seed, token) && is_from_here(headers, app);
    if is_ours { Ok(()) } else { Err(foreign_form()) }
}

fn foreign_form() -> ApiError {
    let message = "This form is too old, or was not sent by a page of this host: open the page again";
    ApiError::new(StatusCode::FORBIDDEN, "ForeignForm", message)
}

/// What the browser says of the page that sends a request. Programs that are no browsers say nothing.
fn is_from_here(headers: &HeaderMap, app: &AppState) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text(&SEC_FETCH_SITE), text(&header::ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin == app.control.addresses().hub_url(),
        (None, None) => true,
    }
}

/// The cookie that signs a browser in.
pub(crate) fn session_cookie(app: &AppState, new: &NewSession) -> HeaderValue {
    set_cookie(app, SESSION, &new.cookie, Some(new.lifetime.as_secs()))
}

/// The cookie that signs it out.
pub(crate) fn no_session_cookie(app: &AppState) -> HeaderValue {
    set_cookie(app, SESSION, "", Some(0))
}

/// A new text for a visitor, with its cookie, which goes when the browser is closed.
fn new_visitor(app: &AppState) -> (String, HeaderValue) {
    let seed: String = rand::rng().sample_iter(Alphanumeric).take(VISITOR_CHARS).map(char::from).collect();
    let cookie = set_cookie(app, VISITOR, &seed, None);
    (seed, cookie)
}

/// The text of a visitor; one who has none gets it with this cookie.
pub(crate) fn known_visitor(app: &AppState, seed: Option<String>) -> (String, Option<HeaderValue>) {
    match seed {
        Some(seed) => (seed, None),
        None => {
            let (seed, cookie) = new_visitor(app);
            (seed, Some(cookie))
        }
    }
}

fn set_cookie(app: &AppState, name: &str, value: &str, max_age: Option<u64>) -> HeaderValue {
    let name = cookie_name(app, name);
    let secure = if is_secure(app) { "; Secure" } else { "" };
    let life = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{life}{secure}");
    HeaderValue::try_from(text).expect("letters, digits and what stands here are valid in a header")
}

fn cookie_name(app: &AppState, name: &str) -> String {
    let prefix = if is_secure(app) { HOST_ONLY } else { "" };
    format!("{prefix}{name}")
}

fn is_secure(app: &AppState) -> bool {
    app.control.addresses().scheme == "https"
}

/// The values of a cookie; HTTP/2 may send each in a header of its own.
fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(found, _)| *found == name).map(|(_, value)| value)
}

/// Where to go on to after signing in: a path of this hub, as browsers read it, and nowhere else.
pub(crate) fn own_path(next: Option<&str>) -> String {
    const FRONT: &str = "/";
    let is_plain = |text: &&str| {
        let has_odd = text.contains(|c: char| c.is_ascii_control() || c == '\\' || c == ' ');
        text.len() <= MAX_NEXT && text.starts_with('/') && !text.starts_with("//") && !has_odd
    };
    let Some(next) = next.filter(is_plain) else { return FRONT.to_owned() };
    let base = Url::parse("http://hub.invalid/").expect("it is one");
    match base.join(next) {
        Ok(url) if url.origin() == base.origin() && !url.path().starts_with("//") => {
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            format!("{}{query}", url.path())
        }
        _ => FRONT.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_on_to_paths_of_this_hub_only() {
        for (next, path) in [
            (Some("/spaces/ada/page?x=1"), "/spaces/ada/page?x=1"),
            (Some("/oauth/authorize?redirect_uri=http%3A%2F%2Fa.b%2F&state=%2F%2F"), ""),
            (Some("/a/../b"), "/b"),
            (None, "/"),
            (Some(""), "/"),
            (Some("spaces"), "/"),
            (Some("//evil.example/"), "/"),
            (Some("/\\evil.example/"), "/"),
            (Some("/\t/evil.example/"), "/"),
            (Some("/x/..//evil.example/"), "/"),
            (Some("/.//evil.example/"), "/"),
            (Some("http://evil.example/"), "/"),
            (Some("javascript:alert(1)"), "/"),
            (Some(&format!("/{}", "x".repeat(MAX_NEXT))), "/"),
        ] {
            let expected = if path.is_empty() { next.unwrap_or_default() } else { path };
            assert_eq!(own_path(next), expected, "{next:?}");
        }
    }

    #[test]
    fn a_cookie_is_found_wherever_it_stands() {
        let mut headers = HeaderMap::new();
        headers.append("cookie", "a=1; spaceport-session=x; spaceport-session-2=y".parse().unwrap());
        headers.append("cookie", "spaceport-session=z".parse().unwrap());
        assert_eq!(cookies(&headers, SESSION).collect::<Vec<_>>(), ["x", "z"]);
        assert_eq!(cookies(&headers, "b").count(), 0);
    }
}
