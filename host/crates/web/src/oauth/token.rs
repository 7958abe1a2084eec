//! The exchange of codes and refresh tokens for tokens, and what a token tells of its user.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use spaceport_control::service::{OauthError, TokenRequest};

use super::words;
use crate::auth::token;
use crate::error::{X_ERROR_CODE, X_ERROR_MESSAGE, header_text};
use crate::extract::Form;
use crate::router::AppState;

/// Every parameter that is read.
const NAMES: [&str; 9] = [
    "grant_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "device_code",
    "refresh_token",
    "scope",
    "client_id",
    "client_secret",
];

/// Tokens for a code, or for a refresh token.
pub(crate) async fn exchange(State(app): State<AppState>, headers: HeaderMap, Form(form): Form) -> Response {
    let get = |name: &str| form.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
    let mut request = TokenRequest {
        grant_type: get("grant_type"),
        code: get("code"),
        redirect_uri: get("redirect_uri"),
        code_verifier: get("code_verifier"),
        device_code: get("device_code"),
        refresh_token: get("refresh_token"),
        scope: get("scope"),
        client_id: get("client_id"),
        client_secret: get("client_secret"),
        is_repeated: NAMES.iter().any(|name| form.all(name).len() > 1),
    };
    let is_basic = headers.contains_key(header::AUTHORIZATION);
    let answer = match by_header(&headers, &mut request) {
        Ok(()) => app.control.oauth_tokens(request).await,
        Err(error) => Err(error),
    };
    let response = match answer {
        Ok(tokens) => Json(json!({
            "access_token": tokens.access_token,
            "token_type": "bearer",
            "expires_in": tokens.expires_in,
            "refresh_token": tokens.refresh_token,
            "id_token": tokens.id_token,
            "scope": tokens.scope,
        }))
        .into_response(),
        Err(error) => refused(&error, is_basic),
    };
    not_kept(response)
}

/// What the bearer of a token may know of its user.
pub(crate) async fn profile(State(app): State<AppState>, headers: HeaderMap) -> Response {
    let told = match token(&headers) {
        Some(token) => app.control.oauth_profile(&token),
        None => Err(OauthError::InvalidToken),
    };
    not_kept(match told {
        Ok(profile) => Json(Value::Object(profile.0)).into_response(),
        Err(error) => refused(&error, false),
    })
}

/// A client's id and secret, where they stand in the header: each encoded as in a form.
pub(super) fn by_header(headers: &HeaderMap, request: &mut TokenRequest) -> Result<(), OauthError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(()) };
    let wrong = || OauthError::InvalidClient("write Authorization: Basic with the client's id and secret".to_owned());
    let (scheme, rest) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(wrong)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(wrong());
    }
    let pair = BASE64_STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = pair.ok_or_else(wrong)?;
    let (id, secret) = pair.split_once(':').ok_or_else(wrong)?;
    let (id, secret) = (form_decoded(id), form_decoded(secret));
    let is_other = request.client_id.as_ref().is_some_and(|named| *named != id);
    if is_other || request.client_secret.is_some() {
        return Err(OauthError::InvalidRequest("the client is named twice".to_owned()));
    }
    request.client_id = Some(id);
    // A client that keeps no secret sends an empty one.
    request.client_secret = (!secret.is_empty()).then_some(secret);
    Ok(())
}

fn form_decoded(text: &str) -> String {
    let plus = text.replace('+', " ");
    percent_encoding::percent_decode_str(&plus).decode_utf8_lossy().into_owned()
}

pub(super) fn refused(error: &OauthError, is_basic: bool) -> Response {
    let status = match error {
        OauthError::InvalidClient(_) | OauthError::InvalidToken => StatusCode::UNAUTHORIZED,
        OauthError::Service(_) if error.code() == "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        OauthError::Service(error) => {
            tracing::error!(?error, "a sign-in at a Space failed");
            StatusCode::INTERNAL_SERVER_ERROR
        }
        _ => StatusCode::BAD_REQUEST,
    };
    let body = json!({ "error": error.code(), "error_description": words(error) });
    let mut response = (status, Json(body)).into_response();
    // Where every other refusal has them, too.
    response.headers_mut().insert(X_ERROR_CODE, header_text(error.code()));
    response.headers_mut().insert(X_ERROR_MESSAGE, header_text(&words(error)));
    let challenge = match error {
        OauthError::InvalidToken => Some(header_text(&format!("Bearer error=\"{}\"", error.code()))),
        OauthError::InvalidClient(_) if is_basic => Some(HeaderValue::from_static("Basic realm=\"spaceport\"")),
        _ => None,
    };
    if let Some(challenge) = challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Tokens are for their bearer, and for no store on the way.
pub(super) fn not_kept(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
