//! Errors as git clients show them: plain text, and the word to ask for a password where one may help.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;
use spaceport_control::service::ServiceError;
use spaceport_core::permission::Actor;

use super::lfs::LFS_JSON;
use crate::error::{ApiError, X_ERROR_MESSAGE};

/// What a client is asked for.
pub(super) const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"Spaceport\", charset=\"UTF-8\"");

/// The same, for what git-lfs asks.
const LFS_AUTHENTICATE: HeaderName = HeaderName::from_static("lfs-authenticate");

/// An error for a git client.
#[derive(Debug)]
pub(crate) struct GitRefusal(pub(super) ApiError);

impl GitRefusal {
    /// For `map_err`: as it may be told to this actor.
    pub(crate) fn for_actor<E: Into<ApiError>>(actor: &Actor) -> impl Fn(E) -> Self {
        let told = crate::api::told_to(actor);
        move |error| Self(told(error))
    }
}

/// An error for git-lfs, and for clients of the Hub that send large files.
#[derive(Debug)]
pub(crate) struct LfsRefusal(ApiError);

impl LfsRefusal {
    /// For `map_err`: as it may be told to this actor.
    pub(crate) fn for_actor<E: Into<ApiError>>(actor: &Actor) -> impl Fn(E) -> Self {
        let told = crate::api::told_to(actor);
        move |error| Self(told(error))
    }
}

impl From<ApiError> for LfsRefusal {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<ServiceError> for LfsRefusal {
    fn from(error: ServiceError) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for LfsRefusal {
    fn into_response(self) -> Response {
        let error = self.0;
        // One kind of client reads one member, the other the other.
        let message = json!(error.message());
        let mut response = error.with("message", message).into_response();
        let is_challenge = response.status() == StatusCode::UNAUTHORIZED;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, LFS_JSON);
        if is_challenge {
            headers.insert(header::WWW_AUTHENTICATE, CHALLENGE);
            headers.insert(LFS_AUTHENTICATE, CHALLENGE);
        }
        response
    }
}

impl From<ApiError> for GitRefusal {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<ServiceError> for GitRefusal {
    fn from(error: ServiceError) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for GitRefusal {
    fn into_response(self) -> Response {
        let (mut parts, _) = self.0.into_response().into_parts();
        let text = parts.headers.get(X_ERROR_MESSAGE).and_then(|text| text.to_str().ok()).unwrap_or_default();
        let body = Body::from(format!("{text}\n"));
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        parts.headers.remove(header::CONTENT_LENGTH);
        if parts.status == StatusCode::UNAUTHORIZED {
            parts.headers.insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        Response::from_parts(parts, body)
    }
}
