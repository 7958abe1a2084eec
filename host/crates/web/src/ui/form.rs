//! Pages with a form: what they look like, and what browsers may do with them.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::html::{Html, page};
use crate::router::AppState;

/// What a form looks like.
const STYLE: &str = "<style>label{display:block;margin:.8rem 0}input{display:block;width:100%;max-width:24rem;padding:.4rem;font:inherit}\
    button{font:inherit;padding:.4rem 1.2rem;margin:.5rem .5rem 0 0;cursor:pointer}\
    .error{background:#fee;padding:.6rem 1rem}li{list-style:disc;margin-left:1.2rem}</style>";

/// A page whose forms may be sent to this hub, from where a browser may be sent on to a Space: browsers count that as the
/// form's way, too. Nothing of it is kept, and no other site may frame it.
pub(super) fn form_page(app: &AppState, status: StatusCode, title: &str, body: &Html) -> Response {
    let mut whole = Html::default();
    whole.raw(STYLE).add(body);
    let addresses = app.control.addresses();
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
         form-action 'self' {}://*.{}",
        addresses.scheme, addresses.spaces
    );
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // With `no-referrer` browsers would not say either where a form comes from.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (status, headers, page(title, &whole)).into_response()
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
