//! An application gives its tokens back, by RFC 7009.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use spaceport_control::service::TokenRequest;

use super::token::{by_header, not_kept, refused};
use crate::extract::Form;
use crate::router::AppState;

/// Every parameter that is read. `token_type_hint` is not: a token says what it is.
const NAMES: [&str; 3] = ["token", "client_id", "client_secret"];

/// Ends a token. Whether there was one is not told.
pub(crate) async fn revoke(State(app): State<AppState>, headers: HeaderMap, Form(form): Form) -> Response {
    let get = |name: &str| form.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
    let mut request = TokenRequest {
        client_id: get("client_id"),
        client_secret: get("client_secret"),
        is_repeated: NAMES.iter().any(|name| form.all(name).len() > 1),
        ..TokenRequest::default()
    };
    let is_basic = headers.contains_key(header::AUTHORIZATION);
    let ended = match by_header(&headers, &mut request) {
        Ok(()) => app.control.oauth_revoke(get("token"), request).await,
        Err(error) => Err(error),
    };
    not_kept(match ended {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => refused(&error, is_basic),
    })
}
