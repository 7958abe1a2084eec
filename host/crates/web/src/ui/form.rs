//! Pages with a form, and going on from one.

use std::fmt::Display;

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::chrome::show;
use crate::router::AppState;

/// What is said of a name while somebody thinks of it.
pub(super) struct NameNote {
    pub(super) words: String,
    /// Whether it cannot be had.
    pub(super) is_taken: bool,
}

impl NameNote {
    /// It can be had.
    pub(super) fn free(name: &impl Display) -> Self {
        Self { words: format!("{name} is free."), is_taken: false }
    }

    /// It cannot, as these words say.
    pub(super) fn taken(words: String) -> Self {
        Self { words, is_taken: true }
    }
}

/// A page with a question of this hub. Nothing of it is kept.
pub(super) fn show_form(app: &AppState, status: StatusCode, page: &impl Template) -> Response {
    let mut response = show(app, status, page).unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Goes on to another address, by `GET` whatever the method was.
pub(crate) fn see_other(address: &str) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    match HeaderValue::try_from(address) {
        Ok(address) => {
            headers.insert(header::LOCATION, address);
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
